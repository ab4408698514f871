//! User and group id mappings, user_namespaces(7): written by the parent, or by newuidmap(1) and newgidmap(1) where the
//! caller may not.

use crate::{
    Error, ErrorKind, Result,
    spec::{LinuxIdMapping, Spec},
};
use nix::unistd::{getegid, geteuid};
use std::{fs, io, process::Command};

/// The mappings of a container's new user namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IdMaps {
    uid: Vec<LinuxIdMapping>,
    gid: Vec<LinuxIdMapping>,
}

impl IdMaps {
    /// linux.uidMappings and linux.gidMappings.
    pub(crate) fn of(spec: &Spec) -> Self {
        let Some(linux) = &spec.linux else { return Self::default() };
        Self { uid: linux.uid_mappings.clone(), gid: linux.gid_mappings.clone() }
    }

    /// These mappings.
    pub(crate) fn new(uid: Vec<LinuxIdMapping>, gid: Vec<LinuxIdMapping>) -> Self {
        Self { uid, gid }
    }

    /// The mappings of user ids.
    pub(crate) fn uids(&self) -> &[LinuxIdMapping] {
        &self.uid
    }

    /// The mappings of group ids.
    pub(crate) fn gids(&self) -> &[LinuxIdMapping] {
        &self.gid
    }

    /// Writes the mappings of process `pid`, which is in its new user namespace and has none yet.
    ///
    /// # Errors
    /// The kernel's answer, or what newuidmap said.
    pub(crate) fn write(&self, pid: i32) -> Result<()> {
        if self.needs_helper() {
            run_helper("newuidmap", pid, &self.uid)?;
            return run_helper("newgidmap", pid, &self.gid);
        }
        if !geteuid().is_root() {
            // An unprivileged user may map its own group only after giving up setgroups(2).
            write_file(pid, "setgroups", "deny", "linux.gidMappings")?;
        }
        write_file(pid, "uid_map", &table(&self.uid), "linux.uidMappings")?;
        write_file(pid, "gid_map", &table(&self.gid), "linux.gidMappings")
    }

    /// Whether setgroups(2) works in the namespace.
    pub(crate) fn allow_setgroups(&self) -> bool {
        geteuid().is_root() || self.needs_helper()
    }

    /// An unprivileged user may write one range of one id, its own.
    fn needs_helper(&self) -> bool {
        let own = |mappings: &[LinuxIdMapping], id: u32| matches!(mappings, [only] if only.size == 1 && only.host_id == id);
        let (uid, gid) = (geteuid(), getegid());
        !(uid.is_root() || own(&self.uid, uid.as_raw()) && own(&self.gid, gid.as_raw()))
    }
}

/// The lines of uid_map.
fn table(mappings: &[LinuxIdMapping]) -> String {
    let line =
        |mapping: &LinuxIdMapping| format!("{} {} {}\n", mapping.container_id, mapping.host_id, mapping.size);
    mappings.iter().map(line).collect()
}

fn write_file(pid: i32, name: &str, text: &str, place: &str) -> Result<()> {
    let path = format!("/proc/{pid}/{name}");
    match fs::write(&path, text) {
        Err(error) if name == "setgroups" && error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|error| Error::io(format!("{place}: write {path}"), error)),
    }
}

fn run_helper(name: &str, pid: i32, mappings: &[LinuxIdMapping]) -> Result<()> {
    let numbers = mappings.iter().flat_map(|mapping| [mapping.container_id, mapping.host_id, mapping.size]);
    let output = Command::new(name)
        .arg(pid.to_string())
        .args(numbers.map(|number| number.to_string()))
        .output()
        .map_err(|error| Error::io(format!("linux.uidMappings: run {name}"), error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(Error::new(ErrorKind::Permission, format!("linux.uidMappings: {name}: {said}")))
}
