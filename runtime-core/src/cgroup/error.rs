//! What can go wrong with cgroups.

use crate::ErrorKind;
use std::{io, path::PathBuf};

/// What this module's fallible functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong with a container's cgroup.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value in the configuration that cannot be.
    #[error("{property}: {reason}")]
    Config {
        /// Its JSON path.
        property: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A property that this host, or this version of Corten, cannot carry out.
    #[error("{property}: {reason}")]
    Unsupported {
        /// Its JSON path.
        property: String,
        /// What is missing.
        reason: String,
    },
    /// The kernel does not take a value.
    #[error("{property}: write {value:?} to {}", file.display())]
    Refused {
        /// The JSON path that it came from.
        property: String,
        /// What was written.
        value: String,
        /// Where to.
        file: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A cgroup that a container is to have is in use.
    #[error("container's cgroup is not empty: {} has {count} process(es)", path.display())]
    NotEmpty {
        /// Its directory.
        path: PathBuf,
        /// How many processes are in it and below.
        count: usize,
    },
    /// A cgroup that a container is to have is frozen, so nothing would ever run in it.
    #[error("container's cgroup is frozen: {}", path.display())]
    Frozen {
        /// Its directory.
        path: PathBuf,
    },
    /// A cgroup v2 of type `threaded`, or below one, takes no processes.
    #[error("container's cgroup is threaded or below a threaded one: {}", path.display())]
    Threaded {
        /// Its directory.
        path: PathBuf,
    },
    /// No such cgroup.
    #[error("cgroup {} does not exist", path.display())]
    NotFound {
        /// Its directory.
        path: PathBuf,
    },
    /// systemd has a unit of the name that a container's is to have.
    #[error("linux.cgroupsPath: systemd has a unit {unit} already")]
    UnitExists {
        /// Its name.
        unit: String,
    },
    /// systemd does not do what it was asked for.
    #[error("{doing}: {answer}")]
    Systemd {
        /// What it was asked for.
        doing: String,
        /// What it said.
        answer: String,
        /// The D-Bus name of its error, if it was one.
        name: String,
    },
    /// A wrong argument of a call.
    #[error("{0}")]
    Argument(String),
    /// Something that should have come about has not, in the time that it may take.
    #[error("{doing}: not done after {seconds} s")]
    Timeout {
        /// What was waited for.
        doing: String,
        /// How long.
        seconds: u64,
    },
    /// The system's answer to anything else.
    #[error("{doing}")]
    Io {
        /// What was being done, and to what.
        doing: String,
        /// The answer.
        source: io::Error,
    },
}

impl Error {
    pub(super) fn io(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { doing: doing.into(), source: source.into() }
    }

    pub(super) fn config(property: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Config { property: property.into(), reason: reason.into() }
    }

    pub(super) fn unsupported(property: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unsupported { property: property.into(), reason: reason.into() }
    }
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let kind = match error {
            Error::Io { source, .. } => return Self::io(message, source),
            Error::Refused { source, .. } => {
                return Self::new(ErrorKind::InvalidConfig, message).with_source(source);
            }
            Error::Config { .. } => ErrorKind::InvalidConfig,
            Error::Unsupported { .. } => ErrorKind::Unsupported,
            Error::NotEmpty { .. } | Error::Frozen { .. } | Error::Threaded { .. } => ErrorKind::InvalidState,
            Error::NotFound { .. } => ErrorKind::NotFound,
            Error::UnitExists { .. } => ErrorKind::AlreadyExists,
            Error::Systemd { name, .. } => match name.rsplit('.').next() {
                Some("AccessDenied" | "InteractiveAuthorizationRequired") => ErrorKind::Permission,
                Some("InvalidArgs" | "PropertyReadOnly") => ErrorKind::InvalidConfig,
                _ => ErrorKind::Io,
            },
            Error::Argument(_) => ErrorKind::InvalidArgument,
            Error::Timeout { .. } => ErrorKind::Timeout,
        };
        Self::new(kind, message)
    }
}
