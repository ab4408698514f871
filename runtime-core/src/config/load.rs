//! Bytes to the specification's types. The quick way is serde_json straight into them. Only when that fails, or gives
//! something that may have lost a word, is the document read as a tree, repaired, and turned into the types again.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use oci_spec::runtime::{LinuxResources, Process, Spec};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Track;

use super::{Error, repair, strict::Strict, tree::Tree};

/// The largest configuration file that is read, in bytes. Arguments and environment together cannot be larger than 6
/// MiB (execve(2)), so nothing that could run is turned away.
pub const MAX_SIZE: u64 = 16 << 20;

/// The longest message of the parser that is passed on: it quotes values, and those can be as large as the file.
const MAX_MESSAGE: usize = 300;

/// Reads and parses the config.json at `path`.
///
/// # Errors
/// The file is missing, not a regular file, too large, not JSON, or a property has a wrong type.
pub fn load(path: &Path) -> Result<Spec, Error> {
    parse(&read(path)?, path)
}

/// Parses the bytes of a config.json; `file` is its name for the messages.
///
/// # Errors
/// As [`load`].
pub fn parse(bytes: &[u8], file: &Path) -> Result<Spec, Error> {
    let mut spec = parse_as(bytes, file, repair::spec_lost_words, repair::spec)?;
    repair::drop_empty(&mut spec);
    Ok(spec)
}

/// Reads and parses the process.json at `path`, as `exec --process` takes it: config.json's `process` alone.
///
/// # Errors
/// As [`load`].
pub fn load_process(path: &Path) -> Result<Process, Error> {
    let bytes = read(path)?;
    let mut process = parse_as(&bytes, path, repair::process_lost_words, repair::process)?;
    repair::drop_empty_of_process(&mut process);
    Ok(process)
}

/// Parses config.json's `linux.resources` alone, as `update --resources` takes it; `file` is its name for the messages.
///
/// # Errors
/// It is not JSON, or a property has a wrong type.
pub fn load_resources(bytes: &[u8], file: &Path) -> Result<LinuxResources, Error> {
    parse_as(bytes, file, repair::resources_lost_words, repair::resources)
}

/// The bytes of a configuration file. Neither a FIFO nor a device can hold this up, nor a file that grows.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |call| move |source: io::Error| Error::Read { path: path.to_owned(), call, source };
    let file = open(path).map_err(failed("open"))?;
    let metadata = file.metadata().map_err(failed("stat"))?;
    if !metadata.is_file() {
        return Err(Error::NotAFile(path.to_owned()));
    }
    let size = usize::try_from(metadata.len().min(MAX_SIZE)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(size + 1);
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(failed("read"))?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(Error::TooLarge(path.to_owned()));
    }
    Ok(bytes)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

fn parse_as<T: DeserializeOwned>(
    bytes: &[u8],
    file: &Path,
    lost_words: fn(&T, &[u8]) -> bool,
    repair: fn(&mut Value),
) -> Result<T, Error> {
    let message = match quickly(bytes) {
        Ok(parsed) if !lost_words(&parsed, bytes) => return Ok(parsed),
        // Broken JSON: there is nothing to repair.
        Err(error) if !error.is_data() => error.to_string(),
        outcome => match reread(bytes, repair) {
            Ok(parsed) => return Ok(parsed),
            Err(error) => tell(&error, outcome.err()),
        },
    };
    Err(fault(file, message))
}

fn quickly<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let parsed = T::deserialize(Strict(&mut reader))?;
    reader.end()?;
    Ok(parsed)
}

fn reread<T: DeserializeOwned>(bytes: &[u8], repair: fn(&mut Value)) -> Result<T, PathError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let Tree(mut tree) = serde_path_to_error::deserialize(&mut reader)?;
    reader.end().map_err(|error| PathError::new(Track::new().path(), error))?;
    repair(&mut tree);
    serde_path_to_error::deserialize(Strict(tree))
}

type PathError = serde_path_to_error::Error<serde_json::Error>;

/// The parser's message, led by its JSON path. The tree has no lines and columns any more; they are those of the quick
/// way's complaint, if it is the same one and not about something that was repaired since.
fn tell(error: &PathError, first: Option<serde_json::Error>) -> String {
    let mut message = error.inner().to_string();
    if let Some(first) = first.map(|first| first.to_string()).filter(|first| first.starts_with(&message)) {
        message = first;
    }
    match error.path().to_string().as_str() {
        path if error.inner().is_data() && path != "." => format!("{path}: {message}"),
        _ => message,
    }
}

fn fault(file: &Path, mut message: String) -> Error {
    if let Some((cut, _)) = message.char_indices().nth(MAX_MESSAGE) {
        message.truncate(cut);
        message.push_str("...");
    }
    if message.contains(char::is_control) {
        message = message.replace(char::is_control, " ");
    }
    Error::Parse { path: file.to_owned(), message }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
