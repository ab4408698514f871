//! ptrace(2) beyond nix: which call a stopped process makes, and another answer to it.

mod arch;

pub(crate) use arch::{answer, skip};

use nix::{
    sys::{
        ptrace,
        signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
    },
    unistd::Pid,
};
use std::{io, mem::MaybeUninit, os::unix::process::CommandExt, process::Command};

/// A system call that a process is about to make.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its number.
    pub number: i64,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// Where a process stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turn {
    /// Before a call.
    Entry(Call),
    /// After one, which succeeded or not.
    Exit {
        /// Whether its answer is an error.
        failed: bool,
    },
    /// Elsewhere.
    Other,
}

/// Makes `command` a tracee of the thread that spawns it.
pub(crate) fn traced(command: &mut Command) {
    // SAFETY: between fork and exec the closure makes one system call and touches no memory.
    unsafe { command.pre_exec(|| ptrace::traceme().map_err(io::Error::from)) };
}

/// What the stopped `pid` is doing: PTRACE_GET_SYSCALL_INFO.
pub(crate) fn call(pid: Pid) -> io::Result<Turn> {
    let mut info = MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
    let size = size_of::<libc::ptrace_syscall_info>();
    // SAFETY: the kernel writes at most `size` bytes to `info`, which is that large.
    let done = unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, pid.as_raw(), size, info.as_mut_ptr()) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all bytes are zero or the kernel's, and the structure is of numbers only.
    let info = unsafe { info.assume_init() };
    Ok(match info.op {
        libc::PTRACE_SYSCALL_INFO_ENTRY => {
            // SAFETY: `op` says that this member of the union is the one written.
            let entry = unsafe { info.u.entry };
            Turn::Entry(Call { number: entry.nr.cast_signed(), arguments: entry.args })
        }
        libc::PTRACE_SYSCALL_INFO_EXIT => {
            // SAFETY: `op` says that this member of the union is the one written.
            let exit = unsafe { info.u.exit };
            Turn::Exit { failed: exit.is_error != 0 }
        }
        _ => Turn::Other,
    })
}

extern "C" fn on_tick(_: libc::c_int) {}

/// While it lives, no system call of the thread that made it waits long: a timer's signal ends it with EINTR.
#[derive(Debug)]
pub struct Tick(libc::timer_t);

impl Tick {
    /// Every so many milliseconds.
    ///
    /// # Errors
    /// If there is no timer to be had.
    pub fn new(milliseconds: i64) -> io::Result<Self> {
        let action = SigAction::new(SigHandler::Handler(on_tick), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGALRM, &action) }?;
        // SAFETY: the structure is of numbers and of pointers that may be null.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGALRM;
        event.sigev_notify_thread_id = nix::unistd::gettid().as_raw();
        let mut timer = std::ptr::null_mut();
        // SAFETY: both pointers are to structures that live until the call returns.
        if unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) } < 0 {
            return Err(io::Error::last_os_error());
        }
        let tick = Self(timer);
        let interval =
            libc::timespec { tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000 };
        let times = libc::itimerspec { it_interval: interval, it_value: interval };
        // SAFETY: the timer is ours, the kernel reads `times`, and a null pointer means that the old one is not asked for.
        match unsafe { libc::timer_settime(tick.0, 0, &raw const times, std::ptr::null_mut()) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(tick),
        }
    }
}

impl Drop for Tick {
    fn drop(&mut self) {
        // SAFETY: the timer is ours, and there is no other way to name it.
        unsafe { libc::timer_delete(self.0) };
    }
}
