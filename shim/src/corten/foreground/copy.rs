//! Copies between the caller's standard streams and a container's terminal.

use super::{Signals, line_ends::LineEnds, ready};
use crate::{failure::Failure, sys, terminal};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFlags, PollTimeout},
    unistd,
};
use std::{
    io::IsTerminal,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// What poll(2) says is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Signals,
    End,
    Notify,
    Stdin,
    Master,
    Stdout,
}

/// A pipe that is writable takes this much without blocking (PIPE_BUF), and standard output is not ours to make
/// non-blocking: others may write to the same.
const CHUNK: usize = 4096;

/// How long to wait for output of a process that has ended, in milliseconds, where another keeps its terminal open. The
/// kernel hands output over by a worker, so it may come after the process' end.
const LAST_WORDS: u16 = 100;

/// The most that a terminal can hold back; what comes after it was written by another process.
const MOST_HELD_BACK: usize = 1 << 20;

/// Bytes that were read and not yet written.
#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    written: usize,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.written == self.bytes.len()
    }

    fn forget(&mut self) {
        self.bytes.clear();
        self.written = 0;
    }

    /// Reads from `fd` what it has, at most a chunk.
    fn fill(&mut self, fd: BorrowedFd<'_>) -> nix::Result<usize> {
        // A carriage return that was held back makes it one more.
        self.bytes.resize(CHUNK - 1, 0);
        self.written = 0;
        let read = unistd::read(fd, &mut self.bytes);
        self.bytes.truncate(*read.as_ref().unwrap_or(&0));
        read
    }

    /// Takes out what the terminal put before line ends.
    fn undo(&mut self, line_ends: &mut LineEnds) {
        self.bytes = line_ends.undo(&self.bytes);
    }

    /// Writes to `fd` what it takes. Where it takes nothing any more, the bytes are dropped.
    fn empty(&mut self, fd: BorrowedFd<'_>) {
        match unistd::write(fd, &self.bytes[self.written..]) {
            Ok(written) => self.written += written,
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(_) => self.forget(),
        }
    }
}

/// The two directions of a terminal.
#[derive(Debug)]
pub(super) struct Copy {
    master: OwnedFd,
    input: Waiting,
    output: Waiting,
    stdin_open: bool,
    /// Where the output is not shown on a terminal, which is raw and needs what is taken out.
    line_ends: Option<LineEnds>,
    /// Nobody has the terminal open. A process may open it again.
    hung_up: bool,
}

impl Copy {
    /// For the terminal whose master end is `master`.
    pub(super) fn new(master: OwnedFd) -> Result<Self, Failure> {
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))
            .map_err(|error| Failure::io("make the terminal non-blocking", error))?;
        let (input, output) = (Waiting::default(), Waiting::default());
        let line_ends = (!sys::standard(1).is_terminal()).then(LineEnds::default);
        Ok(Self { master, input, output, stdin_open: true, line_ends, hung_up: false })
    }

    /// Makes the terminal as large as the caller's.
    pub(super) fn fit(&self) {
        terminal::fit(&self.master);
    }

    /// Adds what to wait for.
    pub(super) fn wants<'a>(&'a self, wanted: &mut Vec<(Source, BorrowedFd<'a>, PollFlags)>) {
        if self.stdin_open && self.input.is_empty() {
            wanted.push((Source::Stdin, sys::standard(0), PollFlags::POLLIN));
        }
        let mut master = PollFlags::empty();
        master.set(PollFlags::POLLIN, self.output.is_empty());
        master.set(PollFlags::POLLOUT, !self.input.is_empty());
        if !master.is_empty() && !self.hung_up {
            wanted.push((Source::Master, self.master.as_fd(), master));
        }
        if !self.output.is_empty() {
            wanted.push((Source::Stdout, sys::standard(1), PollFlags::POLLOUT));
        }
    }

    /// How long to wait: a terminal that is hung up is looked at again after a while.
    pub(super) fn timeout(&self) -> PollTimeout {
        if self.hung_up { LAST_WORDS.into() } else { PollTimeout::NONE }
    }

    /// Does what can be done now.
    pub(super) fn go_on(&mut self, ready: &[Source]) {
        self.hung_up = false;
        for source in ready {
            match source {
                Source::Stdin => {
                    self.stdin_open = match self.input.fill(sys::standard(0)) {
                        Ok(read) => read > 0,
                        Err(error) => matches!(error, Errno::EAGAIN | Errno::EINTR),
                    }
                }
                Source::Master => self.serve_master(),
                Source::Stdout => self.output.empty(sys::standard(1)),
                Source::Signals | Source::End | Source::Notify => {}
            }
        }
    }

    fn serve_master(&mut self) {
        if !self.input.is_empty() {
            self.input.empty(self.master.as_fd());
        }
        if self.output.is_empty() {
            self.hung_up = matches!(self.output.fill(self.master.as_fd()), Ok(0) | Err(Errno::EIO));
            if let Some(line_ends) = &mut self.line_ends {
                self.output.undo(line_ends);
            }
        }
    }

    /// Shows what the ended process still had to say. Ends when the terminal is hung up, when whoever else has it open
    /// is silent, or by a signal.
    pub(super) fn drain(&mut self, signals: &Signals) {
        (self.stdin_open, self.hung_up) = (false, false);
        self.input.forget();
        let mut held_back = MOST_HELD_BACK;
        while !self.hung_up && held_back > 0 {
            let saying = !self.output.is_empty();
            let mut wanted = vec![(Source::Signals, signals.0.as_fd(), PollFlags::POLLIN)];
            self.wants(&mut wanted);
            let timeout = if saying { PollTimeout::NONE } else { LAST_WORDS.into() };
            let Ok(ready) = ready(&wanted, timeout) else { break };
            if ready.is_empty() || ready.contains(&Source::Signals) && must_end(signals) {
                break;
            }
            self.go_on(&ready);
            held_back = held_back.saturating_sub(self.output.bytes.len());
        }
        if self.line_ends.as_ref().is_some_and(LineEnds::is_held) {
            let _ = unistd::write(sys::standard(1), b"\r");
        }
    }
}

/// Whether a signal has come that asks to end.
fn must_end(signals: &Signals) -> bool {
    use libc::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    let mut end = false;
    while let Some(info) = signals.next() {
        end |= [SIGHUP, SIGINT, SIGQUIT, SIGTERM].map(i32::unsigned_abs).contains(&info.ssi_signo);
    }
    end
}
