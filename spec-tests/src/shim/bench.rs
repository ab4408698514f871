//! What a shim costs, side by side with another: memory, time, processor time, programs executed.

use super::{
    client::Client,
    daemon::Daemon,
    lifecycle::Place,
    messages::{ConnectResponse, ProcessRequest},
    probe::{RUN, gone, ready},
};
use crate::harness::{Hierarchy, Test, Verdict, fail, hierarchies, within};
use nix::{
    mount::{MsFlags, mount},
    sys::resource::{UsageWho, getrusage},
};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How many containers are added to a pod to see what one costs.
const ADDED: u64 = 20;

/// One shim's figures.
#[derive(Default)]
struct Figures {
    resident: u64,
    anonymous: u64,
    per_container: u64,
    requests: Vec<Duration>,
    whole: Vec<Duration>,
    processor: Vec<Duration>,
    programs: Option<(usize, usize)>,
}

/// Measures the shims in interleaved rounds and prints a Markdown table.
pub(crate) fn bench(test: &Test, shims: &[PathBuf], rounds: usize) -> Verdict {
    fs::create_dir_all(RUN)?;
    mount(Some("none"), RUN, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    let home = own_cgroups()?;
    test.enter_own_cgroup()?;
    let done = measure(test, shims, rounds);
    // Back, or the suite would end with the cgroups that it removes.
    home.iter().try_for_each(|dir| fs::write(dir.join("cgroup.procs"), "0"))?;
    print_table(shims, done?);
    Ok(())
}

/// The directories of the cgroups that this process is in.
fn own_cgroups() -> Verdict<Vec<PathBuf>> {
    let table = fs::read_to_string("/proc/self/cgroup")?;
    let path = |hierarchy: &Hierarchy| {
        let mut lines = table.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let own = |list: &str| {
            if hierarchy.v2 {
                list.is_empty()
            } else {
                list.split(',').any(|name| hierarchy.controllers[0] == name)
            }
        };
        lines.find(|(list, _)| own(list)).map(|(_, path)| hierarchy.at.join(path.trim_start_matches('/')))
    };
    Ok(hierarchies().iter().filter_map(path).collect())
}

fn measure(test: &Test, shims: &[PathBuf], rounds: usize) -> Verdict<Vec<Figures>> {
    let mut all = Vec::new();
    for (number, shim) in shims.iter().enumerate() {
        let daemon = Daemon::new(&test.dir().join(format!("d{number}")), shim)?;
        let mut figures = Figures::default();
        memory(test, &daemon, &mut figures)?;
        figures.programs = programs(test, &daemon)?;
        all.push((daemon, figures));
    }
    for round in 0..rounds + 2 {
        for (daemon, figures) in &mut all {
            let life = life(test, daemon)?;
            // The first rounds warm caches up.
            if round > 1 {
                figures.requests.push(life.requests);
                figures.whole.push(life.whole);
                figures.processor.extend(life.processor);
            }
        }
    }
    Ok(all.into_iter().map(|(_, figures)| figures).collect())
}

fn shim_pid(client: &Client, id: &str) -> Verdict<u32> {
    let request = ProcessRequest { id: id.to_owned(), exec_id: String::new() };
    Ok(client.call::<ConnectResponse>("Connect", &request)?.shim_pid)
}

/// Resident and anonymous memory of a process, in KiB, proc_pid_smaps(5).
pub(super) fn memory_of(pid: u32) -> Verdict<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    match (field("Rss:"), field("Anonymous:")) {
        (Some(resident), Some(anonymous)) => Ok((resident, anonymous)),
        _ => fail(format!("smaps_rollup: {text:?}")),
    }
}

/// The memory of a shim with one idle container, and with more of them.
fn memory(test: &Test, daemon: &Daemon, figures: &mut Figures) -> Verdict {
    let pod = format!("{}-memory", test.tag());
    let first = Place::new(test, daemon, Some(&pod))?;
    let client = first.connect(daemon)?;
    let pid = shim_pid(&client, &first.id)?;
    ready(first.run(&client)?)?;
    thread::sleep(Duration::from_millis(300));
    (figures.resident, figures.anonymous) = memory_of(pid)?;
    let mut others = Vec::new();
    for _ in 0..ADDED {
        let place = Place::new(test, daemon, Some(&pod))?;
        let client = place.connect(daemon)?;
        ready(place.run(&client)?)?;
        others.push((place, client));
    }
    thread::sleep(Duration::from_millis(300));
    figures.per_container = memory_of(pid)?.1.saturating_sub(figures.anonymous) / ADDED;
    others.push((first, client));
    for (place, client) in &others {
        place.end(client)?;
    }
    for (place, client) in &others {
        place.shut_down(client);
        place.remove(daemon)?;
    }
    gone(pid)
}

