//! Tries the cases, several at a time, each in its own worker, and tells what came of them.

use super::{
    Case, Claims, Format, Kind, Known, Outcome, Suite, Test, Verdict, leak,
    machine::{self, Cgroups, Hierarchy},
    outcome::Count,
    sys, within,
    worker::{ANSWER, Answer, Order},
};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::{prctl, signal},
    unistd::Pid,
};
use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// A case that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// What the caller asks for.
pub(crate) struct Options {
    /// The runtime's file.
    pub(crate) runtime: PathBuf,
    /// How it is asked what it is.
    pub(crate) claims: fn(&Path) -> Claims,
    /// Only cases whose names or clauses hold one of these.
    pub(crate) filter: Vec<String>,
    /// How cgroups are to be mounted for the runtime: none for as they are.
    pub(crate) cgroups: Option<Cgroups>,
    /// The form of the report.
    pub(crate) format: Format,
    /// A file for the report; without it standard output.
    pub(crate) output: Option<PathBuf>,
    /// How many cases at a time.
    pub(crate) jobs: usize,
    /// How often a case that failed is tried again.
    pub(crate) retries: usize,
    /// Known departures.
    pub(crate) known: Known,
}

/// Tries all cases that `options` choose; true when none failed.
pub(crate) fn conformance(suite: &Suite, options: &Options) -> io::Result<bool> {
    let chosen: Vec<&Case> = suite.cases.iter().filter(|case| wanted(case, &options.filter)).collect();
    sys::catch_interrupts()?;
    let ground = Ground::prepare(&options.runtime, options.cgroups, options.claims)?;
    let outcomes = try_all(&chosen, &ground, options);
    ground.remove();
    let outcomes = outcomes?;
    tell(&outcomes, &ground.claims.name, options)?;
    Ok(Count::of(&outcomes).failed == 0 && outcomes.len() == chosen.len())
}

/// Does `body` where a case would be tried, alone and for as long as it takes; what it leaves is removed.
pub(crate) fn solo(options: &Options, body: impl FnOnce(&Test) -> Verdict) -> io::Result<Verdict> {
    sys::catch_interrupts()?;
    let ground = Ground::prepare(&options.runtime, options.cgroups, options.claims)?;
    let (dir, tag) = (ground.base.join("solo"), format!("ct{}", std::process::id()));
    fs::create_dir_all(dir.join("state"))?;
    let (runtime, payload) = (ground.runtime.clone(), ground.payload.clone());
    let test = Test::new(runtime, dir, payload, tag, ground.parent.clone(), ground.claims.clone());
    let before = leak::mounts();
    let verdict = body(&test);
    leak::remove(&test, &before);
    ground.remove();
    Ok(verdict)
}

/// A name without a slash is looked for in PATH, as a shell does.
pub(crate) fn in_path(name: &Path) -> PathBuf {
    let dirs = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&dirs).map(|dir| dir.join(name)).find(|path| path.is_file());
    if name.components().count() == 1 && !name.is_file() {
        found.unwrap_or(name.to_owned())
    } else {
        name.to_owned()
    }
}

/// Whether a case is chosen by `filter`.
pub(crate) fn wanted(case: &Case, filter: &[String]) -> bool {
    filter.is_empty() || filter.iter().any(|word| case.name.contains(word) || case.clause.contains(word))
}

/// What is made before the first case and removed after the last.
pub(crate) struct Ground {
    /// A directory in memory.
    pub(crate) base: PathBuf,
    /// The payload on the host.
    pub(crate) payload: PathBuf,
    /// The cgroup above those of the suite, as `/corten-test-77`.
    pub(crate) parent: String,
    /// The hierarchies as the runtime sees them.
    pub(crate) hierarchies: Vec<Hierarchy>,
    parents: leak::Parents,
    /// What the runtime says of itself.
    pub(crate) claims: Claims,
    /// The runtime's file, absolute.
    pub(crate) runtime: PathBuf,
}

