//! Why a command did not do what it was asked, and the status it exits with.

use runtime_core::Error;
use std::{fmt, io};

/// One line for people and for engines, and an exit status.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    status: u8,
}

/// The exit status of all failures, but those of `exec`.
const FAILED: u8 = 1;
/// The exit status of an `exec` that came to nothing; other numbers are the process' own.
const EXEC_FAILED: u8 = 255;

impl Failure {
    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), status: FAILED }
    }

    /// Nobody reads what is printed any more: an end without words, and no failure for the caller.
    pub(crate) fn unheard() -> Self {
        Self { message: String::new(), status: 0 }
    }

    /// Whether there is nothing to be told.
    pub(crate) fn is_unheard(&self) -> bool {
        self.message.is_empty()
    }

    /// The system's answer `error` while doing what `message` says.
    pub(crate) fn io(message: impl Into<String>, error: impl Into<io::Error>) -> Self {
        Error::io(message, error).into()
    }

    /// The same failure, led by the command that failed, as runc does it.
    pub(crate) fn of(mut self, command: &str) -> Self {
        self.message = format!("corten {command} failed: {}", self.message);
        self
    }

    /// The same failure as one of `exec`, which has its own exit status.
    pub(crate) fn of_exec(mut self) -> Self {
        self.message = format!("exec failed: {}", self.message);
        self.status = EXEC_FAILED;
        self
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { message: error.report(), status: FAILED }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message.replace('\n', " "))
    }
}
