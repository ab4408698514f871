//! Calls of the runtime from several threads of a process that is a subreaper: each waits for its own child, and what is
//! orphaned is reaped beside them.

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use std::{
    collections::HashSet,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// A call that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// How a call ended.
#[derive(Clone, Debug)]
pub(super) struct Called {
    pub(super) words: String,
    /// The exit code; -1 for a signal, -2 for a call that hung.
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Called {
    pub(super) fn ok(&self) -> bool {
        self.code == 0
    }

    pub(super) fn hung(&self) -> bool {
        self.code == -2
    }

    /// Whether it says that there is no such container.
    pub(super) fn missing(&self) -> bool {
        self.code != 0 && self.err.contains("does not exist")
    }

    /// It in a line.
    pub(super) fn line(&self) -> String {
        format!("`{}` gave {}: {}", self.words, self.code, self.err.trim_end())
    }
}

/// The children that somebody waits for.
pub(super) struct Children {
    runtime: PathBuf,
    state: PathBuf,
    files: PathBuf,
    waited: Mutex<HashSet<i32>>,
    number: AtomicU32,
    over: AtomicBool,
}

impl Children {
    /// For `runtime` with its state in `state`; the output of calls goes to files in `files`.
    pub(super) fn new(runtime: &Path, state: &Path, files: &Path) -> Self {
        Self {
            runtime: runtime.to_owned(),
            state: state.to_owned(),
            files: files.to_owned(),
            waited: Mutex::new(HashSet::new()),
            number: AtomicU32::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// Reaps orphans until [`Children::end`].
    pub(super) fn reap(&self) {
        while !self.over.load(Ordering::Relaxed) {
            self.reap_once();
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends [`Children::reap`].
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    fn reap_once(&self) {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        loop {
            let waited = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
            match waitid(Id::All, flags) {
                Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..))
                    if !waited.contains(&pid.as_raw()) =>
                {
                    let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
                }
                _ => return,
            }
        }
    }

    /// Calls the runtime and waits for the end of the call.
    pub(super) fn call(&self, words: &[&str]) -> Called {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let [out, err] = ["out", "err"].map(|kind| self.files.join(format!("{number}.{kind}")));
        let code = self.run(words, &out, &err).unwrap_or(-3);
        let called = Called { words: words.join(" "), code, out: read(&out), err: read(&err) };
        for file in [out, err] {
            let _ = fs::remove_file(file);
        }
        called
    }

    fn run(&self, words: &[&str], out: &Path, err: &Path) -> std::io::Result<i32> {
        let mut command = Command::new(&self.runtime);
        command.arg("--root").arg(&self.state).args(words);
        command.stdin(Stdio::null()).stdout(File::create(out)?).stderr(File::create(err)?);
        // Nobody reaps it before it is known.
        let mut child = {
            let mut waited = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
            let child = command.spawn()?;
            waited.insert(child.id().cast_signed());
            child
        };
        let start = Instant::now();
        let code = loop {
            if let Some(status) = child.try_wait()? {
                break status.code().unwrap_or(-1);
            }
            if start.elapsed() > LIMIT {
                child.kill()?;
                child.wait()?;
                break -2;
            }
            thread::sleep(Duration::from_micros(300));
        };
        self.waited.lock().unwrap_or_else(PoisonError::into_inner).remove(&child.id().cast_signed());
        Ok(code)
    }
}

fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    let _ = File::open(path).and_then(|file| file.take(1 << 20).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}
