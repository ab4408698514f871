//! The end of a child, waitid(2) by pidfd.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd},
};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With an exit code.
    Exited(i32),
    /// By a signal.
    Signaled(i32),
}

/// Waits until the child ends and reaps it.
///
/// # Errors
/// ECHILD where it is not a child of this process, or was reaped elsewhere.
pub(crate) fn wait(pidfd: BorrowedFd<'_>) -> io::Result<Ended> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let id = libc::id_t::from(pidfd.as_raw_fd().unsigned_abs());
    loop {
        // SAFETY: the kernel fills the struct, which is ours.
        let result =
            unsafe { libc::waitid(libc::P_PIDFD, id, info.as_mut_ptr(), libc::WEXITED | libc::__WALL) };
        if result == 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: waitid succeeded, so the struct describes an ended child.
    let (code, status) = unsafe {
        let info = info.assume_init();
        (info.si_code, info.si_status())
    };
    Ok(if code == libc::CLD_EXITED { Ended::Exited(status) } else { Ended::Signaled(status) })
}
