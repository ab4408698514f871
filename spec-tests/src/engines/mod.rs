//! `spec-tests engines`: Docker, Podman, Buildah and containerd, for real, with the runtime beneath them. The cases are
//! shell, a file per engine, and are tried with a reference as well: what that passes, the runtime is to pass.
//!
//! All of it runs in mount, network and process namespaces of its own, with what engines write to /etc, /run and /var/lib
//! in memory: when the first process there ends, all daemons, mounts, networks and packet filter rules are gone.

mod script;
mod worker;

use crate::harness::{Kind, catch_interrupts, hierarchies, in_path, interrupted, remove_cgroup};
use script::Script;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// What the caller asks for.
pub(crate) struct Options {
    /// The runtime's file.
    pub(crate) runtime: PathBuf,
    /// The shim's file, for the cases of containerd's own plugging in; else that beside the runtime.
    pub(crate) shim: Option<PathBuf>,
    /// The runtime to compare with; none for no comparison.
    pub(crate) reference: Option<PathBuf>,
    /// Only engines whose name begins so.
    pub(crate) engines: Vec<String>,
    /// Only cases whose `engine/name` holds one of these.
    pub(crate) filter: Vec<String>,
    /// How many cases at a time.
    pub(crate) jobs: usize,
    /// Whether cgroup v2 alone is mounted for all of it.
    pub(crate) v2: bool,
}

/// What a shim is compared with.
const SHIM_REFERENCE: &str = "containerd-shim-runc-v2";

/// All runs together take no longer.
const LIMIT: Duration = Duration::from_secs(345);

/// An engine, the programs that it needs, and its cases.
struct Engine {
    name: &'static str,
    programs: &'static [&'static str],
    text: &'static [&'static str],
    /// Whether it is tried with the shim and not with the runtime.
    shim: bool,
}

const DOCKER: &str = include_str!("docker-daemon.sh");
const CONTAINERD: &str = include_str!("containerd-daemon.sh");
const ENGINES: [Engine; 6] = [
    Engine {
        name: "containerd",
        programs: &["containerd", "ctr"],
        text: &[CONTAINERD, include_str!("containerd.sh")],
        shim: false,
    },
    Engine {
        name: "shim",
        programs: &["containerd", "ctr"],
        text: &[CONTAINERD, include_str!("containerd-shim.sh")],
        shim: true,
    },
    Engine {
        name: "docker",
        programs: &["dockerd", "docker", "iptables"],
        text: &[DOCKER, include_str!("docker.sh")],
        shim: false,
    },
    Engine {
        name: "docker-userns",
        programs: &["dockerd", "docker", "iptables"],
        text: &[DOCKER, include_str!("docker-userns.sh")],
        shim: false,
    },
    Engine {
        name: "podman",
        programs: &["podman", "conmon"],
        text: &[include_str!("podman.sh")],
        shim: false,
    },
    Engine {
        name: "podman-rootless",
        programs: &["podman", "conmon", "newuidmap", "setpriv"],
        text: &[include_str!("podman-rootless.sh")],
        shim: false,
    },
];

/// What all of them need.
const TOOLS: [&str; 8] = ["bash", "unshare", "script", "ip", "tar", "busybox", "xargs", "awk"];

impl Engine {
    fn named(name: &str) -> Option<&'static Self> {
        ENGINES.iter().find(|engine| engine.name == name)
    }

    fn script(&self) -> Script {
        Script::parse(self.text)
    }

    /// The first program that is not here.
    fn lacks(&self) -> Option<&'static str> {
        let mut needed = TOOLS.iter().chain(self.programs);
        needed.find(|name| !in_path(Path::new(name)).is_file()).copied()
    }
}

/// What a worker is to do.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    engine: String,
    runtime: PathBuf,
    base: PathBuf,
    parent: String,
    cases: Vec<String>,
    jobs: usize,
    v2: bool,
}

/// What a worker tells of a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Told {
    name: String,
    kind: Kind,
    words: String,
    milliseconds: u128,
}

