//! What happens to a container, told as it happens: by its pidfd, by inotify(7) of its state directory and of its cgroup.

use super::{Container, Status, status};
use crate::{Error, ErrorKind, Result, cgroup::OomEvents};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags},
        inotify::{AddWatchFlags, InitFlags, Inotify},
    },
};
use std::{
    collections::VecDeque,
    fmt,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

/// What happens to a container.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// use runtime_core::Event;
///
/// for event in container.events()? {
///     match event? {
///         Event::OutOfMemory(count) => println!("give it more memory: it ran out {count} times"),
///         Event::Stopped => println!("restart it"),
///         other => println!("{other}"),
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// It is made, and waits for its start.
    Created,
    /// Its program is executed.
    Started,
    /// Its processes are frozen.
    Paused,
    /// They go on.
    Resumed,
    /// So many times its memory has run out since it was last told: see [`OomEvents::read`].
    OutOfMemory(u64),
    /// Its first process has ended.
    Stopped,
    /// Nothing is left of it. The last event.
    Deleted,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => f.write_str("created"),
            Self::Started => f.write_str("started"),
            Self::Paused => f.write_str("paused"),
            Self::Resumed => f.write_str("resumed"),
            Self::OutOfMemory(count) => write!(f, "out of memory, {count} times"),
            Self::Stopped => f.write_str("stopped"),
            Self::Deleted => f.write_str("deleted"),
        }
    }
}

/// What happens to a container from the moment this is made, whoever does it: [`Container::events`].
///
/// For an event loop: the descriptor is readable when there may be something to [`Events::read`]. For a thread of its own: it
/// is an iterator that waits, and ends after [`Event::Deleted`] or an error.
///
/// What the container does is looked at anew each time something stirs. So what is undone before it is looked at is not told:
/// a pause that was short, the start of a program that ended at once. On cgroup v1 the kernel tells nobody of a freeze; there
/// only those are told that this library made, in whatever program.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{Container, default_root};
///
/// for event in Container::load(default_root(), "web-1")?.events()? {
///     println!("web-1: {}", event?);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "it tells nothing if nobody reads it"]
pub struct Events {
    container: Container,
    /// Readable if one of the others is.
    poll: Epoll,
    inotify: Inotify,
    pidfd: Option<OwnedFd>,
    ooms: Option<OomEvents>,
    /// What the container was doing when it was last looked at.
    status: Status,
    queue: VecDeque<Event>,
    over: bool,
}

impl Events {
    pub(super) fn new(container: Container) -> Result<Self> {
        let failed = |errno| Error::io("inotify_init1", errno);
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(failed)?;
        let poll =
            Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(|errno| Error::io("epoll_create1", errno))?;
        // A file is closed that was open for writing: the init program's lock, by execve or its end. What this library only
        // asks for the lock is no such file.
        let change = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_DELETE_SELF;
        watch(&inotify, container.store.dir(), change).map_err(|error| match error.kind() {
            ErrorKind::NotFound => container.store.missing(),
            _ => error,
        })?;
        let mut events = Self {
            container,
            poll,
            inotify,
            pidfd: None,
            ooms: None,
            status: Status::Creating,
            queue: VecDeque::new(),
            over: false,
        };
        events.add(events.inotify.as_fd())?;
        // From here on nothing is missed.
        events.status = status::of(&events.container.store, &events.container.record)?.0;
        if events.status != Status::Creating {
            events.follow_process()?;
        }
        Ok(events)
    }

    /// What has happened and was not told yet, one event a call; never waits. Nothing more can come after [`Event::Deleted`].
    ///
    /// # Errors
    /// The system's answer.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    /// use std::os::fd::AsFd;
    ///
    /// let mut events = container.events()?;
    /// // An event loop would have this among its descriptors.
    /// while poll(&mut [PollFd::new(events.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE) == Ok(1) {
    ///     while let Some(event) = events.read()? {
    ///         println!("{event}");
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn read(&mut self) -> Result<Option<Event>> {
        if self.queue.is_empty() && !self.over {
            drain(&self.inotify)?;
            self.look()?;
        }
        let event = self.queue.pop_front();
        self.over |= event == Some(Event::Deleted);
        Ok(event)
    }

