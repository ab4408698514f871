//! Exec: a further process in a container, as engines and people ask for it. Not of the specification.

use super::{
    Console, Container, ExitStatus, Output, Status, Stdio, attend, child,
    console::{self, Ends},
    create, exit, notify,
    record::ProcessId,
    start,
    stdio::{self, Pipes},
};
use crate::{
    Error, ErrorKind, Result, Signal, config,
    fs::procfs,
    init::{
        Birth, Clone, Event,
        sequence::{self, Request},
    },
    plan::Program,
    process::{oom, rlimits},
    seccomp::{self, Filter},
    spec::{self, Spec},
    sys::pidfd,
};
use corten_init::message::Phase;
use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    time::Duration,
};

/// Asks for a further process in a container.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{Container, Stdio, default_root};
///
/// let container = Container::load(default_root(), "web-1")?;
/// let list = container.process(["ls", "/"])?.stdin(Stdio::Null).stdout(Stdio::Piped);
/// let output = container.exec(list)?.wait_with_output()?;
/// println!("{}", String::from_utf8_lossy(&output.stdout));
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is started before it is given to `Container::exec`"]
pub struct ProcessBuilder {
    process: spec::Process,
    console: Console,
    streams: Option<[Stdio; 3]>,
    preserve_fds: u32,
    pid_file: Option<PathBuf>,
    pidfd_socket: Option<PathBuf>,
    cgroups: Vec<String>,
    ignore_paused: bool,
    environment: Vec<String>,
}

impl ProcessBuilder {
    /// A process as `process` describes it in full; [`Container::spec_process`] is what to start from. For the
    /// container's own process with other arguments [`Container::process`] is shorter.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// use runtime_core::ProcessBuilder;
    ///
    /// let process = runtime_core::load_process("/srv/web/process.json".as_ref())?;
    /// let process = container.exec(ProcessBuilder::new(process))?;
    /// # Ok(()) }
    /// ```
    pub fn new(process: spec::Process) -> Self {
        Self {
            process,
            console: Console::None,
            streams: None,
            preserve_fds: 0,
            pid_file: None,
            pidfd_socket: None,
            cgroups: Vec::new(),
            ignore_paused: false,
            environment: Vec::new(),
        }
    }

    /// Where the master of the process' terminal goes.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// use runtime_core::{Console, ProcessBuilder};
    ///
    /// let process = br#"{"args": ["bash"], "cwd": "/", "terminal": true, "user": {"uid": 0, "gid": 0}}"#;
    /// let process = runtime_core::parse_process(process, "process.json".as_ref())?;
    /// let mut shell = container.exec(ProcessBuilder::new(process).console(Console::Return))?;
    /// let master = shell.take_terminal();
    /// # Ok(()) }
    /// ```
    pub fn console(mut self, console: Console) -> Self {
        self.console = console;
        self
    }

    stdio::setters!(r#"container.process(["job"])?"#);

    /// Passes so many of the caller's descriptors from 3 on to the process.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// // The caller's descriptor 3.
    /// let child = container.exec(container.process(["worker"])?.preserve_fds(1))?;
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
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let child = container.exec(container.process(["worker"])?.pid_file("/run/worker.pid"))?;
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
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let child = container.exec(container.process(["worker"])?.pidfd_socket("/run/supervisor.sock"))?;
    /// # Ok(()) }
    /// ```
    pub fn pidfd_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.pidfd_socket = Some(path.into());
        self
    }

    /// A cgroup below the container's own, which must exist: `path`, or `controllers:path` on v1. More than one may be
    /// given for different controllers.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// // A cgroup that the container's own manager has made below its root.
    /// let child = container.exec(container.process(["worker"])?.cgroup("system.slice/worker"))?;
    /// # Ok(()) }
    /// ```
    pub fn cgroup(mut self, sub: impl Into<String>) -> Self {
        self.cgroups.push(sub.into());
        self
    }

    /// Starts it in a paused container too; it will not run before the container is resumed.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// container.pause()?;
    /// let child = container.exec(container.process(["worker"])?.ignore_paused(true))?;
    /// container.resume()?; // now it runs
    /// # Ok(()) }
    /// ```
    pub fn ignore_paused(mut self, yes: bool) -> Self {
        self.ignore_paused = yes;
        self
    }

