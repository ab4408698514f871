//! What the suite needs past nix's safe calls. All `unsafe` of the suite's own side is here.

use nix::sys::{
    signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
    socket::{ControlMessageOwned, MsgFlags, recvmsg},
};
use std::{
    io::{self, IoSliceMut},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_signal(_: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// From now on SIGINT and SIGTERM only set a flag, so that the suite can tidy up.
pub(crate) fn catch_interrupts() -> io::Result<()> {
    let action = SigAction::new(SigHandler::Handler(on_signal), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler only stores to an atomic, which is safe at any point.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

/// Whether SIGINT or SIGTERM came.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// The message and the descriptors that one recvmsg(2) on `stream` gives.
pub(crate) fn receive(stream: &UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0u8; 16384];
    let mut space = nix::cmsg_space!([i32; 8]);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let message =
        recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(list) = control {
            // SAFETY: the kernel has just made these descriptors for this process; nothing else owns them.
            descriptors.extend(list.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    let count = message.bytes;
    bytes.truncate(count);
    Ok((bytes, descriptors))
}

/// Makes `command` start with `descriptor` open at number `at`, as a careless engine would leave it.
pub(crate) fn leave_open(command: &mut Command, descriptor: &OwnedFd, at: i32) -> io::Result<()> {
    use std::os::unix::process::CommandExt;
    // Far from the numbers that are asked for: none of them takes the place of another's source.
    let high = nix::fcntl::fcntl(descriptor, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(100))?;
    // SAFETY: the kernel has just made this descriptor for this process; nothing else owns it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(high) };
    let body = move || {
        // SAFETY: dup2 takes two numbers; `descriptor` is owned by this closure and open.
        match unsafe { libc::dup2(descriptor.as_raw_fd(), at) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: between fork and exec the closure calls dup2 alone, which is async-signal-safe.
    unsafe { command.pre_exec(body) };
    Ok(())
}

/// The size of the terminal whose master end is `fd` is set to `columns` and `rows`.
pub(crate) fn resize(fd: &OwnedFd, columns: u16, rows: u16) -> io::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one `winsize`, which `size` is.
    match unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// `struct seccomp_notif` of seccomp_unotify(2): a call that waits for an answer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Notification {
    pub(super) id: u64,
    pub(super) pid: u32,
    flags: u32,
    pub(super) number: i32,
    architecture: u32,
    instruction: u64,
    pub(super) arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answer {
    pub(super) id: u64,
    pub(super) value: i64,
    pub(super) error: i32,
    pub(super) flags: u32,
}

/// SECCOMP_IOCTL_NOTIF_RECV: the next call that waits.
pub(super) fn next_notification(listener: &OwnedFd) -> io::Result<Notification> {
    const RECEIVE: libc::c_ulong = 0xc050_2100;
    let mut notification = Notification::default();
    // SAFETY: the kernel writes one `struct seccomp_notif`, zeroed before as it demands.
    match unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE as _, &raw mut notification) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(notification),
    }
}

/// SECCOMP_IOCTL_NOTIF_SEND.
pub(super) fn answer_notification(listener: &OwnedFd, answer: &Answer) -> io::Result<()> {
    const SEND: libc::c_ulong = 0xc018_2101;
    // SAFETY: the kernel reads one `struct seccomp_notif_resp`, which `answer` is.
    match unsafe { libc::ioctl(listener.as_raw_fd(), SEND as _, std::ptr::from_ref(answer)) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The cookie of a process's core scheduling group, PR_SCHED_CORE of prctl(2); 0 where it has none of its own.
pub(crate) fn core_cookie(pid: u32) -> io::Result<u64> {
    const PR_SCHED_CORE: libc::c_int = 62;
    let mut cookie = 0_u64;
    // SAFETY: GET (0) of one thread (0) writes a u64 to where it is told.
    let answer = unsafe { libc::prctl(PR_SCHED_CORE, 0_u64, u64::from(pid), 0_u64, &raw mut cookie) };
    if answer == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}
