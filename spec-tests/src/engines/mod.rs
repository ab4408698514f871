//! `spec-tests engines`: Docker, Podman, Buildah and containerd, for real, with the runtime beneath them. The cases are
//! shell, a file per engine, and what a reference passes of them, the runtime is to pass.
//!
//! All of it runs in mount, network and process namespaces of its own, with what engines write to /etc, /run and /var/lib
//! in memory: when the first process there ends, all daemons, mounts, networks and packet filter rules are gone.

mod programs;
mod run;
mod script;
mod verdict;
mod worker;

use crate::harness::{Kind, Known, catch_interrupts, in_path, interrupted};
use programs::Programs;
use run::Run;
use script::Script;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use verdict::{Comparison, Sum};

/// What the caller asks for.
pub(crate) struct Options {
    /// The runtime's file.
    pub(crate) runtime: PathBuf,
    /// The shim's file, for the cases of containerd's task service; else that beside the runtime.
    pub(crate) shim: Option<PathBuf>,
    /// The runtime to compare with; none for no comparison. It is asked about cases that the runtime does not pass.
    pub(crate) reference: Option<PathBuf>,
    /// Whether the reference is asked about all cases, and a table of both is printed.
    pub(crate) compare: bool,
    /// Cases that the runtime is known to fail, and why.
    pub(crate) known: Known,
    /// All runs together take no longer.
    pub(crate) limit: Duration,
    /// Folders that other versions of the engines were unpacked to; their programs go before the host's.
    pub(crate) folders: Vec<PathBuf>,
    /// Only engines whose name begins so.
    pub(crate) engines: Vec<String>,
    /// Only cases whose `engine/name` holds one of these.
    pub(crate) filter: Vec<String>,
    /// How many times a case that failed and that the reference passes is tried again.
    pub(crate) retries: usize,
    /// How many cases at a time.
    pub(crate) jobs: usize,
    /// Whether cgroup v2 alone is mounted for all of it.
    pub(crate) v2: bool,
}

/// An engine, the programs that it needs, and its cases.
struct Engine {
    name: &'static str,
    programs: &'static [&'static str],
    /// The program whose version must begin with this number or a higher one.
    since: Option<(&'static str, u32)>,
    /// What its cases share, then the cases.
    text: [&'static str; 3],
    /// What is tried beneath it.
    tried: Tried,
}

/// The two binaries that engines take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    Runtime,
    Shim,
}

const DOCKER: &str = include_str!("docker-daemon.sh");
const CONTAINERD_DAEMON: &str = include_str!("containerd-daemon.sh");
const CONTAINERD: &str = include_str!("containerd-cases.sh");
const ENGINES: [Engine; 8] = [
    Engine {
        name: "containerd",
        programs: &["containerd", "ctr"],
        since: None,
        text: [CONTAINERD_DAEMON, CONTAINERD, include_str!("containerd.sh")],
        tried: Tried::Runtime,
    },
    Engine {
        name: "shim",
        programs: &["containerd", "ctr"],
        since: None,
        text: [CONTAINERD_DAEMON, CONTAINERD, include_str!("containerd-shim.sh")],
        tried: Tried::Shim,
    },
    Engine {
        name: "cri",
        programs: &["containerd", "ctr"],
        since: None,
        text: [CONTAINERD_DAEMON, include_str!("cri.sh"), ""],
        tried: Tried::Shim,
    },
    Engine {
        name: "docker",
        programs: &["dockerd", "docker", "iptables"],
        since: None,
        text: [DOCKER, include_str!("docker.sh"), include_str!("docker-inside.sh")],
        tried: Tried::Runtime,
    },
    Engine {
        name: "docker-shim",
        programs: &["dockerd", "docker", "iptables", "containerd"],
        since: Some(("dockerd", 23)),
        text: [DOCKER, include_str!("docker.sh"), include_str!("docker-inside.sh")],
        tried: Tried::Shim,
    },
    Engine {
        name: "docker-userns",
        programs: &["dockerd", "docker", "iptables"],
        since: None,
        text: [DOCKER, include_str!("docker-userns.sh"), ""],
        tried: Tried::Runtime,
    },
    Engine {
        name: "podman",
        programs: &["podman", "conmon"],
        since: None,
        text: ["", include_str!("podman.sh"), ""],
        tried: Tried::Runtime,
    },
    Engine {
        name: "podman-rootless",
        programs: &["podman", "conmon", "newuidmap", "setpriv"],
        since: None,
        text: ["", include_str!("podman-rootless.sh"), ""],
        tried: Tried::Runtime,
    },
];

