//! `cargo run --release --example quickstart`, as root: the whole life of a container, with nothing downloaded.
//!
//! The bundle is made on the spot. Its image holds one file: this very program, which is static. Inside the container it
//! runs as `quickstart payload ...` and tells what it sees from there.

use runtime_core::{
    Container, ContainerBuilder, Created, Error, ErrorKind, ExitStatus, Job, ProcessBuilder, Result, Signal,
    Stdio, spec::Spec,
};
use std::{
    collections::HashMap,
    env, fs,
    io::{self, BufRead, BufReader, PipeReader, Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{self, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

const PROGRAM: &str = "/bin/quickstart";
const MEMORY: u64 = 64 << 20;
const PIDS: u32 = 16;
const CPUS: f64 = 0.5;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "payload") {
        return payload(arguments.get(1).map_or("look", String::as_str));
    }
    match Ground::new().and_then(|ground| show(&ground)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {}", error.report());
            if error.kind() == ErrorKind::Permission {
                eprintln!("It makes namespaces and cgroups: run it as root.");
            }
            ExitCode::FAILURE
        }
    }
}

/// A temporary directory with the bundle and the state; whatever is in it is gone at the end.
struct Ground {
    directory: PathBuf,
    id: String,
}

impl Ground {
    fn new() -> Result<Self> {
        let id = format!("corten-quickstart-{}", process::id());
        Ok(Self { directory: env::temp_dir().join(&id), id })
    }

    fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// Makes the image: this program and a few empty directories.
    fn make_image(&self) -> Result<()> {
        let make = || {
            for name in ["bin", "dev", "proc", "sys", "tmp"] {
                fs::create_dir_all(self.directory.join("rootfs").join(name))?;
            }
            fs::copy("/proc/self/exe", self.directory.join("rootfs").join(&PROGRAM[1..]))
        };
        make().map(drop).map_err(|error| Error::io(format!("{}: make", self.directory.display()), error))
    }

