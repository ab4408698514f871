//! What stands for systemd as the maker of cgroups in a program without the feature `systemd`: nothing that could be.

use super::{
    Cgroup,
    error::{Error, Result},
    tree::Tree,
};
use crate::spec::LinuxResources;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

/// There is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Unit {}

impl Unit {
    pub(super) fn is_users(&self) -> bool {
        match *self {}
    }
}

impl Cgroup {
    pub(super) fn of_systemd(_: Option<&Path>, _: &str, _: &BTreeMap<String, String>) -> Result<Self> {
        let reason = "this program was built without the feature `systemd`";
        Err(Error::unsupported("the cgroup manager systemd", reason))
    }

    /// Whether the cgroup can only be made around the container's first process: systemd's.
    pub fn waits_for_process(&self) -> bool {
        self.unit.is_some()
    }

    /// Nothing: there is no unit.
    pub fn enter(&mut self, _: i32, _: &str, _: &LinuxResources, _: &BTreeMap<String, String>) -> Result<()> {
        Ok(())
    }

    #[cfg(feature = "checkpoint")]
    pub fn enter_without_limits(&mut self, _: i32, _: &str, _: &BTreeMap<String, String>) -> Result<()> {
        Ok(())
    }

    #[cfg(feature = "checkpoint")]
    pub fn apply_late(&self, resources: &LinuxResources) -> Result<()> {
        self.apply(resources)
    }

    #[expect(clippy::unused_self, reason = "as with systemd")]
    pub(super) fn update_unit(&self, _: &LinuxResources) -> Result<()> {
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "as with systemd")]
    pub(super) fn remove_unit(&self) -> Result<()> {
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "as with systemd")]
    pub(super) fn attach_by_systemd(&self, _: &Tree, _: i32, refused: Error) -> Result<()> {
        Err(refused)
    }
}
