//! `linux.maskedPaths` and `linux.readonlyPaths`, config-linux.md.

use super::{Rootfs, label};
use crate::{
    Result,
    plan::{Place, Program, path_text, text},
};
use corten_init::{
    step::{NO_SLOT, Step},
    wire::Texts,
};
use std::path::PathBuf;

fn masked<'a>(rootfs: &Rootfs<'a>) -> &'a [PathBuf] {
    super::masked_paths(rootfs.spec)
}

fn read_only<'a>(rootfs: &Rootfs<'a>) -> &'a [PathBuf] {
    rootfs.spec.linux.as_ref().map_or(&[], |linux| &linux.readonly_paths)
}

/// Plans a clone of the host's /dev/null, taken while the host's tree is there: an image has no say in what masks a file.
pub(super) fn plan_null(rootfs: &mut Rootfs<'_>, program: &mut Program) -> Result<()> {
    if rootfs.slots.null != NO_SLOT || masked(rootfs).is_empty() {
        return Ok(());
    }
    let slot = program.slot()?;
    let step =
        Step::Clone { slot, path: text("/dev/null"), from: NO_SLOT, recursive: false, no_follow: true };
    program.step(Place::Property("linux.maskedPaths"), &step);
    rootfs.slots.null = slot;
    Ok(())
}

/// Plans the read-only and the masked paths. One empty directory serves for all that are masked.
pub(super) fn plan(rootfs: &mut Rootfs<'_>, program: &mut Program) -> Result<()> {
    let root = rootfs.slots.root;
    for (index, path) in read_only(rootfs).iter().enumerate() {
        let step = Step::ReadOnlyPath { root, target: path_text(path) };
        program.step(Place::Item("linux.readonlyPaths", index), &step);
    }
    if masked(rootfs).is_empty() {
        return Ok(());
    }
    let empty = program.slot()?;
    rootfs.slots.empty = empty;
    let place = Place::Property("linux.maskedPaths");
    let label = label::of(rootfs, "tmpfs", &[]);
    let options: Vec<&[u8]> =
        ["nr_blocks=1", "nr_inodes=1"].into_iter().chain(label.as_deref()).map(str::as_bytes).collect();
    let step = Step::NewFilesystem {
        slot: empty,
        kind: text("tmpfs"),
        source: text("tmpfs"),
        options: Texts::Given(&options),
        attributes: libc::MOUNT_ATTR_RDONLY,
    };
    program.step(place, &step);
    for (index, path) in masked(rootfs).iter().enumerate() {
        let step =
            Step::MaskedPath { root, target: path_text(path), directory: empty, null: rootfs.slots.null };
        program.step(Place::Item("linux.maskedPaths", index), &step);
    }
    Ok(())
}