/// Carries out an order of ours, given as this process's argument.
pub(crate) fn worker(order: &str) -> io::Result<()> {
    worker::main(order)
}

/// The names of all cases that `options` choose.
pub(crate) fn names(options: &Options) -> Vec<String> {
    let chosen = ENGINES.iter().filter(|engine| options.wants(engine));
    chosen
        .flat_map(|engine| options.cases(engine).into_iter().map(|case| format!("{}/{case}", engine.name)))
        .collect()
}

impl Options {
    fn wants(&self, engine: &Engine) -> bool {
        self.engines.is_empty() || self.engines.iter().any(|name| engine.name.starts_with(name.as_str()))
    }

    fn cases(&self, engine: &Engine) -> Vec<String> {
        let wanted = |case: &String| {
            let name = format!("{}/{case}", engine.name);
            self.filter.is_empty() || self.filter.iter().any(|word| name.contains(word))
        };
        engine.script().cases.into_iter().map(|(name, _)| name).filter(wanted).collect()
    }
}

/// Tries all; true when no case failed.
pub(crate) fn engines(options: &Options) -> io::Result<bool> {
    if !nix::unistd::geteuid().is_root() {
        return Err(io::Error::other("the engines want root"));
    }
    let find = |path: &Path| {
        fs::canonicalize(in_path(path))
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
    };
    let runtime = find(&options.runtime)?;
    let compare = |path: Option<&Path>| {
        path.and_then(|path| find(path).map_err(|error| eprintln!("no comparison: {error}")).ok())
    };
    let reference = compare(options.reference.as_deref());
    let beside = runtime.with_file_name("containerd-shim-corten-v1");
    let shim = options.shim.clone().map_or_else(|| find(&beside), |path| find(&path));
    let shim_reference = compare(options.reference.as_ref().map(|_| Path::new(SHIM_REFERENCE)));
    catch_interrupts()?;
    let deadline = Instant::now() + LIMIT;
    let mut sum = Sum::default();
    for engine in ENGINES.iter().filter(|engine| options.wants(engine)) {
        let cases = options.cases(engine);
        if cases.is_empty() || interrupted() {
            continue;
        }
        if let Some(program) = engine.lacks() {
            let why = format!("{program} is not installed");
            cases.iter().for_each(|case| sum.tell(engine, case, Kind::Skipped, &why));
            continue;
        }
        let (tried, other) = match (engine.shim, &shim) {
            (false, _) => (&runtime, &reference),
            (true, Ok(shim)) => (shim, &shim_reference),
            (true, Err(why)) => {
                cases
                    .iter()
                    .for_each(|case| sum.tell(engine, case, Kind::Skipped, &format!("no shim: {why}")));
                continue;
            }
        };
        let run = |runtime: &Path| Run { engine, runtime, options, deadline }.run(&cases);
        let theirs = other.as_deref().map(run).transpose()?;
        let ours = run(tried)?;
        for case in &cases {
            judge(&mut sum, engine, case, ours.get(case), theirs.as_ref().map(|told| told.get(case)));
        }
    }
    println!("{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped);
    Ok(sum.failed == 0 && !interrupted())
}

/// What the reference does not pass here is no fault of the runtime's.
fn judge(sum: &mut Sum, engine: &Engine, case: &str, ours: Option<&Told>, theirs: Option<Option<&Told>>) {
    let passes = |told: &Told| told.kind == Kind::Passed;
    match (ours, theirs) {
        (Some(told), _) if passes(told) => sum.tell(engine, case, Kind::Passed, ""),
        (Some(told), None) => sum.tell(engine, case, told.kind, &told.words),
        (Some(told), Some(Some(other))) if passes(other) => sum.tell(engine, case, Kind::Failed, &told.words),
        (_, Some(Some(other))) if !passes(other) => {
            sum.tell(
                engine,
                case,
                Kind::Skipped,
                &format!("the reference does not pass it here: {}", other.words),
            );
        }
        (Some(told), Some(_)) => sum.tell(engine, case, told.kind, &told.words),
        (None, _) => sum.tell(engine, case, Kind::Failed, "it was not tried: no time was left"),
    }
}

#[derive(Default)]
struct Sum {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Sum {
    fn tell(&mut self, engine: &Engine, case: &str, kind: Kind, words: &str) {
        let (word, count) = match kind {
            Kind::Passed => ("ok  ", &mut self.passed),
            Kind::Failed => ("FAIL", &mut self.failed),
            Kind::Skipped => ("skip", &mut self.skipped),
        };
        *count += 1;
        let words = if words.is_empty() { String::new() } else { format!(": {}", words.replace('\n', "; ")) };
        println!("{word} {}/{case}{words}", engine.name);
    }
}

/// One engine with one runtime.
struct Run<'a> {
    engine: &'a Engine,
    runtime: &'a Path,
    options: &'a Options,
    deadline: Instant,
}

impl Run<'_> {
    fn run(&self, cases: &[String]) -> io::Result<BTreeMap<String, Told>> {
        let id = std::process::id();
        let start = Instant::now();
        let order = Order {
            engine: self.engine.name.to_owned(),
            runtime: self.runtime.to_owned(),
            base: env::temp_dir().join(format!("corten-test-{id}")),
            parent: format!("/corten-test-{id}"),
            cases: cases.to_vec(),
            jobs: self.options.jobs,
            v2: self.options.v2,
        };
        fs::create_dir(&order.base)?;
        let told = self.attend(&order);
        for hierarchy in hierarchies() {
            remove_cgroup(&hierarchy.at.join(order.parent.trim_start_matches('/')));
        }
        fs::remove_dir(&order.base)?;
        let told = told?;
        let passed = told.values().filter(|told| told.kind == Kind::Passed).count();
        let name = self.runtime.file_name().unwrap_or_default().to_string_lossy();
        let seconds = start.elapsed().as_secs_f64();
        println!("# {} with {name}: {passed} of {} pass, in {seconds:.0} s", self.engine.name, cases.len());
        Ok(told)
    }

    /// Starts a worker in namespaces of its own and hears it out.
    fn attend(&self, order: &Order) -> io::Result<BTreeMap<String, Told>> {
        let mut worker = Command::new("unshare")
            .args([
                "--mount",
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "--propagation",
                "private",
            ])
            .arg(env::current_exe()?)
            .arg("engines-worker")
            .arg(serde_json::to_string(order)?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = worker.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
        let (sender, lines) = mpsc::channel();
        let reader = thread::spawn(move || {
            let told = BufReader::new(out).lines().map_while(Result::ok);
            told.filter_map(|line| serde_json::from_str::<Told>(&line).ok())
                .all(|told| sender.send(told).is_ok())
        });
        let mut all = BTreeMap::new();
        loop {
            match lines.recv_timeout(Duration::from_millis(100)) {
                Ok(told) => drop(all.insert(told.name.clone(), told)),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                // Its child is killed with it, and that child's namespaces end.
                Err(_) if interrupted() || Instant::now() > self.deadline => worker.kill()?,
                Err(_) => {}
            }
        }
        let status = worker.wait()?;
        let _ = reader.join();
        if !status.success() && !interrupted() && Instant::now() < self.deadline {
            eprintln!("{} with {}: the worker ended with {status}", self.engine.name, self.runtime.display());
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::ENGINES;
    use std::collections::BTreeSet;

    #[test]
    fn every_engine_has_parts_and_its_names_are_unique() {
        for engine in &ENGINES {
            let script = engine.script();
            assert!(!script.begin.trim().is_empty() && !script.end.trim().is_empty(), "{}", engine.name);
            let names: BTreeSet<_> = script.cases.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), script.cases.len(), "{}", engine.name);
            assert!(script.cases.len() > 5, "{}", engine.name);
        }
    }
}
