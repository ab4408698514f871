//! What is done in a namespace of a process that runs already: by a child of ours that makes system calls and nothing else,
//! so that no thread of the caller is ever in it.

use std::{
    ffi::CStr,
    fs::File,
    io,
    os::fd::{AsRawFd, OwnedFd},
};

type Answer = Result<(), libc::c_int>;

fn check(result: libc::c_long) -> Answer {
    if result < 0 { Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)) } else { Ok(()) }
}

/// Does `act`, which only makes system calls, in the namespace `name` (in /proc/PID/ns) of process `pid`.
fn act_in(pid: i32, name: &str, act: fn() -> Answer) -> io::Result<()> {
    let namespace: OwnedFd = File::open(format!("/proc/{pid}/ns/{name}"))?.into();
    // SAFETY: the child allocates nothing and takes no lock: it makes system calls, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: plain numbers.
        let entered = check(unsafe { libc::setns(namespace.as_raw_fd(), 0) }.into());
        let status = entered.and_then(|()| act()).err().unwrap_or(0);
        // SAFETY: nothing of this copy of the caller is to run on.
        unsafe { libc::_exit(status) };
    }
    check(child.into()).map_err(io::Error::from_raw_os_error)?;
    let mut status = 0;
    loop {
        // SAFETY: the kernel writes one number.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        match io::Error::last_os_error() {
            _ if waited == child => break,
            error if error.kind() == io::ErrorKind::Interrupted => {}
            // This program ignores SIGCHLD.
            error if error.raw_os_error() == Some(libc::ECHILD) => return Ok(()),
            error => return Err(error),
        }
    }
    match (libc::WIFEXITED(status), libc::WEXITSTATUS(status)) {
        (true, 0) => Ok(()),
        (true, errno) => Err(io::Error::from_raw_os_error(errno)),
        (false, _) => Err(io::ErrorKind::Interrupted.into()),
    }
}

/// Sets up the loopback device of the network namespace of process `pid`: netdevice(7).
pub(crate) fn set_loopback_up(pid: i32) -> io::Result<()> {
    act_in(pid, "net", loopback_up)
}

fn loopback_up() -> Answer {
    const UP: libc::c_short = 1; // IFF_UP
    // SAFETY: plain numbers. The child ends with the socket open.
    let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    check(socket.into())?;
    // SAFETY: zeroes are a valid ifreq.
    let mut device: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in device.ifr_name.iter_mut().zip(b"lo") {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    device.ifr_ifru.ifru_flags = UP;
    // SAFETY: the ioctl reads that struct, whose name ends with NUL.
    check(unsafe { libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const device) }.into())
}

/// Makes the root of the mount namespace of process `pid` read-only: mount_setattr(2).
pub(crate) fn set_root_read_only(pid: i32) -> io::Result<()> {
    act_in(pid, "mnt", || {
        let attributes =
            libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
        let (path, size): (&CStr, _) = (c"/", size_of::<libc::mount_attr>());
        let at = libc::AT_FDCWD;
        // SAFETY: a string that ends with NUL and a struct that is read, of the size that is told.
        check(unsafe {
            libc::syscall(libc::SYS_mount_setattr, at, path.as_ptr(), 0, &raw const attributes, size)
        })
    })
}
