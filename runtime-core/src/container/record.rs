//! What is kept of a container between operations: `state.json` in its state directory.

use super::{State, Status};
use crate::{
    Result,
    cgroup::Cgroup,
    fs::{passwd, procfs},
    resctrl::Group,
};
use oci_spec::runtime::Hooks;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, fs::File, path::PathBuf};

/// A process, proved by its start time to be the one that was meant: numbers are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProcessId {
    /// Its id in the runtime's pid namespace.
    pub(super) pid: i32,
    /// When it began, in clock ticks since boot.
    pub(super) start_time: u64,
}

impl ProcessId {
    /// The process that now has `pid`, if there is one.
    ///
    /// # Errors
    /// That cannot be found out.
    pub(super) fn of(pid: i32) -> Result<Option<Self>> {
        Ok(procfs::started(pid)?.map(|(start_time, _)| Self { pid, start_time }))
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// That cannot be found out.
    pub(super) fn is_alive(&self) -> Result<bool> {
        Ok(procfs::started(self.pid)? == Some((self.start_time, true)))
    }
}

/// state.json.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) oci_version: String,
    pub(super) id: String,
    pub(super) bundle: PathBuf,
    pub(super) rootfs: PathBuf,
    /// RFC 3339.
    pub(super) created: String,
    /// The user who made it.
    pub(super) owner: u32,
    /// That user's name, if it has been looked up for many at once.
    #[serde(skip)]
    pub(super) owner_name: Option<String>,
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    pub(super) annotations: HashMap<String, String>,
    /// The first process; none until it is ready.
    pub(super) process: Option<ProcessId>,
    /// CLONE_NEW* flags of the namespaces that are the container's own.
    pub(super) namespaces: u32,
    /// The same of those that were made for it and not joined.
    #[serde(default)]
    pub(super) new_namespaces: u32,
    pub(super) cgroup: Cgroup,
    /// What the kernel calls the standard streams that it was given; none where it has a terminal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) stdio: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) intel_rdt: Option<Group>,
    /// Hooks that are yet to be run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hooks: Option<Hooks>,
}

impl Record {
    /// The document of runtime.md, "State".
    pub(super) fn state(&self, status: Status) -> State {
        let pid = match status {
            Status::Stopped => None,
            _ => self.process.map(|process| process.pid),
        };
        self.state_of(status, pid)
    }

    /// The same with a process that is not on record yet.
    pub(super) fn state_of(&self, status: Status, pid: Option<i32>) -> State {
        State {
            oci_version: self.oci_version.clone(),
            id: self.id.clone(),
            status,
            pid,
            bundle: self.bundle.clone(),
            annotations: self.annotations.clone(),
        }
    }

    /// The name of the owner, or the number.
    pub(super) fn owner_name(&self) -> String {
        if let Some(name) = &self.owner_name {
            return name.clone();
        }
        let name = File::open("/etc/passwd").ok().and_then(|file| passwd::name_of(file, self.owner));
        name.unwrap_or_else(|| self.owner.to_string())
    }
}
