//! Processes that this one made: what [`Running`](super::Running) and [`Process`](super::Process) have in common.

use super::{ExitStatus, stdio::Pipes};
use crate::{Error, Result};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use std::{
    fs::File,
    io::Read,
    os::fd::{AsFd, OwnedFd},
};

/// What a process wrote to pipes, and how it ended.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{ContainerBuilder, Stdio};
///
/// let builder = ContainerBuilder::new("job-1").bundle("/srv/job");
/// let output = builder.stdout(Stdio::Piped).stderr(Stdio::Piped).run()?.wait_with_output()?;
/// println!("{}, {} bytes", output.status, output.stdout.len() + output.stderr.len());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output, if that was [`Stdio::Piped`](super::Stdio::Piped) and not taken.
    pub stdout: Vec<u8>,
    /// All of its standard error, likewise.
    pub stderr: Vec<u8>,
}

/// Reads both pipes to their ends.
pub(super) fn collect(pipes: &mut Pipes) -> Result<[Vec<u8>; 2]> {
    // Nobody writes to it any more.
    drop(pipes.take(0));
    let mut open = [pipes.take(1), pipes.take(2)];
    let mut read = [Vec::new(), Vec::new()];
    while open.iter().any(Option::is_some) {
        for at in ready(&open)? {
            let mut buffer = [0; 16384];
            match open[at].as_mut().map_or(Ok(0), |file| file.read(&mut buffer)) {
                Ok(0) => open[at] = None,
                Ok(count) => read[at].extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("read what a container writes", error)),
            }
        }
    }
    Ok(read)
}

