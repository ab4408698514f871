//! The only unsafe code of this binary: what nix and std have no safe call for.

#[cfg(all(not(debug_assertions), panic = "abort", not(test)))]
#[path = "../../corten/sys/c_runtime.rs"]
mod c_runtime;
pub(crate) mod mount;

use std::{
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
        unix::{net::UnixListener, process::CommandExt},
    },
    process::{Child, Command},
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

/// The last word of the command line, where it lies.
static LAST_WORD: AtomicPtr<libc::c_char> = AtomicPtr::new(ptr::null_mut());

/// Takes the last word off the command line that others see: what was `start` is a server now.
pub(crate) fn drop_last_word() {
    let mut at = LAST_WORD.swap(ptr::null_mut(), Ordering::Relaxed);
    // SAFETY: the kernel laid it out writable and with NUL at its end, and nobody reads it any more: the flags are parsed.
    unsafe {
        while !at.is_null() && *at != 0 {
            *at = 0;
            at = at.add(1);
        }
    }
}

/// Where the C library's start hands over: the standard library's own start, which looks for the stack's end and installs a
/// handler, is left out. Descriptors 0 to 2 are open afterwards, and a reader that has gone is an error, not a signal.
#[cfg(not(test))]
// SAFETY: a program has one `main`, and this is its type in C.
#[unsafe(no_mangle)]
extern "C" fn main(count: libc::c_int, words: *const *mut libc::c_char) -> libc::c_int {
    // SAFETY: the C library hands over `count` words and a null pointer behind them.
    LAST_WORD
        .store(unsafe { *words.offset(isize::try_from((count - 1).max(0)).unwrap_or(0)) }, Ordering::Relaxed);
    for fd in 0..=2 {
        // SAFETY: F_GETFD of any number is harmless; open(2) gets a string that ends with NUL.
        let closed = unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0;
        // SAFETY: as above. The lowest free number is what it gets.
        if closed && unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) } != fd {
            return 1;
        }
    }
    // SAFETY: ignoring a signal runs no code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    // A file at RLIMIT_FSIZE is an error too. A handler, as the programs that are executed from here do not inherit it.
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: what does nothing may run at any time.
    unsafe { libc::signal(libc::SIGXFSZ, nothing as *const () as libc::sighandler_t) };
    crate::shim().into()
}

/// Closes what the caller left open beyond the standard streams. To be called before anything is opened.
pub(crate) fn close_inherited() {
    // SAFETY: nothing of this program has a descriptor from 3 on yet.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
}

/// One heap for all threads: a worker's own would be kept after its end. Large pieces go back to the kernel when freed.
pub(crate) fn keep_heap_small() {
    // SAFETY: called before any other thread exists; the numbers are mallopt's own.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 64 << 10);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 64 << 10);
    }
}

/// Gives the kernel back what of the heap is not in use.
pub(crate) fn trim_heap() {
    // SAFETY: malloc_trim takes the heap's own lock.
    unsafe { libc::malloc_trim(0) };
}

/// Which side of a fork this is.
pub(crate) enum Side {
    /// The process that forked, and its child's id.
    Parent(libc::pid_t),
    /// The new one.
    Child,
}

/// Forks. Only for a program that has one thread: the child goes on as a program of its own.
pub(crate) fn fork() -> io::Result<Side> {
    // SAFETY: `start` has one thread, so no lock can be held by another that the child lacks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        child => Ok(Side::Parent(child)),
    }
}

/// Puts this thread into a core scheduling group of its own, PR_SCHED_CORE of prctl(2): it and what it starts share a core
/// only with each other.
pub(crate) fn own_core_group() -> io::Result<()> {
    const PR_SCHED_CORE: libc::c_int = 62;
    const CREATE: libc::c_ulong = 1;
    const THREAD: libc::c_ulong = 0;
    // SAFETY: plain numbers; a kernel without it answers EINVAL.
    match unsafe { libc::prctl(PR_SCHED_CORE, CREATE, 0_u64, THREAD, 0_u64) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The end of a process: its id, and the exit status as a shell has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// Its id.
    pub(crate) pid: i32,
    /// Its exit code, or 128 and the signal.
    pub(crate) status: u32,
}

/// Reaps one child of this thread that has ended. Children of other threads are those of the library's calls that
/// run there: they are theirs to reap (`__WNOTHREAD`).
pub(crate) fn reap_own() -> Option<Ended> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::__WNOTHREAD | libc::__WALL;
    // SAFETY: waitid fills in the struct, or leaves it as it is where no child has ended; all zero is a valid one.
    let (answer, info) =
        unsafe { (libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), options), info.assume_init()) };
    // SAFETY: the fields are those of a child's end, or zero.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if answer != 0 || pid == 0 {
        return None;
    }
    let status = status.unsigned_abs();
    Some(Ended { pid, status: if info.si_code == libc::CLD_EXITED { status } else { 128 + status } })
}

/// Gives the terminal behind `master` a size, TIOCSWINSZ of ioctl_tty(2).
pub(crate) fn resize(master: impl AsFd, columns: u16, rows: u16) -> io::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open while it is borrowed, and TIOCSWINSZ only reads the size.
    match unsafe { libc::ioctl(master.as_fd().as_raw_fd(), libc::TIOCSWINSZ, &raw const size) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Starts a program with `extra` as its descriptors 3, 4 and 5.
pub(crate) fn spawn_with(command: &mut Command, extra: &[OwnedFd; 3]) -> io::Result<Child> {
    let numbers = extra.each_ref().map(AsRawFd::as_raw_fd);
    // SAFETY: the closure makes system calls on numbers that `extra` keeps open, and nothing else.
    unsafe {
        command.pre_exec(move || {
            let mut moved = numbers;
            for fd in &mut moved {
                // Out of the way of 3 to 5 first.
                *fd = libc::fcntl(*fd, libc::F_DUPFD_CLOEXEC, 6);
                if *fd < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            for (fd, number) in moved.into_iter().zip(3..) {
                if libc::dup2(fd, number) < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
    command.spawn()
}

/// Reaps the child `pid`, whichever thread's it is, if it has ended.
pub(crate) fn reap_one(pid: i32) -> Option<Ended> {
    if pid <= 0 {
        return None; // these stand for any child
    }
    let mut status = 0;
    // SAFETY: the status is ours to be filled in.
    let answer = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG | libc::__WALL) };
    (answer == pid).then(|| Ended {
        pid,
        status: match libc::WIFEXITED(status) {
            true => libc::WEXITSTATUS(status).unsigned_abs(),
            false => 128 + libc::WTERMSIG(status).unsigned_abs(),
        },
    })
}

/// Sends a signal by number, those without a name included, to the child `pid`.
pub(crate) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    if pid <= 0 {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: plain numbers.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The listening socket that is descriptor 3 of this program from its start on.
pub(crate) fn inherited_listener() -> io::Result<UnixListener> {
    let (mut listens, mut length) = (0_i32, 4);
    // SAFETY: the kernel writes an int of the length that it is told; a number that is no socket is an error.
    let answer = unsafe {
        libc::getsockopt(3, libc::SOL_SOCKET, libc::SO_ACCEPTCONN, (&raw mut listens).cast(), &raw mut length)
    };
    // SAFETY: F_SETFD of an open descriptor.
    if answer != 0 || unsafe { libc::fcntl(3, libc::F_SETFD, libc::FD_CLOEXEC) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if listens == 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: it is open, a listening socket, and nothing else in this program knows its number.
    Ok(unsafe { UnixListener::from_raw_fd(3) })
}
