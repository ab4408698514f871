//! Kill: runtime.md, "Kill".

use super::{Container, Status, members, record::ProcessId};
use crate::{Error, ErrorKind, Result, Signal, fs::procfs, namespace::flag, sys::pidfd};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

/// Sends `signal` to the first process. SIGKILL of a container in the host's pid namespace reaches all of its processes:
/// no end of a namespace would.
pub(super) fn kill(container: &Container, signal: Signal) -> Result<()> {
    let not_running = || Error::new(ErrorKind::InvalidState, "container not running");
    let status = container.status()?;
    let (Some(process), false) = (container.record.process, status == Status::Stopped) else {
        return Err(not_running());
    };
    let all = signal == Signal::KILL && container.record.namespaces & flag::PID == 0;
    if all {
        container.kill_all(signal)?;
    }
    match signal_process(process, signal.as_raw()) {
        // It was one of them.
        Err(error) if all && error.raw_os_error() == Some(libc::ESRCH) => {}
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Err(not_running()),
        Err(error) => return Err(Error::io(format!("send {signal} to container {}", container.id()), error)),
        Ok(()) => {}
    }
    // A frozen process of cgroup v1 dies when it thaws. It may have been paused just now, too.
    if signal == Signal::KILL && container.record.cgroup.is_frozen()? {
        container.record.cgroup.thaw()?;
    }
    Ok(())
}

/// Freezes all processes, unless the first one is killed meanwhile: one of cgroup v1 would not die.
pub(super) fn freeze(container: &Container) -> Result<()> {
    let cgroup = &container.record.cgroup;
    cgroup.freeze()?;
    match container.record.process.map(|process| procfs::is_killed(process.pid)) {
        Some(Ok(true)) => {}
        Some(Err(error)) => log::warn!("{}", error.report()),
        _ => return Ok(()),
    }
    cgroup.thaw()?;
    Err(Error::new(ErrorKind::InvalidState, "container not running: it was killed while it was paused"))
}

/// Sends `signal` to all processes of the cgroup.
pub(super) fn kill_all(container: &Container, signal: Signal) -> Result<()> {
    members::without_cgroup(&container.record).into_iter().for_each(|process| {
        let _ = signal_process(process, signal.as_raw()); // it may have ended meanwhile
    });
    Ok(container.record.cgroup.kill_all(signal.as_raw())?)
}

/// Sends a signal to just the process that is meant, or ESRCH if it is gone.
pub(super) fn signal_process(process: ProcessId, signal: i32) -> io::Result<()> {
    pidfd::send_signal(open(process)?.as_fd(), signal)
}

/// A descriptor of just the process that is meant, or ESRCH if it is gone: it is opened first, and then proved to be the one.
pub(super) fn open(process: ProcessId) -> io::Result<OwnedFd> {
    let fd = pidfd::open(process.pid)?;
    if process.is_alive().map_err(io::Error::other)? {
        Ok(fd)
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}
