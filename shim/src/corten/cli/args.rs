//! What a command line says, once it is understood.

use super::{
    flags,
    table::{self, Command},
    values,
};
use crate::failure::Failure;
use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

/// The flags given, in their order. A switch has the value `true` or `false`.
#[derive(Debug, Default)]
pub(crate) struct Given(Vec<(&'static str, OsString)>);

impl Given {
    pub(crate) fn add(&mut self, long: &'static str, value: OsString) {
        self.0.push((long, value));
    }

    /// Whether the switch `--long` is on.
    pub(crate) fn is_on(&self, long: &str) -> bool {
        self.switch(long).unwrap_or(false)
    }

    /// The switch `--long`, where it was given.
    pub(crate) fn switch(&self, long: &str) -> Option<bool> {
        self.last(long).map(|value| value == "true")
    }

    /// The last value of `--long`, even an empty one.
    fn last(&self, long: &str) -> Option<&OsStr> {
        debug_assert!(known(long), "--{long} is not in the table");
        self.0.iter().rev().find(|(name, _)| *name == long).map(|(_, value)| value.as_os_str())
    }

    /// The value of `--long` as a path. An empty one counts as none, as in runc.
    pub(crate) fn path(&self, long: &str) -> Option<PathBuf> {
        self.last(long).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The value of `--long` as text, empty or not.
    pub(crate) fn text(&self, long: &str) -> Result<Option<&str>, Failure> {
        self.last(long).map(|value| utf8(long, value)).transpose()
    }

    /// All values of `--long`.
    pub(crate) fn texts(&self, long: &str) -> Result<Vec<&str>, Failure> {
        debug_assert!(known(long), "--{long} is not in the table");
        self.0.iter().filter(|(name, _)| *name == long).map(|(_, value)| utf8(long, value)).collect()
    }

    /// The value of `--long`, read by `read`, which says what it wants where it fails.
    pub(crate) fn read<T>(
        &self,
        long: &str,
        read: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, Failure> {
        let Some(text) = self.text(long)? else { return Ok(None) };
        read(text).map(Some).map_err(|wanted| invalid(long, text, wanted))
    }

    /// The value of `--long` as a number that fits `T`.
    pub(crate) fn number<T: TryFrom<u64>>(&self, long: &str) -> Result<Option<T>, Failure> {
        self.read(long, values::number)
    }
}

fn utf8<'a>(long: &str, value: &'a OsStr) -> Result<&'a str, Failure> {
    value.to_str().ok_or_else(|| Failure::usage(format!("--{long}: {value:?} is not UTF-8")))
}

/// The complaint that the value `text` of `--long` is not what is `wanted`.
pub(crate) fn invalid(long: &str, text: &str, wanted: &str) -> Failure {
    Failure::usage(format!("invalid value {text:?} for --{long}: {wanted}"))
}

fn known(long: &str) -> bool {
    let commands = table::COMMANDS.iter().flat_map(|command| command.flags);
    flags::GLOBAL.iter().chain(commands).any(|flag| flag.long == long)
}

/// A command and what was said to it.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) command: &'static Command,
    /// The command's own flags.
    pub(crate) flags: Given,
    /// The words that are not flags.
    pub(crate) words: Vec<OsString>,
}

impl Args {
    /// The word at `index` as text; `what` names it in the complaint.
    pub(crate) fn word(&self, index: usize, what: &str) -> Result<Option<&str>, Failure> {
        let Some(word) = self.words.get(index) else { return Ok(None) };
        let text = word.to_str().ok_or_else(|| Failure::usage(format!("{what} {word:?} is not UTF-8")))?;
        Ok(Some(text))
    }

    /// The container's id, the first word. The library says whether it is a good one.
    pub(crate) fn id(&self) -> Result<&str, Failure> {
        Ok(self.word(0, "container id")?.unwrap_or_default())
    }
}
