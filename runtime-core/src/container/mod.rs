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
mod operations;
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
mod summary;

pub use builder::{ContainerBuilder, Plan, default_root};
#[cfg(feature = "checkpoint")]
pub use checkpoint::{CheckpointOptions, CriuOptions};
pub use child::Output;
pub use console::Console;
pub use events::{Event, Events};
pub use exec::{Process, ProcessBuilder};
pub use exit::ExitStatus;
pub use list::Overview;
pub use made::{Created, Running};
pub use readiness::NotifySocket;
#[cfg(feature = "checkpoint")]
pub use restore::RestoreOptions;
pub use status::{State, Status};
pub use stdio::Stdio;

use crate::{Error, ErrorKind, Result, spec::Spec};
use record::Record;
use std::path::Path;
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
}
