//! The command line, by the rules of Go's `flag`: one dash or two, the value behind `=` or in the next word, and the verb
//! after all flags.

use crate::error::{Error, Result};
use std::{ffi::OsString, path::PathBuf};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Serve, or find who serves already, and print the address.
    Start,
    /// Clean up after a container.
    Delete,
    /// `-v`.
    Version,
    /// `-info`.
    Info,
}

/// The command line.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    /// `-namespace`.
    pub(crate) namespace: String,
    /// `-id`.
    pub(crate) id: String,
    /// `-address`: the daemon's socket.
    pub(crate) address: String,
    /// `-bundle`; the working directory where it is not given.
    pub(crate) bundle: Option<PathBuf>,
    /// `-socket`: a socket instead of the one that the container's group has.
    pub(crate) socket: String,
    /// `-debug`.
    pub(crate) debug: bool,
    /// What is to be done.
    pub(crate) verb: Option<Verb>,
}

impl Flags {
    /// Reads the words behind the program's name.
    pub(crate) fn parse(words: impl Iterator<Item = OsString>) -> Result<Self> {
        let mut flags = Self::default();
        let mut words = words
            .map(|word| word.into_string().map_err(|word| Error::unknown(format!("{word:?}: not in UTF-8"))));
        while let Some(word) = words.next().transpose()? {
            let Some(flag) = word.strip_prefix('-').map(|word| word.strip_prefix('-').unwrap_or(word)) else {
                flags.verb = Some(verb(&word)?);
                break;
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (flag, None),
            };
            if flags.switch(name, value.as_deref())? {
                continue;
            }
            let value = match value {
                Some(value) => value,
                None => words
                    .next()
                    .transpose()?
                    .ok_or_else(|| Error::unknown(format!("flag needs an argument: -{name}")))?,
            };
            flags.set(name, value)?;
        }
        Ok(flags)
    }

    fn switch(&mut self, name: &str, value: Option<&str>) -> Result<bool> {
        let on = match value {
            None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => true,
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => false,
            Some(value) if ["debug", "v", "version", "info"].contains(&name) => {
                return Err(Error::unknown(format!("invalid boolean value {value:?} for -{name}")));
            }
            Some(_) => return Ok(false),
        };
        match name {
            "debug" => self.debug = on,
            "v" | "version" => self.verb = on.then_some(Verb::Version).or(self.verb),
            "info" => self.verb = on.then_some(Verb::Info).or(self.verb),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set(&mut self, name: &str, value: String) -> Result<()> {
        match name {
            "namespace" => self.namespace = value,
            "id" => self.id = value,
            "address" => self.address = value,
            "bundle" => self.bundle = Some(value).filter(|path| !path.is_empty()).map(PathBuf::from),
            "socket" => self.socket = value,
            "publish-binary" | "debug-socket" => {}
            _ => return Err(Error::unknown(format!("flag provided but not defined: -{name}"))),
        }
        Ok(())
    }
}

fn verb(word: &str) -> Result<Verb> {
    match word {
        "start" => Ok(Verb::Start),
        "delete" => Ok(Verb::Delete),
        _ => Err(Error::unknown(format!("{word}: unknown verb; start or delete is wanted"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Flags> {
        Flags::parse(words.iter().map(OsString::from))
    }

    #[test]
    fn flags_are_read_as_go_reads_them() {
        let flags =
            parse(&["-namespace", "k8s.io", "--id=a", "-debug", "-address=/x", "start", "-rest"]).unwrap();
        assert_eq!(
            (flags.namespace.as_str(), flags.id.as_str(), flags.address.as_str()),
            ("k8s.io", "a", "/x")
        );
        assert!(flags.debug && flags.verb == Some(Verb::Start));
        assert_eq!(parse(&["-v"]).unwrap().verb, Some(Verb::Version));
        assert_eq!(parse(&["-debug=false", "-info"]).unwrap().verb, Some(Verb::Info));
    }

    #[test]
    fn what_is_no_flag_is_refused() {
        assert!(parse(&["-what", "x"]).is_err());
        assert!(parse(&["-id"]).is_err());
        assert!(parse(&["run"]).is_err());
        assert!(parse(&["-debug=perhaps"]).is_err());
    }
}