    /// Variables, as `NAME=value`, that the process gets beside those of its configuration. One of a name that the
    /// configuration has too takes its place.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let child = container.exec(container.process(["worker"])?.environment(["RUST_LOG=debug"]))?;
    /// # Ok(()) }
    /// ```
    pub fn environment(mut self, variables: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.environment.extend(variables.into_iter().map(Into::into));
        self
    }
}

/// A process that was started in a container by this one, and is its child.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{Container, Signal, default_root};
/// use std::time::Duration;
///
/// let container = Container::load(default_root(), "web-1")?;
/// let process = container.exec(container.process(["/bin/check"])?)?;
/// if process.wait_timeout(Duration::from_secs(10))?.is_none() {
///     process.kill(Signal::KILL)?;
///     println!("it hung: {}", process.wait()?);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Process {
    pid: i32,
    child: OwnedFd,
    terminal: Option<OwnedFd>,
    pipes: Pipes,
}

impl Process {
    /// Its id in the runtime's pid namespace.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let child = container.exec(container.process(["worker"])?)?;
    /// println!("/proc/{}/status", child.pid());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`] if it has ended and been waited for.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// let child = container.exec(container.process(["worker"])?)?;
    /// child.kill(runtime_core::Signal::TERM)?;
    /// println!("{}", child.wait()?);
    /// # Ok(()) }
    /// ```
    pub fn kill(&self, signal: Signal) -> Result<()> {
        pidfd::send_signal(self.child.as_fd(), signal.as_raw()).map_err(|error| match error.raw_os_error() {
            Some(libc::ESRCH) => Error::new(ErrorKind::InvalidState, "process not running"),
            _ => Error::io(format!("send {signal} to process {}", self.pid), error),
        })
    }
}

child::methods!(
    Process,
    r#"container.exec(container.process(["job"])?.stdin(Stdio::Piped).stdout(Stdio::Piped))?"#
);

/// Starts a further process.
pub(super) fn exec(container: &Container, builder: ProcessBuilder) -> Result<Process> {
    let target = target(container, builder.ignore_paused)?;
    let first = target.0;
    make(container, builder, target).map_err(|error| match first.is_alive() {
        // Whatever it met with then: namespaces, cgroups and processes that are no more.
        Ok(false) => error.context("the container has stopped"),
        _ => error,
    })
}

fn make(container: &Container, mut builder: ProcessBuilder, target: Target) -> Result<Process> {
    let (first, init, status) = target;
    let process = std::mem::take(&mut builder.process);
    config::validate_process(&process, "process")?;
    let spec = container.spec()?;
    let filter = filter(&spec)?;
    notify::check(&container.record, filter.as_ref().and_then(|filter| filter.listener.as_ref()))?;
    let ends = Ends::open(&builder.console, process.terminal)?;
    let flags = container.record.namespaces;
    let born_inside = match builder.cgroups.is_empty() {
        true => container.record.cgroup.clone_beside(first.pid)?,
        false => None,
    };
    let doors = match builder.cgroups.is_empty() {
        true => container.record.cgroup.doors_beside(born_inside.is_some()),
        false => None,
    };
    let variables = std::mem::take(&mut builder.environment);
    let (streams, pipes) = builder.streams.take().map(stdio::open).transpose()?.unzip();
    let mut program = Program::new();
    let terminal = ends.theirs.as_ref().map(OwnedFd::try_clone).transpose();
    let request = Request {
        spec: &spec,
        process: &process,
        id: container.id(),
        procfs: procfs::handle()?,
        filter,
        terminal: terminal.map_err(|error| Error::io("dup", error))?,
        await_cgroup: true,
        new_keyring: true,
        asks_when_ready: builder.pid_file.is_some() || builder.pidfd_socket.is_some(),
        environment: &variables,
        kept: 0,
    };
    sequence::plan_exec(request, &init, flags, doors.is_some(), &mut program)?;
    let relay = sequence::exec_needs_relay(flags);
    let clone = Clone {
        stdio: create::streams(streams.as_ref()),
        preserve_fds: builder.preserve_fds,
        namespaces: 0,
        cgroup: born_inside.as_ref().map(AsFd::as_fd),
        relay,
    };
    let mut birth = Birth::begin(program, &clone)?;
    let attend = Attend {
        container,
        builder: &builder,
        process: &process,
        first,
        born_inside: born_inside.is_some(),
        enters: doors.is_some(),
    };
    doors.map_or(Ok(()), |doors| birth.let_in(doors))?;
    let ready = attend.attend(&mut birth, &spec, relay);
    ready.map_err(|error| birth.explain(error, Some(&spec)))?;
    let terminal = ends.receive()?;
    start::await_execution(&mut birth, &spec, &container.record, status)?;
    let (pid, child) = birth.finish()?;
    Ok(Process { pid, child, terminal, pipes: pipes.unwrap_or_default() })
}

