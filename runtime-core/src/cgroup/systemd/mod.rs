//! The systemd cgroup manager: a container's cgroup is that of a transient unit, which systemd makes around the container's
//! first process. One call makes it with all limits, one changes them, one removes it.
//!
//! A scope cannot be without a process, so the process is not born inside; it waits for its cgroup before it does anything
//! that depends on it.

mod bus;
mod dbus;
mod path;
mod properties;
#[cfg(test)]
mod tests;
mod variant;

pub(super) use properties::Host;

use super::{
    devices::Policy,
    error::{Error, Result},
};
use crate::{spec::LinuxResources, sys::process::in_user_namespace};
use bus::{Bus, INVALID, NO_SUCH_UNIT, READ_ONLY, UNIT_EXISTS, failed};
use dbus::{Failure, Value};
use nix::unistd::geteuid;
use properties::Property;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// How often a name that is still in use is tried again, and how long after.
const AGAIN: (u32, Duration) = (5, Duration::from_millis(20));

/// A container's unit. It is kept in state.json.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unit {
    /// As `docker-1234.scope`.
    name: String,
    /// As `system.slice`.
    slice: String,
    /// The runtime directory of the user whose systemd it is; none for the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    runtime_dir: Option<PathBuf>,
}

/// What a new unit is to be like.
pub(super) struct New<'a> {
    /// The container's id.
    pub(super) id: &'a str,
    pub(super) pid: i32,
    pub(super) resources: &'a LinuxResources,
    pub(super) annotations: &'a BTreeMap<String, String>,
}

