//! What can be wrong with a configuration.

use std::{io, path::PathBuf};

use crate::ErrorKind;

/// What is wrong with a configuration file or with what it says.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("{}: {call}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system call.
        call: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// A directory, FIFO, socket or device.
    #[error("{}: must be a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Larger than [`MAX_SIZE`](super::load::MAX_SIZE).
    #[error("{}: must not be larger than {} bytes", .0.display(), super::load::MAX_SIZE)]
    TooLarge(PathBuf),
    /// Not JSON, or a property of the wrong type: the message has its JSON path, or line and column, or both.
    #[error("{}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// One or more properties that cannot be right: `PATH: what was expected`, joined by `; `.
    #[error("{0}")]
    Invalid(String),
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let Error::Read { source, .. } = error else {
            return Self::new(ErrorKind::InvalidConfig, message);
        };
        match source.kind() {
            io::ErrorKind::NotFound => Self::new(ErrorKind::NotFound, message).with_source(source),
            _ => Self::io(message, source),
        }
    }
}
