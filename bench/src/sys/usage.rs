//! wait4(2): how a child ended, and the processor time of it and of those that it waited for; pidfd_open(2).

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{FromRawFd, OwnedFd},
    time::Duration,
};

/// A child that ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// Its exit code, or 128 and its signal's number.
    pub(crate) code: i32,
    /// Its processor time and that of all that it waited for, in user mode and in the kernel's.
    pub(crate) processor: Duration,
}

/// Waits for the child `pid`.
///
/// # Errors
/// EINTR if a signal came first.
pub(crate) fn wait(pid: u32) -> io::Result<Ended> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to places that live until the call returns, of the types that it writes.
    let done = unsafe { libc::wait4(pid.cast_signed(), &raw mut status, 0, usage.as_mut_ptr()) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all bytes are zero or the kernel's, and the structure is of numbers only.
    let usage = unsafe { usage.assume_init() };
    let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) };
    Ok(Ended { code, processor: duration(usage.ru_utime) + duration(usage.ru_stime) })
}

fn duration(time: libc::timeval) -> Duration {
    let microseconds = time.tv_sec * 1_000_000 + time.tv_usec;
    Duration::from_micros(u64::try_from(microseconds).unwrap_or_default())
}

/// A descriptor of the process `pid`.
pub(crate) fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: a system call on plain numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
