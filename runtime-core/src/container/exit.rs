//! How processes end.

use crate::{
    Error, ErrorKind, Result, hooks,
    sys::wait::{self, Ended},
};
use std::{
    fmt,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

/// How long a killed process may take to be gone: a frozen or swapped out one is slow, a hung one never goes.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How a process ended.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// let container = runtime_core::ContainerBuilder::new("job-1").bundle("/srv/job").run()?;
/// let status = container.wait()?;
/// match status.signal() {
///     Some(signal) => println!("killed by signal {signal}"),
///     None => std::process::exit(status.shell_code()),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExitStatus {
    code: Option<i32>,
    signal: Option<i32>,
}

impl ExitStatus {
    /// Its exit code, if it ended by itself.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::ContainerBuilder::new("job-1").bundle("/srv/job").run()?;
    /// match container.wait()?.code() {
    ///     Some(code) => println!("it said {code}"),
    ///     None => println!("it was killed"),
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn code(self) -> Option<i32> {
        self.code
    }

    /// The signal that ended it.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::ContainerBuilder::new("job-1").bundle("/srv/job").run()?;
    /// if container.wait()?.signal() == Some(libc::SIGKILL) {
    ///     println!("somebody, or the kernel for want of memory, has killed it");
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn signal(self) -> Option<i32> {
        self.signal
    }

    /// True for exit code 0.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::ContainerBuilder::new("job-1").bundle("/srv/job").run()?;
    /// if !container.wait()?.success() {
    ///     println!("the job has failed");
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn success(self) -> bool {
        self.code == Some(0)
    }

    /// What a shell makes of it: the exit code, or 128 and the signal's number.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::ContainerBuilder::new("job-1").bundle("/srv/job").run()?;
    /// std::process::exit(container.wait()?.shell_code());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn shell_code(self) -> i32 {
        self.code.unwrap_or_else(|| 128 + self.signal.unwrap_or(0))
    }
}

impl From<Ended> for ExitStatus {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Exited(code) => Self { code: Some(code), signal: None },
            Ended::Signaled(signal) => Self { code: None, signal: Some(signal) },
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (_, Some(signal)) => write!(f, "killed by signal {signal}"),
            (code, None) => write!(f, "exit status {}", code.unwrap_or(0)),
        }
    }
}

/// Waits for a child.
pub(super) fn wait(child: &OwnedFd) -> Result<ExitStatus> {
    wait::wait(child.as_fd()).map(ExitStatus::from).map_err(|error| match error.raw_os_error() {
        Some(libc::ECHILD) => {
            Error::new(ErrorKind::InvalidState, "wait: the process is not, or no more, a child of this one")
        }
        _ => Error::io("waitid", error),
    })
}

/// The same within `time`.
pub(super) fn wait_timeout(child: &OwnedFd, time: Duration) -> Result<Option<ExitStatus>> {
    match hooks::readable_within(child, time) {
        true => wait(child).map(Some),
        false => Ok(None),
    }
}

/// Waits for a child that has been killed. One that does not die is left to the end of this program.
pub(super) fn reap_killed(child: &OwnedFd) {
    if hooks::readable_within(child, PATIENCE) {
        let _ = wait::wait(child.as_fd());
    }
}
