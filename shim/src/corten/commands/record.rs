//! A container as `state` and `list` show it.

use crate::failure::Failure;
use runtime_core::{Container, Overview, State, Status};
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf};

/// The runtime specification's state and what runc adds to it, in runc's order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    oci_version: String,
    pub(super) id: String,
    pub(super) pid: i32,
    pub(super) status: Status,
    pub(super) bundle: String,
    rootfs: String,
    pub(super) created: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    pub(super) owner: String,
}

impl Record {
    pub(super) fn of(container: &Container) -> Result<Self, Failure> {
        let (rootfs, created) = (container.rootfs().to_owned(), container.created().to_owned());
        Ok(Self::new(container.state()?, rootfs, created, container.owner()))
    }

    fn new(state: State, rootfs: PathBuf, created: String, owner: String) -> Self {
        let text = |path: PathBuf| {
            path.into_os_string().into_string().unwrap_or_else(|path| path.to_string_lossy().into_owned())
        };
        Self {
            oci_version: state.oci_version,
            id: state.id,
            pid: state.pid.unwrap_or(0),
            status: state.status,
            bundle: text(state.bundle),
            rootfs: text(rootfs),
            created,
            annotations: state.annotations,
            owner,
        }
    }
}

impl From<Overview> for Record {
    fn from(Overview { state, rootfs, created, owner, .. }: Overview) -> Self {
        Self::new(state, rootfs, created, owner)
    }
}