    /// Creates the container, which writes to `output`.
    fn create(&self, limited: bool, output: OwnedFd) -> Result<Created> {
        let copy = output.try_clone().map_err(|error| Error::io("dup", error))?;
        ContainerBuilder::new(&self.id)
            .root(self.state())
            .bundle(&self.directory)
            .spec(configuration(&self.id, limited))
            .stdin(Stdio::Null)
            .stdout(output)
            .stderr(copy)
            .create()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = Container::delete_forced(self.state(), &self.id);
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// What config.json would say. A [`Job`] brings the usual mounts, six namespaces, three capabilities and the masked and
/// read-only paths.
fn configuration(id: &str, limited: bool) -> Spec {
    let mut job = Job::new("rootfs", [PROGRAM, "payload", "look"]).hostname("quickstart").read_only();
    if limited {
        job = job.memory(MEMORY).pids(PIDS).cpus(CPUS);
    }
    let mut spec = job.spec();
    if let Some(linux) = &mut spec.linux {
        linux.cgroups_path = Some(format!("/{id}").into());
    }
    spec
}

/// The life of the container, a step a line.
fn show(ground: &Ground) -> Result<()> {
    println!("The life of a container, and what each step takes\n");
    step(
        "bundle",
        || ground.make_image(),
        |()| format!("{}: one program, no download", ground.directory.display()),
    )?;

    let (listener, speaker) = Listener::open()?;
    let (container, limited) = step("create", || create(ground, speaker), |(container, _)| about(container))?;
    let pid = container.pid().unwrap_or_default();
    let container = step("start", || container.start(), |_| format!("process {pid} executes {PROGRAM}"))?;
    let inside = listener.facts()?;
    let answer = run_inside(&container, "answer")?;
    tell("exec", answer.took, &format!("another process in it says {:?}, {}", answer.said, answer.status));
    let ticks = |time| {
        let before = listener.ticks();
        thread::sleep(time);
        listener.ticks() - before
    };
    let quiet = Duration::from_millis(50);
    step(
        "pause",
        || container.pause(),
        |()| {
            thread::sleep(quiet / 5); // what it said before is still on its way
            format!("{} signs of life in {quiet:?}", ticks(quiet))
        },
    )?;
    step("resume", || container.resume(), |()| format!("{} signs of life in {quiet:?}", ticks(quiet)))?;

    show_isolation(pid, &inside)?;
    if limited {
        show_limits(&container)?;
    }

    println!("\nThe end");
    let mut traces = traces(pid);
    traces.push(ground.state().join(&ground.id));
    step("kill", || container.kill(Signal::KILL).and_then(|()| container.wait()), ExitStatus::to_string)?;
    let words = |(): &()| "no process, cgroup or state is left of it".to_owned();
    step("delete", || container.delete(false).and_then(|()| nothing_of(&traces)), words)
}

fn nothing_of(traces: &[PathBuf]) -> Result<()> {
    match traces.iter().find(|path| path.exists()) {
        Some(path) => Err(Error::new(ErrorKind::Io, format!("{} is still there", path.display()))),
        None => Ok(()),
    }
}

/// Creates the container; on a host that cannot set the limits, without them.
fn create(ground: &Ground, output: OwnedFd) -> Result<(Created, bool)> {
    let copy = output.try_clone().map_err(|error| Error::io("dup", error))?;
    match ground.create(true, copy) {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            println!("  without limits: {}", error.report());
            ground.create(false, output).map(|container| (container, false))
        }
        other => other.map(|container| (container, true)),
    }
}

fn about(container: &Container) -> String {
    let status = container.status().map_or_else(|error| error.report(), |status| status.to_string());
    format!("{}: {status}, process {}", container.id(), container.pid().unwrap_or_default())
}

/// Does a step, and tells how long it took and what `words` make of it.
fn step<T>(name: &str, act: impl FnOnce() -> Result<T>, words: impl FnOnce(&T) -> String) -> Result<T> {
    let start = Instant::now();
    let result = act().map_err(|error| error.context(name))?;
    let took = start.elapsed();
    tell(name, took, &words(&result));
    Ok(result)
}

fn tell(name: &str, took: Duration, words: &str) {
    println!("  {name:<7} {:>7.2} ms  {words}", took.as_secs_f64() * 1000.0);
}

/// What the host and the container see of the same things.
fn show_isolation(pid: i32, inside: &HashMap<String, String>) -> Result<()> {
    println!("\nWhat is isolated\n  {:<22} {:<28} from the container", "", "from the host");
    let outside = look();
    let row = |name: &str, host: &str, container: &str| println!("  {name:<22} {host:<28} {container}");
    let seen = |key: &str| inside.get(key).cloned().unwrap_or_default();
    row("its process id", &pid.to_string(), &seen("pid"));
    for (name, key) in [
        ("host name", "hostname"),
        ("processes", "processes"),
        ("network interfaces", "network"),
        ("files in /", "root"),
        ("capabilities", "capabilities"),
        ("no new privileges", "no new privileges"),
        ("/proc/timer_list", "masked"),
    ] {
        row(name, outside.get(key).map_or("", String::as_str), &seen(key));
    }
    for (name, key) in [("write to /", "write"), ("set the host name", "set")] {
        row(name, "", &seen(key));
    }
    for name in ["pid", "mnt", "net", "ipc", "uts", "cgroup"] {
        let link = |whose: String| fs::read_link(format!("/proc/{whose}/ns/{name}")).unwrap_or_default();
        let (host, container) = (link("self".to_owned()), link(pid.to_string()));
        if host == container {
            return Err(Error::new(ErrorKind::Io, format!("the {name} namespace is the host's")));
        }
        row(&format!("{name} namespace"), &host.display().to_string(), &container.display().to_string());
    }
    Ok(())
}

/// What happens to processes that want more than their share.
fn show_limits(container: &Container) -> Result<()> {
    println!("\nWhat is limited");
    let row = |name: String, words: String| println!("  {name:<22} {words}");
    let memory = run_inside(container, "memory")?;
    row(format!("memory, {} MiB", MEMORY >> 20), format!("one that takes 128 MiB: {}", memory.status));
    let pids = run_inside(container, "threads")?;
    row(format!("processes, {PIDS}"), format!("one that starts threads: {}", pids.said));
    let used = || container.stats().map(|stats| stats.cpu.usage.total / 1_000_000);
    let before = used()?;
    let spin = run_inside(container, "spin")?;
    let words = format!("one that spins for {} ms: got {} ms", spin.took.as_millis(), used()? - before);
    row(format!("processor, {:.0} %", CPUS * 100.0), words);
    Ok(())
}

/// What came of a further process in the container.
struct Answer {
    said: String,
    status: ExitStatus,
    took: Duration,
}

/// Executes this program once more in the container and waits for its end.
fn run_inside(container: &Container, task: &str) -> Result<Answer> {
    let start = Instant::now();
    let (mut reader, writer) = io::pipe().map_err(|error| Error::io("pipe", error))?;
    let mut process = container.spec_process()?;
    process.args = [PROGRAM, "payload", task].map(str::to_owned).into();
    let process = container.exec(
        ProcessBuilder::new(process).stdin(Stdio::Null).stdout(OwnedFd::from(writer)).stderr(Stdio::Null),
    )?;
    let mut said = String::new();
    reader.read_to_string(&mut said).map_err(|error| Error::io("read from the container", error))?;
    let status = process.wait()?;
    Ok(Answer { said: said.trim().to_owned(), status, took: start.elapsed() })
}

/// Where the container's process and its cgroups are to be seen.
fn traces(pid: i32) -> Vec<PathBuf> {
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let mounted = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(mounted).into_iter().flatten().flatten().map(|entry| entry.path());
    let hierarchies: Vec<_> = hierarchies.chain([mounted.to_owned()]).collect();
    let own = cgroups.lines().filter_map(|line| line.rsplit_once(":/")).map(|(_, path)| path);
    let own = own.filter(|path| path.starts_with("corten-quickstart"));
    let all = own.flat_map(|path| hierarchies.iter().map(move |hierarchy| hierarchy.join(path)));
    all.chain([format!("/proc/{pid}").into()]).collect()
}

/// Hears what the container's first process says.
struct Listener {
    lines: Receiver<String>,
    ticks: Arc<AtomicUsize>,
}

impl Listener {
    /// It and the end of the pipe to speak into.
    fn open() -> Result<(Self, OwnedFd)> {
        let (reader, writer) = io::pipe().map_err(|error| Error::io("pipe", error))?;
        let ticks = Arc::new(AtomicUsize::new(0));
        let (sender, lines) = mpsc::channel();
        let count = Arc::clone(&ticks);
        thread::spawn(move || {
            for line in BufReader::<PipeReader>::new(reader).lines().map_while(io::Result::ok) {
                match line.as_str() {
                    "tick" => drop(count.fetch_add(1, Ordering::Relaxed)),
                    _ => drop(sender.send(line)),
                }
            }
        });
        Ok((Self { lines, ticks }, writer.into()))
    }

