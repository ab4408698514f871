//! The life of a container: create, start, exec, kill, pause, delete. runtime.md of the specification, "Lifecycle" and
//! "Operations".

mod attend;
mod builder;
#[cfg(feature = "checkpoint")]
mod checkpoint;
mod child;
mod console;
mod create;
mod delete;
mod events;
mod exec;
mod exit;
#[cfg(feature = "checkpoint")]
mod external;
mod id_mapped;
#[cfg(feature = "checkpoint")]
mod image;
mod kill;
mod list;
mod made;
mod members;
mod mounts;
mod notify;
mod ownership;
#[cfg(feature = "checkpoint")]
mod points;
mod readiness;
mod record;
#[cfg(feature = "checkpoint")]
mod restore;
mod start;
mod status;
mod stdio;
mod store;

pub use builder::{ContainerBuilder, Plan, default_root};
#[cfg(feature = "checkpoint")]
pub use checkpoint::{CheckpointOptions, CriuOptions};
pub use child::Output;
pub use console::Console;
pub use events::{Event, Events};
pub use exec::{Process, ProcessBuilder};
pub use exit::ExitStatus;
pub use made::{Created, Running};
pub use readiness::NotifySocket;
#[cfg(feature = "checkpoint")]
pub use restore::RestoreOptions;
pub use status::{State, Status};
pub use stdio::Stdio;

use crate::{
    Error, ErrorKind, Result,
    cgroup::{OomEvents, Stats},
    spec::{LinuxResources, Mount, Spec},
};
use record::Record;
use std::{os::fd::OwnedFd, path::Path};
use store::Store;

/// A container that exists, whoever made it: found by its id, or part of a [`Created`] or a [`Running`] one.
///
/// It is known by its state directory, so that several programs can work on it in turn; each operation takes the
/// container's lock. Dropping the value does nothing to the container.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{Container, default_root, spec::LinuxResources};
///
/// let container = Container::load(default_root(), "web-1")?;
/// println!("{} is {} and uses {} bytes", container.id(), container.status()?, container.stats()?.memory.usage.usage);
/// let mut limits = LinuxResources::default();
/// limits.memory.get_or_insert_default().limit = Some(1 << 30);
/// container.update(&limits)?;
/// let check = container.exec(container.process(["/bin/check", "--quick"])?)?;
/// println!("check: {}", check.wait()?);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Container {
    store: Store,
    record: Record,
}

/// Reads a state.json, for the package `fuzz`.
#[cfg(feature = "fuzzing")]
pub(crate) fn parse_record(bytes: &[u8]) {
    if let Ok(record) = serde_json::from_slice::<Record>(bytes) {
        let _ = (record.state(Status::Stopped), serde_json::to_vec(&record));
        record.cgroup.paths().for_each(drop);
    }
}

impl Container {
    /// The container `id` of the state directory `root`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; [`ErrorKind::InvalidArgument`] for what cannot be an id;
    /// [`ErrorKind::Io`] if its state cannot be read.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{Container, ErrorKind, default_root};
    ///
    /// match Container::load(default_root(), "web-1") {
    ///     Ok(container) => println!("it is {}", container.status()?),
    ///     Err(error) if error.kind() == ErrorKind::NotFound => println!("there is none"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(()) }
    /// ```
    pub fn load(root: impl AsRef<Path>, id: &str) -> Result<Self> {
        Self::read(Store::open(root.as_ref(), id)?)
    }

    fn read(store: Store) -> Result<Self> {
        let mut record = store.read()?;
        if record.process.is_none() && !store.is_locked()? {
            // It was finished since.
            record = store.read()?;
        }
        Ok(Self { store, record })
    }

