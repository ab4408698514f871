//! What can be done with a container that exists.

#[cfg(feature = "checkpoint")]
use super::{CheckpointOptions, checkpoint};
use super::{
    Container, Events, NotifySocket, Process, ProcessBuilder, Status, delete, exec, kill, members, mounts,
    start,
};
use crate::{
    Error, ErrorKind, Result, Signal,
    cgroup::{OomEvents, Stats},
    spec::{LinuxResources, Mount},
};
use std::{os::fd::OwnedFd, path::Path};

impl Container {
    /// Executes the program of a created container. runtime.md, "Start".
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is not created; [`ErrorKind::Exec`] if the program cannot be executed;
    /// [`ErrorKind::Hook`] if a startContainer or poststart hook fails, which stops the container.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// // Made by `corten create`, perhaps, and its network is there by now.
    /// container.start()?;
    /// # Ok(()) }
    /// ```
    pub fn start(&self) -> Result<()> {
        start::start(self)
    }

    /// Sends `signal` to the first process. runtime.md, "Kill".
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is stopped.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// use runtime_core::Signal;
    ///
    /// container.kill(Signal::HUP)?;
    /// container.kill("SIGUSR1".parse()?)?;
    /// # Ok(()) }
    /// ```
    pub fn kill(&self, signal: Signal) -> Result<()> {
        kill::kill(self, signal)
    }

    /// Sends `signal` to all processes, those of a stopped container included.
    ///
    /// # Errors
    /// The cgroup cannot be read.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// use runtime_core::Signal;
    ///
    /// container.kill_all(Signal::TERM)?;
    /// # Ok(()) }
    /// ```
    pub fn kill_all(&self, signal: Signal) -> Result<()> {
        kill::kill_all(self, signal)
    }

    /// Removes what is left of a stopped container: cgroup, state, and what poststop hooks clean up. With `force` one
    /// that is not stopped is killed first. runtime.md, "Delete".
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is not stopped; a created one counts as stopped and is killed.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{Container, ErrorKind, default_root};
    ///
    /// let container = Container::load(default_root(), "web-1")?;
    /// match container.delete(false) {
    ///     Err(error) if error.kind() == ErrorKind::InvalidState => println!("it still runs"),
    ///     other => other?,
    /// }
    /// # Ok(()) }
    /// ```
    pub fn delete(mut self, force: bool) -> Result<()> {
        delete::delete(&mut self, force)
    }

    /// Removes whatever there is of `id`, even where its state cannot be read; nothing at all is no error.
    ///
    /// # Errors
    /// Something could not be removed.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{Container, default_root};
    ///
    /// Container::delete_forced(default_root(), "web-1")?;
    /// Container::delete_forced(default_root(), "web-1")?; // no error: there is nothing to remove
    /// # Ok(()) }
    /// ```
    pub fn delete_forced(root: impl AsRef<Path>, id: &str) -> Result<()> {
        delete::delete_forced(root.as_ref(), id)
    }

    /// Freezes all processes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is neither running nor created.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// container.pause()?;
    /// let copied = std::fs::copy("/srv/web/data.db", "/srv/backup/data.db"); // nothing writes to it meanwhile
    /// container.resume()?;
    /// # Ok(()) }
    /// ```
    pub fn pause(&self) -> Result<()> {
        let _lock = self.store.lock()?;
        match self.status()? {
            Status::Running | Status::Created => kill::freeze(self).inspect(|()| self.store.touch()),
            status => Err(self.wrong_state("cannot be paused", status)),
        }
    }

    /// Lets all processes of a paused container go on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is not paused.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// # container.pause()?;
    /// container.resume()?;
    /// assert_eq!(container.status()?, runtime_core::Status::Running);
    /// # Ok(()) }
    /// ```
    pub fn resume(&self) -> Result<()> {
        let _lock = self.store.lock()?;
        match self.status()? {
            Status::Paused => Ok(self.record.cgroup.thaw().inspect(|()| self.store.touch())?),
            status => Err(self.wrong_state("cannot be resumed", status)),
        }
    }

