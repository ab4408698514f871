//! The host's procfs: a handle that is proved to be its root, and what it tells of processes.

use crate::{Error, ErrorKind, Result};
use nix::{
    fcntl::{OFlag, open},
    sys::{stat::Mode, statfs},
};
use std::os::fd::OwnedFd;

/// An O_PATH descriptor of /proc, proved to be procfs and its root: a write through it cannot land elsewhere.
pub(crate) fn handle() -> Result<OwnedFd> {
    /// The inode of a procfs' root.
    const ROOT: u64 = 1;
    let failed = |what: &'static str| move |errno: nix::errno::Errno| Error::io(what, errno);
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let fd = open("/proc", flags, Mode::empty()).map_err(failed("open /proc"))?;
    let kind = statfs::fstatfs(&fd).map_err(failed("statfs /proc"))?.filesystem_type();
    let inode = nix::sys::stat::fstat(&fd).map_err(failed("stat /proc"))?.st_ino;
    if kind != statfs::PROC_SUPER_MAGIC || inode != ROOT {
        return Err(Error::new(ErrorKind::Unsupported, "/proc: is not the root of a procfs"));
    }
    Ok(fd)
}

/// When process `pid` began, in clock ticks since boot, and whether it still runs: a zombie does not. Nothing if there is
/// no such process.
pub(crate) fn started(pid: i32) -> Option<(u64, bool)> {
    let stat = procfs::process::Process::new(pid).and_then(|process| process.stat()).ok()?;
    Some((stat.starttime, !matches!(stat.state, 'Z' | 'X' | 'x')))
}
