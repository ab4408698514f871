//! The calls that the payload makes past the standard library and nix; each a thin wrapper. All `unsafe` of the payload
//! is here.

mod arch;

pub(crate) use arch::{ARCHITECTURES, call32};

use nix::errno::Errno;
use std::io;

/// `struct __user_cap_header_struct` of capget(2).
#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct` of capget(2), of which version 3 takes two.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `struct sched_attr` as sched_getattr(2) fills it in.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct SchedAttr {
    pub(crate) size: u32,
    pub(crate) policy: u32,
    pub(crate) flags: u64,
    pub(crate) nice: i32,
    pub(crate) priority: u32,
    pub(crate) runtime: u64,
    pub(crate) deadline: u64,
    pub(crate) period: u64,
}

/// The effective, permitted and inheritable capabilities as bit masks.
pub(crate) fn capabilities() -> io::Result<[u64; 3]> {
    const VERSION_3: u32 = 0x2008_0522;
    let mut header = CapHeader { version: VERSION_3, pid: 0 };
    let mut data = [CapData::default(); 2];
    // SAFETY: version 3 makes the kernel fill in exactly two elements of `data`; both pointers outlive the call.
    let done = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    Errno::result(done)?;
    let whole = |low: u32, high: u32| u64::from(low) | (u64::from(high) << 32);
    Ok([
        whole(data[0].effective, data[1].effective),
        whole(data[0].permitted, data[1].permitted),
        whole(data[0].inheritable, data[1].inheritable),
    ])
}

/// Whether capability `number` is in the bounding set; none where the kernel knows no such capability.
pub(crate) fn bounded(number: u64) -> Option<bool> {
    // SAFETY: PR_CAPBSET_READ takes a number and touches no memory.
    match unsafe { libc::prctl(libc::PR_CAPBSET_READ, number, 0, 0, 0) } {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Whether capability `number` is in the ambient set.
pub(crate) fn ambient(number: u64) -> bool {
    // SAFETY: PR_CAP_AMBIENT_IS_SET takes a number and touches no memory.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_IS_SET, number, 0, 0) == 1 }
}

/// Whether no_new_privs is set, prctl(2).
pub(crate) fn no_new_privs() -> bool {
    // SAFETY: PR_GET_NO_NEW_PRIVS touches no memory.
    unsafe { libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 }
}

/// The soft and the hard limit of resource `number`.
pub(crate) fn limit(number: u32) -> io::Result<[u64; 2]> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one `rlimit`, which `limit` is.
    let done = unsafe { libc::prlimit(0, number, std::ptr::null(), &raw mut limit) };
    Errno::result(done)?;
    Ok([limit.rlim_cur, limit.rlim_max])
}

/// The scheduling policy and its attributes.
pub(crate) fn scheduler() -> io::Result<SchedAttr> {
    let mut attr = SchedAttr::default();
    // SAFETY: the kernel writes at most the given size, which is that of `attr`.
    let done = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attr, size_of::<SchedAttr>(), 0) };
    Errno::result(done)?;
    Ok(attr)
}

/// The I/O priority as ioprio_get(2) encodes it: class << 13 | level.
pub(crate) fn io_priority() -> io::Result<i64> {
    call(libc::SYS_ioprio_get, [1, 0, 0, 0, 0, 0])
}

/// The execution domain, personality(2).
pub(crate) fn personality() -> i64 {
    call(libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0, 0]).unwrap_or(-1)
}

/// The memory policy of the calling thread, get_mempolicy(2): the mode and the first 64 nodes of its mask.
pub(crate) fn memory_policy() -> io::Result<(i32, u64)> {
    let (mut mode, mut nodes) = (0i32, [0u64; 16]);
    // SAFETY: the kernel writes one int and at most 1,024 bits, which is what `nodes` holds.
    let done = unsafe {
        libc::syscall(
            libc::SYS_get_mempolicy,
            &raw mut mode,
            nodes.as_mut_ptr(),
            1024usize,
            std::ptr::null::<u8>(),
            0,
        )
    };
    Errno::result(done)?;
    Ok((mode, nodes[0]))
}

/// Seconds of `clock`, clock_gettime(2).
pub(crate) fn clock(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`, which `time` is.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec
}

/// Columns and rows of the terminal at descriptor `fd`.
pub(crate) fn window_size(fd: i32) -> Option<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `winsize`, which `size` is.
    (unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) } == 0).then_some((size.ws_col, size.ws_row))
}

/// System call `number` with plain numbers as arguments. A pointer argument is passed as 0 by all callers.
pub(crate) fn call(number: i64, a: [u64; 6]) -> io::Result<i64> {
    // SAFETY: the callers name calls that take numbers, or pass a null pointer that the kernel refuses with EFAULT.
    let result = unsafe { libc::syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]) };
    Ok(Errno::result(result)?)
}

/// The command's process is traced by this one: it stops before its program begins.
pub(crate) fn trace_me(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    let body = || nix::sys::ptrace::traceme().map_err(io::Error::from);
    // SAFETY: between fork and exec the closure makes one system call and nothing else.
    unsafe { command.pre_exec(body) };
}

/// Whether descriptor `fd` is open.
pub(crate) fn is_open(fd: i32) -> bool {
    // SAFETY: F_GETFD takes a number and touches no memory.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Sends `bytes` and `count` copies of the standard input, unix(7) SCM_RIGHTS.
pub(crate) fn send_descriptors(
    socket: &std::os::unix::net::UnixDatagram,
    bytes: &[u8],
    count: usize,
) -> io::Result<()> {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    use std::os::fd::AsRawFd;
    let descriptors = vec![0; count];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    sendmsg::<()>(socket.as_raw_fd(), &[io::IoSlice::new(bytes)], &rights, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}