    /// Saves all processes by CRIU, criu(8), so that [`ContainerBuilder::restore`](super::ContainerBuilder::restore) can bring them
    /// back, here or elsewhere. They end with it, and the container is stopped, if the options do not say otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is neither running nor paused; [`ErrorKind::Unsupported`] if there is no CRIU, or it lacks
    /// what is asked of it. [`ErrorKind::Io`] with the cause that CRIU tells, and the place of its log. After an error the
    /// container runs on as it did, and but for the log nothing is left in the image's directory.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// use runtime_core::{CheckpointOptions, ContainerBuilder, RestoreOptions};
    ///
    /// container.checkpoint(CheckpointOptions::new("/srv/image"))?;
    /// container.delete(false)?;
    /// let container =
    ///     ContainerBuilder::new("web-1").bundle("/srv/web").restore(&RestoreOptions::new("/srv/image"))?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "checkpoint")]
    pub fn checkpoint(&self, options: CheckpointOptions) -> Result<()> {
        checkpoint::checkpoint(self, options)
    }

    /// The process ids of all its processes in the runtime's pid namespace.
    ///
    /// # Errors
    /// The cgroup cannot be read.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// for pid in container.pids()? {
    ///     println!("{pid}: {}", std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn pids(&self) -> Result<Vec<i32>> {
        let mut pids = self.record.cgroup.pids()?;
        pids.extend(members::without_cgroup(&self.record).iter().map(|process| process.pid));
        Ok(pids)
    }

    /// Changes limits; what `resources` leaves out stays as it is.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is stopped; a limit that cannot be, by its place.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let limits = br#"{"memory": {"limit": 1073741824}, "pids": {"limit": 200}}"#;
    /// container.update(&runtime_core::load_resources(limits, "limits".as_ref())?)?;
    /// # Ok(()) }
    /// ```
    pub fn update(&self, resources: &LinuxResources) -> Result<()> {
        let _lock = self.store.lock()?;
        match self.status()? {
            Status::Stopped => Err(self.wrong_state("cannot be updated", Status::Stopped)),
            _ => {
                crate::config::validate_resources(resources, "linux.resources")?;
                Ok(self.record.cgroup.update(resources)?)
            }
        }
    }

    /// Changes shares of caches and memory bandwidth: lines of the schemata of linux.intelRdt, as `L3:0=7f0;1=1f`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the container was made without linux.intelRdt; what resctrl answers.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// // Six ways of the first third-level cache.
    /// container.update_intel_rdt(&["L3:0=3f".to_owned()])?;
    /// # Ok(()) }
    /// ```
    pub fn update_intel_rdt(&self, schemata: &[String]) -> Result<()> {
        let _lock = self.store.lock()?;
        let missing =
            || Error::new(ErrorKind::Unsupported, "linux.intelRdt: the container has no group of resctrl");
        self.record.intel_rdt.as_ref().ok_or_else(missing)?.update(schemata)
    }

    /// What its cgroup counts.
    ///
    /// # Errors
    /// The cgroup cannot be read.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let stats = container.stats()?;
    /// println!("{} bytes, {} ns", stats.memory.usage.usage, stats.cpu.usage.total);
    /// println!("{}", serde_json::to_string(&stats).unwrap_or_default());
    /// # Ok(()) }
    /// ```
    pub fn stats(&self) -> Result<Stats> {
        Ok(self.record.cgroup.stats()?)
    }

    /// Its out-of-memory events from now on.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] on a host without a memory controller; [`ErrorKind::NotFound`] if the cgroup is gone.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let events = container.oom_events()?;
    /// std::thread::spawn(move || {
    ///     for count in events.flatten() {
    ///         println!("memory ran out {count} times");
    ///     }
    /// });
    /// # Ok(()) }
    /// ```
    pub fn oom_events(&self) -> Result<OomEvents> {
        Ok(self.record.cgroup.oom_events()?)
    }

    /// What happens to it from now on, for an event loop or a thread.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it is deleted; the system's answer.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// use runtime_core::Event;
    ///
    /// for event in container.events()? {
    ///     if event? == Event::Stopped {
    ///         println!("restart it");
    ///         break;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn events(&self) -> Result<Events> {
        Events::new(self.clone())
    }

    /// Starts a further process in the container.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is neither running nor created; [`ErrorKind::Exec`] if the program cannot be
    /// executed; a property of the process that cannot be, by its place.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// use runtime_core::{Signal, Stdio};
    /// use std::time::Duration;
    ///
    /// let check = container.process(["/bin/check"])?.stdin(Stdio::Null).stdout(Stdio::Null);
    /// let check = container.exec(check)?;
    /// if check.wait_timeout(Duration::from_secs(10))?.is_none() {
    ///     check.kill(Signal::KILL)?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn exec(&self, process: ProcessBuilder) -> Result<Process> {
        exec::exec(self, process)
    }

    /// Adds mounts to a container that is created, running or paused, in their order: bind mounts of the host's files, with all
    /// their options, and tmpfs. Relative sources are relative to the bundle. Either all are added or none. They are on no
    /// record: [`Container::spec`] is as it was, and they are gone with the container.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is stopped; [`ErrorKind::Unsupported`] if it has no mount namespace of its own, and
    /// for other kinds of mounts; what the kernel answers, by the place in `mounts`.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let volume = br#"[{"destination": "/data", "type": "bind", "source": "/srv/volumes/7", "options": ["bind", "ro"]}]"#;
    /// container.add_mounts(&runtime_core::load_mounts(volume, "volume".as_ref())?)?;
    /// # Ok(()) }
    /// ```
    pub fn add_mounts(&self, mounts: &[Mount]) -> Result<()> {
        mounts::add(self, mounts)
    }

    /// Takes the uppermost mounts at the destinations of `mounts` away, in their order and up to the first that fails. What
    /// is still used stays until it is used no more.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it is stopped; [`ErrorKind::Unsupported`] if it has no mount namespace of its own;
    /// what the kernel answers, by the place in `mounts`.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let volume = br#"[{"destination": "/data", "type": "bind"}]"#;
    /// container.remove_mounts(&runtime_core::load_mounts(volume, "volume".as_ref())?)?;
    /// # Ok(()) }
    /// ```
    pub fn remove_mounts(&self, mounts: &[Mount]) -> Result<()> {
        mounts::remove(self, mounts)
    }

    /// The socket over which a container that was built with [`ContainerBuilder::notify`](super::ContainerBuilder::notify) says
    /// that it is ready. To be
    /// made before the container is started; one that was made before is replaced.
    ///
    /// # Errors
    /// It cannot be made.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// let created = runtime_core::ContainerBuilder::new("web-2").bundle("/srv/web").notify(true).create()?;
    /// let socket = created.notify_socket()?;
    /// let container = created.start()?;
    /// if let (Some(socket), Some(manager)) = (socket, std::env::var_os("NOTIFY_SOCKET")) {
    ///     socket.pass_on(&manager)?; // waits until it is ready
    /// }
    /// # Ok(()) }
    /// ```
    pub fn notify_socket(&self) -> Result<Option<NotifySocket>> {
        NotifySocket::bind(&self.store, self.record.process)
    }

    /// A descriptor of the first process, whoever made it: readable when it ends, pidfd_open(2). Nothing if it has ended.
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
    /// // Not its parent, and so not the one to `wait`: but its end can be heard of.
    /// if let Some(pidfd) = container.open_pidfd()? {
    ///     let ended = poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn open_pidfd(&self) -> Result<Option<OwnedFd>> {
        let Some(process) = self.record.process else { return Ok(None) };
        match kill::open(process) {
            Ok(fd) => Ok(Some(fd)),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
            Err(error) => Err(Error::io(format!("pidfd_open of process {}", process.pid), error)),
        }
    }

    pub(super) fn wrong_state(&self, what: &str, status: Status) -> Error {
        Error::new(ErrorKind::InvalidState, format!("container {} {what}: it is {status}", self.id()))
    }
}
