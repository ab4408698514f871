//! Notifications of a seccomp filter, seccomp_unotify(2).

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd},
};

/// Room for what the kernel writes: newer ones may have more to say than the fields that are known here.
const ROOM: usize = 512;

/// One call that waits for an answer: `struct seccomp_notif`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) id: u64,
    /// In this process' pid namespace; 0 where it is not to be seen from there.
    pub(crate) pid: u32,
    /// AUDIT_ARCH_*.
    pub(crate) architecture: u32,
    pub(crate) number: i32,
    pub(crate) arguments: [u64; 6],
}

/// Whether the kernel's structures fit the room that there is for them: SECCOMP_GET_NOTIF_SIZES.
pub(crate) fn is_known() -> io::Result<bool> {
    let mut sizes = MaybeUninit::<libc::seccomp_notif_sizes>::zeroed();
    // SAFETY: the kernel fills the struct, which is ours.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_NOTIF_SIZES, 0, sizes.as_mut_ptr()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all bytes of it were written, by us or by the kernel.
    let sizes = unsafe { sizes.assume_init() };
    Ok(usize::from(sizes.seccomp_notif) <= ROOM)
}

/// Takes the next call; waits until there is one. ENOENT if it was given up meanwhile.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> io::Result<Call> {
    #[repr(C, align(8))]
    struct Room([u8; ROOM]);
    let mut room = Room([0; ROOM]);
    // SAFETY: the room is zeroed, as the kernel demands, and larger than what it writes: `is_known`.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, room.0.as_mut_ptr()) })?;
    // SAFETY: the room is aligned and larger than the struct, whose fields are numbers.
    let call = unsafe { room.0.as_ptr().cast::<libc::seccomp_notif>().read() };
    Ok(Call {
        id: call.id,
        pid: call.pid,
        architecture: call.data.arch,
        number: call.data.nr,
        arguments: call.data.args,
    })
}

/// Answers the call `id`: it is made (`go_on`), or returns `value`, or fails with `errno`. ENOENT if nobody waits any more.
pub(crate) fn send(listener: BorrowedFd<'_>, id: u64, value: i64, errno: i32, go_on: bool) -> io::Result<()> {
    // SECCOMP_USER_NOTIF_FLAG_CONTINUE is the first bit.
    let mut answer = libc::seccomp_notif_resp { id, val: value, error: -errno, flags: u32::from(go_on) };
    // SAFETY: the struct is ours and lives through the call.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) })
        .map(drop)
}

/// Whether the call `id` still waits for its answer.
pub(crate) fn is_valid(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads a number that is ours.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) == 0 }
}

/// Gives the process that makes the call `id` a copy of `fd`, whose number there is what the call returns.
pub(crate) fn send_fd(
    listener: BorrowedFd<'_>,
    id: u64,
    fd: BorrowedFd<'_>,
    close_on_exec: bool,
) -> io::Result<()> {
    const SEND: u32 = 1 << 1;
    let added = libc::seccomp_notif_addfd {
        id,
        flags: SEND,
        srcfd: fd.as_raw_fd().unsigned_abs(),
        newfd: 0,
        newfd_flags: if close_on_exec { libc::O_CLOEXEC.unsigned_abs() } else { 0 },
    };
    // SAFETY: the struct is ours and lives through the call.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw const added) })
        .map(drop)
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