/// The programs that one container's life executes, and how many of them come from a memfd; none without strace(1).
fn programs(test: &Test, daemon: &Daemon) -> Verdict<Option<(usize, usize)>> {
    if !Path::new("/usr/bin/strace").exists() {
        return Ok(None);
    }
    let place = Place::new(test, daemon, None)?;
    let trace = test.dir().join(format!("{}.strace", place.id));
    let (_, client) = daemon.start_traced(&place.dir, &place.id, &trace)?;
    let pid = shim_pid(&client, &place.id)?;
    place.run(&client)?;
    place.end(&client)?;
    place.shut_down(&client);
    gone(pid)?;
    daemon.delete_traced(&place.dir, &place.id, &trace)?;
    let executed = |text: &str| {
        let calls = text.lines().filter(|line| line.contains("exec") && line.ends_with("= 0"));
        let calls: Vec<&str> = calls.filter(|line| !line.contains("\"/usr/bin/strace\"")).collect();
        (
            calls.len(),
            calls.iter().filter(|line| line.contains("execveat(") || line.contains("/proc/self/fd")).count(),
        )
    };
    // The tracer writes the last line after the traced process has ended.
    thread::sleep(Duration::from_millis(100));
    Ok(Some(executed(&fs::read_to_string(trace)?)))
}

struct Life {
    requests: Duration,
    whole: Duration,
    processor: Option<Duration>,
}

/// A container with a shim of its own, as the daemon does it.
fn life(test: &Test, daemon: &Daemon) -> Verdict<Life> {
    let place = Place::new(test, daemon, None)?;
    let before = processor_time(test);
    let start = Instant::now();
    let client = place.connect(daemon)?;
    let pid = shim_pid(&client, &place.id)?;
    let first = Instant::now();
    place.run(&client)?;
    place.end(&client)?;
    let requests = first.elapsed();
    place.shut_down(&client);
    within(Duration::from_secs(5), || (!super::probe::alive(pid)).then_some(()));
    place.remove(daemon)?;
    let whole = start.elapsed();
    let processor = before.zip(processor_time(test)).map(|(before, after)| after.saturating_sub(before));
    Ok(Life { requests, whole, processor })
}

/// What all below the suite's cgroup has used of the processors, less what the suite itself has.
fn processor_time(test: &Test) -> Option<Duration> {
    let parent = test.cgroup_parent().trim_start_matches('/').to_owned();
    let used = hierarchies().into_iter().find_map(|hierarchy| {
        let dir = hierarchy.at.join(&parent);
        if let Ok(text) = fs::read_to_string(dir.join("cpuacct.usage")) {
            return Some(Duration::from_nanos(text.trim().parse().ok()?));
        }
        let text = fs::read_to_string(dir.join("cpu.stat")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
        Some(Duration::from_micros(line.trim().parse().ok()?))
    })?;
    let own = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let time = |value: nix::sys::time::TimeVal| {
        let (seconds, micros) = (u64::try_from(value.tv_sec()).ok()?, u64::try_from(value.tv_usec()).ok()?);
        Some(Duration::from_secs(seconds) + Duration::from_micros(micros))
    };
    Some(used.saturating_sub(time(own.user_time())? + time(own.system_time())?))
}

fn median(all: &mut [Duration]) -> String {
    all.sort_unstable();
    all.get(all.len() / 2).map_or("-".into(), |value| format!("{:.1}", value.as_secs_f64() * 1000.0))
}

fn print_table(shims: &[PathBuf], mut all: Vec<Figures>) {
    let names = shims.iter().map(|path| path.file_name().unwrap_or_default().to_string_lossy());
    println!("| | {} |", names.collect::<Vec<_>>().join(" | "));
    println!("|---{}|", "|---".repeat(shims.len()));
    let row = |title: &str, cells: Vec<String>| println!("| {title} | {} |", cells.join(" | "));
    row("resident KiB, one idle container", all.iter().map(|f| f.resident.to_string()).collect());
    row("anonymous KiB, one idle container", all.iter().map(|f| f.anonymous.to_string()).collect());
    row(
        "anonymous KiB per added container of a pod",
        all.iter().map(|f| f.per_container.to_string()).collect(),
    );
    row("Create to Delete by requests, median ms", all.iter_mut().map(|f| median(&mut f.requests)).collect());
    row(
        "with start and delete of the shim, median ms",
        all.iter_mut().map(|f| median(&mut f.whole)).collect(),
    );
    row("processor time of all that, median ms", all.iter_mut().map(|f| median(&mut f.processor)).collect());
    let programs = |figures: &Figures| match figures.programs {
        Some((all, memory)) => format!("{} and {memory} from memory", all - memory),
        None => "-".into(),
    };
    row("programs executed", all.iter().map(programs).collect());
}
