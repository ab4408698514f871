//! `run` and `exec` in the foreground: signals go to the process, its terminal is shown, and its end is ours.

mod copy;
mod line_ends;

use crate::{failure::Failure, sys, terminal};
use copy::{Copy, Source};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl,
        signal::SigSet,
        signalfd::{SfdFlags, SignalFd, siginfo},
    },
    unistd::getpid,
};
use runtime_core::{NotifySocket, Signal};
use std::{
    ffi::{OsStr, OsString},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

const SIGCHLD: u32 = libc::SIGCHLD.unsigned_abs();
const SIGURG: u32 = libc::SIGURG.unsigned_abs();
const SIGWINCH: u32 = libc::SIGWINCH.unsigned_abs();
const SIGPIPE: u32 = libc::SIGPIPE.unsigned_abs();

/// All signals, held back to be read one by one.
#[derive(Debug)]
pub(crate) struct Signals(SignalFd);

impl Signals {
    /// Holds all signals back from now on. To be called before the process exists, so that none is lost; the library
    /// gives the process a clear mask of its own.
    pub(crate) fn hold() -> Result<Self, Failure> {
        let all = SigSet::all();
        let held = all
            .thread_block()
            .and_then(|()| SignalFd::with_flags(&all, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK));
        held.map(Self).map_err(|error| Failure::io("hold signals back", error))
    }

    fn next(&self) -> Option<siginfo> {
        self.0.read_signal().ok().flatten()
    }
}

/// Makes this process the parent of all orphans below it, so that it can reap them.
pub(crate) fn become_subreaper() -> Result<(), Failure> {
    prctl::set_child_subreaper(true).map_err(|error| Failure::io("become a subreaper", error))
}

/// A process in the foreground.
pub(crate) struct Attended<'a> {
    /// Nothing where it has ended already.
    pub(crate) pid: Option<i32>,
    /// Readable once the process has ended.
    pub(crate) pidfd: BorrowedFd<'a>,
    /// Sends it a signal.
    pub(crate) kill: &'a dyn Fn(Signal) -> Result<(), runtime_core::Error>,
    /// The master end of its terminal.
    pub(crate) terminal: Option<OwnedFd>,
    /// Over what it says that it is ready, and who is to be told.
    pub(crate) notify: Option<(NotifySocket, OsString)>,
}

/// Attends the process until it has ended and all that it wrote is shown.
pub(crate) fn attend(process: Attended<'_>, signals: &Signals) -> Result<(), Failure> {
    let Attended { pid, pidfd, kill, terminal, notify } = process;
    let Some(master) = terminal else {
        return wait(pidfd, signals, None, notify, &|signal| forward(signal, pid, kill));
    };
    terminal::fit(&master);
    let raw = terminal::Raw::enter();
    let mut copy = Copy::new(master)?;
    let on_signal = |signal: u32| forward(signal, pid, kill);
    let result = wait(pidfd, signals, Some(&mut copy), notify, &on_signal);
    copy.drain(signals);
    drop(raw);
    result
}

/// Waits for the end of the process, with what there is to do meanwhile.
fn wait(
    pidfd: BorrowedFd<'_>,
    signals: &Signals,
    mut copy: Option<&mut Copy>,
    mut notify: Option<(NotifySocket, OsString)>,
    on_signal: &dyn Fn(u32),
) -> Result<(), Failure> {
    loop {
        let mut wanted = vec![(Source::Signals, signals.0.as_fd(), PollFlags::POLLIN)];
        wanted.push((Source::End, pidfd, PollFlags::POLLIN));
        if let Some((socket, _)) = &notify {
            wanted.push((Source::Notify, socket.as_fd(), PollFlags::POLLIN));
        }
        if let Some(copy) = &copy {
            copy.wants(&mut wanted);
        }
        let timeout = copy.as_ref().map_or(PollTimeout::NONE, |copy| copy.timeout());
        let ready = ready(&wanted, timeout)?;
        if ready.contains(&Source::Signals) {
            take_signals(signals, copy.as_deref(), on_signal);
        }
        if ready.contains(&Source::Notify) {
            notify = notify.filter(|(socket, manager)| !pass_on(socket, manager));
        }
        if ready.contains(&Source::End) {
            return Ok(());
        }
        if let Some(copy) = &mut copy {
            copy.go_on(&ready);
        }
    }
}

/// Passes on that the process is ready. True when there is no more to listen for.
fn pass_on(socket: &NotifySocket, manager: &OsStr) -> bool {
    socket.try_pass_on(manager).unwrap_or_else(|error| {
        log::warn!("{}", error.report());
        true
    })
}

/// Which of the `wanted` are ready.
fn ready(
    wanted: &[(Source, BorrowedFd<'_>, PollFlags)],
    timeout: PollTimeout,
) -> Result<Vec<Source>, Failure> {
    let mut fds: Vec<PollFd<'_>> = wanted.iter().map(|(_, fd, flags)| PollFd::new(*fd, *flags)).collect();
    match poll(&mut fds, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(Failure::io("wait for the process", error)),
    }
    let ready = wanted.iter().zip(&fds).filter(|(_, fd)| fd.any().unwrap_or(true));
    Ok(ready.map(|((source, ..), _)| *source).collect())
}

fn take_signals(signals: &Signals, copy: Option<&Copy>, on_signal: &dyn Fn(u32)) {
    while let Some(info) = signals.next() {
        match (info.ssi_signo, copy) {
            (SIGWINCH, Some(copy)) => copy.fit(),
            // What this process brought on itself by writing where nobody reads.
            (SIGPIPE, _) if i32::try_from(info.ssi_pid) == Ok(getpid().as_raw()) => {}
            (signal, _) => on_signal(signal),
        }
    }
}

/// Sends the process the signal that we got. It may have ended already.
fn forward(signal: u32, pid: Option<i32>, kill: &dyn Fn(Signal) -> Result<(), runtime_core::Error>) {
    match signal {
        SIGCHLD => {
            if let Some(pid) = pid {
                sys::reap_orphans(pid);
            }
        }
        // The Go programs that call us send it to themselves and to their groups all the time.
        SIGURG => {}
        _ => {
            let Some(signal) = i32::try_from(signal).ok().and_then(Signal::from_raw) else { return };
            if let Err(error) = kill(signal) {
                log::debug!("forward {signal}: {}", error.report());
            }
        }
    }
}
