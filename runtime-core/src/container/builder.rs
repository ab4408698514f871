//! How a container is asked for.

use super::{
    Console, Created, Running, Stdio,
    create::{self, Until},
    stdio,
};
#[cfg(feature = "checkpoint")]
use super::{RestoreOptions, restore};
use crate::{
    Error, ErrorKind, Result, cgroup::CgroupManager, plan::Program, rootfs::RootChange, spec::Spec,
    sys::process::in_user_namespace,
};
use nix::unistd::geteuid;
use std::{
    env, fmt,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// Asks for a container: by a bundle on disk, or by a [`Spec`] in memory. Nothing is made before [`create`] or [`run`].
///
/// [`create`]: ContainerBuilder::create
/// [`run`]: ContainerBuilder::run
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// let container = runtime_core::ContainerBuilder::new("job-1").bundle("/srv/job").run()?;
/// let status = container.wait()?;
/// container.delete(false)?;
/// assert!(status.success());
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is made before `create` or `run`"]
pub struct ContainerBuilder {
    pub(super) id: String,
    pub(super) root: PathBuf,
    pub(super) bundle: PathBuf,
    pub(super) config: Option<PathBuf>,
    /// Already encoded, for the state directory: a program that gives no configuration does not carry the encoder.
    pub(super) spec: Option<Result<(Spec, Vec<u8>)>>,
    pub(super) console: Console,
    /// What the streams are to be, until they are opened.
    pub(super) streams: Option<[Stdio; 3]>,
    pub(super) stdio: Option<[OwnedFd; 3]>,
    pub(super) preserve_fds: u32,
    pub(super) pid_file: Option<PathBuf>,
    pub(super) pidfd_socket: Option<PathBuf>,
    pub(super) root_change: RootChange,
    pub(super) new_keyring: bool,
    pub(super) cgroup_manager: CgroupManager,
    pub(super) environment: Vec<String>,
    pub(super) notify: bool,
    pub(super) delete_on_drop: bool,
    pub(super) lends_thread: bool,
}

impl ContainerBuilder {
    /// A container of this id, from the bundle in the current directory.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// let container = ContainerBuilder::new("web").bundle("/srv/web").run()?;
    /// # Ok(()) }
    /// ```
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            root: default_root(),
            bundle: PathBuf::from("."),
            config: None,
            spec: None,
            console: Console::None,
            streams: None,
            stdio: None,
            preserve_fds: 0,
            pid_file: None,
            pidfd_socket: None,
            root_change: RootChange::Pivot,
            new_keyring: true,
            cgroup_manager: CgroupManager::default(),
            environment: Vec::new(),
            notify: false,
            delete_on_drop: false,
            lends_thread: false,
        }
    }

    /// Whether the calling thread may be in the container's new network namespace for the fraction of a millisecond in which the
    /// kernel makes that, all signals blocked: beside the first process' own work, which is faster. Without it no thread of the
    /// caller ever changes a namespace.
    ///
    /// It is for programs whose thread has nothing else to do, as `corten`. Not for one whose first thread calls while others
    /// read `/proc/net` or `/proc/self/ns`, which show that thread's.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// // A program that does nothing else meanwhile.
    /// let container = ContainerBuilder::new("web").bundle("/srv/web").lend_thread(true).run()?;
    /// # Ok(()) }
    /// ```
    pub fn lend_thread(mut self, lend: bool) -> Self {
        self.lends_thread = lend;
        self
    }

    /// Where the states of containers are kept: [`default_root`] if it is not set.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// let container = ContainerBuilder::new("web").root("/run/my-jobs").bundle("/srv/web").run()?;
    /// // `corten --root /run/my-jobs list` shows it.
    /// # Ok(()) }
    /// ```
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// The folder of config.json; relative paths in it are relative to this folder.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// // /srv/web/config.json, whose root.path may be "rootfs".
    /// let container = ContainerBuilder::new("web").bundle("/srv/web").run()?;
    /// # Ok(()) }
    /// ```
    pub fn bundle(mut self, bundle: impl Into<PathBuf>) -> Self {
        self.bundle = bundle.into();
        self
    }

    /// A configuration at another place than `config.json` in the bundle.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// let container = ContainerBuilder::new("web").bundle("/srv/web").config("/etc/web/config.json").run()?;
    /// # Ok(()) }
    /// ```
    pub fn config(mut self, file: impl Into<PathBuf>) -> Self {
        self.config = Some(file.into());
        self
    }

    /// A configuration in memory: a [`Spec`], a [`Job`](crate::Job), or the `Spec` of the crate oci-spec; no file is read.
    /// Relative paths in it are relative to the bundle. What cannot be written down in JSON is an error of what is asked for then.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{ContainerBuilder, Job};
    ///
    /// let job = Job::new("/srv/images/debian", ["make", "test"]).memory(512 << 20);
    /// let container = ContainerBuilder::new("job-1").spec(job).run()?;
    /// # Ok(()) }
    /// ```
    pub fn spec<S>(mut self, spec: S) -> Self
    where
        S: TryInto<Spec>,
        S::Error: Into<Error>,
    {
        self.spec = Some(spec.try_into().map_err(Into::into).and_then(encoded));
        self
    }

    /// Where the master of the process' terminal goes. Decides nothing about whether it has one: `process.terminal` does.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{Console, ContainerBuilder};
    ///
    /// // An engine listens there, and takes the terminal.
    /// let socket = Console::Socket("/run/engine/console.sock".into());
    /// let container = ContainerBuilder::new("web").bundle("/srv/web").console(socket).create()?;
    /// # Ok(()) }
    /// ```
    pub fn console(mut self, console: Console) -> Self {
        self.console = console;
        self
    }

    stdio::setters!(r#"ContainerBuilder::new("job-1").bundle("/srv/job")"#);

    /// Passes so many of the caller's descriptors from 3 on to the process. No other descriptor ever gets there.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// // Descriptors 3 and 4, as a service manager has passed them on.
    /// let builder = ContainerBuilder::new("web").bundle("/srv/web").preserve_fds(2);
    /// let container = builder.environment(["LISTEN_FDS=2"]).run()?;
    /// # Ok(()) }
    /// ```
    pub fn preserve_fds(mut self, count: u32) -> Self {
        self.preserve_fds = count;
        self
    }

    /// A file to write the process id to.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// let container = ContainerBuilder::new("web").bundle("/srv/web").pid_file("/run/web.pid").run()?;
    /// # Ok(()) }
    /// ```
    pub fn pid_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.pid_file = Some(file.into());
        self
    }

    /// A Unix socket to send the process' pidfd to.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// // A supervisor listens there, and knows the process by its descriptor from then on.
    /// let builder = ContainerBuilder::new("web").bundle("/srv/web").pidfd_socket("/run/supervisor.sock");
    /// let container = builder.run()?;
    /// # Ok(()) }
    /// ```
    pub fn pidfd_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.pidfd_socket = Some(path.into());
        self
    }

    /// Moves the root instead of pivoting to it: for a host that runs from an initramfs. Weaker than pivot_root(2).
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// let container = ContainerBuilder::new("web").bundle("/srv/web").no_pivot(true).run()?;
    /// # Ok(()) }
    /// ```
    pub fn no_pivot(mut self, yes: bool) -> Self {
        self.root_change = if yes { RootChange::Move } else { RootChange::Pivot };
        self
    }

    /// Keeps the caller's session keyring.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// // Its file systems want a key of the caller's, as AFS does.
    /// let container = ContainerBuilder::new("web").bundle("/srv/web").no_new_keyring(true).run()?;
    /// # Ok(()) }
    /// ```
    pub fn no_new_keyring(mut self, yes: bool) -> Self {
        self.new_keyring = !yes;
        self
    }

    /// Who makes the cgroups.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{CgroupManager, ContainerBuilder};
    ///
    /// let builder = ContainerBuilder::new("web").bundle("/srv/web").cgroup_manager(CgroupManager::Systemd);
    /// let container = builder.run()?;
    /// # Ok(()) }
    /// ```
    pub fn cgroup_manager(mut self, manager: CgroupManager) -> Self {
        self.cgroup_manager = manager;
        self
    }

    /// Variables, as `NAME=value`, that the process gets beside those of its configuration, as LISTEN_FDS. One of
    /// a name that the configuration has too takes its place.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// let builder = ContainerBuilder::new("web").bundle("/srv/web");
    /// let container = builder.environment(["PORT=8080", "RUST_LOG=debug"]).run()?;
    /// # Ok(()) }
    /// ```
    pub fn environment(mut self, variables: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.environment.extend(variables.into_iter().map(Into::into));
        self
    }

    /// Gives the process a socket to say over that it is ready, sd_notify(3): NOTIFY_SOCKET, in a mount at /run/notify. It
    /// is there from [`Container::notify_socket`](super::Container::notify_socket) on. Without a mount namespace of its own the container has none.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// let created = ContainerBuilder::new("web").bundle("/srv/web").notify(true).create()?;
    /// let socket = created.notify_socket()?; // its process tells by it when it is ready
    /// # Ok(()) }
    /// ```
    pub fn notify(mut self, yes: bool) -> Self {
        self.notify = yes;
        self
    }

    /// Kills and removes the container when what [`ContainerBuilder::create`] or [`ContainerBuilder::run`] gives is dropped.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// {
    ///     let container = ContainerBuilder::new("job-1").bundle("/srv/job").delete_on_drop(true).run()?;
    ///     println!("{}", container.wait()?);
    /// }
    /// // Nothing is left of it, as would be after an error or a panic on the way.
    /// # Ok(()) }
    /// ```
    pub fn delete_on_drop(mut self, yes: bool) -> Self {
        self.delete_on_drop = yes;
        self
    }

    /// Makes the container up to the point where its program would be executed. runtime.md, "Create".
    ///
    /// # Errors
    /// Whatever is wrong, named by its place; nothing is left behind.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// let created = ContainerBuilder::new("web").bundle("/srv/web").create()?;
    /// if let Some(pid) = created.pid() {
    ///     println!("ip link set veth0 netns {pid}"); // what must be there before the program runs
    /// }
    /// let container = created.start()?;
    /// # Ok(()) }
    /// ```
    pub fn create(self) -> Result<Created> {
        create::create(self, Until::Created).map(Created)
    }

    /// Makes the container and executes its program.
    ///
    /// # Errors
    /// As [`ContainerBuilder::create`] and [`Container::start`](super::Container::start); nothing is left behind.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// let container = ContainerBuilder::new("job-1").bundle("/srv/job").run()?;
    /// let status = container.wait()?;
    /// container.delete(false)?;
    /// # Ok(()) }
    /// ```
    pub fn run(self) -> Result<Running> {
        create::create(self, Until::Running).map(Running)
    }

    /// Makes the container from the image of a checkpoint: its processes run on, as children of this process. The
    /// configuration must fit the image: sources of bind mounts and paths of namespaces come from it. Its prestart, createRuntime
    /// and poststart hooks are run, its limits set.
    ///
    /// # Errors
    /// As [`ContainerBuilder::create`]. [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) and
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if there is no image, or none of Corten's;
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if there is no CRIU; [`ErrorKind::Io`](crate::ErrorKind::Io)
    /// with the cause that CRIU tells, and the place of its log. Nothing is left behind.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{ContainerBuilder, RestoreOptions};
    ///
    /// let mut options = RestoreOptions::new("/srv/image");
    /// options.criu.tcp_close = true; // connections are closed instead of brought back
    /// let container = ContainerBuilder::new("web").bundle("/srv/web").restore(&options)?;
    /// println!("process {:?} goes on", container.pid());
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "checkpoint")]
    pub fn restore(self, options: &RestoreOptions) -> Result<Running> {
        restore::restore(self, options).map(Running)
    }

    /// What would be done, step by step, without doing it.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// print!("{}", ContainerBuilder::new("web").bundle("/srv/web").plan()?);
    /// # Ok(()) }
    /// ```
    pub fn plan(self) -> Result<Plan> {
        create::plan_only(self).map(Plan)
    }
}

