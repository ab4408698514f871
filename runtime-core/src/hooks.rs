//! Hooks, config.md "POSIX-platform Hooks": programs of the host or of the container that are run at points of a
//! container's life, with its state on their standard input.

use crate::{
    Error, ErrorKind, Result, annotations,
    plan::{Place, Program, path_text},
    spec::{Hook, Hooks},
    sys::pidfd,
};
use corten_init::{
    step::{Slot, Step},
    wire::Texts,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            ffi::OsStrExt,
            fs::OpenOptionsExt,
            process::{CommandExt, ExitStatusExt},
        },
    },
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

/// How much of what a hook printed goes into the error.
const OUTPUT_SHOWN: usize = 512;

/// The points of a container's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Prestart,
    CreateRuntime,
    CreateContainer,
    StartContainer,
    Poststart,
    Poststop,
}

/// Whether there are hooks that run before the container's program does.
pub(crate) fn any_before_start(hooks: Option<&Hooks>) -> bool {
    let kinds = [Kind::Prestart, Kind::CreateRuntime, Kind::CreateContainer, Kind::StartContainer];
    kinds.iter().any(|kind| !kind.of(hooks).is_empty())
}

impl Kind {
    /// All, in the order of a life.
    pub(crate) const ALL: [Self; 6] = [
        Self::Prestart,
        Self::CreateRuntime,
        Self::CreateContainer,
        Self::StartContainer,
        Self::Poststart,
        Self::Poststop,
    ];

    /// The name in config.json.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Prestart => "prestart",
            Self::CreateRuntime => "createRuntime",
            Self::CreateContainer => "createContainer",
            Self::StartContainer => "startContainer",
            Self::Poststart => "poststart",
            Self::Poststop => "poststop",
        }
    }

    /// The list in config.json.
    pub(crate) fn place(self) -> &'static str {
        match self {
            Self::Prestart => "hooks.prestart",
            Self::CreateRuntime => "hooks.createRuntime",
            Self::CreateContainer => "hooks.createContainer",
            Self::StartContainer => "hooks.startContainer",
            Self::Poststart => "hooks.poststart",
            Self::Poststop => "hooks.poststop",
        }
    }

    /// The kind whose list is called `place`.
    pub(crate) fn of_place(place: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.place() == place)
    }

    /// The hooks of this kind.
    pub(crate) fn of(self, hooks: Option<&Hooks>) -> &[Hook] {
        hooks.map_or(&[], |hooks| match self {
            Self::Prestart => hooks.prestart.as_slice(),
            Self::CreateRuntime => hooks.create_runtime.as_slice(),
            Self::CreateContainer => hooks.create_container.as_slice(),
            Self::StartContainer => hooks.start_container.as_slice(),
            Self::Poststart => hooks.poststart.as_slice(),
            Self::Poststop => hooks.poststop.as_slice(),
        })
    }
}

/// The files that the configuration's annotations want hooks' output in. What they do not name is kept for errors.
#[derive(Default)]
pub(crate) struct Output {
    stdout: Option<File>,
    stderr: Option<File>,
}

impl Output {
    /// Opens the files to append to.
    ///
    /// # Errors
    /// One cannot be opened, named by its annotation.
    pub(crate) fn open(annotations: &BTreeMap<String, String>) -> Result<Self> {
        let open = |name: &str| {
            let Some(path) = annotations.get(name) else { return Ok(None) };
            let file = File::options().append(true).create(true).mode(0o600).open(path);
            file.map(Some).map_err(|error| Error::io(format!("annotations[{name:?}]: open {path}"), error))
        };
        Ok(Self { stdout: open(annotations::HOOKS_STDOUT)?, stderr: open(annotations::HOOKS_STDERR)? })
    }

    /// Standard output and error: the files, or else `kept`.
    fn streams(&self, kept: &File) -> std::io::Result<[OwnedFd; 2]> {
        let stream = |file: &Option<File>| file.as_ref().unwrap_or(kept).try_clone().map(OwnedFd::from);
        Ok([stream(&self.stdout)?, stream(&self.stderr)?])
    }
}

