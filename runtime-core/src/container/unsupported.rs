//! Properties that Corten does not carry out yet: refused by name, never passed over.

use crate::{Error, ErrorKind, Result};
use oci_spec::runtime::Spec;

/// Refuses what would be ignored.
pub(super) fn check(spec: &Spec) -> Result<()> {
    let Some(linux) = spec.linux() else { return Ok(()) };
    if linux.net_devices().as_ref().is_some_and(|devices| !devices.is_empty()) {
        return refuse("linux.netDevices");
    }
    if linux.intel_rdt().is_some() {
        return refuse("linux.intelRdt");
    }
    let labelled = linux.mount_label().as_deref().is_some_and(|label| !label.is_empty());
    if labelled && std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        return refuse("linux.mountLabel");
    }
    Ok(())
}

fn refuse(property: &str) -> Result<()> {
    Err(Error::new(ErrorKind::Unsupported, format!("{property}: not supported yet")))
}