    /// Its id, unique in its state directory.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// assert_eq!(container.id(), "web-1");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// The folder of its config.json.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// println!("made of {}", container.bundle().join("config.json").display());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn bundle(&self) -> &Path {
        &self.record.bundle
    }

    /// Its root file system on the host.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let name = std::fs::read_to_string(container.rootfs().join("etc/hostname"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn rootfs(&self) -> &Path {
        &self.record.rootfs
    }

    /// When it was made, by RFC 3339 in UTC.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// println!("{} is there since {}", container.id(), container.created()); // 2026-11-23T17:30:00.123456789Z
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn created(&self) -> &str {
        &self.record.created
    }

    /// The name of the user who made it, or the number where it has none.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// println!("{} was made by {}", container.id(), container.owner());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn owner(&self) -> String {
        self.record.owner_name()
    }

    /// The process id of its first process in the runtime's pid namespace, as long as it runs.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// if let Some(pid) = container.pid() {
    ///     println!("its network namespace is /proc/{pid}/ns/net");
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.record.process.filter(|process| process.is_alive().unwrap_or(true)).map(|process| process.pid)
    }

    /// Whether the end of its first process is the end of all its processes: it has a pid namespace that was made for it.
    /// Who attends a container without one kills what is left, by [`Container::kill_all`].
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// use runtime_core::Signal;
    ///
    /// if !container.ends_with_first_process() {
    ///     container.kill_all(Signal::KILL)?;
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn ends_with_first_process(&self) -> bool {
        self.record.new_namespaces & crate::namespace::flag::PID != 0
    }

    /// What it is doing, found out anew.
    ///
    /// # Errors
    /// The freezer's state cannot be read.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// use runtime_core::Status;
    ///
    /// if container.status()? == Status::Paused {
    ///     container.resume()?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn status(&self) -> Result<Status> {
        status::of(&self.store, &self.record).map(|(status, _)| status)
    }

    /// The document of runtime.md, "State".
    ///
    /// # Errors
    /// As [`Container::status`].
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let state = container.state()?;
    /// println!("{} is {}, of {}", state.id, state.status, state.bundle.display());
    /// println!("{}", serde_json::to_string_pretty(&state).unwrap_or_default());
    /// # Ok(()) }
    /// ```
    pub fn state(&self) -> Result<State> {
        let (status, process) = status::of(&self.store, &self.record)?;
        Ok(self.record.state_of(status, process.map(|process| process.pid)))
    }

    /// The configuration as it was when the container was made.
    ///
    /// # Errors
    /// The copy in the state directory cannot be read.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let spec = container.spec()?;
    /// println!("{}", serde_json::to_string_pretty(&spec).unwrap_or_default());
    /// # Ok(()) }
    /// ```
    pub fn spec(&self) -> Result<Spec> {
        self.store.config()
    }

    /// The process of that configuration, on which those of `exec` are modelled.
    ///
    /// # Errors
    /// As [`Container::spec`].
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// use runtime_core::ProcessBuilder;
    ///
    /// // The same program once more, beside itself.
    /// let again = container.exec(ProcessBuilder::new(container.spec_process()?))?;
    /// # Ok(()) }
    /// ```
    pub fn spec_process(&self) -> Result<crate::spec::Process> {
        let missing = || Error::new(ErrorKind::InvalidConfig, "process: must be set");
        self.spec()?.process.clone().ok_or_else(missing)
    }

    /// That process with other arguments, to be started by [`Container::exec`]: without a terminal, in the same environment and as
    /// the same user.
    ///
    /// # Errors
    /// As [`Container::spec`].
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let check = container.exec(container.process(["/bin/check", "--quick"])?)?;
    /// println!("check: {}", check.wait()?);
    /// # Ok(()) }
    /// ```
    pub fn process<A: Into<String>>(&self, args: impl IntoIterator<Item = A>) -> Result<ProcessBuilder> {
        let mut process = self.spec_process()?;
        process.args = args.into_iter().map(Into::into).collect();
        process.terminal = false;
        Ok(ProcessBuilder::new(process))
    }

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
    pub fn kill(&self, signal: crate::Signal) -> Result<()> {
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
    pub fn kill_all(&self, signal: crate::Signal) -> Result<()> {
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

    /// Saves all processes by CRIU, criu(8), so that [`ContainerBuilder::restore`] can bring them back, here or elsewhere.
    /// They end with it, and the container is stopped, if the options do not say otherwise.
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
    /// // Half of the ways of the first third-level cache.
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

    /// The socket over which a container that was built with [`ContainerBuilder::notify`] says that it is ready. To be
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

    fn wrong_state(&self, what: &str, status: Status) -> Error {
        Error::new(ErrorKind::InvalidState, format!("container {} {what}: it is {status}", self.id()))
    }
}
