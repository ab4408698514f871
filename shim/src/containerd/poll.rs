//! What the loop waits for.

use crate::error::{Error, Result};
use nix::{
    errno::Errno,
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};
use std::{os::fd::AsFd, time::Duration};

/// What is ready. Numbers are used once, so that one that is gone is not taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Listener,
    Signals,
    Workers,
    Publisher,
    /// A connection, by number.
    Connection(u32),
    /// A copy, by number.
    Copy(u32),
    /// An OOM watch, by number.
    Oom(u32),
}

impl Source {
    fn token(self) -> u64 {
        let (kind, number) = match self {
            Self::Listener => (0, 0),
            Self::Signals => (1, 0),
            Self::Workers => (2, 0),
            Self::Publisher => (3, 0),
            Self::Connection(number) => (4, number),
            Self::Copy(number) => (5, number),
            Self::Oom(number) => (6, number),
        };
        kind << 32 | u64::from(number)
    }

    fn of(token: u64) -> Option<Self> {
        let number = u32::try_from(token & u64::from(u32::MAX)).ok()?;
        Some(match token >> 32 {
            0 => Self::Listener,
            1 => Self::Signals,
            2 => Self::Workers,
            3 => Self::Publisher,
            4 => Self::Connection(number),
            5 => Self::Copy(number),
            6 => Self::Oom(number),
            _ => return None,
        })
    }
}

/// What is waited for.
pub(crate) struct Poll(Epoll);

impl Poll {
    pub(crate) fn new() -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC);
        epoll.map(Self).map_err(|errno| Error::io("epoll_create", errno))
    }

    /// Waits for `fd` to be readable too.
    pub(crate) fn read(&self, fd: impl AsFd, source: Source) -> Result<()> {
        self.add(fd, source, EpollFlags::EPOLLIN)
    }

    /// Waits for room in `fd` too.
    pub(crate) fn write(&self, fd: impl AsFd, source: Source) -> Result<()> {
        self.add(fd, source, EpollFlags::EPOLLOUT)
    }

    fn add(&self, fd: impl AsFd, source: Source, flags: EpollFlags) -> Result<()> {
        self.0.add(fd, EpollEvent::new(flags, source.token())).map_err(|errno| Error::io("epoll_ctl", errno))
    }

    /// Waits for `fd` to be readable, and with `both` for room too.
    pub(crate) fn change(&self, fd: impl AsFd, source: Source, both: bool) {
        let flags = if both { EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN };
        let _ = self.0.modify(fd, &mut EpollEvent::new(flags, source.token()));
    }

    /// Waits for `fd` no more.
    pub(crate) fn forget(&self, fd: impl AsFd) {
        let _ = self.0.delete(fd);
    }

    /// Waits until something is ready, for at most `time`.
    pub(crate) fn wait(&self, time: Option<Duration>) -> Result<Vec<Source>> {
        let mut events = [EpollEvent::empty(); 32];
        let timeout = match time {
            // Rounded up: a wait that ends too early is a loop.
            Some(time) => {
                EpollTimeout::try_from(time + Duration::from_micros(999)).unwrap_or(EpollTimeout::MAX)
            }
            None => EpollTimeout::NONE,
        };
        match self.0.wait(&mut events, timeout) {
            Ok(count) => Ok(events[..count].iter().filter_map(|event| Source::of(event.data())).collect()),
            Err(Errno::EINTR) => Ok(Vec::new()),
            Err(errno) => Err(Error::io("epoll_wait", errno)),
        }
    }
}
