//! Bytes to the specification's types.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::{
    guards::{self, Guard},
    spec::{self, LinuxResources, Mount, Process, Spec},
};

use super::{Error, validate_resources};

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
    let mut spec: Spec = spec::from_slice(bytes).map_err(|message| fault(file, message))?;
    if is_before_1_3(&spec.version) {
        forget_zero_pids(&mut spec);
    }
    Ok(spec)
}

/// Whether this is the version of a specification older than 1.3.
fn is_before_1_3(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version < (1, 3))
}

/// Engines' writers put down the 0 of a limit that was not set; since 1.3 it is a limit of its own.
fn forget_zero_pids(spec: &mut Spec) {
    let resources = spec.linux.as_mut().and_then(|linux| linux.resources.as_mut());
    if let Some(resources) = resources {
        resources.pids.take_if(|pids| pids.limit == Some(0));
    }
}

/// Reads and parses the process.json at `path`, as `exec --process` takes it: config.json's `process` alone.
///
/// # Errors
/// The file is missing, not a regular file, too large, not JSON, or a property has a wrong type.
///
/// # Example
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{Container, ProcessBuilder, default_root, load_process};
///
/// let container = Container::load(default_root(), "web-1")?;
/// let process = load_process("/srv/web/process.json".as_ref())?;
/// println!("{}", container.exec(ProcessBuilder::new(process))?.wait()?);
/// # Ok(()) }
/// ```
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
/// assert_eq!(process.args, ["sh"]);
/// # Ok(()) }
/// ```
pub fn parse_process(bytes: &[u8], file: &Path) -> crate::Result<Process> {
    spec::from_slice(bytes).map_err(|message| fault(file, message).into())
}

/// Parses config.json's `linux.resources` alone, as `update --resources` takes it; `file` is its name for the messages.
///
/// # Errors
/// It is not JSON, or a property has a wrong type or cannot be right.
///
/// ```
/// # fn main() -> runtime_core::Result<()> {
/// let limits = runtime_core::load_resources(br#"{"pids": {"limit": 7}}"#, std::path::Path::new("limits"))?;
/// assert_eq!(limits.pids.and_then(|pids| pids.limit), Some(7));
/// # Ok(()) }
/// ```
pub fn load_resources(bytes: &[u8], file: &Path) -> crate::Result<LinuxResources> {
    let resources = spec::from_slice(bytes).map_err(|message| fault(file, message))?;
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
    let mounts = parse(&document, file)?.mounts;
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

#[cfg(test)]
#[path = "reading_tests.rs"]
mod reading_tests;
