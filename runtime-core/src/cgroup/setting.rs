//! What is to be written to a cgroup's files, decided without looking at them, and the writing.

use super::{
    dir::Dir,
    error::{Error, Result},
};
use nix::errno::Errno;

/// One value for one file of a cgroup.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The JSON path that it comes from.
    property: String,
    /// The file and the value; where the kernel lacks a file, the next pair.
    choices: Vec<(String, String)>,
    /// No such file is fine.
    optional: bool,
    /// The kernel may refuse it until a later one is written, as a memory limit above that of memory and swap.
    depends: bool,
}

impl Setting {
    #[allow(clippy::needless_pass_by_value, reason = "numbers, and texts made for it")]
    pub(super) fn new(property: &str, file: impl Into<String>, value: impl ToString) -> Self {
        Self {
            property: format!("linux.resources.{property}"),
            choices: vec![(file.into(), value.to_string())],
            optional: false,
            depends: false,
        }
    }

    /// The same, or `value` to `file` on a kernel that lacks the first file.
    #[allow(clippy::needless_pass_by_value, reason = "numbers, and texts made for it")]
    pub(super) fn or(mut self, file: impl Into<String>, value: impl ToString) -> Self {
        self.choices.push((file.into(), value.to_string()));
        self
    }

    /// The same, and left out on a kernel that lacks the file.
    pub(super) fn optional(self) -> Self {
        self.optional_if(true)
    }

    /// The same, and left out on a kernel that lacks the file if `optional`.
    pub(super) fn optional_if(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }

    /// The same, tried again after the others if the kernel refuses it at first.
    pub(super) fn depends(mut self) -> Self {
        self.depends = true;
        self
    }

    /// The JSON path that it comes from.
    pub(super) fn property(&self) -> &str {
        &self.property
    }

    /// Writes it to its file in `dir`. True when it has to be tried again later.
    fn carry_out(&self, dir: &Dir, last: bool) -> Result<bool> {
        for (file, value) in &self.choices {
            match dir.put(file, value) {
                Ok(()) => return Ok(false),
                Err(Errno::ENOENT) => {}
                Err(Errno::EINVAL) if self.depends && !last => return Ok(true),
                Err(errno) => return Err(self.refused(dir, file, value, errno)),
            }
        }
        if self.optional {
            return Ok(false);
        }
        let files: Vec<_> = self.choices.iter().map(|(file, _)| file.as_str()).collect();
        let reason = format!("{} has no {}", dir.path().display(), files.join(" nor "));
        Err(Error::unsupported(&self.property, reason))
    }

    fn refused(&self, dir: &Dir, file: &str, value: &str, errno: Errno) -> Error {
        let path = dir.path().join(file);
        match errno {
            Errno::EBUSY if file == "memory.limit_in_bytes" => {
                let usage = dir.try_read("memory.usage_in_bytes").unwrap_or_default();
                let reason = format!("{value} is too low, {} bytes are in use", usage.trim());
                Error::config(&self.property, reason)
            }
            Errno::EINVAL | Errno::ERANGE | Errno::ENODEV => Error::Refused {
                property: self.property.clone(),
                value: value.to_owned(),
                file: path,
                source: errno.into(),
            },
            _ => Error::io(format!("{}: write {value:?} to {}", self.property, path.display()), errno),
        }
    }
}

/// Writes all `settings` in their order, those that the kernel refuses at first once more at the end: so a set of limits
/// that depend on each other can be lowered as well as raised.
pub(super) fn carry_out(dir: &Dir, settings: &[Setting]) -> Result<()> {
    let mut again = Vec::new();
    for setting in settings {
        if setting.carry_out(dir, false)? {
            again.push(setting);
        }
    }
    for setting in again {
        setting.carry_out(dir, true)?;
    }
    Ok(())
}