impl Ground {
    /// Makes it, in a mount namespace that this process goes to for good.
    pub(crate) fn prepare(
        runtime: &Path,
        cgroups: Option<Cgroups>,
        claims: fn(&Path) -> Claims,
    ) -> io::Result<Self> {
        let runtime = fs::canonicalize(in_path(runtime))
            .map_err(|error| io::Error::other(format!("{}: {error}", runtime.display())))?;
        unshare(CloneFlags::CLONE_NEWNS).map_err(|error| {
            io::Error::other(format!("a mount namespace (the suite runs as root): {error}"))
        })?;
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
        if let Some(kind) = cgroups {
            mount_cgroups(kind)?;
        }
        prctl::set_child_subreaper(true)?;
        let id = std::process::id();
        let base = env::temp_dir().join(format!("corten-test-{id}"));
        fs::create_dir(&base)?;
        // What is below is gone with this mount namespace, however the suite ends.
        mount(Some("corten-test"), &base, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
        let payload = base.join("payload");
        fs::copy("/proc/self/exe", &payload)?;
        let parent = format!("/corten-test-{id}");
        let hierarchies = machine::hierarchies();
        let parents = leak::Parents::make(&hierarchies, &parent)?;
        let claims = claims(&runtime);
        Ok(Self { base, payload, parent, hierarchies, parents, claims, runtime })
    }

    /// Removes all of it.
    pub(crate) fn remove(&self) {
        self.parents.remove();
        let _ = umount2(&self.base, MntFlags::MNT_DETACH);
        let _ = fs::remove_dir(&self.base);
    }

    fn order(&self, case: &Case, index: usize) -> Order {
        Order {
            case: case.name.clone(),
            runtime: self.runtime.clone(),
            dir: self.base.join(format!("{index:03}")),
            payload: self.payload.clone(),
            tag: format!("ct{}n{index:03}", std::process::id()),
            parent: self.parent.clone(),
            version: (self.claims.version.0, self.claims.version.1),
            name: self.claims.name.clone(),
        }
    }
}

/// Mounts cgroups as asked, in this mount namespace alone.
fn mount_cgroups(kind: Cgroups) -> io::Result<()> {
    let found = machine::hierarchies();
    let now = machine::kind(&found);
    let root = "/sys/fs/cgroup";
    match (kind, now) {
        (Cgroups::V1, Cgroups::Hybrid) => {
            for Hierarchy { at, .. } in found.iter().filter(|h| h.v2) {
                umount2(at, MntFlags::MNT_DETACH)?;
            }
        }
        (Cgroups::V2, Cgroups::Hybrid | Cgroups::V1) => {
            umount2(root, MntFlags::MNT_DETACH)?;
            mount(Some("none"), root, Some("cgroup2"), MsFlags::empty(), None::<&str>)?;
        }
        (Cgroups::V1, Cgroups::V2) => {
            return Err(io::Error::other("this machine mounts cgroup v2 alone: there is no v1 to try"));
        }
        _ => {}
    }
    Ok(())
}

fn try_all(cases: &[&Case], ground: &Ground, options: &Options) -> io::Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    let live = options.format == Format::Text || options.output.is_some();
    let progress = Progress { total: cases.len(), live, terminal: io::stdout().is_terminal() };
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while !sys::interrupted() {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(index) else { break };
                    let mut outcome = try_one(case, &ground.order(case, index));
                    for _ in 0..options.retries {
                        if outcome.kind == Kind::Failed {
                            outcome = try_one(case, &ground.order(case, index));
                        }
                    }
                    options.known.judge(&mut outcome, machine::kind(&ground.hierarchies));
                    if let Ok(mut done) = done.lock() {
                        done.insert(index, outcome.clone());
                        progress.tell(done.len(), &outcome);
                    }
                }
            });
        }
    });
    progress.end(start.elapsed());
    let done = done.into_inner().map_err(|_| io::Error::other("a thread of the suite broke down"))?;
    if sys::interrupted() {
        eprintln!("spec-tests: interrupted");
    }
    Ok(done.into_values().collect())
}

