//! The only unsafe code of this binary: what nix has no safe call for.

// Where panics unwind, and where tests are built, libgcc and libc do it.
#[cfg(all(not(debug_assertions), panic = "abort", not(test)))]
mod c_runtime;
// The same, and build.rs knows the C library.
#[cfg(all(lean_c_library, not(debug_assertions), panic = "abort", not(test)))]
mod c_library;
#[cfg(all(lean_c_library, not(debug_assertions), panic = "abort", not(test)))]
mod heap;
// On aarch64 a look at the processor costs nothing.
#[cfg(all(lean_c_library, target_arch = "x86_64", not(debug_assertions), panic = "abort", not(test)))]
mod start;

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

/// Where the C library's start hands over. It does what of the standard library's start is needed here: descriptors 0
/// to 2 are open, so that nothing else gets their numbers, and a reader that has gone is an error, not a signal.
#[cfg(not(test))]
// SAFETY: a program has one `main`, and this is its type in C but for the arguments, which std has got already.
#[unsafe(no_mangle)]
extern "C" fn main() -> libc::c_int {
    for fd in 0..=2 {
        // SAFETY: F_GETFD of any number is harmless; errno is this thread's.
        let closed =
            unsafe { libc::fcntl(fd, libc::F_GETFD) < 0 && *libc::__errno_location() == libc::EBADF };
        // SAFETY: open(2) gets a string that ends with NUL. The lowest free number is what it gets.
        if closed && unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) } != fd {
            eprintln!(
                "corten: error: descriptor {fd} is closed, and /dev/null cannot be opened in its place"
            );
            return 1;
        }
    }
    // SAFETY: ignoring a signal runs no code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    // A file at RLIMIT_FSIZE is an error too. A handler, as the programs that are executed from here do not inherit it.
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: what does nothing may run at any time.
    unsafe { libc::signal(libc::SIGXFSZ, nothing as *const () as libc::sighandler_t) };
    crate::corten().into()
}

/// A terminal's size, TIOCGWINSZ of ioctl_tty(2).
#[derive(Clone, Copy)]
pub(crate) struct WindowSize(libc::winsize);

impl WindowSize {
    /// The size of the terminal `fd`, or nothing where it is none or has no size.
    pub(crate) fn of(fd: impl AsFd) -> Option<Self> {
        let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the descriptor is open while it is borrowed, and `size` is what TIOCGWINSZ fills in.
        let answer = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
        (answer == 0 && (size.ws_row, size.ws_col) != (0, 0)).then_some(Self(size))
    }

    /// Makes the terminal `fd` this large. What runs in it gets SIGWINCH if that is a change.
    pub(crate) fn set(&self, fd: impl AsFd) {
        // SAFETY: the descriptor is open while it is borrowed, and TIOCSWINSZ only reads the size.
        unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::TIOCSWINSZ, &raw const self.0) };
    }

    /// Rows and columns.
    pub(crate) fn cells(&self) -> (u16, u16) {
        (self.0.ws_row, self.0.ws_col)
    }
}

/// Takes the status of every child that has ended, up to `main`, whose status its owner takes.
pub(crate) fn reap_orphans(main: i32) {
    loop {
        // SAFETY: an all-zero siginfo_t is a valid one.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: waitid fills in `info`, or leaves it as it is where no child has ended.
        let answer = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) };
        // SAFETY: after a successful waitid the pid is there, 0 where no child has ended.
        let pid = unsafe { info.si_pid() };
        if answer != 0 || pid == 0 || pid == main {
            return;
        }
        // SAFETY: a null status is allowed; the child has ended, so this does not wait.
        if unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) } < 0 {
            return;
        }
    }
}

/// Which side of a fork this is.
pub(crate) enum Side {
    /// The process that forked, and its child's id.
    Parent(libc::pid_t),
    /// The new one.
    Child,
}

/// fork(2). The child is for [`end_copy`].
pub(crate) fn fork() -> io::Result<Side> {
    // SAFETY: this program has one thread, so no lock can be held by another that the child lacks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        child => Ok(Side::Parent(child)),
    }
}

/// Does the `work` of a forked copy and ends it, whatever becomes of the work, without what this program does at its own end.
pub(crate) fn end_copy(work: impl FnOnce()) -> ! {
    /// Where panics unwind, the copy does not go on as the program it was.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            leave();
        }
    }
    fn leave() -> ! {
        // SAFETY: _exit(2) takes any status.
        unsafe { libc::_exit(0) }
    }
    let _end = End;
    work();
    leave()
}

/// Whether descriptor `fd` was open when this program began: one that it opened itself is close-on-exec.
pub(crate) fn is_inherited(fd: RawFd) -> bool {
    // SAFETY: F_GETFD of any number is harmless.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC == 0
}

/// Takes over a descriptor that was open when this program began, and closes it when that is dropped.
pub(crate) fn take_inherited(fd: RawFd) -> Option<OwnedFd> {
    if fd <= 2 || !is_inherited(fd) {
        return None;
    }
    // SAFETY: F_SETFD of any number is harmless.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    // SAFETY: it is open, and what is not close-on-exec was opened by nobody here. From now on it is.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Standard input and output, which std's own handles would buffer.
pub(crate) fn standard(fd: RawFd) -> BorrowedFd<'static> {
    debug_assert!((0..=2).contains(&fd));
    // SAFETY: 0, 1 and 2 are never closed by this program, and `main` opened those that were closed at its start.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
