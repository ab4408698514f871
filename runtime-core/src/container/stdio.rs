//! The standard streams of a process, as a program that embeds the library asks for them.

use crate::{Error, Result, sys};
use nix::{fcntl::OFlag, unistd::pipe2};
use std::{
    fs::{self, File, OpenOptions},
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

/// What one standard stream of a process is, as [`std::process::Stdio`] has it for programs of the host.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{ContainerBuilder, Error, Stdio};
/// use std::fs::File;
///
/// let log = File::create("/var/log/job-1").map_err(|error| Error::io("the log", error))?;
/// let builder = ContainerBuilder::new("job-1").bundle("/srv/job");
/// let mut container = builder.stdin(Stdio::Null).stdout(Stdio::Piped).stderr(log).run()?;
/// let output = container.take_stdout();
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Stdio {
    /// The caller's own.
    #[default]
    Inherit,
    /// /dev/null.
    Null,
    /// A new pipe, whose other end is taken from the container or process afterwards.
    Piped,
    /// This file, pipe or socket.
    Fd(OwnedFd),
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Self {
        Self::Fd(fd)
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Self {
        Self::Fd(file.into())
    }
}

/// The methods of a builder that say what the standard streams are; its field `streams` keeps it.
macro_rules! setters {
    ($example:literal) => {
        /// The standard streams of a process without a terminal; those of the caller if they are not set.
        ///
        /// ```no_run
        /// # use runtime_core::{Container, ContainerBuilder, Stdio, default_root};
        /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// # let container = Container::load(default_root(), "web-1")?;
        #[doc = concat!("let builder = ", $example, ";")]
        /// let log = std::fs::File::create("/var/log/job-1")?;
        /// let builder = builder.stdio(std::fs::File::open("/dev/null")?.into(), log.try_clone()?.into(), log.into());
        /// # Ok(()) }
        /// ```
        pub fn stdio(mut self, stdin: OwnedFd, stdout: OwnedFd, stderr: OwnedFd) -> Self {
            self.streams = Some([stdin, stdout, stderr].map(Stdio::Fd));
            self
        }

        /// Its standard input.
        ///
        /// ```no_run
        /// # use runtime_core::{Container, ContainerBuilder, Stdio, default_root};
        /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// # let container = Container::load(default_root(), "web-1")?;
        #[doc = concat!("let builder = ", $example, ";")]
        /// let builder = builder.stdin(Stdio::Null);
        /// # Ok(()) }
        /// ```
        pub fn stdin(self, stdin: impl Into<Stdio>) -> Self {
            self.stream(0, stdin.into())
        }

        /// Its standard output.
        ///
        /// ```no_run
        /// # use runtime_core::{Container, ContainerBuilder, Stdio, default_root};
        /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// # let container = Container::load(default_root(), "web-1")?;
        #[doc = concat!("let builder = ", $example, ";")]
        /// let builder = builder.stdout(Stdio::Piped);
        /// # Ok(()) }
        /// ```
        pub fn stdout(self, stdout: impl Into<Stdio>) -> Self {
            self.stream(1, stdout.into())
        }

        /// Its standard error.
        ///
        /// ```no_run
        /// # use runtime_core::{Container, ContainerBuilder, Stdio, default_root};
        /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// # let container = Container::load(default_root(), "web-1")?;
        #[doc = concat!("let builder = ", $example, ";")]
        /// let builder = builder.stderr(std::fs::File::create("/var/log/job-1.err")?);
        /// # Ok(()) }
        /// ```
        pub fn stderr(self, stderr: impl Into<Stdio>) -> Self {
            self.stream(2, stderr.into())
        }

        fn stream(mut self, number: usize, stream: Stdio) -> Self {
            self.streams.get_or_insert_default()[number] = stream;
            self
        }
    };
}
pub(super) use setters;

/// The caller's ends of the pipes that were asked for: of standard input, output and error.
#[derive(Debug, Default)]
pub(super) struct Pipes(pub(super) [Option<OwnedFd>; 3]);

impl Pipes {
    /// The end of stream `number`, once.
    pub(super) fn take(&mut self, number: usize) -> Option<File> {
        self.0.get_mut(number)?.take().map(File::from)
    }
}

/// Opens what `streams` ask for: the process' ends, and the caller's.
pub(super) fn open(streams: [Stdio; 3]) -> Result<([OwnedFd; 3], Pipes)> {
    let mut pipes = Pipes::default();
    let [stdin, stdout, stderr] = streams;
    let theirs =
        [open_one(stdin, 0, &mut pipes)?, open_one(stdout, 1, &mut pipes)?, open_one(stderr, 2, &mut pipes)?];
    Ok((theirs, pipes))
}

fn open_one(stream: Stdio, number: usize, pipes: &mut Pipes) -> Result<OwnedFd> {
    match stream {
        Stdio::Inherit => sys::standard_streams()[number]
            .try_clone_to_owned()
            .map_err(|error| Error::io(format!("stdio: dup of descriptor {number}"), error)),
        Stdio::Null => OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")
            .map(OwnedFd::from)
            .map_err(|error| Error::io("stdio: open /dev/null", error)),
        Stdio::Piped => {
            let (read, write) =
                pipe2(OFlag::O_CLOEXEC).map_err(|errno| Error::io("stdio: make a pipe", errno))?;
            let (theirs, ours) = if number == 0 { (read, write) } else { (write, read) };
            pipes.0[number] = Some(ours);
            Ok(theirs)
        }
        Stdio::Fd(fd) => Ok(fd),
    }
}

/// What the standard streams of a process are called by the kernel, `pipe:[17]` as an example: CRIU's name of a pipe whose other
/// end is outside.
pub(super) fn names(streams: &[BorrowedFd<'_>; 3]) -> Vec<String> {
    let name = |fd: &BorrowedFd<'_>| {
        let path = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap_or_default();
        path.to_string_lossy().into_owned()
    };
    streams.iter().map(name).collect()
}
