//! The host's procfs: a handle that is proved to be its root, and what it tells of processes.

use crate::{Error, ErrorKind, Result};
use nix::{
    fcntl::{OFlag, open},
    sys::{stat::Mode, statfs},
};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::fd::OwnedFd,
};

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
///
/// # Errors
/// It cannot be found out, as where no more files can be opened: a process that may live is not to be taken for a dead one.
pub(crate) fn started(pid: i32) -> Result<Option<(u64, bool)>> {
    match read_stat(pid) {
        Ok(stat) => Ok(parse_stat(&stat)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(None),
        Err(error) => Err(Error::io(format!("process {pid}: read /proc/{pid}/stat"), error)),
    }
}

fn read_stat(pid: i32) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0_u8; 1024];
    let mut file = File::open(format!("/proc/{pid}/stat"))?;
    let length = loop {
        match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    buffer.truncate(length);
    Ok(buffer)
}

/// Whether process `pid` lives and is the init program, by the name that this gives itself: proc_pid_comm(5).
pub(crate) fn is_init(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/comm")).is_ok_and(|name| name == b"corten-init\n")
        && started(pid).is_ok_and(|process| process.is_some_and(|(_, alive)| alive))
}

/// Whether a SIGKILL waits for process `pid` to take it: proc_pid_status(5), `SigPnd` and `ShdPnd`.
pub(crate) fn is_killed(pid: i32) -> Result<bool> {
    match fs::read(format!("/proc/{pid}/status")) {
        Ok(status) => Ok(has_pending(&String::from_utf8_lossy(&status), libc::SIGKILL)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(true),
        Err(error) => Err(Error::io(format!("process {pid}: read /proc/{pid}/status"), error)),
    }
}

fn has_pending(status: &str, signal: i32) -> bool {
    let masks = ["SigPnd:", "ShdPnd:"].map(|name| status.lines().find_map(|line| line.strip_prefix(name)));
    let masks = masks.into_iter().flatten().filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    masks.into_iter().any(|mask| mask >> (signal - 1) & 1 == 1)
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
        assert_eq!(started(own.pid).unwrap(), Some((own.starttime, true)));
        assert_eq!(started(i32::MAX).unwrap(), None);
    }

    #[test]
    fn a_signal_that_waits_is_seen() {
        assert!(!is_killed(i32::try_from(std::process::id()).unwrap()).unwrap());
        assert!(has_pending(
            "Name:\tx\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000100\n",
            libc::SIGKILL
        ));
        assert!(!has_pending("SigPnd:\t0000000000000200\nSigBlk:\t0000000000000100\n", libc::SIGKILL));
    }

    #[test]
    fn a_name_of_brackets_and_spaces_hides_nothing() {
        let stat = b"7 (a) Z (x) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21\n";
        assert_eq!(parse_stat(stat), Some((4711, false)));
    }
}