/// Waits for those that can be read, or have ended.
fn ready(files: &[Option<File>; 2]) -> Result<Vec<usize>> {
    let open = |(at, file): (usize, &'_ Option<File>)| file.is_some().then_some(at);
    let numbers: Vec<_> = files.iter().enumerate().filter_map(open).collect();
    let mut polled: Vec<_> =
        files.iter().flatten().map(|file| PollFd::new(file.as_fd(), PollFlags::POLLIN)).collect();
    match poll(&mut polled, PollTimeout::NONE) {
        Err(Errno::EINTR) => Ok(Vec::new()),
        Err(errno) => Err(Error::io("wait for what a container writes", errno)),
        Ok(_) => {
            let ready = polled.iter().zip(numbers).filter(|(polled, _)| polled.any() != Some(false));
            Ok(ready.map(|(_, at)| at).collect())
        }
    }
}

/// A copy of `pidfd` for [`poll`] and the like, which lives as long as the program wants.
pub(super) fn copy(pidfd: &OwnedFd) -> Result<OwnedFd> {
    pidfd.try_clone().map_err(|error| Error::io("dup of a pidfd", error))
}

/// The methods of a type whose `child`, `terminal` and `pipes` are in the field that is named, or its own.
macro_rules! methods {
    ($type:ty, $example:literal $(, $field:tt)?) => {
        impl $type {
            /// Waits for the end of the process, and reaps it. Again afterwards, it answers with an error.
            ///
            /// # Errors
            /// [`ErrorKind::InvalidState`](crate::ErrorKind::InvalidState) if it was reaped already: here, by something else in
            /// this program, or by the kernel, which does so where SIGCHLD is ignored.
            ///
            /// # Example
            /// ```no_run
            /// # use runtime_core::{Container, ContainerBuilder, Signal, Stdio, default_root};
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let container = Container::load(default_root(), "web-1")?;
            #[doc = concat!("let job = ", $example, ";")]
            /// println!("{}", job.wait()?);
            /// # Ok(()) }
            /// ```
            pub fn wait(&self) -> Result<ExitStatus> {
                exit::wait(&self$(.$field)?.child)
            }

            /// As [`wait`](Self::wait), for at most `time`; nothing if it runs longer.
            ///
            /// # Errors
            /// As [`wait`](Self::wait).
            ///
            /// # Example
            /// ```no_run
            /// # use runtime_core::{Container, ContainerBuilder, Signal, Stdio, default_root};
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let container = Container::load(default_root(), "web-1")?;
            #[doc = concat!("let job = ", $example, ";")]
            /// if job.wait_timeout(std::time::Duration::from_secs(60))?.is_none() {
            ///     job.kill(Signal::KILL)?;
            /// }
            /// # Ok(()) }
            /// ```
            pub fn wait_timeout(&self, time: Duration) -> Result<Option<ExitStatus>> {
                exit::wait_timeout(&self$(.$field)?.child, time)
            }

            /// Closes its standard input, reads standard output and error to their ends where they are
            /// [`Stdio::Piped`](crate::Stdio::Piped) and were not taken, and waits for the end of the process. A pipe ends
            /// when nobody has it any more: what the process has started in the background holds it, too.
            ///
            /// # Errors
            /// As [`wait`](Self::wait); [`ErrorKind::Io`](crate::ErrorKind::Io) if a pipe cannot be read.
            ///
            /// # Example
            /// ```no_run
            /// # use runtime_core::{Container, ContainerBuilder, Signal, Stdio, default_root};
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let container = Container::load(default_root(), "web-1")?;
            #[doc = concat!("let mut job = ", $example, ";")]
            /// let output = job.wait_with_output()?;
            /// println!("{}: {}", output.status, String::from_utf8_lossy(&output.stdout));
            /// # Ok(()) }
            /// ```
            pub fn wait_with_output(&mut self) -> Result<Output> {
                let [stdout, stderr] = child::collect(&mut self$(.$field)?.pipes)?;
                Ok(Output { status: self.wait()?, stdout, stderr })
            }

            /// Its descriptor, pidfd_open(2): readable when it has ended, and then [`wait`](Self::wait) does not block.
            ///
            /// ```no_run
            /// # use runtime_core::{Container, ContainerBuilder, Signal, Stdio, default_root};
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let container = Container::load(default_root(), "web-1")?;
            #[doc = concat!("let job = ", $example, ";")]
            /// use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
            ///
            /// // An event loop would have this among its descriptors.
            /// poll(&mut [PollFd::new(job.pidfd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
            /// println!("{}", job.wait()?);
            /// # Ok(()) }
            /// ```
            pub fn pidfd(&self) -> BorrowedFd<'_> {
                self$(.$field)?.child.as_fd()
            }

            /// A copy of that descriptor, for who must own it, as tokio's `AsyncFd`.
            ///
            /// # Errors
            /// [`ErrorKind::Io`](crate::ErrorKind::Io) if this program has too many descriptors.
            ///
            /// # Example
            /// ```no_run
            /// # use runtime_core::{Container, ContainerBuilder, Signal, Stdio, default_root};
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let container = Container::load(default_root(), "web-1")?;
            #[doc = concat!("let job = ", $example, ";")]
            /// let pidfd = job.pidfd_owned()?;
            /// std::thread::spawn(move || println!("wait by {pidfd:?}, whatever becomes of the value"));
            /// # Ok(()) }
            /// ```
            pub fn pidfd_owned(&self) -> Result<OwnedFd> {
                child::copy(&self$(.$field)?.child)
            }

            /// The master of its terminal, if it was asked for by [`Console::Return`](crate::Console::Return); once.
            ///
            /// ```no_run
            /// # use runtime_core::{Container, ContainerBuilder, Signal, Stdio, default_root};
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let container = Container::load(default_root(), "web-1")?;
            #[doc = concat!("let mut job = ", $example, ";")]
            /// // It has streams, and so no terminal: `Console::Return` gives one.
            /// assert!(job.take_terminal().is_none());
            /// # Ok(()) }
            /// ```
            pub fn take_terminal(&mut self) -> Option<OwnedFd> {
                self$(.$field)?.terminal.take()
            }

            /// Where its standard input is written, if that is [`Stdio::Piped`](crate::Stdio::Piped); once. Dropped, it ends.
            ///
            /// ```no_run
            /// # use runtime_core::{Container, ContainerBuilder, Signal, Stdio, default_root};
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let container = Container::load(default_root(), "web-1")?;
            #[doc = concat!("let mut job = ", $example, ";")]
            /// use std::io::Write;
            ///
            /// if let Some(mut stdin) = job.take_stdin() {
            ///     writeln!(stdin, "work to do")?;
            /// }
            /// // Dropped by now: the job reads the end of the file.
            /// println!("{}", job.wait()?);
            /// # Ok(()) }
            /// ```
            pub fn take_stdin(&mut self) -> Option<File> {
                self$(.$field)?.pipes.take(0)
            }

            /// Where its standard output is read, if that is [`Stdio::Piped`](crate::Stdio::Piped); once.
            ///
            /// ```no_run
            /// # use runtime_core::{Container, ContainerBuilder, Signal, Stdio, default_root};
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let container = Container::load(default_root(), "web-1")?;
            #[doc = concat!("let mut job = ", $example, ";")]
            /// use std::io::{BufRead, BufReader};
            ///
            /// for line in job.take_stdout().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
            ///     println!("job-1: {}", line?);
            /// }
            /// # Ok(()) }
            /// ```
            pub fn take_stdout(&mut self) -> Option<File> {
                self$(.$field)?.pipes.take(1)
            }

            /// Where its standard error is read, if that is [`Stdio::Piped`](crate::Stdio::Piped); once.
            ///
            /// ```no_run
            /// # use runtime_core::{Container, ContainerBuilder, Signal, Stdio, default_root};
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let container = Container::load(default_root(), "web-1")?;
            #[doc = concat!("let mut job = ", $example, ";")]
            /// assert!(job.take_stderr().is_none(), "it is the caller's own: only what is `Stdio::Piped` can be taken");
            /// # Ok(()) }
            /// ```
            pub fn take_stderr(&mut self) -> Option<File> {
                self$(.$field)?.pipes.take(2)
            }
        }

        /// As [`pidfd`](Self::pidfd).
        impl AsFd for $type {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.pidfd()
            }
        }
    };
}
pub(super) use methods;
