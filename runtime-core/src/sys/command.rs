//! What a program needs to be executed with that `std::process::Command` has no word for. All of it happens in the
//! program's process before its execve, by system calls alone.

use std::{
    ffi::{CStr, CString},
    io,
    mem::{self, MaybeUninit},
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    process::Command,
    ptr,
};

/// A mount namespace of the program's own, which ends with it, whatever happens to this process.
pub(crate) struct PrivateMounts {
    /// Bound, with all beneath it, at `target`.
    pub(crate) source: CString,
    pub(crate) target: CString,
    /// Directories that are opened anew in that namespace, where mounts can be made in them, and their numbers.
    pub(crate) directories: Vec<(CString, RawFd)>,
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// mount(2) without a type or data.
fn mount(source: Option<&CStr>, target: &CStr, flags: libc::c_ulong) -> io::Result<()> {
    let source = source.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: strings that end with NUL and outlive the call; a null type and null data are for these flags.
    check(unsafe { libc::mount(source, target.as_ptr(), ptr::null(), flags, ptr::null()) }).map(drop)
}

/// dup2(2): `number` stands for what `fd` does, and stays open.
fn take_number(fd: RawFd, number: RawFd) -> io::Result<()> {
    // SAFETY: plain numbers; the process has descriptors of its own.
    check(unsafe { libc::dup2(fd, number) }).map(drop)
}

impl PrivateMounts {
    fn enter(&self) -> io::Result<()> {
        // SAFETY: a plain number.
        check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
        // It hears of the host's mounts, the host of none of its own.
        mount(None, c"/", libc::MS_REC | libc::MS_SLAVE)?;
        mount(Some(&self.source), &self.target, libc::MS_BIND | libc::MS_REC)?;
        for (path, number) in &self.directories {
            let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
            // SAFETY: a string that ends with NUL and outlives the call.
            take_number(check(unsafe { libc::open(path.as_ptr(), flags) })?, *number)?;
        }
        Ok(())
    }
}

/// A socket pair whose peer is this process by SO_PEERCRED, unix(7): one end takes the number of `socket`, the other is sent over
/// what that was.
fn replace_socket(socket: RawFd) -> io::Result<()> {
    let mut pair = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel fills in the two numbers.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) })?;
    send(socket, pair[0])?;
    take_number(pair[1], socket)
}

/// Sends a descriptor with a byte.
fn send(socket: RawFd, fd: RawFd) -> io::Result<()> {
    let mut byte = 0_u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // Room for the header and one number, aligned as the header is.
    let mut control = [0_usize; 4];
    // SAFETY: zeroes are a valid msghdr. All pointers are to what lives in this function; the control message has its room.
    let sent = unsafe {
        let mut message: libc::msghdr = mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        libc::sendmsg(socket, &raw const message, libc::MSG_NOSIGNAL)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Executes it with the descriptors `keep` open under their numbers and without blocked signals. With a mount namespace of its own
/// it gets another socket in place of `socket`, whose peer it is itself; the other end comes over that first one.
pub(crate) fn prepare(
    command: &mut Command,
    keep: &[&OwnedFd],
    socket: &OwnedFd,
    mounts: Option<PrivateMounts>,
) {
    let socket = socket.as_raw_fd();
    let keep: Vec<RawFd> = keep.iter().map(|fd| fd.as_raw_fd()).chain([socket]).collect();
    let in_child = move || {
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset fills in the set, which sigprocmask then reads.
        check(unsafe {
            libc::sigemptyset(none.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut())
        })?;
        for fd in &keep {
            // SAFETY: plain numbers; the process has descriptors of its own.
            check(unsafe { libc::fcntl(*fd, libc::F_SETFD, 0) })?;
        }
        match &mounts {
            None => Ok(()),
            Some(mounts) => mounts.enter().and_then(|()| replace_socket(socket)),
        }
    };
    // SAFETY: between fork and execve it only makes system calls: it allocates nothing and takes no lock.
    unsafe { command.pre_exec(in_child) };
}