/// Runs the hooks of `kind` in their order, in the runtime's namespaces, with `state` on their standard input.
///
/// # Errors
/// The first that fails or runs out of its time; those behind it are not run.
pub(crate) fn run(kind: Kind, hooks: Option<&Hooks>, state: &[u8], output: &Output) -> Result<()> {
    for (index, hook) in kind.of(hooks).iter().enumerate() {
        run_one(hook, state, output).map_err(|why| failure(kind, index, &why))?;
    }
    Ok(())
}

/// As [`run`], but all are run, and a failure is a warning: for what is over anyway.
pub(crate) fn run_all(kind: Kind, hooks: Option<&Hooks>, state: &[u8], output: &Output) {
    for (index, hook) in kind.of(hooks).iter().enumerate() {
        if let Err(why) = run_one(hook, state, output) {
            log::warn!("{}", failure(kind, index, &why));
        }
    }
}

/// The error of a hook in the words that tools look for.
pub(crate) fn failure(kind: Kind, index: usize, why: &str) -> Error {
    Error::new(ErrorKind::Hook, format!("error running {} hook #{index}: {why}", kind.name()))
}

/// A file of memory with `content`, to be read from its start.
fn memory_file(name: &str, content: &[u8]) -> Result<File> {
    let fd = nix::sys::memfd::memfd_create(name, nix::sys::memfd::MFdFlags::MFD_CLOEXEC)
        .map_err(|errno| Error::io("memfd_create", errno))?;
    let mut file = File::from(fd);
    fill(&mut file, content)?;
    Ok(file)
}

/// Puts `content` into a file of memory.
fn fill(file: &mut File, content: &[u8]) -> Result<()> {
    file.write_all(content)
        .and_then(|()| file.rewind())
        .map_err(|error| Error::io("write a memory file", error))
}

fn run_one(hook: &Hook, state: &[u8], output: &Output) -> std::result::Result<(), String> {
    let explain = |error: Error| error.report();
    let input = memory_file("hook-state", state).map_err(explain)?;
    let mut kept = memory_file("hook-output", &[]).map_err(explain)?;
    let [stdout, stderr] = output.streams(&kept).map_err(|error| error.to_string())?;
    let mut command = Command::new(&hook.path);
    if let Some((name, arguments)) = hook.args.split_first() {
        command.arg0(name).args(arguments);
    }
    if let Some(environment) = &hook.env {
        command.env_clear().envs(environment.iter().filter_map(|variable| variable.split_once('=')));
    }
    command.stdin(input).stdout(stdout).stderr(stderr);
    let mut child = command.spawn().map_err(|error| format!("{}: {}", hook.path.display(), words(&error)))?;
    let status = wait(&mut child, hook.timeout)?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{}: {}{}", hook.path.display(), describe(status), said(&mut kept)))
}

fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Waits for the hook's end; past its time it is killed.
fn wait(child: &mut Child, timeout: Option<i64>) -> std::result::Result<ExitStatus, String> {
    let seconds = timeout.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
    if let Some(seconds) = seconds {
        let ended = i32::try_from(child.id())
            .map_err(std::io::Error::other)
            .and_then(pidfd::open)
            .map(|pidfd| readable_within(&pidfd, Duration::from_secs(seconds)));
        if matches!(ended, Ok(false)) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("timed out after {seconds} s"));
        }
    }
    child.wait().map_err(|error| match error.raw_os_error() {
        Some(libc::ECHILD) => "its exit status is lost: this program ignores SIGCHLD".to_owned(),
        _ => words(&error),
    })
}

