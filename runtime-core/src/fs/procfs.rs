//! The host's procfs: a handle that is proved to be its root, and what it tells of processes.

use crate::{Error, ErrorKind, Result};
use nix::{
    fcntl::{OFlag, open},
    sys::{stat::Mode, statfs},
};
use std::{fs::File, io::Read, os::fd::OwnedFd};

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
/// no such process. proc_pid_stat(5), read in one piece: the `procfs` crate weighs more than all that reads state.json.
pub(crate) fn started(pid: i32) -> Option<(u64, bool)> {
    let mut buffer = [0_u8; 1024];
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut buffer).ok()?;
    parse_stat(buffer.get(..length)?)
}

/// The state and the start time: fields 3 and 22. Field 2 is the program's name, which may hold anything.
fn parse_stat(stat: &[u8]) -> Option<(u64, bool)> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = str::from_utf8(stat.get(name_end + 1..)?).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let start_time = fields.nth(18)?.parse().ok()?;
    Some((start_time, !matches!(state, "Z" | "X" | "x")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_start_is_what_the_procfs_crate_reads() {
        let own = procfs::process::Process::myself().unwrap().stat().unwrap();
        assert_eq!(started(own.pid), Some((own.starttime, true)));
    }

    #[test]
    fn a_name_of_brackets_and_spaces_hides_nothing() {
        let stat = b"7 (a) Z (x) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21\n";
        assert_eq!(parse_stat(stat), Some((4711, false)));
    }
}
