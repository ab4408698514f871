//! The one public error, and what it is made from. A leaf: it imports nothing of this crate; each module turns its own
//! error enum into [`Error`] beside that enum.

use std::{convert::Infallible, error, fmt, io};

/// What this crate's fallible functions return.
///
/// ```no_run
/// use runtime_core::{ContainerBuilder, ExitStatus, Result};
///
/// fn job() -> Result<ExitStatus> {
///     ContainerBuilder::new("job-1").bundle("/srv/job").delete_on_drop(true).run()?.wait()
/// }
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for a program that decides by it. Stable: kinds may be added, none changes its meaning.
///
/// ```no_run
/// use runtime_core::{Container, ErrorKind};
///
/// let exists = match Container::load("/run/my-jobs", "web") {
///     Ok(_) => true,
///     Err(error) => match error.kind() {
///         ErrorKind::NotFound => false,
///         ErrorKind::Permission => panic!("run it as root"),
///         _ => panic!("{}", error.report()),
///     },
/// };
/// assert!(!exists);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The container, process or file named by the caller does not exist.
    NotFound,
    /// A container or process of that id exists already.
    AlreadyExists,
    /// The operation does not fit the container's state, as `start` of a running one.
    InvalidState,
    /// A property of config.json or of process.json is wrong; the message names its place.
    InvalidConfig,
    /// An argument of the call, as an id or a signal name, is wrong.
    InvalidArgument,
    /// The kernel refused for lack of privilege.
    Permission,
    /// This kernel, host or version of Corten cannot do it; the message names the property.
    Unsupported,
    /// The container's program cannot be executed.
    Exec,
    /// A hook failed or ran out of time.
    Hook,
    /// Something did not happen in time.
    Timeout,
    /// Any other answer of the system.
    Io,
}

/// An error of the runtime: its [`kind`](Error::kind), what was being done and to what, and the system's answer as its
/// [`source`](error::Error::source).
///
/// ```no_run
/// use runtime_core::{ContainerBuilder, ErrorKind};
///
/// match ContainerBuilder::new("job-1").bundle("/srv/job").run() {
///     Err(error) if error.kind() == ErrorKind::AlreadyExists => println!("it runs already"),
///     Err(error) => eprintln!("{}", error.report()),
///     Ok(container) => println!("process {:?}", container.pid()),
/// }
/// ```
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that `message` explains in full.
    ///
    /// ```
    /// use runtime_core::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::InvalidArgument, "tenant \"..\": not a name");
    /// assert_eq!(error.to_string(), "tenant \"..\": not a name");
    /// ```
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The system's answer `error` while doing what `message` says. EPERM and EACCES make it
    /// [`ErrorKind::Permission`], all else [`ErrorKind::Io`].
    ///
    /// ```
    /// use runtime_core::{Error, ErrorKind};
    /// use std::fs;
    ///
    /// let read = fs::read("/no/such/file").map_err(|error| Error::io("read the image's list", error));
    /// assert_eq!(read.unwrap_err().report(), "read the image's list: No such file or directory");
    /// ```
    pub fn io(message: impl Into<String>, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied => ErrorKind::Permission,
            _ => ErrorKind::Io,
        };
        Self::new(kind, message).with_source(error)
    }

    /// The same error, caused by `source`.
    ///
    /// ```
    /// use runtime_core::{Error, ErrorKind};
    ///
    /// let cause = "seven".parse::<u32>().unwrap_err();
    /// let error = Error::new(ErrorKind::InvalidConfig, "annotations.tenant").with_source(cause);
    /// assert_eq!(error.report(), "annotations.tenant: invalid digit found in string");
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error, its message led by what was being done: `doing: message`.
    ///
    /// ```
    /// use runtime_core::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::NotFound, "container web does not exist").context("tenant 7");
    /// assert_eq!(error.to_string(), "tenant 7: container web does not exist");
    /// ```
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// What went wrong, for a program that decides by it.
    ///
    /// ```
    /// use runtime_core::{ContainerBuilder, ErrorKind};
    ///
    /// let error = ContainerBuilder::new("web").bundle("/no/such/bundle").run().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::NotFound);
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message and the messages of all causes on one line, as an engine shows it.
    ///
    /// ```
    /// use runtime_core::ContainerBuilder;
    ///
    /// let error = ContainerBuilder::new("web").bundle("/no/such/bundle").run().unwrap_err();
    /// assert_eq!(error.report(), "bundle /no/such/bundle: find it: No such file or directory");
    /// ```
    #[must_use]
    pub fn report(&self) -> String {
        let mut line = self.message.clone();
        let mut cause = error::Error::source(self);
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&system_words(error));
            cause = error.source();
        }
        line.replace('\n', " ")
    }
}

/// An error's words without the ` (os error 2)` that the standard library adds.
fn system_words(error: &(dyn error::Error + 'static)) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) if text.ends_with(')') => text[..at].to_owned(),
        _ => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.report())
    }
}

/// Where nothing can go wrong: [`ContainerBuilder::spec`](crate::ContainerBuilder::spec) takes what may become a configuration.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_one_line_that_ends_with_the_cause() {
        let error = Error::io("/x/config.json: open", io::Error::from_raw_os_error(libc::ENOENT))
            .context("create c1");
        assert_eq!(error.report(), "create c1: /x/config.json: open: No such file or directory");
        assert_eq!(error.kind(), ErrorKind::Io);
    }

    #[test]
    fn a_refusal_of_the_kernel_is_a_permission_error() {
        assert_eq!(Error::io("x", io::Error::from_raw_os_error(libc::EPERM)).kind(), ErrorKind::Permission);
    }
}
