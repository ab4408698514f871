//! The processes of a cgroup: moved in, frozen, killed.

use super::{
    dir::Dir,
    error::{Error, Result},
    frozen::{self, FreezerFile, Frozen},
    tree::Tree,
};
use crate::sys::kill::kill;
use nix::errno::Errno;
use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long a cgroup may take to freeze, or its processes to die.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits with growing pauses until `done` or [`PATIENCE`] is at its end; tells which.
fn wait(mut done: impl FnMut() -> Result<bool>) -> Result<bool> {
    let begin = Instant::now();
    let mut pause = Duration::from_micros(20);
    loop {
        if done()? {
            return Ok(true);
        }
        if begin.elapsed() > PATIENCE {
            return Ok(false);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// Moves the process `pid` into the cgroup directory `path`, cgroups(7) "cgroup.procs".
pub(super) fn move_into(path: &Path, pid: i32) -> Result<()> {
    let dir = Dir::open(path)?;
    let doing = || format!("move process {pid} into {}", path.display());
    for _ in 0..5 {
        match dir.put("cgroup.procs", &pid.to_string()) {
            Ok(()) => return Ok(()),
            // The process is so new that the scheduler does not know it yet.
            Err(Errno::EINVAL) => thread::sleep(Duration::from_millis(5)),
            Err(Errno::EOPNOTSUPP) => return Err(Error::Threaded { path: path.to_owned() }),
            Err(errno) => return Err(Error::io(doing(), errno)),
        }
    }
    Err(Error::io(doing(), Errno::EINVAL))
}

/// Freezes or thaws by the v1 freezer or by v2's `cgroup.freeze`, and waits for it.
pub(super) fn set_frozen(tree: &Tree, frozen: bool) -> Result<()> {
    let dir = tree.open()?;
    let reached = || match tree.unified {
        true => set_frozen_v2(&dir, frozen),
        false => set_frozen_v1(&dir, frozen),
    };
    if reached().inspect_err(|_| undo_freeze(tree, &dir, frozen))? {
        return Ok(());
    }
    undo_freeze(tree, &dir, frozen);
    let doing = format!("{} {}", if frozen { "freeze" } else { "thaw" }, dir.path().display());
    Err(Error::Timeout { doing, seconds: PATIENCE.as_secs() })
}

fn undo_freeze(tree: &Tree, dir: &Dir, frozen: bool) {
    let (file, thawed) = if tree.unified { ("cgroup.freeze", "0") } else { ("freezer.state", "THAWED") };
    if frozen && let Err(errno) = dir.put(file, thawed) {
        log::warn!("write {thawed} to {}: {}", dir.path().join(file).display(), errno.desc());
    }
}

fn set_frozen_v1(dir: &Dir, frozen: bool) -> Result<bool> {
    let state = if frozen { "FROZEN" } else { "THAWED" };
    let mut attempt = 0_u32;
    wait(|| {
        // A process that comes in or forks while the others freeze may leave it at FREEZING: then it has to be told again,
        // and now and then thawed for a moment.
        attempt += 1;
        if attempt.is_multiple_of(25) {
            dir.write("freezer.state", "THAWED")?;
            thread::sleep(Duration::from_micros(50));
        }
        dir.write("freezer.state", state)?;
        Ok(dir.read("freezer.state")?.trim() == state)
    })
}

fn set_frozen_v2(dir: &Dir, frozen: bool) -> Result<bool> {
    let digit = if frozen { "1" } else { "0" };
    dir.write("cgroup.freeze", digit)?;
    let line = format!("frozen {digit}");
    wait(|| Ok(dir.read("cgroup.events")?.lines().any(|event| event == line)))
}

/// Whether it is frozen, by itself or by one above it. One that is gone, or is just being removed, is not.
pub(super) fn is_frozen(tree: &Tree) -> Result<bool> {
    let path = freezer_file(tree);
    match path.to_str().and_then(FreezerFile::new) {
        Some(file) => Frozen::default().is(file),
        None => Err(Error::Argument(format!("{} is no freezer's", path.display()))),
    }
}

/// The file that says whether it is frozen.
pub(super) fn freezer_file(tree: &Tree) -> PathBuf {
    let [v2, v1] = frozen::FILES;
    tree.dir().join(if tree.unified { v2 } else { v1 })
}

fn signal_each(pids: &[i32], signal: i32) -> Result<()> {
    for &pid in pids {
        match kill(pid, signal) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            Err(error) => return Err(Error::io(format!("send signal {signal} to process {pid}"), error)),
        }
    }
    Ok(())
}

/// Sends `signal` to each process that `lead` lists, all held still meanwhile by `freezer` so that none is missed by forking.
pub(super) fn signal_all(lead: &Tree, freezer: Option<&Tree>, signal: i32) -> Result<()> {
    let Some(freezer) = freezer else { return signal_each(&lead.pids()?, signal) };
    if !freezer.dir().exists() {
        return Ok(());
    }
    if is_frozen(freezer)? {
        return signal_each(&lead.pids()?, signal);
    }
    match set_frozen(freezer, true) {
        Err(_) if !freezer.dir().exists() => return Ok(()),
        frozen => frozen?,
    }
    let sent = lead.pids().and_then(|pids| signal_each(&pids, signal));
    match set_frozen(freezer, false) {
        Err(_) if !freezer.dir().exists() => {}
        thawed => thawed?,
    }
    sent
}

/// Kills each process of the container and waits until none is left: by `cgroup.kill` of `unified`, and what is left in `lead`
/// one by one. A frozen one is thawed, for on v1 it does not die otherwise.
pub(super) fn kill_all(lead: &Tree, unified: Option<&Tree>, freezer: Option<&Tree>) -> Result<()> {
    if let Some(unified) = unified {
        match unified.open() {
            Ok(dir) => match dir.write("cgroup.kill", "1") {
                // systemd removes an empty one by itself.
                Err(_) if !unified.dir().exists() => {}
                killed => killed?,
            },
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let freezer = freezer.filter(|tree| !tree.unified);
    let mut round = 0_u32;
    let mut left = Vec::new();
    let died = wait(|| {
        left = lead.pids()?;
        if left.is_empty() {
            return Ok(true);
        }
        round += 1;
        // What `cgroup.kill` killed needs a moment only; without it those that still come up are forked faster than killed.
        match freezer {
            Some(freezer) if round.is_multiple_of(8) => signal_all(lead, Some(freezer), libc::SIGKILL)?,
            _ if unified.is_none() || round > 4 => signal_each(&left, libc::SIGKILL)?,
            _ => {}
        }
        if let Some(dir) = freezer.and_then(|freezer| freezer.open().ok()) {
            dir.write("freezer.state", "THAWED")?;
        }
        Ok(false)
    })?;
    if died {
        return Ok(());
    }
    let doing = format!("kill the {} process(es) left in {}", left.len(), lead.dir().display());
    Err(Error::Timeout { doing, seconds: PATIENCE.as_secs() })
}