fn encoded(spec: Spec) -> Result<(Spec, Vec<u8>)> {
    let failed = |error| Error::new(ErrorKind::InvalidConfig, "encode the configuration").with_source(error);
    let text = serde_json::to_vec(&spec).map_err(failed)?;
    Ok((spec, text))
}

/// The steps of a container's first process, as people read them: one a line, by its [`Display`](fmt::Display).
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{ContainerBuilder, Job};
///
/// let job = Job::new("/srv/images/debian", ["true"]);
/// for step in ContainerBuilder::new("job-1").spec(job).plan()?.to_string().lines() {
///     println!("{step}"); //  "   8  mounts[0]      Attach { slot: 4093, target: "/proc", ... }"
/// }
/// # Ok(()) }
/// ```
pub struct Plan(Program);

impl Plan {
    /// The steps as programs read them, one JSON object a line: its `number`, the `place` in config.json that asks for it,
    /// the `step`'s name, and its `fields`. Names and fields belong to this version of the library.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::ContainerBuilder;
    ///
    /// let plan = ContainerBuilder::new("web").bundle("/srv/web").plan()?;
    /// let mounts = plan.to_json_lines().lines().filter(|step| step.contains("\"Attach\"") || step.contains("\"Bind\"")).count();
    /// println!("{mounts} mounts");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.0.write_json(&mut text);
        text
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plan")
    }
}

/// Where the states of containers are kept if nothing else is said: /run/corten for root, `$XDG_RUNTIME_DIR/corten` for
/// other users, and for one who is root only in a user namespace, as beneath rootless Podman; `$USER` tells.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{Container, default_root};
///
/// println!("{} containers in {}", Container::list(default_root())?.len(), default_root().display());
/// # Ok(()) }
/// ```
#[must_use]
pub fn default_root() -> PathBuf {
    let other_user = || env::var_os("USER").is_none_or(|name| name != "root");
    let honored = |_: &_| !geteuid().is_root() || other_user() && in_user_namespace();
    let own = env::var_os("XDG_RUNTIME_DIR").filter(honored);
    own.map_or(PathBuf::from("/run/corten"), |dir| Path::new(&dir).join("corten"))
}
