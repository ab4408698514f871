//! Calls of the runtime under test: bounded in time, their output kept in files so that no container can hold a call up.

use super::{Test, Verdict, fail, sys};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A call that takes longer hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(15);

/// A call that is being put together.
pub(crate) struct Call {
    command: Command,
    words: String,
    input: Option<Vec<u8>>,
    out: PathBuf,
    err: PathBuf,
}

impl Call {
    pub(super) fn new(test: &Test, arguments: &[&str]) -> Self {
        let number = test.next();
        let mut command = Command::new(test.runtime());
        command.arg("--root").arg(test.root()).args(arguments);
        Self {
            command,
            words: arguments.join(" "),
            input: None,
            out: test.dir().join(format!("{number}.out")),
            err: test.dir().join(format!("{number}.err")),
        }
    }

    /// A call of any program; its output goes to files in `dir` named after `number`.
    pub(crate) fn of(command: Command, words: &str, dir: &std::path::Path, number: u32) -> Self {
        let (out, err) = (dir.join(format!("{number}.out")), dir.join(format!("{number}.err")));
        Self { command, words: words.to_owned(), input: None, out, err }
    }

    /// One more argument.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.words = format!("{} {}", self.words, argument.as_ref().to_string_lossy());
        self.command.arg(argument);
        self
    }

    /// What the call reads on its standard input; else nothing.
    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// A variable in the runtime's environment.
    pub(crate) fn env(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self
    }

    /// The runtime's working directory.
    pub(crate) fn in_dir(mut self, dir: impl AsRef<std::path::Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// The runtime starts with `descriptor` at number `at`.
    pub(crate) fn leave_open(mut self, descriptor: impl Into<OwnedFd>, at: i32) -> Verdict<Self> {
        sys::leave_open(&mut self.command, &descriptor.into(), at)?;
        Ok(self)
    }

    /// The runtime is started as systemd starts a service with `count` sockets: LISTEN_PID is its own.
    pub(crate) fn socket_activated(mut self, count: u32) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "LISTEN_PID=$$ exec \"$@\"", "sh"]).arg(self.command.get_program());
        shell.args(self.command.get_args()).env("LISTEN_FDS", count.to_string());
        self.command = shell;
        self
    }

    /// The runtime is started by `program`, with its arguments.
    pub(crate) fn through(mut self, program: &[&str]) -> Self {
        let mut outer = Command::new(program[0]);
        outer.args(&program[1..]).arg(self.command.get_program()).args(self.command.get_args());
        self.command = outer;
        self
    }

    /// Starts it.
    pub(crate) fn spawn(mut self) -> Verdict<Running> {
        self.command.stdout(File::create(&self.out)?).stderr(File::create(&self.err)?);
        self.command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = self.command.spawn()?;
        if let (Some(bytes), Some(mut pipe)) = (self.input, child.stdin.take()) {
            match pipe.write_all(&bytes) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return fail(error),
                _ => {}
            }
        }
        Ok(Running { child, words: self.words, out: self.out, err: self.err })
    }

    /// Starts it and waits for its end.
    pub(crate) fn done(self) -> Verdict<Done> {
        self.spawn()?.done()
    }
}

/// A call under way.
pub(crate) struct Running {
    child: Child,
    words: String,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    /// Whether it ended.
    pub(crate) fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end; a call that does not end in time is a failure.
    pub(crate) fn done(mut self) -> Verdict<Done> {
        let Some(status) = within(LIMIT, || self.child.try_wait().transpose()) else {
            self.child.kill()?;
            self.child.wait()?;
            return fail(format!("`{}` hangs; stderr: {:?}", self.words, text(&self.err)));
        };
        Ok(Done { status: status?, words: self.words, out: self.out, err: self.err })
    }
}

/// A call that ended.
pub(crate) struct Done {
    status: ExitStatus,
    words: String,
    /// Where its output is, and that of the container that it made.
    pub(crate) out: PathBuf,
    err: PathBuf,
}

impl Done {
    /// The exit code; that of a call ended by a signal is 128 and the signal's number, as a shell has it.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().or(self.status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
    }

    /// What it, and the container's process, wrote.
    pub(crate) fn stdout(&self) -> String {
        text(&self.out)
    }

    /// What it wrote as errors.
    pub(crate) fn stderr(&self) -> String {
        text(&self.err)
    }

    /// Fails the case unless the call succeeded.
    pub(crate) fn ok(self) -> Verdict<Self> {
        if self.status.success() {
            return Ok(self);
        }
        fail(format!("`{}` gave {}: {}", self.words, self.code(), self.stderr().trim_end()))
    }

    /// Fails the case if the call succeeded, crashed, or did not say why it failed on its last line.
    pub(crate) fn refused(self) -> Verdict<Self> {
        if self.status.success() {
            return fail(format!("`{}` succeeded, an error was due", self.words));
        }
        if let Some(signal) = self.status.signal() {
            return fail(format!("`{}` was ended by signal {signal}: {}", self.words, self.stderr()));
        }
        let all = self.stderr();
        let last = all.trim_end().lines().next_back().unwrap_or_default();
        if last.trim().is_empty() {
            return fail(format!("`{}` gave {} and said nothing", self.words, self.code()));
        }
        let crash = ["panicked at", "goroutine ", "Sanitizer", "core dumped", "RUST_BACKTRACE"];
        if let Some(word) = crash.iter().find(|word| all.contains(**word)) {
            return fail(format!("`{}` crashed ({word}): {all}", self.words));
        }
        if last.len() > 4096 {
            return fail(format!("`{}`: the last line has {} bytes", self.words, last.len()));
        }
        Ok(self)
    }

    /// The last line of stderr holds one of these words.
    pub(crate) fn says(self, words: &[&str]) -> Verdict<Self> {
        let all = self.stderr();
        let last = all.trim_end().lines().next_back().unwrap_or_default().to_lowercase();
        if words.iter().any(|word| last.contains(&word.to_lowercase())) {
            return Ok(self);
        }
        fail(format!("`{}`: the last line names none of {words:?}: {last:?}", self.words))
    }
}

fn text(path: &std::path::Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Asks `ready` again and again, at growing intervals, until it gives something or `limit` has passed.
pub(crate) fn within<T>(limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(value) = ready() {
            return Some(value);
        }
        if start.elapsed() > limit {
            return None;
        }
        thread::sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_millis(8));
    }
}
