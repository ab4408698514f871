//! A container as `state` and `list` show it.

use crate::failure::Failure;
use runtime_core::{Container, State};
use serde::Serialize;
use std::collections::BTreeMap;

/// The runtime specification's state and what runc adds to it, in runc's order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    oci_version: String,
    pub(super) id: String,
    pub(super) pid: i32,
    pub(super) status: String,
    pub(super) bundle: String,
    rootfs: String,
    pub(super) created: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    pub(super) owner: String,
}

impl Record {
    pub(super) fn of(container: &Container) -> Result<Self, Failure> {
        Ok(Self::new(container, container.state()?))
    }

    /// The container's, its state being known.
    pub(super) fn new(container: &Container, state: State) -> Self {
        Self {
            oci_version: state.oci_version,
            id: state.id,
            pid: state.pid.unwrap_or(0),
            status: state.status.to_string(),
            bundle: state.bundle.to_string_lossy().into_owned(),
            rootfs: container.rootfs().to_string_lossy().into_owned(),
            created: container.created().to_owned(),
            annotations: state.annotations.into_iter().collect(),
            owner: container.owner(),
        }
    }
}
