//! Many containers at once and one after another: nothing of them may stay in the shim.

use super::{
    bench::memory_of,
    client::Client,
    daemon::Daemon,
    lifecycle::Place,
    messages::{ConnectResponse, ProcessRequest},
    probe::{RUN, Reaper, files, gone},
};
use crate::harness::{Test, Verdict, check, check_eq, fail, hierarchies, interrupted};
use nix::mount::{MsFlags, mount};
use std::{
    fs,
    path::Path,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// How many of the first containers only warm the shim up.
const WARM: usize = 50;
/// How much a shim's anonymous memory may grow, in KiB: the allocator's own fringe.
const GROWTH: u64 = 128;

/// `at_once` containers in one pod at the same time and `at_once` with a shim each, then `in_a_row` in one pod.
pub(crate) fn soak(test: &Test, at_once: usize, in_a_row: usize) -> Verdict {
    fs::create_dir_all(RUN)?;
    mount(Some("none"), RUN, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    let daemon = Daemon::new(test.dir(), test.runtime())?;
    // Servers are orphans of their own start, as beneath a daemon.
    let _reaper = Reaper::start();
    for pod in [Some("soak-pod"), None] {
        let begin = Instant::now();
        parallel(test, &daemon, pod, at_once)?;
        let what = if pod.is_some() { "in one pod" } else { "with a shim each" };
        println!("{at_once} containers at once {what}: {:.1} s", begin.elapsed().as_secs_f64());
    }
    row(test, &daemon, in_a_row)
}

/// Connects to the shim of a place.
fn pid_of(client: &Client, id: &str) -> Verdict<u32> {
    let request = ProcessRequest { id: id.to_owned(), exec_id: String::new() };
    Ok(client.call::<ConnectResponse>("Connect", &request)?.shim_pid)
}

fn parallel(test: &Test, daemon: &Daemon, pod: Option<&str>, count: usize) -> Verdict {
    let pod = pod.map(|pod| format!("{}-{pod}", test.tag()));
    // A pod's shim is there before its members, as the daemon has it.
    let leader = Place::new(test, daemon, pod.as_deref())?;
    let client = leader.connect(daemon)?;
    leader.run(&client)?;
    let pid = pid_of(&client, &leader.id)?;
    let before = Counts::of(pid)?;
    let places = (0..count).map(|_| Place::new(test, daemon, pod.as_deref())).collect::<Verdict<Vec<_>>>()?;
    let all_run = Barrier::new(count);
    let work = |place: &Place| {
        let client = place.connect(daemon);
        let ran = client.as_ref().map_err(Clone::clone).and_then(|client| place.run(client));
        all_run.wait();
        let client = client?;
        ran?;
        place.exec(&client)?;
        place.end(&client)?;
        place.shut_down(&client);
        drop(client);
        place.remove(daemon)
    };
    let done: Vec<Verdict> = thread::scope(|scope| {
        let threads: Vec<_> = places.iter().map(|place| scope.spawn(|| work(place))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| fail("a thread of the suite")))
            .collect()
    });
    done.into_iter().collect::<Verdict<()>>()?;
    Counts::of(pid)?.same_as(&before)?;
    leader.end(&client)?;
    leader.shut_down(&client);
    gone(pid)?;
    leader.remove(daemon)?;
    nothing_left(test)
}

fn row(test: &Test, daemon: &Daemon, count: usize) -> Verdict {
    let pod = format!("{}-row", test.tag());
    let leader = Place::new(test, daemon, Some(&pod))?;
    let client = leader.connect(daemon)?;
    leader.run(&client)?;
    let pid = pid_of(&client, &leader.id)?;
    let begin = Instant::now();
    let mut before = Counts::of(pid)?;
    for number in 0..count + WARM {
        let place = Place::new(test, daemon, Some(&pod))?;
        let member = place.connect(daemon)?;
        place.run(&member)?;
        if number % 4 == 0 {
            place.exec(&member)?;
        }
        place.end(&member)?;
        place.shut_down(&member);
        drop(member);
        place.remove(daemon)?;
        if number + 1 == WARM {
            before = Counts::of(pid)?;
        }
        if (number + 1) % 1000 == 0 {
            println!("after {:5}: {}", number + 1, Counts::of(pid)?.words());
        }
        if interrupted() {
            return fail("interrupted");
        }
    }
    let after = Counts::of(pid)?;
    println!("{count} containers in a row in one pod: {:.1} s", begin.elapsed().as_secs_f64());
    println!("before: {}", before.words());
    println!("after:  {}", after.words());
    after.same_as(&before)?;
    check!(
        after.anonymous <= before.anonymous + GROWTH,
        "anonymous memory grew from {} to {} KiB",
        before.anonymous,
        after.anonymous
    );
    leader.end(&client)?;
    leader.shut_down(&client);
    gone(pid)?;
    leader.remove(daemon)?;
    nothing_left(test)
}

/// What a shim holds.
struct Counts {
    descriptors: usize,
    threads: usize,
    zombies: usize,
    resident: u64,
    anonymous: u64,
}

impl Counts {
    fn of(pid: u32) -> Verdict<Self> {
        let count = |name: &str| fs::read_dir(format!("/proc/{pid}/{name}")).map_or(0, Iterator::count);
        // What is about to be closed is given a moment.
        let mut descriptors = count("fd");
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(10));
            descriptors = descriptors.min(count("fd"));
        }
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let zombie = |child: &&str| {
            let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
        };
        let zombies = children.split_whitespace().filter(zombie).count();
        let (resident, anonymous) = memory_of(pid)?;
        Ok(Self { descriptors, threads: count("task"), zombies, resident, anonymous })
    }

    fn words(&self) -> String {
        format!(
            "{} descriptors, {} threads, {} zombies, {} KiB resident, {} KiB anonymous",
            self.descriptors, self.threads, self.zombies, self.resident, self.anonymous
        )
    }

    fn same_as(&self, before: &Self) -> Verdict {
        check_eq!(self.zombies, 0, "zombies");
        check!(
            self.descriptors <= before.descriptors && self.threads <= before.threads,
            "it holds {}; before {}",
            self.words(),
            before.words()
        );
        Ok(())
    }
}

/// No socket, no state, no cgroup of any container.
fn nothing_left(test: &Test) -> Verdict {
    let left = files(Path::new(RUN));
    check!(left.is_empty(), "left behind: {left:?}");
    for hierarchy in hierarchies() {
        let dir = hierarchy.at.join(test.cgroup_parent().trim_start_matches('/'));
        let names = fs::read_dir(&dir).into_iter().flatten().flatten();
        let names: Vec<_> = names.filter(|e| e.file_name().to_string_lossy().contains(test.tag())).collect();
        check!(names.is_empty(), "{} cgroups are left in {}", names.len(), dir.display());
    }
    Ok(())
}
