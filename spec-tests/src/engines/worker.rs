//! The side in the namespaces: one engine with one runtime, all cases of it, several at a time.

use super::{Engine, Order, Told, programs};
use crate::harness::{Kind, within};
use nix::{
    sys::{
        signal::{Signal, killpg},
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// A case that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// What a case ends with when it cannot be tried here.
const SKIP: i32 = 77;

const PRELUDE: &str = include_str!("prelude.sh");
const GROUND: &str = include_str!("ground.sh");

/// Carries out an order, and tells each outcome in a line of JSON. Process 1 of a process namespace hands the work to a
/// child and reaps what engines orphan.
pub(super) fn main(order: &str) -> io::Result<()> {
    if std::process::id() == 1 {
        return reap(&Command::new("/proc/self/exe").args(["engines-worker", order]).spawn()?);
    }
    let order: Order = serde_json::from_str(order)?;
    let engine = Engine::named(&order.engine).ok_or_else(|| io::Error::other("no such engine"))?;
    Worker { script: engine.script(), order }.work()
}

fn reap(worker: &std::process::Child) -> io::Result<()> {
    let worker = i32::try_from(worker.id()).map_err(io::Error::other)?;
    loop {
        match waitpid(None, None)? {
            WaitStatus::Exited(pid, code) if pid.as_raw() == worker => std::process::exit(code),
            WaitStatus::Signaled(pid, ..) if pid.as_raw() == worker => std::process::exit(1),
            _ => {}
        }
    }
}

struct Worker {
    order: Order,
    script: super::script::Script,
}

impl Worker {
    fn work(&self) -> io::Result<()> {
        self.part("ground", GROUND)?;
        fs::create_dir_all(self.order.base.join("work"))?;
        match self.part("begin", &self.script.begin) {
            Ok(()) => self.try_all(),
            Err(error) => return self.tell_all(&format!("the engine does not start here: {error}")),
        }
        self.part("end", &self.script.end)
    }

    /// No case can be tried.
    fn tell_all(&self, why: &str) -> io::Result<()> {
        let told = |name: &String| Told {
            name: name.clone(),
            kind: Kind::Skipped,
            words: why.to_owned(),
            milliseconds: 0,
        };
        self.order
            .cases
            .iter()
            .try_for_each(|name| writeln!(io::stdout(), "{}", serde_json::to_string(&told(name))?))
    }

    /// A part that is no case.
    fn part(&self, name: &str, body: &str) -> io::Result<()> {
        let (status, words) = self.bash(name, body)?;
        let failed = || io::Error::other(format!("{name}: {}", words.replace('\n', "; ")));
        if status.is_some_and(|status| status.success()) { Ok(()) } else { Err(failed()) }
    }

    fn try_all(&self) {
        let next = AtomicUsize::new(0);
        let out = Mutex::new(io::stdout());
        thread::scope(|scope| {
            for _ in 0..self.order.jobs.max(1) {
                scope.spawn(|| {
                    while let Some((name, body)) = self.script.cases.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        if !self.order.cases.contains(name) {
                            continue;
                        }
                        let told = self.try_one(name, body);
                        if let (Ok(line), Ok(mut out)) = (serde_json::to_string(&told), out.lock()) {
                            let _ = writeln!(out, "{line}");
                        }
                    }
                });
            }
        });
    }

    fn try_one(&self, name: &str, body: &str) -> Told {
        let start = Instant::now();
        let (kind, words) = match self.bash(name, body) {
            Err(error) => (Kind::Failed, error.to_string()),
            Ok((None, words)) => (Kind::Failed, format!("hangs: more than {} s; {words}", LIMIT.as_secs())),
            Ok((Some(status), _)) if status.success() => (Kind::Passed, String::new()),
            Ok((Some(status), words)) if status.code() == Some(SKIP) => (Kind::Skipped, words),
            Ok((Some(_), words)) => (Kind::Failed, words),
        };
        Told { name: name.to_owned(), kind, words, milliseconds: start.elapsed().as_millis() }
    }

    /// Runs a piece of shell: how it ended, if it did, and its last words.
    fn bash(&self, name: &str, body: &str) -> io::Result<(Option<ExitStatus>, String)> {
        let dir = self.order.base.join("work").join(name);
        let work = if name == "ground" { env::temp_dir() } else { dir };
        fs::create_dir_all(&work)?;
        let log = tempfile(&work)?;
        let mut child = Command::new("bash")
            .args(["-c", &format!("{PRELUDE}\n{}\n{body}", self.script.lib)])
            .envs(self.environment())
            .env("WORK", &work)
            .env("NAME", format!("ct-{}-{name}", self.order.engine))
            .stdin(Stdio::null())
            .stdout(log.0.try_clone()?)
            .stderr(log.0)
            .process_group(0)
            .spawn()?;
        let status = within(LIMIT, || child.try_wait().transpose()).transpose()?;
        let words = String::from_utf8_lossy(&fs::read(&log.1).unwrap_or_default()).into_owned();
        let _ = fs::remove_file(&log.1);
        if status.is_none() {
            let group = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
            let _ = killpg(group, Signal::SIGKILL);
            child.wait()?;
        }
        let signal = status.and_then(|status| status.signal()).map(|signal| format!("signal {signal}"));
        Ok((status, last_lines(&words, 4) + &signal.unwrap_or_default()))
    }

    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let base = &self.order.base;
        let at = |name: &str| base.join(name).into_os_string();
        let runtime = self.order.runtime.file_name().unwrap_or_default();
        let cgroups = if self.order.v2 { "v2" } else { "host" };
        vec![
            ("BASE", base.clone().into_os_string()),
            ("HOME", base.clone().into_os_string()),
            ("IMAGE", at("image.tar")),
            ("RUNTIME", base.join("bin").join(runtime).into_os_string()),
            ("SUITE", env::current_exe().unwrap_or_default().into_os_string()),
            ("RUNTIME_FILE", self.order.runtime.clone().into_os_string()),
            ("PARENT", self.order.parent.clone().into()),
            ("CGROUPS", cgroups.into()),
            ("LC_ALL", "C".into()),
            ("PATH", self.order.path.clone()),
            ("TYPE", programs::runtime_type(&self.order.runtime).unwrap_or_default().into()),
            ("DOCKER_HOST", format!("unix://{}/docker.sock", base.display()).into()),
            ("CONTAINERD_ADDRESS", at("containerd.sock")),
        ]
    }
}

/// A file for what a piece of shell says.
fn tempfile(dir: &std::path::Path) -> io::Result<(File, PathBuf)> {
    let path = dir.join(format!(".log-{}", std::process::id()));
    Ok((File::create(&path)?, path))
}

/// The last lines that are not empty.
fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}