fn try_one(case: &Case, order: &Order) -> Outcome {
    let start = Instant::now();
    let answer = work(order).unwrap_or_else(|error| Answer { kind: Kind::Failed, words: error.to_string() });
    if answer.kind != Kind::Failed || env::var_os("CORTEN_TEST_KEEP").is_none() {
        let _ = fs::remove_dir_all(&order.dir);
    }
    Outcome {
        group: case.group,
        name: case.name.clone(),
        level: case.level.to_string(),
        clause: case.clause.clone(),
        kind: answer.kind,
        words: answer.words,
        milliseconds: start.elapsed().as_millis(),
        rank: case.level,
    }
}

fn work(order: &Order) -> io::Result<Answer> {
    fs::create_dir_all(&order.dir)?;
    let words = order.dir.join("worker.err");
    let mut worker = Command::new("/proc/self/exe")
        .arg("worker")
        .arg(serde_json::to_string(order)?)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&words)?)
        .spawn()?;
    let Some(status) = within(LIMIT, || worker.try_wait().transpose()) else {
        let pid = i32::try_from(worker.id()).map_err(io::Error::other)?;
        for pid in leak::below(pid).into_iter().chain([pid]) {
            let _ = signal::kill(Pid::from_raw(pid), signal::Signal::SIGKILL);
        }
        worker.wait()?;
        return Err(io::Error::other(format!("the case hangs (more than {} s)", LIMIT.as_secs())));
    };
    if !status?.success() {
        let words = fs::read_to_string(words).unwrap_or_default();
        return Err(io::Error::other(format!("the suite itself: {}", words.trim_end())));
    }
    Ok(serde_json::from_slice(&fs::read(order.dir.join(ANSWER))?)?)
}

struct Progress {
    total: usize,
    live: bool,
    terminal: bool,
}

impl Progress {
    fn tell(&self, count: usize, outcome: &Outcome) {
        if !self.live {
            return;
        }
        let mut out = io::stdout().lock();
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        let word = match outcome.kind {
            Kind::Passed => "ok  ",
            Kind::Failed => "FAIL",
            Kind::Skipped => "skip",
        };
        let _ = match outcome.kind {
            Kind::Failed => writeln!(
                out,
                "{clear}{word} {} [{} {}]: {}",
                outcome.name, outcome.level, outcome.clause, outcome.words
            ),
            _ if self.terminal => Ok(()),
            Kind::Passed => writeln!(out, "{word} {}", outcome.name),
            Kind::Skipped => writeln!(out, "{word} {}: {}", outcome.name, outcome.words),
        };
        if self.terminal {
            let _ = write!(out, "\r\x1b[K{count}/{} {}", self.total, outcome.name);
            let _ = out.flush();
        }
    }

    fn end(&self, took: Duration) {
        if self.live {
            let clear = if self.terminal { "\r\x1b[K" } else { "" };
            println!("{clear}{} cases in {:.1} s", self.total, took.as_secs_f64());
        }
    }
}

fn tell(outcomes: &[Outcome], runtime: &str, options: &Options) -> io::Result<()> {
    let count = Count::of(outcomes).line();
    match &options.output {
        Some(path) => {
            fs::write(path, options.format.write(runtime, outcomes))?;
            print!("{}", Format::Text.write(runtime, outcomes));
            println!("{count}");
        }
        None if options.format == Format::Text => {
            print!("{}", options.format.write(runtime, outcomes));
            println!("{count}");
        }
        None => {
            print!("{}", options.format.write(runtime, outcomes));
            // Not on standard output, which is all the report's.
            eprintln!("{count}");
        }
    }
    Ok(())
}
