//! What of a config.json is read: the sections of the other platforms are not, and cannot make a Linux container fail.

use std::collections::HashMap;

use oci_spec::runtime::{Hooks, Linux, Mount, Process, Root, Spec};
use serde::Deserialize;

/// A config.json as it is read.
#[derive(Deserialize)]
#[serde(from = "Document")]
pub(super) struct ForLinux(pub(super) Spec);

#[derive(Default, Deserialize)]
#[serde(expecting = "struct Spec", rename_all = "camelCase", default)]
struct Document {
    oci_version: String,
    root: Option<Root>,
    mounts: Option<Vec<Mount>>,
    process: Option<Process>,
    hostname: Option<String>,
    domainname: Option<String>,
    hooks: Option<Hooks>,
    annotations: Option<HashMap<String, String>>,
    linux: Option<Linux>,
}

impl From<Document> for ForLinux {
    fn from(document: Document) -> Self {
        // Every property of the default that a Linux container has is replaced.
        let mut spec = Spec::default();
        spec.set_version(document.oci_version)
            .set_root(document.root)
            .set_mounts(document.mounts)
            .set_process(document.process)
            .set_hostname(document.hostname)
            .set_domainname(document.domainname)
            .set_hooks(document.hooks)
            .set_annotations(document.annotations)
            .set_linux(document.linux);
        Self(spec)
    }
}
