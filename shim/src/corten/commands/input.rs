//! JSON that a command is given: a file, or standard input.

use crate::failure::Failure;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// More than any list of limits or mounts is.
const MOST_BYTES: u64 = 1 << 20;

/// All of the file at `path`; `-` is standard input. `what` names it in the complaint.
pub(super) fn read(what: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().take(MOST_BYTES).read_to_end(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::io(format!("{what}: read {}", path.display()), error)),
    }
}