type Target = (ProcessId, OwnedFd, Status);

/// The container's first process, its descriptor, by which its namespaces are joined, and what the container is doing. One
/// that is paused is refused unless `ignore_paused`.
pub(super) fn target(container: &Container, ignore_paused: bool) -> Result<Target> {
    let gone = || Error::new(ErrorKind::InvalidState, "cannot exec in a stopped container");
    let status = container.status()?;
    match status {
        Status::Created | Status::Running => {}
        Status::Paused if ignore_paused => {}
        Status::Paused => {
            let message = "cannot exec in a paused container (use --ignore-paused to override)";
            return Err(Error::new(ErrorKind::InvalidState, message));
        }
        Status::Stopped | Status::Creating => return Err(gone()),
    }
    let process = container.record.process.ok_or_else(gone)?;
    let fd = pidfd::open(process.pid).map_err(|error| Error::io("pidfd_open", error))?;
    // Only now does the number stand for the process for good.
    if process.is_alive()? { Ok((process, fd, status)) } else { Err(gone()) }
}

/// The filter of the container holds for its further processes too.
fn filter(spec: &Spec) -> Result<Option<Filter>> {
    let profile = spec.linux.as_ref().and_then(|linux| linux.seccomp.as_ref());
    Ok(profile.map(|profile| seccomp::compile(profile, &notify::options(spec))).transpose()?)
}

/// What the parent needs to know while it attends the birth.
struct Attend<'a> {
    container: &'a Container,
    builder: &'a ProcessBuilder,
    process: &'a spec::Process,
    /// The container's first process.
    first: ProcessId,
    born_inside: bool,
    /// It enters its cgroups by itself, before it joins anything.
    enters: bool,
}

impl Attend<'_> {
    fn attend(&self, birth: &mut Birth, spec: &Spec, relay: bool) -> Result<()> {
        if !relay {
            self.adopt(birth)?;
        }
        loop {
            match birth.next(Some(spec))? {
                Event::Known => self.adopt(birth)?,
                Event::Reached(Phase::Limits) => {
                    rlimits::apply(self.process, birth.pid())?;
                    birth.answer(Phase::Limits)?;
                }
                Event::Reached(Phase::Created) => {
                    self.tell_pid(birth.pid())?;
                    return birth.answer(Phase::Created);
                }
                // It had nothing to ask when it was ready.
                event @ (Event::Executing | Event::Listening) => {
                    birth.put_back(event);
                    return Ok(());
                }
                Event::Reached(_) => {}
                Event::Closed => {
                    return Err(Error::new(ErrorKind::InvalidState, "the process ended before it was ready"));
                }
            }
        }
    }

    fn adopt(&self, birth: &Birth) -> Result<()> {
        let (cgroup, pid) = (&self.container.record.cgroup, birth.pid());
        match (self.builder.cgroups.as_slice(), self.born_inside) {
            _ if self.enters => {}
            ([], true) => cgroup.attach_born(pid)?,
            ([], false) => cgroup.attach_beside(pid, self.first.pid)?,
            (subs, _) => cgroup.attach_subs(pid, subs)?,
        }
        self.container.record.intel_rdt.as_ref().map_or(Ok(()), |group| group.attach(pid))?;
        oom::apply(self.process.oom_score_adj, pid)?;
        birth.answer(Phase::Cgroup)
    }

    fn tell_pid(&self, pid: i32) -> Result<()> {
        if let Some(file) = &self.builder.pid_file {
            attend::write_pid(file, pid)?;
        }
        if let Some(path) = &self.builder.pidfd_socket {
            let fd = pidfd::open(pid).map_err(|error| Error::io("pidfd_open", error))?;
            console::send_pidfd(path, &fd)?;
        }
        Ok(())
    }
}
