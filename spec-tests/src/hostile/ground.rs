//! What the attacks have in common: something outside that must not be touched, races, and the two ends that are right.

use crate::harness::{
    Bundle, ConsoleSocket, Container, Done, Terminal, Test, Verdict, check, check_eq, fail,
};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// What a file outside says.
pub(super) const SECRET: &str = "of the host";

/// A directory of the host beside the bundle. No image has business there.
pub(super) struct Outside {
    dir: PathBuf,
    before: BTreeMap<PathBuf, String>,
}

impl Outside {
    /// Makes it: `secret`, `full/secret`, `empty/`, `ptmx` and `passwd`.
    pub(super) fn new(t: &Test) -> Verdict<Self> {
        let dir = t.dir().join("outside");
        for name in ["full", "empty"] {
            fs::create_dir_all(dir.join(name))?;
        }
        for name in ["secret", "full/secret", "ptmx"] {
            fs::write(dir.join(name), SECRET)?;
        }
        fs::write(dir.join("passwd"), "root:x:0:0:root:/of-the-host:/bin/sh\n")?;
        let before = snapshot(&dir)?;
        Ok(Self { dir, before })
    }

    /// The host's path of `name` in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.dir.clone() } else { self.dir.join(name) }
    }

    /// The same as text.
    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    /// Fails the case unless all is as it was.
    pub(super) fn untouched(&self) -> Verdict {
        unchanged(&self.before, &snapshot(&self.dir)?)
    }
}

/// Fails unless two snapshots are the same.
pub(super) fn unchanged(before: &BTreeMap<PathBuf, String>, after: &BTreeMap<PathBuf, String>) -> Verdict {
    for (path, was) in before {
        check_eq!(after.get(path), Some(was), "outside the container: {}", path.display());
    }
    for (path, is) in after {
        check!(before.contains_key(path), "made outside the container: {} ({is})", path.display());
    }
    Ok(())
}

/// What is at and below `dir`: kind, mode, owner, device and content.
pub(super) fn snapshot(dir: &Path) -> std::io::Result<BTreeMap<PathBuf, String>> {
    let mut all = BTreeMap::new();
    let mut rest = vec![dir.to_owned()];
    while let Some(path) = rest.pop() {
        let data = fs::symlink_metadata(&path)?;
        let kind = data.file_type();
        let content = match () {
            () if kind.is_file() => String::from_utf8_lossy(&fs::read(&path)?).into_owned(),
            () if kind.is_symlink() => fs::read_link(&path)?.to_string_lossy().into_owned(),
            () if kind.is_char_device() || kind.is_block_device() => format!("device {}", data.rdev()),
            () => String::new(),
        };
        if kind.is_dir() {
            rest.extend(fs::read_dir(&path)?.flatten().map(|entry| entry.path()));
        }
        all.insert(path, format!("{:o} {}:{} {content}", data.mode(), data.uid(), data.gid()));
    }
    Ok(all)
}

/// Fails unless the call succeeded or refused in words; true if it succeeded.
pub(super) fn settled(done: Done) -> Verdict<bool> {
    if done.code() == 0 { Ok(true) } else { done.refused().map(|_| false) }
}

/// A thread that swaps two names of a directory as fast as it can, as a container with a shared volume would.
pub(super) struct Swap {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Swap {
    /// Swaps `a` and `b`, both of which exist.
    pub(super) fn of(a: &Path, b: &Path) -> Self {
        Self::each(vec![(a.to_owned(), b.to_owned())])
    }

    /// Swaps the two of each pair in turn.
    pub(super) fn each(pairs: Vec<(PathBuf, PathBuf)>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                for (a, b) in &pairs {
                    // What is a mount point just now cannot be renamed: the next try finds it otherwise.
                    let _ = renameat2(AT_FDCWD, a, AT_FDCWD, b, RenameFlags::RENAME_EXCHANGE);
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The number of tries of a race, and the time within which they are made.
const TRIES: usize = 60;
const BOUND: Duration = Duration::from_secs(4);

/// Tries `attempt` again and again. A race that was lost at any of them fails the case.
pub(super) fn race(mut attempt: impl FnMut(usize) -> Verdict) -> Verdict {
    let start = Instant::now();
    for number in 0..TRIES {
        if number > 0 && start.elapsed() > BOUND {
            break;
        }
        attempt(number)?;
    }
    Ok(())
}

/// `create` and `start` of `b`, which has a terminal: what the container wrote to it, or nothing where it was refused.
pub(super) fn with_terminal(t: &Test, b: &Bundle) -> Verdict<Option<String>> {
    b.write()?;
    let socket = ConsoleSocket::new(t.dir(), "console.sock")?;
    let (id, file) = (t.id(), t.dir().join("terminal.pid"));
    let call = t.call(&["create", "--bundle"]).arg(&b.dir).arg("--pid-file").arg(&file);
    let mut running = call.arg("--console-socket").arg(&socket.path).arg(&id).spawn()?;
    let terminal = socket.receive(&mut running);
    let done = running.done()?;
    let out = done.out.clone();
    if !settled(done)? {
        return Ok(None);
    }
    let terminal: Terminal = terminal?;
    let container: Container<'_> = t.container(&id, &file, out)?;
    let started = t.call(&["start", &id]).done()?;
    if !settled(started)? {
        return Ok(None);
    }
    let text = terminal.read_to_end()?;
    container.wait()?;
    Ok(Some(text))
}

/// The last line, as JSON.
pub(super) fn last_json(text: &str) -> Verdict<serde_json::Value> {
    let line = text.lines().rev().find(|line| line.trim_start().starts_with('{'));
    line.map_or_else(|| fail(format!("no report: {text:?}")), |line| crate::harness::parse(line.trim()))
}
