//! The clone: a child that shares the caller's memory for the few system calls until it execs the init program, on a stack
//! of its own, while the calling thread waits. Nothing is copied, whatever the size of the caller; nothing is allocated.

use corten_init::{
    arch,
    guards::{self, Guard},
};
use std::{
    ffi::CString,
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

/// What the child is given.
pub(crate) struct Spawn<'a> {
    /// What become descriptors 0, 1 and 2.
    pub(crate) stdio: [BorrowedFd<'a>; 3],
    /// What become the descriptors from `base`: the init program's slots, its own file first.
    pub(crate) slots: Vec<BorrowedFd<'a>>,
    /// The first descriptor that the container's program does not get: 3 and those that are preserved.
    pub(crate) base: RawFd,
    /// CLONE_NEW* flags.
    pub(crate) namespaces: u64,
    /// A cgroup v2 directory to be born in.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
    /// The init program's arguments, its name first.
    pub(crate) arguments: Vec<CString>,
}

/// A child that runs the init program.
pub(crate) struct Spawned {
    /// Its process id in the caller's pid namespace.
    pub(crate) pid: i32,
    /// Its descriptor.
    pub(crate) pidfd: OwnedFd,
}

/// `libc::CLONE_INTO_CGROUP` does not fit its type there.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
/// Resets all handlers: none of the caller's may run in the child.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const FLAGS: u64 = (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD) as u64 | CLONE_CLEAR_SIGHAND;

#[repr(C, align(8))]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// The child's stack: it makes system calls and little else.
#[repr(C, align(16))]
struct Stack([MaybeUninit<u8>; 16 * 1024]);

/// All that the child touches; laid out before the clone.
struct Orders {
    base: RawFd,
    /// The descriptors for 0, 1, 2 and for the slots; the child moves them out of each other's way here.
    from: Vec<RawFd>,
    arguments: Vec<*const libc::c_char>,
    /// What the child's last call answered, if it did not exec.
    errno: i32,
}

/// Clones the child and waits until it has become the init program.
///
/// # Errors
/// What clone3(2) or, in the child, execveat(2) answered.
pub(crate) fn spawn(request: &Spawn<'_>) -> io::Result<Spawned> {
    let descriptors = request.stdio.iter().chain(&request.slots).map(AsRawFd::as_raw_fd);
    let mut orders = Orders {
        base: request.base,
        from: descriptors.collect(),
        arguments: request.arguments.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect(),
        errno: 0,
    };
    let mut stack = Box::<Stack>::new_uninit();
    let mut pidfd: RawFd = -1;
    let mut arguments = CloneArgs {
        flags: FLAGS | request.namespaces,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.as_mut_ptr() as u64,
        stack_size: size_of::<Stack>() as u64,
        ..CloneArgs::default()
    };
    if let Some(cgroup) = request.cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::from(cgroup.as_raw_fd().unsigned_abs());
    }
    let blocked = BlockedSignals::new();
    // SAFETY: the stack and the orders live until the clone returns, and CLONE_VFORK makes that after the child's exec or
    // end. The child makes system calls only, writes to nothing but its stack, the orders and errno, and never returns.
    let result = unsafe {
        arch::clone_on_stack(
            (&raw const arguments).cast(),
            size_of::<CloneArgs>(),
            child,
            (&raw mut orders).cast::<u8>(),
        )
    };
    drop(blocked);
    if result < 0 {
        return Err(io::Error::from_raw_os_error(i32::try_from(-result).unwrap_or(libc::EIO)));
    }
    // SAFETY: the kernel made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let pid = i32::try_from(result).map_err(io::Error::other)?;
    // SAFETY: the child is gone or has its own memory; the read must not be taken from before the clone.
    match unsafe { ptr::read_volatile(&raw const orders.errno) } {
        0 => Ok(Spawned { pid, pidfd }),
        errno => {
            let _ = super::wait::wait(std::os::fd::AsFd::as_fd(&pidfd));
            Err(io::Error::from_raw_os_error(errno))
        }
    }
}

/// All signals of the calling thread blocked while it lives: no handler may run on the child's side of the clone.
pub(super) struct BlockedSignals(libc::sigset_t);

impl BlockedSignals {
    pub(super) fn new() -> Self {
        let mut all = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: both sets are written by the calls before they are read.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the set is the one that pthread_sigmask gave.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

/// The child: puts the descriptors where they belong and becomes the init program.
unsafe extern "C" fn child(orders: *mut u8) -> ! {
    // SAFETY: `spawn` passes its orders and waits; nobody else touches them.
    let orders = unsafe { &mut *orders.cast::<Orders>() };
    orders.errno = become_init(orders);
    loop {
        // SAFETY: ends this process only; no destructor or exit handler of the caller runs.
        unsafe { libc::syscall(libc::SYS_exit_group, 127) };
    }
}

/// What the call that failed answered. It does not return otherwise.
fn become_init(orders: &mut Orders) -> i32 {
    let count = i32::try_from(orders.from.len()).unwrap_or(i32::MAX);
    let end = orders.base + count - 3;
    let close_on_exec = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: system calls on plain numbers, and on strings and tables that the parent keeps; no allocation, no lock.
    unsafe {
        // What a thread of the host opened without close-on-exec stays out of the container.
        if guards::on(Guard::CloseOnExec)
            && libc::syscall(libc::SYS_close_range, orders.base, u32::MAX, close_on_exec) < 0
        {
            return *libc::__errno_location();
        }
        for fd in orders.from.iter_mut().filter(|fd| **fd < end) {
            *fd = libc::fcntl(*fd, libc::F_DUPFD_CLOEXEC, end);
            if *fd < 0 {
                return *libc::__errno_location();
            }
        }
        for (from, to) in orders.from.iter().zip((0..3).chain(orders.base..end)) {
            if libc::syscall(libc::SYS_dup3, *from, to, 0) < 0 {
                return *libc::__errno_location();
            }
        }
        let environment: [*const libc::c_char; 1] = [ptr::null()];
        let (program, arguments) = (orders.base, orders.arguments.as_ptr());
        let flags = libc::AT_EMPTY_PATH;
        libc::syscall(libc::SYS_execveat, program, c"".as_ptr(), arguments, environment.as_ptr(), flags);
        *libc::__errno_location()
    }
}