    /// Compares what the container does with what it did.
    fn look(&mut self) -> Result<()> {
        let exists = self.container.store.dir().is_dir();
        let now = match status::of(&self.container.store, &self.container.record) {
            Ok((status, _)) => status,
            Err(_) if !self.container.store.dir().is_dir() => Status::Stopped,
            Err(error) => return Err(error),
        };
        if self.status == Status::Creating && now != Status::Creating && exists {
            self.container.record = self.container.store.read()?;
            self.follow_process()?;
        }
        // The count is right at once, and what it tells of came before the end.
        if let Some(ooms) = &mut self.ooms {
            match ooms.read() {
                Ok(Some(0)) => {}
                Ok(Some(count)) => self.queue.push_back(Event::OutOfMemory(count)),
                Ok(None) | Err(_) => self.ooms = None,
            }
        }
        self.queue.extend(between(self.status, now));
        self.status = now;
        if now == Status::Stopped {
            // Closed, it is no more in the set: it would be readable for ever.
            self.pidfd = None;
        }
        if !exists {
            self.queue.push_back(Event::Deleted);
        }
        Ok(())
    }

    /// The first process is known, and so its end and its cgroup can be watched.
    fn follow_process(&mut self) -> Result<()> {
        self.pidfd = self.container.open_pidfd()?;
        if let Some(pidfd) = &self.pidfd {
            self.add(pidfd.as_fd())?;
        }
        if let Some(dir) = self.container.record.cgroup.freezer_dir() {
            // Only v2 has it, and it may be gone already.
            let _ = watch(&self.inotify, &dir.join("cgroup.events"), AddWatchFlags::IN_MODIFY);
        }
        // A host without a memory controller has none.
        self.ooms = self.container.oom_events().ok();
        if let Some(ooms) = &self.ooms {
            self.add(ooms.as_fd())?;
        }
        Ok(())
    }

    fn add(&self, fd: BorrowedFd<'_>) -> Result<()> {
        let readable = EpollEvent::new(EpollFlags::EPOLLIN, 0);
        self.poll.add(fd, readable).map_err(|errno| Error::io("epoll_ctl", errno))
    }

    /// Waits until something stirs.
    fn wait(&self) -> Result<()> {
        match poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(Error::io("wait for events", errno)),
        }
    }
}

/// Readable when something stirs.
impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.0.as_fd()
    }
}

/// Waits for the next event. It ends after [`Event::Deleted`], and after an error.
impl Iterator for Events {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            match self.read() {
                Ok(None) => {
                    if let Err(error) = self.wait() {
                        self.over = true;
                        return Some(Err(error));
                    }
                }
                Ok(Some(event)) => return Some(Ok(event)),
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// What must have happened between one state and another.
fn between(before: Status, now: Status) -> impl Iterator<Item = Event> {
    let made = before == Status::Creating && !matches!(now, Status::Creating | Status::Stopped);
    let started = matches!(before, Status::Creating | Status::Created) && now == Status::Running;
    let last = match (before, now) {
        (before, now) if before == now => None,
        (_, Status::Paused) => Some(Event::Paused),
        (_, Status::Stopped) => Some(Event::Stopped),
        (Status::Paused, _) => Some(Event::Resumed),
        _ => None,
    };
    [made.then_some(Event::Created), started.then_some(Event::Started), last].into_iter().flatten()
}

fn watch(inotify: &Inotify, path: &Path, flags: AddWatchFlags) -> Result<()> {
    inotify.add_watch(path, flags).map(drop).map_err(|errno| match errno {
        Errno::ENOENT => Error::new(ErrorKind::NotFound, format!("{} is gone", path.display())),
        _ => Error::io(format!("watch {}", path.display()), errno),
    })
}

/// Takes away what has woken us: what it is about is looked up.
fn drain(inotify: &Inotify) -> Result<()> {
    loop {
        match inotify.read_events() {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(()),
            Err(errno) => return Err(Error::io("read inotify", errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_two_states() {
        use Status::{Created, Creating, Paused, Running, Stopped};
        let told = |before, now| between(before, now).collect::<Vec<_>>();
        assert_eq!(told(Creating, Created), [Event::Created]);
        assert_eq!(told(Creating, Running), [Event::Created, Event::Started]);
        assert_eq!(told(Created, Running), [Event::Started]);
        assert_eq!(told(Created, Stopped), [Event::Stopped]);
        assert_eq!(told(Running, Paused), [Event::Paused]);
        assert_eq!(told(Paused, Created), [Event::Resumed]);
        assert_eq!(told(Paused, Stopped), [Event::Stopped]);
        assert_eq!(told(Running, Running), []);
    }
}