impl Unit {
    /// Decides on the unit of container `id` by linux.cgroupsPath.
    pub(super) fn new(path: Option<&Path>, id: &str) -> Result<Self> {
        let runtime_dir = is_rootless().then(runtime_dir);
        let slice = if runtime_dir.is_some() { "user.slice" } else { "system.slice" };
        let path::Place { unit, slice } = path::read(path, id, slice)?;
        Ok(Self { name: unit, slice, runtime_dir })
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is one of a user's systemd.
    pub(super) fn is_users(&self) -> bool {
        self.runtime_dir.is_some()
    }

    /// Whether systemd keeps its cgroup only as long as there is a process in it.
    pub(super) fn is_scope(&self) -> bool {
        self.name.ends_with(".scope")
    }

    /// Where its cgroup is below the root of every hierarchy that systemd has.
    pub(super) fn cgroup(&self) -> Result<PathBuf> {
        let slice = if self.is_scope() { &self.slice } else { &self.name };
        let place = bus::root(self.runtime_dir.as_deref())?.join(path::expand(slice)?);
        Ok(if self.is_scope() { place.join(&self.name) } else { place })
    }

    /// Makes it, and waits until systemd has. `made` is called when it is known to be ours.
    pub(super) fn start(&self, new: &New<'_>, host: &Host, made: impl FnOnce()) -> Result<()> {
        let mut properties = self.properties(new, host)?;
        let doing = || format!("systemd: start {}", self.name);
        let mut bus = Bus::open(self.runtime_dir.as_deref(), Some(&self.name))?;
        let mut made = Some(made);
        let mut version = None;
        let mut tries = 0;
        loop {
            let arguments = [
                Value::text(self.name.as_str()),
                Value::text("fail"),
                list(&properties),
                Value::array("(sa(sv))", []),
            ];
            let ended = bus.run_job("StartTransientUnit", &arguments, || {
                if let Some(made) = made.take() {
                    made();
                }
            });
            match ended {
                Ok(result) if result == "done" => return Ok(()),
                Ok(result) => {
                    let answer = format!("the job ended with {result:?}");
                    return Err(Error::Systemd { doing: doing(), answer, name: String::new() });
                }
                Err(Failure::Answer { name, .. }) if name == UNIT_EXISTS && tries < AGAIN.0 => {
                    // One that failed is left over; one that has just ended is about to be forgotten.
                    if tries == 0 {
                        let _ = bus.call("ResetFailedUnit", &arguments[..1]);
                    } else {
                        thread::sleep(AGAIN.1);
                    }
                    tries += 1;
                }
                Err(Failure::Answer { name, .. }) if name == UNIT_EXISTS => {
                    return Err(Error::UnitExists { unit: self.name.clone() });
                }
                Err(failure) => {
                    adapt(&mut bus, &mut properties, &failure, &mut version)
                        .then_some(())
                        .ok_or_else(|| of_property(&properties, doing(), failure))?;
                }
            }
        }
    }

    fn properties(&self, new: &New<'_>, host: &Host) -> Result<Vec<Property>> {
        let place = path::Place { unit: self.name.clone(), slice: self.slice.clone() };
        let pid = self.is_scope().then(|| new.pid.unsigned_abs());
        let mut all = properties::unit(&place, new.id, pid, host.unified);
        let policy = Policy::new(new.resources.devices.as_deref().unwrap_or_default())?;
        all.extend(properties::devices(&policy, host, true));
        all.extend(properties::resources(new.resources, host)?);
        let given = properties::annotations(new.annotations)?;
        all.retain(|property| !given.iter().any(|other| other.name == property.name));
        all.extend(given);
        Ok(all)
    }

    /// Changes the limits that systemd has properties for.
    pub(super) fn set(&self, resources: &LinuxResources, host: &Host) -> Result<()> {
        let mut properties = Vec::new();
        if let Some(rules) = &resources.devices {
            properties.extend(properties::devices(&Policy::new(rules)?, host, false));
        }
        properties.extend(properties::resources(resources, host)?);
        if properties.is_empty() {
            return Ok(());
        }
        let mut bus = Bus::open(self.runtime_dir.as_deref(), None)?;
        let mut version = None;
        loop {
            let arguments = [Value::text(self.name.as_str()), Value::Bool(true), list(&properties)];
            let Err(failure) = bus.call("SetUnitProperties", &arguments) else { return Ok(()) };
            if !adapt(&mut bus, &mut properties, &failure, &mut version) {
                return Err(failed(format!("systemd: set properties of {}", self.name), failure));
            }
        }
    }

    /// Stops and removes it; one that is gone is fine.
    pub(super) fn stop(&self) -> Result<()> {
        let doing = || format!("systemd: stop {}", self.name);
        let mut bus = Bus::open(self.runtime_dir.as_deref(), Some(&self.name))?;
        let name = Value::text(self.name.as_str());
        match bus.run_job("StopUnit", &[name.clone(), Value::text("replace")], || ()) {
            Err(Failure::Answer { name, .. }) if name == NO_SUCH_UNIT => return Ok(()),
            Err(failure) => return Err(failed(doing(), failure)),
            Ok(result) if result != "done" => log::warn!("{}: the job ended with {result:?}", doing()),
            Ok(_) => {}
        }
        // One that failed would stay; mostly there is none any more.
        let _ = bus.call("ResetFailedUnit", &[name]);
        Ok(())
    }

    /// Has systemd move the process `pid` into the sub-cgroup `sub` of it, as an ordinary user's own process from outside of
    /// what is that user's.
    pub(super) fn attach(&self, pid: i32, sub: &Path) -> Result<()> {
        let mut bus = Bus::open(self.runtime_dir.as_deref(), None)?;
        let arguments = [
            Value::text(self.name.as_str()),
            Value::text(Path::new("/").join(sub).to_string_lossy()),
            Value::array("u", [Value::U32(pid.unsigned_abs())]),
        ];
        let attached = bus.call("AttachProcessesToUnit", &arguments);
        attached
            .map(drop)
            .map_err(|failure| failed(format!("systemd: move process {pid} into {}", self.name), failure))
    }
}

/// Checks the annotations that become properties.
pub(super) fn check_annotations(annotations: &BTreeMap<String, String>) -> Result<()> {
    properties::annotations(annotations).map(drop)
}

fn list(properties: &[Property]) -> Value {
    Value::array("(sv)", properties.iter().map(Property::to_value))
}

/// Takes out the properties that this systemd is too old for, where that may be why it failed. False where there is nothing to
/// take out. The version is asked for only here.
fn adapt(
    bus: &mut Bus,
    properties: &mut Vec<Property>,
    failure: &Failure,
    version: &mut Option<u32>,
) -> bool {
    let Failure::Answer { name, words } = failure else { return false };
    if ![READ_ONLY, INVALID].contains(&name.as_str()) {
        return false;
    }
    let before = properties.len();
    if version.is_none() {
        let found = bus.version().unwrap_or(0);
        *version = Some(found);
        properties.retain(|property| property.since.is_none_or(|since| since <= found));
    }
    if properties.len() == before {
        // A newer one that no longer knows it?
        let unknown = words.strip_prefix("Cannot set property ").and_then(|words| words.split(',').next());
        properties.retain(|property| property.since.is_none() || Some(property.name.as_str()) != unknown);
    }
    log::debug!("systemd: {words}: {} properties are done without", before - properties.len());
    properties.len() < before
}

/// An error that names the annotation that it is about, if it is about one.
fn of_property(properties: &[Property], doing: String, failure: Failure) -> Error {
    if let Failure::Answer { name, words } = &failure
        && [READ_ONLY, INVALID].contains(&name.as_str())
        && let Some(property) = properties.iter().find(|property| {
            property.annotation && words.split([' ', ',', '=', '\'']).any(|word| word == property.name)
        })
    {
        let place = format!("annotations[\"{}{}\"]", crate::annotations::SYSTEMD_PROPERTY, property.name);
        return Error::config(place, format!("{doing}: {words}"));
    }
    failed(doing, failure)
}

/// Whether the systemd to ask is a user's: for one who is root only in a user namespace, as beneath rootless Podman, `$USER`
/// tells.
fn is_rootless() -> bool {
    !geteuid().is_root() || env::var_os("USER").is_none_or(|name| name != "root") && in_user_namespace()
}

fn runtime_dir() -> PathBuf {
    let given = env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    given.unwrap_or_else(|| PathBuf::from(format!("/run/user/{}", geteuid())))
}
