//! What goes wrong, as it is answered: a code of gRPC and a line of text.

use corten_ttrpc::Code;
use runtime_core::ErrorKind;
use std::{fmt, io};

/// What this program's fallible functions return.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with the code that the daemon goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// An error without a code of its own.
    pub(crate) fn unknown(message: impl Into<String>) -> Self {
        Self::new(Code::Unknown, message)
    }

    /// Something is not there. Clients of older daemons look for the words at the end.
    pub(crate) fn not_found(what: impl fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("{what}: not found"))
    }

    /// The system's answer while doing what `doing` says.
    pub(crate) fn io(doing: impl fmt::Display, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let text = error.to_string();
        let words = text.rfind(" (os error ").map_or(text.as_str(), |at| &text[..at]);
        Self::unknown(format!("{doing}: {words}"))
    }

    /// The same error, led by what was being done.
    pub(crate) fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }
}

impl From<runtime_core::Error> for Error {
    fn from(error: runtime_core::Error) -> Self {
        let code = match error.kind() {
            ErrorKind::NotFound => Code::NotFound,
            ErrorKind::Unsupported => Code::Unimplemented,
            _ => Code::Unknown,
        };
        Self::new(code, error.report())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
