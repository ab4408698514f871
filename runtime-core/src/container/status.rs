//! What a container is doing, found out from the kernel and not remembered: runtime.md, "State".

use super::{
    record::{ProcessId, Record},
    store::Store,
};
use crate::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

/// What a container is doing.
///
/// ```
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::Status;
///
/// assert_eq!(Status::Running.to_string(), "running");
/// assert_eq!("paused".parse::<Status>()?, Status::Paused);
/// # Ok(()) }
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being made.
    Creating,
    /// Made, its program not yet executed.
    Created,
    /// Its program runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// Its first process has ended.
    Stopped,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

impl FromStr for Status {
    type Err = Error;

    /// The word of the specification, as [`Display`](fmt::Display) writes it.
    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Creating, Self::Created, Self::Running, Self::Paused, Self::Stopped];
        let unknown = || Error::new(ErrorKind::InvalidArgument, format!("unknown status {text:?}"));
        all.into_iter().find(|status| status.word() == text).ok_or_else(unknown)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The document that `state` prints and hooks read: runtime.md, "State".
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use runtime_core::{State, Status};
///
/// // What a hook reads from its standard input.
/// let text = r#"{"ociVersion": "1.3.0", "id": "web", "status": "created", "pid": 4711, "bundle": "/srv/web"}"#;
/// let state: State = serde_json::from_str(text)?;
/// assert_eq!((state.status, state.pid), (Status::Created, Some(4711)));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct State {
    /// The version of the specification that the configuration follows.
    pub oci_version: String,
    /// The container's id.
    pub id: String,
    /// What it is doing.
    pub status: Status,
    /// Its first process in the runtime's pid namespace; absent when it is stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The folder of config.json, absolute.
    pub bundle: PathBuf,
    /// The annotations of the configuration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What the container of `record` is doing. The init program holds a lock until it becomes the container's program, so the
/// kernel knows a created container from a running one, whatever was killed when.
///
/// The process is told with it: a container may have been finished since `record` was read.
pub(super) fn of(store: &Store, record: &Record) -> Result<(Status, Option<ProcessId>)> {
    let process = match record.process {
        Some(process) => process,
        // Whoever makes a container holds its lock.
        None if store.is_locked()? => return Ok((Status::Creating, None)),
        None => match store.read()?.process {
            Some(process) => process,
            // The making was cut short.
            None => return Ok((Status::Stopped, None)),
        },
    };
    let waits = store.init_waits()?;
    let status = of_process(process, waits, record.cgroup.is_frozen()?)?;
    Ok((status, Some(process).filter(|_| status != Status::Stopped)))
}

/// The same of one whose process is on record, the kernel having been asked whether it waits for its start, and then whether its cgroup is
/// frozen.
pub(super) fn of_process(process: ProcessId, waits: bool, frozen: bool) -> Result<Status> {
    // Who holds that lock lives. What holds none runs, or has ended: its cgroup may be gone before that is seen.
    if !waits && !process.is_alive()? {
        return Ok(Status::Stopped);
    }
    Ok(match (frozen, waits) {
        (true, _) => Status::Paused,
        (false, true) => Status::Created,
        (false, false) => Status::Running,
    })
}