/// Whether `fd` becomes readable in time.
pub(crate) fn readable_within(fd: &OwnedFd, time: Duration) -> bool {
    // None is beyond all that a clock can tell.
    let end = Instant::now().checked_add(time);
    loop {
        let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
        let timeout = left.saturating_add(Duration::from_millis(1));
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        let mut polled = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, timeout) {
            Ok(0) if left.is_zero() => return false,
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// What a hook printed, for the error: one line.
fn said(output: &mut File) -> String {
    let mut text = Vec::new();
    let read = output.rewind().and_then(|()| output.take(OUTPUT_SHOWN as u64).read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text).trim().replace('\n', "; ");
    match read {
        Ok(_) if !text.is_empty() => format!(", output: {text}"),
        _ => String::new(),
    }
}

/// The files that hooks inside the container's namespaces use, in slots of the plan.
pub(crate) struct Inside {
    /// The state of a container that is being created, and of one that is created.
    creating: File,
    created: File,
    /// What they print and the configuration wants in no file.
    kept: File,
    /// Both states, standard output and error.
    slots: [Slot; Self::SLOTS as usize],
}

impl Inside {
    /// How many slots of the plan hold the files.
    pub(crate) const SLOTS: u16 = 4;

    /// The files, handed over, if the configuration has hooks that run inside.
    pub(crate) fn new(hooks: Option<&Hooks>, output: &Output, program: &mut Program) -> Result<Option<Self>> {
        if Kind::CreateContainer.of(hooks).is_empty() && Kind::StartContainer.of(hooks).is_empty() {
            return Ok(None);
        }
        let failed = |error| Error::io("dup", error);
        let mut state = |name: &str| -> Result<(File, Slot)> {
            let file = memory_file(name, &[])?;
            let copy = file.try_clone().map_err(failed)?;
            Ok((file, program.hand_over(copy.into())))
        };
        let (creating, first) = state("state-creating")?;
        let (created, second) = state("state-created")?;
        let kept = memory_file("hook-output", &[])?;
        let [stdout, stderr] = output.streams(&kept).map_err(failed)?.map(|file| program.hand_over(file));
        Ok(Some(Self { creating, created, kept, slots: [first, second, stdout, stderr] }))
    }

    /// Puts the states where the hooks will read them.
    pub(crate) fn fill(&mut self, creating: &[u8], created: &[u8]) -> Result<()> {
        fill(&mut self.creating, creating)?;
        fill(&mut self.created, created)
    }

    /// The error of a hook with what it printed.
    pub(crate) fn explain(&mut self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Hook => {
                Error::new(ErrorKind::Hook, format!("{}{}", error.report(), said(&mut self.kept)))
            }
            _ => error,
        }
    }

    /// Plans the hooks of `kind`. Without an environment of its own a hook gets `environment`.
    pub(crate) fn plan(
        &self,
        kind: Kind,
        hooks: Option<&Hooks>,
        environment: &[&[u8]],
        program: &mut Program,
    ) {
        let state = if kind == Kind::CreateContainer { self.slots[0] } else { self.slots[1] };
        for (index, hook) in kind.of(hooks).iter().enumerate() {
            let name = [hook.path.as_os_str().as_bytes()];
            let given =
                |list: &[String]| list.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
            let arguments = Some(hook.args.as_slice()).filter(|list| !list.is_empty()).map(given);
            let own = hook.env.as_deref().map(given);
            let arguments: Vec<&[u8]> =
                arguments.as_ref().map_or(name.to_vec(), |list| list.iter().map(Vec::as_slice).collect());
            let own: Option<Vec<&[u8]>> = own.as_ref().map(|list| list.iter().map(Vec::as_slice).collect());
            let seconds = hook.timeout.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(0);
            let step = Step::Hook {
                index: u32::try_from(index).unwrap_or(u32::MAX),
                path: path_text(&hook.path),
                arguments: Texts::Given(&arguments),
                environment: Texts::Given(own.as_deref().unwrap_or(environment)),
                timeout: seconds.saturating_mul(1000),
                state,
                output: self.slots[2],
                errors: self.slots[3],
            };
            program.step(Place::Item(kind.place(), index), &step);
        }
    }
}
