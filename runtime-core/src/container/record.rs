//! What is kept of a container between operations: `state.json` in its state directory.

use super::{State, Status};
use crate::{
    Result,
    cgroup::Cgroup,
    fs::{passwd, procfs},
    resctrl::Group,
    spec::Hooks,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs::File, path::PathBuf, time::SystemTime};

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
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
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
        name_of(self.owner)
    }
}

/// The name of the user `uid`, or the number.
pub(super) fn name_of(uid: u32) -> String {
    let name = File::open("/etc/passwd").ok().and_then(|file| passwd::name_of(file, uid));
    name.unwrap_or_else(|| uid.to_string())
}

/// A time by RFC 3339 in UTC, to the nanosecond.
pub(super) fn rfc3339(time: SystemTime) -> String {
    // A clock before 1970 is none.
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Years begin in March, so that a leap day is the last of its year; 400 of them have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let nanos = since.subsec_nanos();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_those_of_date() {
        // `date -u -d @SECONDS +%FT%TZ`
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000000Z"),
            (951_868_800, "2000-03-01T00:00:00.000000000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000000000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000000Z"),
        ] {
            assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
        let late = SystemTime::UNIX_EPOCH + Duration::new(1_800_000_000, 5);
        assert_eq!(rfc3339(late), "2027-01-15T08:00:00.000000005Z");
    }
}
