//! Kills for want of memory, told as they happen: by an eventfd on v1 (the kernel's Documentation/admin-guide/cgroup-v1/memory.rst,
//! "OOM Control"), by inotify(7) of `memory.events` on v2.

use super::{
    Cgroup,
    dir::Dir,
    error::{Error, Result},
    read::pairs,
    resources::missing,
};
use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        eventfd::{EfdFlags, EventFd},
        inotify::{AddWatchFlags, InitFlags, Inotify},
        stat::Mode,
    },
    unistd::read,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// The out-of-memory events of a container's cgroup, from the moment this is made.
///
/// For an event loop: the descriptor is readable when there may be something to [`OomEvents::read`]. For a thread of its own:
/// it is an iterator that waits.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{Container, default_root};
///
/// for events in Container::load(default_root(), "web-1")?.oom_events()? {
///     println!("memory ran out {} times", events?);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "it tells nothing if nobody reads it"]
pub struct OomEvents {
    source: Source,
    dir: Dir,
    /// How many kills of v2 are told.
    told: u64,
    over: bool,
}

#[derive(Debug)]
enum Source {
    Legacy(EventFd),
    Unified(Inotify),
}

impl OomEvents {
    pub(super) fn new(cgroup: &Cgroup) -> Result<Self> {
        let tree = cgroup.home("memory").ok_or_else(|| missing("events", "memory"))?;
        let dir = tree.open()?;
        let source = if tree.unified { Source::unified(&dir)? } else { Source::legacy(&dir)? };
        let told = kills(&dir);
        Ok(Self { source, dir, told, over: false })
    }

    /// How many events have come since the last call; never waits. Nothing is the end: no more can come, since the cgroup is gone
    /// or, on v2, without processes. On v2 an event is one killed process, here or in a sub-cgroup; on v1 one failed allocation,
    /// for which the kernel then kills if disableOOMKiller allows.
    ///
    /// The descriptor tells of the future alone: call it once before the first wait, and once more when the container is known to
    /// have ended, as v2 tells up to 10 milliseconds late.
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
    /// let mut events = container.oom_events()?;
    /// while let Some(count) = events.read()? {
    ///     println!("{count} more");
    ///     let _ = poll(&mut [PollFd::new(events.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn read(&mut self) -> crate::Result<Option<u64>> {
        Ok(self.take()?)
    }

    fn take(&mut self) -> Result<Option<u64>> {
        if self.over {
            return Ok(None);
        }
        let (count, over) = match &self.source {
            Source::Legacy(fd) => read_legacy(fd, &self.dir)?,
            Source::Unified(inotify) => {
                drain(inotify)?;
                // Before the count, so that the last kills are in it.
                let populated = self.dir.try_read("cgroup.events");
                let over = populated.is_none_or(|events| events.lines().any(|line| line == "populated 0"));
                let kills = kills(&self.dir);
                let count = kills.saturating_sub(self.told);
                self.told = self.told.max(kills);
                (count, over)
            }
        };
        self.over = over;
        Ok(if over && count == 0 { None } else { Some(count) })
    }

    /// Waits until the descriptor is readable.
    fn wait(&self) -> Result<()> {
        loop {
            let mut polled = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
            match poll(&mut polled, PollTimeout::NONE) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::io("wait for out-of-memory events", errno)),
                Ok(_) => return Ok(()),
            }
        }
    }
}

impl AsFd for OomEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.source {
            Source::Legacy(fd) => fd.as_fd(),
            Source::Unified(inotify) => inotify.as_fd(),
        }
    }
}

/// Waits for the next events and gives their number, never 0. It ends with the cgroup, and after an error.
impl Iterator for OomEvents {
    type Item = crate::Result<u64>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.take().and_then(|events| match events {
                Some(0) => self.wait().map(|()| events),
                _ => Ok(events),
            }) {
                Ok(Some(0)) => {}
                Ok(events) => return events.map(Ok),
                Err(error) => {
                    self.over = true;
                    return Some(Err(error.into()));
                }
            }
        }
    }
}

/// How many processes were killed on v2; the count of v1 is not used, older kernels lack it.
fn kills(dir: &Dir) -> u64 {
    pairs(dir, "memory.events").get("oom_kill").copied().unwrap_or(0)
}

impl Source {
    fn legacy(dir: &Dir) -> Result<Self> {
        let doing =
            || format!("register an eventfd with {}", dir.path().join("memory.oom_control").display());
        let register = || {
            let fd = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
            let control =
                openat(dir, "memory.oom_control", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
            let line = format!("{} {}", fd.as_fd().as_raw_fd(), control.as_raw_fd());
            dir.put("cgroup.event_control", &line).map(|()| fd)
        };
        register().map(Self::Legacy).map_err(|errno| Error::io(doing(), errno))
    }

    fn unified(dir: &Dir) -> Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
            .map_err(|errno| Error::io("inotify_init1", errno))?;
        for file in ["memory.events", "cgroup.events"] {
            let path = dir.path().join(file);
            inotify.add_watch(&path, AddWatchFlags::IN_MODIFY).map_err(|errno| match errno {
                Errno::ENOENT if file == "memory.events" => missing("events", "memory"),
                _ => Error::io(format!("watch {}", path.display()), errno),
            })?;
        }
        Ok(Self::Unified(inotify))
    }
}

/// How many events there were, and whether the cgroup is gone. Its removal is the last of the eventfd's.
fn read_legacy(fd: &EventFd, dir: &Dir) -> Result<(u64, bool)> {
    let count = take(fd)?;
    if !matches!(dir.get("memory.oom_control"), Err(Errno::ENOENT | Errno::ENODEV)) {
        return Ok((count, false));
    }
    Ok(((count + take(fd)?).saturating_sub(1), true))
}

fn take(fd: &EventFd) -> Result<u64> {
    match fd.read() {
        Ok(count) => Ok(count),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
        Err(errno) => Err(Error::io("read an eventfd", errno)),
    }
}

/// Takes away what has woken us: what it is about is looked up.
fn drain(inotify: &Inotify) -> Result<()> {
    let mut events = [0; 1024];
    loop {
        match read(inotify, &mut events) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(()),
            Err(errno) => return Err(Error::io("read inotify", errno)),
        }
    }
}
