//! One direction of a stream. Between pipes the kernel moves the pages, splice(2); nothing is kept here but what a
//! terminal would not take.

use crate::error::{Error, Result};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::{read, write},
};
use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// The most that is moved by one splice.
const PIECE: usize = 64 << 10;
/// What a pipe that is writable takes in one write: PIPE_BUF of pipe(7).
const ATOMIC: usize = 4096;
/// Rounds before the others have their turn.
const ROUNDS: usize = 16;

/// Where a copy goes.
#[derive(Debug)]
pub(crate) enum Target {
    /// A FIFO or a pipe.
    Pipe(OwnedFd),
    /// A file that is appended to; it is never waited for.
    File(File),
    /// The master of a terminal, and what it has not taken yet.
    Terminal(OwnedFd, Vec<u8>),
    /// Nowhere: what comes is dropped.
    Nowhere,
}

impl Target {
    /// A pipe, which is not waited for from now on.
    pub(super) fn pipe(fd: OwnedFd) -> Result<Self> {
        nonblocking(&fd)?;
        Ok(Self::Pipe(fd))
    }

    /// A terminal, which is not waited for from now on.
    pub(super) fn terminal(fd: OwnedFd) -> Result<Self> {
        nonblocking(&fd)?;
        Ok(Self::Terminal(fd, Vec::new()))
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Pipe(fd) | Self::Terminal(fd, _) => Some(fd.as_fd()),
            Self::File(_) | Self::Nowhere => None,
        }
    }

    fn is_writable(&self) -> bool {
        self.fd().is_none_or(|fd| is_ready(fd, PollFlags::POLLOUT))
    }
}

/// One direction of a stream.
#[derive(Debug)]
pub(crate) struct Copy {
    from: OwnedFd,
    to: Target,
    kind: Kind,
}

/// What kind of source a copy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The FIFO of standard input. The copy ends with who reads it.
    Input,
    /// A pipe that the process writes to. It is read on whatever becomes of the target.
    Output,
    /// A terminal that the process writes to, likewise.
    Screen,
}

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing to read, or more later.
    Reading,
    /// The target takes no more for now.
    Writing,
    /// All has come through, or the target is gone for good.
    Ended,
}

impl Copy {
    /// A copy to the process.
    pub(super) fn input(from: OwnedFd, to: Target) -> Result<Self> {
        Self::new(from, to, Kind::Input)
    }

    /// A copy from the process.
    pub(super) fn output(from: OwnedFd, to: Target) -> Result<Self> {
        Self::new(from, to, Kind::Output)
    }

    /// A copy from the process' terminal.
    pub(super) fn screen(from: OwnedFd, to: Target) -> Result<Self> {
        Self::new(from, to, Kind::Screen)
    }

    fn new(from: OwnedFd, to: Target, kind: Kind) -> Result<Self> {
        nonblocking(&from)?;
        Ok(Self { from, to, kind })
    }

    /// Whether it leads to the process.
    pub(crate) fn is_input(&self) -> bool {
        self.kind == Kind::Input
    }

    /// What is read.
    pub(crate) fn source(&self) -> BorrowedFd<'_> {
        self.from.as_fd()
    }

    /// What is written to, where it may have to be waited for.
    pub(crate) fn target(&self) -> Option<BorrowedFd<'_>> {
        self.to.fd()
    }

    /// Moves what there is, with `buffer` for what cannot be spliced.
    pub(crate) fn pump(&mut self, buffer: &mut [u8]) -> Progress {
        for _ in 0..ROUNDS {
            let progress = match (&self.to, self.kind) {
                (Target::Pipe(to), Kind::Input | Kind::Output) => move_pages(&self.from, to),
                _ => self.move_bytes(buffer),
            };
            match progress {
                Moved::Some => {}
                Moved::Nothing if !self.to.is_writable() => return Progress::Writing,
                Moved::Nothing => return Progress::Reading,
                Moved::TargetFull => return Progress::Writing,
                Moved::TargetGone if self.is_input() => return Progress::Ended,
                // The process must not be stopped by a logger that has ended.
                Moved::TargetGone => self.to = Target::Nowhere,
                Moved::End => return Progress::Ended,
            }
        }
        Progress::Reading
    }

    fn move_bytes(&mut self, buffer: &mut [u8]) -> Moved {
        if let Target::Terminal(to, kept) = &mut self.to
            && !kept.is_empty()
        {
            match write(&*to, kept) {
                Ok(count) => {
                    kept.drain(..count);
                    *kept = std::mem::take(kept);
                    return if kept.is_empty() { Moved::Some } else { Moved::TargetFull };
                }
                Err(Errno::EAGAIN | Errno::EINTR) => return Moved::TargetFull,
                Err(_) => return Moved::TargetGone,
            }
        }
        if !self.to.is_writable() {
            return Moved::TargetFull;
        }
        let room = if matches!(self.to, Target::Pipe(_)) { ATOMIC } else { buffer.len() };
        let count = match read(&self.from, &mut buffer[..room]) {
            // The last who had the terminal open has closed it: EIO.
            Ok(0) | Err(Errno::EIO) => return Moved::End,
            Ok(count) => count,
            Err(Errno::EAGAIN | Errno::EINTR) => return Moved::Nothing,
            Err(_) => return Moved::End,
        };
        self.put(&buffer[..count])
    }

    fn put(&mut self, mut bytes: &[u8]) -> Moved {
        while !bytes.is_empty() {
            let written = match &mut self.to {
                Target::Nowhere => return Moved::Some,
                Target::File(file) => write(&*file, bytes),
                Target::Pipe(to) => write(&*to, bytes),
                Target::Terminal(to, kept) => match write(&*to, bytes) {
                    Ok(count) => {
                        kept.extend_from_slice(&bytes[count..]);
                        return if kept.is_empty() { Moved::Some } else { Moved::TargetFull };
                    }
                    Err(Errno::EAGAIN) => {
                        kept.extend_from_slice(bytes);
                        return Moved::TargetFull;
                    }
                    other => other,
                },
            };
            match written {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::EINTR) => {}
                // A full disk: what cannot be kept is lost, and the process goes on.
                Err(_) if matches!(self.to, Target::File(_)) => return Moved::Some,
                Err(_) => return Moved::TargetGone,
            }
        }
        Moved::Some
    }
}

/// What one round did.
enum Moved {
    Some,
    Nothing,
    TargetFull,
    TargetGone,
    End,
}

fn move_pages(from: &OwnedFd, to: &OwnedFd) -> Moved {
    match splice(from, None, to, None, PIECE, SpliceFFlags::SPLICE_F_NONBLOCK | SpliceFFlags::SPLICE_F_MOVE) {
        Ok(0) => Moved::End,
        Ok(_) => Moved::Some,
        // Nothing to read, or no room.
        Err(Errno::EAGAIN | Errno::EINTR) => Moved::Nothing,
        Err(_) => Moved::TargetGone,
    }
}

fn is_ready(fd: BorrowedFd<'_>, flags: PollFlags) -> bool {
    let mut wanted = [PollFd::new(fd, flags)];
    matches!(poll(&mut wanted, PollTimeout::ZERO), Ok(count) if count > 0)
}

fn nonblocking(fd: &OwnedFd) -> Result<()> {
    let flags = fcntl(fd, FcntlArg::F_GETFL).map(OFlag::from_bits_truncate);
    flags
        .and_then(|flags| fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)))
        .map(drop)
        .map_err(|errno| Error::io("make a stream not wait", errno))
}
