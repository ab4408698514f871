//! Files and directories as far as they can be read.

use std::{fs, path::Path};

/// The file's text without its closing newline, nothing where it cannot be read.
pub(super) fn text(path: impl AsRef<Path>) -> Option<String> {
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// The names in a directory, sorted.
pub(super) fn names(path: impl AsRef<Path>) -> Option<Vec<String>> {
    let mut names: Vec<String> = fs::read_dir(path)
        .ok()?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Some(names)
}
