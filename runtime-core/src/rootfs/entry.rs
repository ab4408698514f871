//! An entry of `mounts`, and how what it asks for is attached: what all kinds of mounts share.

use super::{
    Rootfs, attributes,
    options::{self, MountOptions},
};
use crate::{
    Error, ErrorKind, Result,
    plan::{Place, Program, path_text},
    spec::{Mount, Spec},
};
use corten_init::{
    step::{Slot, Step},
    wire::Text,
};
use std::path::{Path, PathBuf};

/// One entry of `mounts`, its options understood.
pub(super) struct Entry<'a> {
    pub(super) place: Place,
    pub(super) mount: &'a Mount,
    pub(super) options: MountOptions,
    /// The destination, absolute: older specifications allowed it to be relative to the root.
    pub(super) target: PathBuf,
}

impl<'a> Entry<'a> {
    fn new(index: usize, mount: &'a Mount) -> Result<Self> {
        let place = Place::Item("mounts", index);
        let list = &mount.options;
        let options =
            options::parse(list, mount.typ.as_deref().unwrap_or_default()).map_err(|(option, why)| {
                Error::new(ErrorKind::InvalidConfig, format!("mounts[{index}].options[{option}]: {why}"))
            })?;
        let target = Path::new("/").join(&mount.destination);
        Ok(Self { place, mount, options, target })
    }

    /// Where it is mounted.
    pub(super) fn target(&self) -> Text<'_> {
        path_text(&self.target)
    }

    /// The file system's type.
    pub(super) fn kind(&self) -> &str {
        self.mount.typ.as_deref().unwrap_or_default()
    }

    /// An error that names the entry.
    pub(super) fn error(&self, kind: ErrorKind, why: &str) -> Error {
        Error::new(kind, format!("{}: {why}", self.place.describe(None)))
    }

    /// What a bind mount binds, on the host.
    pub(super) fn source(&self, bundle: &Path) -> Result<PathBuf> {
        match &self.mount.source {
            Some(source) if !source.as_os_str().is_empty() => Ok(bundle.join(source)),
            _ => Err(self.error(ErrorKind::InvalidConfig, "source: a bind mount must have one")),
        }
    }
}

/// All entries in their order.
pub(super) fn entries<'a>(rootfs: &Rootfs<'a>) -> Result<Vec<Entry<'a>>> {
    all(rootfs.spec)
}

/// Those of a configuration.
pub(super) fn all(spec: &Spec) -> Result<Vec<Entry<'_>>> {
    let list = spec.mounts.as_slice();
    list.iter().enumerate().map(|(index, mount)| Entry::new(index, mount)).collect()
}

/// Attaches a mount and sets its propagation: one that is attached beneath a shared mount becomes shared itself.
pub(super) fn plan_attach(
    rootfs: &Rootfs<'_>,
    entry: &Entry<'_>,
    program: &mut Program,
    slot: Slot,
    strictness: u8,
) {
    let root = rootfs.slots.root;
    program.step(entry.place, &Step::Attach { slot, target: entry.target(), strictness, root });
    for change in &entry.options.propagation {
        program.step(entry.place, &attributes(slot, change.recursive, 0, 0, change.kind));
    }
}