    /// What the process sees: lines of `key=value` up to one that is empty.
    fn facts(&self) -> Result<HashMap<String, String>> {
        let mut facts = HashMap::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(10));
            let silent = |_| Error::new(ErrorKind::Timeout, "the container's process says nothing");
            match line.map_err(silent)?.split_once('=') {
                Some((key, value)) => facts.insert(key.to_owned(), value.to_owned()),
                None => return Ok(facts),
            };
        }
    }

    fn ticks(&self) -> usize {
        self.ticks.load(Ordering::Relaxed)
    }
}

/// What a process sees of its surroundings, on the host as in the container.
fn look() -> HashMap<&'static str, String> {
    let names = |directory: &str| {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    };
    let short = |names: Vec<String>| match names.len() {
        0..=5 => names.join(" "),
        count => format!("{count}"),
    };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim();
    let capabilities = u64::from_str_radix(field("CapEff:"), 16).unwrap_or_default().count_ones();
    let devices = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    let devices =
        devices.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim().to_owned());
    let processes = names("/proc").iter().filter(|name| name.parse::<u32>().is_ok()).count();
    HashMap::from([
        ("pid", process::id().to_string()),
        ("hostname", fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()),
        ("processes", processes.to_string()),
        ("network", short(devices.collect())),
        ("root", short(names("/"))),
        ("capabilities", capabilities.to_string()),
        ("masked", read_length("/proc/timer_list")),
        ("no new privileges", if field("NoNewPrivs:") == "1" { "yes" } else { "no" }.to_owned()),
    ])
}

/// How much there is to read in a file.
fn read_length(path: &str) -> String {
    fs::read(path).map_or_else(|error| words(&error), |content| format!("{} bytes", content.len()))
}

/// The system's words without the number that the standard library adds.
fn words(error: &io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_owned()
}

/// The program inside the container.
fn payload(task: &str) -> ExitCode {
    match task {
        "answer" => {
            println!("hello from process {}", process::id());
            return ExitCode::from(7);
        }
        "memory" => {
            let memory = vec![1_u8; 128 << 20];
            println!("{}", memory.iter().map(|byte| usize::from(*byte)).sum::<usize>());
        }
        "threads" => use_up_threads(),
        "spin" => {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(400) {}
        }
        _ => live(),
    }
    ExitCode::SUCCESS
}

/// Starts threads until it is refused.
fn use_up_threads() {
    for count in 0..100 {
        let sleep = || thread::sleep(Duration::from_secs(60));
        if let Err(error) = thread::Builder::new().spawn(sleep) {
            println!("{} after {count}", words(&error));
            return;
        }
    }
    println!("100 were allowed");
}

/// Tells what it sees and what it may not do, and then gives signs of life until it is killed.
fn live() {
    let refusal =
        |result: io::Result<()>| result.map_or_else(|error| words(&error), |()| "allowed".to_owned());
    let mut facts = look();
    facts.insert("write", refusal(fs::write("/new-file", "x")));
    facts.insert("set", refusal(fs::write("/proc/sys/kernel/hostname", "x")));
    for (key, value) in facts {
        println!("{key}={value}");
    }
    println!();
    while io::stdout().write_all(b"tick\n").and_then(|()| io::stdout().flush()).is_ok() {
        thread::sleep(Duration::from_millis(2));
    }
}
