//! One call of a runtime, measured.

use crate::{Result, sys};
use corten_trace::{Tick, Tracer};
use nix::unistd::Pid;
use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A call that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// What a call, or several, took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// From the caller's fork to the end, in milliseconds.
    pub wall: f64,
    /// Processor time of the runtime's process and all that it waited for, in milliseconds.
    pub processor: f64,
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { wall: self.wall + other.wall, processor: self.processor + other.processor }
    }
}

/// A program, and where what it says goes.
#[derive(Clone, Debug)]
pub struct Caller {
    program: PathBuf,
    /// Words before all others.
    first: Vec<OsString>,
    errors: PathBuf,
}

impl Caller {
    /// A runtime that keeps its state at `state`.
    #[must_use]
    pub fn runtime(program: &Path, state: &Path, errors: &Path) -> Self {
        let first = vec!["--root".into(), state.into()];
        Self { program: program.to_owned(), first, errors: errors.to_owned() }
    }

    /// Another program that gets these words each time.
    #[must_use]
    pub fn program(program: &Path, first: Vec<OsString>, errors: &Path) -> Self {
        Self { program: program.to_owned(), first, errors: errors.to_owned() }
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let errors =
            File::create(&self.errors).map_err(|error| format!("{}: {error}", self.errors.display()))?;
        let mut command = Command::new(&self.program);
        command.args(&self.first).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        Ok(command)
    }

    /// Calls it and waits for its end, in the caller's working directory.
    ///
    /// # Errors
    /// If it fails or hangs.
    pub fn call(&self, words: &[&str]) -> Result<Cost> {
        let mut command = self.command(words)?;
        let said = |error: io::Error| format!("{} {}: {error}", self.program.display(), words.join(" "));
        let _tick = Tick::new(1000).map_err(said)?;
        let start = Instant::now();
        let mut child = command.spawn().map_err(said)?;
        let ended = loop {
            match sys::wait(child.id()) {
                Ok(ended) => break ended,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(said(error)),
                Err(_) if start.elapsed() > LIMIT => child.kill().map_err(said)?,
                Err(_) => {}
            }
        };
        let wall = start.elapsed();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        match ended.code {
            0 => Ok(Cost { wall: milliseconds(wall), processor: milliseconds(ended.processor) }),
            code => Err(self.failure(words, code, wall)),
        }
    }

    fn failure(&self, words: &[&str], code: i32, wall: Duration) -> String {
        let said = fs::read_to_string(&self.errors).unwrap_or_default();
        let hung = if wall > LIMIT { ", it hung" } else { "" };
        format!("{} {}: exit {code}{hung}: {}", self.program.display(), words.join(" "), said.trim_end())
    }

    /// The largest resident set that any process of the runtime has by itself, in KiB: one more run, under the tracer, that asks at each
    /// `execve` and end. The container's own program does not count.
    ///
    /// # Errors
    /// If it fails or may not be traced.
    pub fn peak(&self, words: &[&str]) -> Result<u64> {
        let said =
            |error: io::Error| format!("trace {} {}: {error}", self.program.display(), words.join(" "));
        let mut peak = 0;
        let mut tracer = Tracer::new(&self.program, None, LIMIT).map_err(said)?;
        let ends = [libc::SYS_execve, libc::SYS_execveat, libc::SYS_exit_group];
        tracer.watch(|pid, call| {
            if ends.contains(&call.number) {
                peak = peak.max(high_water(pid));
            }
        });
        let traced = tracer.run(self.command(words)?).map_err(said)?;
        match traced.ending {
            corten_trace::Ending::Code(0) => Ok(peak),
            ending => Err(format!("trace {}: {ending:?}", self.program.display())),
        }
    }
}

fn high_water(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}