/// What a shim is compared with.
const SHIM_REFERENCE: &str = "containerd-shim-runc-v2";

/// What all of them need.
const TOOLS: [&str; 8] = ["bash", "unshare", "script", "ip", "tar", "busybox", "xargs", "awk"];

impl Engine {
    fn named(name: &str) -> Option<&'static Self> {
        ENGINES.iter().find(|engine| engine.name == name)
    }

    fn script(&self) -> Script {
        Script::parse(self.text[0], &self.text[1..].concat())
    }

    /// The first program that is not here.
    fn lacks(&self, programs: &Programs) -> Option<&'static str> {
        let mut needed = TOOLS.iter().chain(self.programs);
        needed.find(|name| programs.find(name).is_none()).copied()
    }

    /// Why this version of it can do none of this.
    fn too_old(&self, programs: &Programs) -> Option<String> {
        let (program, wanted) = self.since?;
        let here = programs.major(program).filter(|here| *here < wanted)?;
        Some(format!("{program} is of version {here}, and takes a shim from {wanted} on"))
    }
}

/// What a worker is to do.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    engine: String,
    runtime: PathBuf,
    path: std::ffi::OsString,
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
    let shim = find(options.shim.as_deref().unwrap_or(&beside));
    let programs = Programs::new(&options.folders);
    let shim_reference = options.reference.as_ref().and_then(|_| programs.find(SHIM_REFERENCE));
    catch_interrupts()?;
    let deadline = Instant::now() + options.limit;
    let mut sum = Sum::default();
    let mut comparison = Comparison::default();
    for engine in ENGINES.iter().filter(|engine| options.wants(engine)) {
        let cases = options.cases(engine);
        if cases.is_empty() || interrupted() {
            continue;
        }
        if let Some(why) = engine.too_old(&programs) {
            sum.tell(engine, "all", Kind::Skipped, &why);
            continue;
        }
        if let Some(program) = engine.lacks(&programs) {
            let why = format!("{program} is not installed");
            cases.iter().for_each(|case| sum.tell(engine, case, Kind::Skipped, &why));
            continue;
        }
        let (tried, reference) = match (engine.tried, &shim) {
            (Tried::Runtime, _) => (&runtime, &reference),
            (Tried::Shim, Ok(shim)) => (shim, &shim_reference),
            (Tried::Shim, Err(why)) => {
                cases.iter().for_each(|case| sum.tell(engine, case, Kind::Skipped, &why.to_string()));
                continue;
            }
        };
        let run = |runtime: &Path, cases: &[String]| {
            Run { engine, runtime, programs: &programs, options, deadline }.run(cases)
        };
        let mut ours = run(tried, &cases)?;
        let passes = |case: &&String| ours.get(*case).is_some_and(|told| told.kind == Kind::Passed);
        let asked = cases.iter().filter(|case| options.compare || !passes(case)).cloned().collect::<Vec<_>>();
        let theirs = match reference {
            Some(reference) if !asked.is_empty() => Some(run(reference, &asked)?),
            _ => None,
        };
        let verdict = |ours: &BTreeMap<String, Told>, case: &String| {
            verdict::judge(ours.get(case), theirs.as_ref().map(|told| told.get(case)))
        };
        for _ in 0..options.retries {
            let failed = |case: &&String| ours.contains_key(*case) && verdict(&ours, case).0 == Kind::Failed;
            let again: Vec<_> = cases.iter().filter(failed).cloned().collect();
            if again.is_empty() {
                break;
            }
            for case in &again {
                println!("# {}/{case} is tried again: {}", engine.name, verdict(&ours, case).1);
            }
            ours.extend(run(tried, &again)?);
        }
        for case in &cases {
            let (kind, words) = verdict(&ours, case);
            let (kind, words) =
                options.known.judged(&format!("{}/{case}", engine.name), options.v2, kind, words);
            sum.tell(engine, case, kind, &words);
        }
        comparison.add(engine, &cases, &ours, theirs.as_ref());
    }
    if let (true, Some(reference)) = (options.compare, &reference) {
        print!("{}", comparison.table(reference, &runtime));
    }
    println!("{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped);
    Ok(sum.failed == 0 && !interrupted())
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
