//! Where a stream leads, as a request names it: a path of a FIFO, or a URI.

use crate::error::{Error, Result};
use std::path::PathBuf;

/// Where a stream leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: `/dev/null`.
    Nowhere,
    /// A FIFO, or whatever is at this path.
    Fifo(PathBuf),
    /// A file that is appended to.
    File(PathBuf),
    /// A program that reads both outputs.
    Binary {
        /// The program.
        path: PathBuf,
        /// Its arguments: the names and values of the URI's query.
        arguments: Vec<String>,
    },
}

impl Place {
    /// Reads what a request names.
    pub(super) fn of(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self::Nowhere);
        }
        let Some((scheme, rest)) = text.split_once("://") else { return Ok(Self::Fifo(text.into())) };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = decoded(path, false)?.into();
        match scheme {
            "fifo" => Ok(Self::Fifo(path)),
            "file" => Ok(Self::File(path)),
            "binary" => Ok(Self::Binary { path, arguments: arguments(query)? }),
            _ => Err(Error::unknown(format!("unknown STDIO scheme {scheme}"))),
        }
    }
}

fn arguments(query: &str) -> Result<Vec<String>> {
    let mut arguments = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        arguments.push(decoded(name, true)?);
        arguments.extend(Some(decoded(value, true)?).filter(|value| !value.is_empty()));
    }
    Ok(arguments)
}

/// The text without its percent signs; in a query a plus is a space.
fn decoded(text: &str, query: bool) -> Result<String> {
    let wrong = || Error::unknown(format!("{text:?}: not a URI"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else { return Err(wrong()) };
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
            }
            b'+' if query => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_from_paths_and_uris() {
        assert_eq!(Place::of("").unwrap(), Place::Nowhere);
        assert_eq!(Place::of("/run/x-stdout").unwrap(), Place::Fifo("/run/x-stdout".into()));
        assert_eq!(Place::of("file:///var/log/a%20b").unwrap(), Place::File("/var/log/a b".into()));
        let arguments = ["--dir", "/a b", "verbose"].map(str::to_owned).into();
        let binary = Place::Binary { path: "/bin/log".into(), arguments };
        assert_eq!(Place::of("binary:///bin/log?--dir=%2Fa+b&verbose").unwrap(), binary);
    }

    #[test]
    fn what_is_no_place_is_an_error() {
        assert!(Place::of("https://x").is_err());
        assert!(Place::of("file:///%zz").is_err());
        assert!(Place::of("file:///%f").is_err());
    }
}
