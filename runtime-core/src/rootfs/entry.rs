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
use std::{borrow::Cow, os::unix::ffi::OsStrExt, path::Path};

/// One entry of `mounts`, its options understood.
pub(super) struct Entry<'a> {
    pub(super) place: Place,
    pub(super) mount: &'a Mount,
    pub(super) options: MountOptions,
    /// The destination, absolute: older specifications allowed it to be relative to the root.
    pub(super) target: Cow<'a, Path>,
}

impl<'a> Entry<'a> {
    pub(super) fn new(index: usize, mount: &'a Mount) -> Result<Self> {
        let place = Place::Item("mounts", index);
        let list = &mount.options;
        let options =
            options::parse(list, mount.typ.as_deref().unwrap_or_default()).map_err(|(option, why)| {
                Error::new(ErrorKind::InvalidConfig, format!("mounts[{index}].options[{option}]: {why}"))
            })?;
        Ok(Self { place, mount, options, target: absolute(&mount.destination, Path::new("/")) })
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
    pub(super) fn source(&self, bundle: &Path) -> Result<Cow<'a, Path>> {
        match &self.mount.source {
            Some(source) if !source.as_os_str().is_empty() => Ok(absolute(source, bundle)),
            _ => Err(self.error(ErrorKind::InvalidConfig, "source: a bind mount must have one")),
        }
    }
}

/// All entries of a configuration in their order, each when it is asked for: a list may be long.
pub(super) fn all(spec: &Spec) -> impl Iterator<Item = Result<Entry<'_>>> {
    spec.mounts.iter().enumerate().map(|(index, mount)| Entry::new(index, mount))
}

/// `path`, which is copied only where it is relative to `base`.
fn absolute<'a>(path: &'a Path, base: &Path) -> Cow<'a, Path> {
    match path.as_os_str().as_bytes().first() {
        Some(b'/') => Cow::Borrowed(path),
        _ => Cow::Owned(base.join(path)),
    }
}

/// The names that an absolute path is made of: what `Path::components` tells too, at many times the cost.
pub(super) fn names(path: &Path) -> impl Iterator<Item = &[u8]> {
    let parts = path.as_os_str().as_bytes().split(|byte| *byte == b'/');
    parts.filter(|part| !part.is_empty() && *part != b".")
}

/// Whether the first name of `path` is this one.
pub(super) fn begins(path: &Path, name: &str) -> bool {
    names(path).next() == Some(name.as_bytes())
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
