//! Bytes to the specification's types. The quick way is serde_json straight into them. Only when that fails, or gives
//! something that may have lost a word, is the document read as a tree, repaired, and turned into the types again.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use oci_spec::runtime::{LinuxResources, Mount, Process, Spec};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::guards::{self, Guard};

use super::{
    Error,
    document::ForLinux,
    repair,
    strict::{Strict, Trail},
    tree::Tree,
    validate_resources,
};

/// The largest configuration file that is read, in bytes. Arguments and environment together cannot be larger than 6
/// MiB (execve(2)), so nothing that could run is turned away.
pub(super) const MAX_SIZE: u64 = 16 << 20;

/// The longest message of the parser that is passed on: it quotes values, and those can be as large as the file.
const MAX_MESSAGE: usize = 300;

/// Parses the bytes of a config.json; `file` is its name for the messages.
///
/// # Errors
/// They are not JSON, or a property has a wrong type.
pub(crate) fn parse(bytes: &[u8], file: &Path) -> Result<Spec, Error> {
    let ForLinux(mut spec) = parse_as(bytes, file, repair::spec_lost_words, repair::spec)?;
    repair::drop_empty(&mut spec);
    Ok(spec)
}

/// Reads and parses the process.json at `path`, as `exec --process` takes it: config.json's `process` alone.
///
/// # Errors
/// The file is missing, not a regular file, too large, not JSON, or a property has a wrong type.
pub fn load_process(path: &Path) -> crate::Result<Process> {
    parse_process(&read(path)?, path)
}

/// Parses config.json's `process` alone, from memory; `file` is its name for the messages.
///
/// # Errors
/// It is not JSON, or a property has a wrong type.
///
/// ```
/// # fn main() -> runtime_core::Result<()> {
/// use std::path::Path;
///
/// let text = br#"{"args": ["sh"], "cwd": "/", "user": {"uid": 0, "gid": 0}}"#;
/// let process = runtime_core::parse_process(text, Path::new("process.json"))?;
/// assert_eq!(process.args().as_deref(), Some(&["sh".to_owned()][..]));
/// # Ok(()) }
/// ```
pub fn parse_process(bytes: &[u8], file: &Path) -> crate::Result<Process> {
    let mut process = parse_as(bytes, file, repair::process_lost_words, repair::process)?;
    repair::drop_empty_of_process(&mut process);
    Ok(process)
}

/// Parses config.json's `linux.resources` alone, as `update --resources` takes it; `file` is its name for the messages.
///
/// # Errors
/// It is not JSON, or a property has a wrong type or cannot be right.
///
/// ```
/// # fn main() -> runtime_core::Result<()> {
/// let limits = runtime_core::load_resources(br#"{"pids": {"limit": 7}}"#, std::path::Path::new("limits"))?;
/// assert_eq!(limits.pids().map(|pids| pids.limit()), Some(7));
/// # Ok(()) }
/// ```
pub fn load_resources(bytes: &[u8], file: &Path) -> crate::Result<LinuxResources> {
    let resources = parse_as(bytes, file, repair::resources_lost_words, repair::resources)?;
    validate_resources(&resources, "")?;
    Ok(resources)
}

/// Parses mounts alone, as `mounts add` and `mounts remove` take them: a list, or a document with a property `mounts`, as
/// config.json is one; `file` is its name for the messages.
///
/// # Errors
/// It is not JSON, a property has a wrong type, or there is no mount.
///
/// ```
/// # fn main() -> runtime_core::Result<()> {
/// let text = br#"[{"destination": "/mnt", "type": "tmpfs", "source": "tmpfs"}]"#;
/// assert_eq!(runtime_core::load_mounts(text, std::path::Path::new("mounts"))?.len(), 1);
/// # Ok(()) }
/// ```
pub fn load_mounts(bytes: &[u8], file: &Path) -> crate::Result<Vec<Mount>> {
    let list = bytes.trim_ascii_start().starts_with(b"[");
    let document = if list { [b"{\"mounts\":", bytes, b"}"].concat() } else { bytes.to_vec() };
    let mounts = parse(&document, file)?.mounts().clone().unwrap_or_default();
    if mounts.is_empty() {
        return Err(fault(file, "mounts: must not be empty".to_owned()).into());
    }
    Ok(mounts)
}

/// The bytes of the configuration file at `path`. Neither a FIFO nor a device can hold this up, nor a file that grows.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |call| move |source: io::Error| Error::Read { path: path.to_owned(), call, source };
    if !guards::on(Guard::ConfigSize) {
        return std::fs::read(path).map_err(failed("read"));
    }
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
    let first = match quickly(bytes, &Trail::default()) {
        Ok(parsed) if !lost_words(&parsed, bytes) => return Ok(parsed),
        outcome => outcome.err(),
    };
    reread(bytes, repair, first).map_err(|message| fault(file, message))
}

fn quickly<T: DeserializeOwned>(bytes: &[u8], trail: &Trail) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let parsed = T::deserialize(Strict(&mut reader, trail))?;
    reader.end()?;
    Ok(parsed)
}

/// Parses what `bytes` are after their repair. `first` is what the quick way had to say of them: it knows the line and
/// column, if the complaint is still the same.
fn reread<T: DeserializeOwned>(
    bytes: &[u8],
    repair: fn(&mut Value),
    first: Option<serde_json::Error>,
) -> Result<T, String> {
    let Tree(mut tree) = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    repair(&mut tree);
    // Written out again for the sake of size: to read the types from a tree takes as much code as to read them from text.
    let repaired = serde_json::to_vec(&tree).map_err(|error| error.to_string())?;
    let trail = Trail::default();
    quickly(&repaired, &trail).map_err(|error| {
        let error = error.to_string();
        let message = without_position(&error);
        let first = first.map(|first| first.to_string()).filter(|first| without_position(first) == message);
        let message = first.as_deref().unwrap_or(message);
        match trail.path(&tree).as_str() {
            "" => message.to_owned(),
            path => format!("{path}: {message}"),
        }
    })
}

fn without_position(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |end| &message[..end])
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
