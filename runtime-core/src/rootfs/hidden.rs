//! `linux.maskedPaths` and `linux.readonlyPaths`, config-linux.md.

use super::{Rootfs, label};
use crate::{
    Result, hooks,
    plan::{Place, Program, path_text, text},
};
use corten_init::{
    step::{NO_SLOT, Slot, Step},
    wire::Texts,
};
use std::path::{Path, PathBuf};

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

/// Whether `path` is a file of /proc that is the same for every process and in every network namespace.
fn is_common(path: &Path) -> bool {
    let name = path.strip_prefix("/proc").ok().and_then(|name| name.to_str());
    name.is_some_and(|name| {
        let own = ["", "self", "thread-self", "net", "mounts"].contains(&name);
        !own && !name.contains(['/', '.']) && !name.starts_with(|first: char| first.is_ascii_digit())
    })
}

/// Plans those in /proc alone, while something else is awaited, where nothing will be mounted upon /proc any more. Not where hooks
/// see the container's files before all is in place.
pub(super) fn plan_common(rootfs: &mut Rootfs<'_>, program: &mut Program) -> Result<()> {
    let all = || read_only(rootfs).iter().chain(masked(rootfs));
    let above = ["/", "/proc"].map(Path::new);
    let over_all = all().any(|path| above.iter().any(|above| path.components().eq(above.components())));
    if over_all || hooks::any_before_start(rootfs.spec.hooks.as_ref()) || rootfs.has_common_hidden {
        return Ok(());
    }
    plan_those(rootfs, program, is_common)?;
    rootfs.has_common_hidden = true;
    Ok(())
}

/// Plans the read-only and the masked paths. One empty directory serves for all that are masked.
pub(super) fn plan(rootfs: &mut Rootfs<'_>, program: &mut Program) -> Result<()> {
    match rootfs.has_common_hidden {
        true => plan_those(rootfs, program, |path| !is_common(path)),
        false => plan_those(rootfs, program, |_| true),
    }
}

fn plan_those(rootfs: &mut Rootfs<'_>, program: &mut Program, those: fn(&Path) -> bool) -> Result<()> {
    let root = rootfs.slots.root;
    for (index, path) in read_only(rootfs).iter().enumerate().filter(|(_, path)| those(path)) {
        let step = Step::ReadOnlyPath { root, target: path_text(path) };
        program.step(Place::Item("linux.readonlyPaths", index), &step);
    }
    if !masked(rootfs).iter().any(|path| those(path)) {
        return Ok(());
    }
    let empty = plan_empty(rootfs, program)?;
    for (index, path) in masked(rootfs).iter().enumerate().filter(|(_, path)| those(path)) {
        let step =
            Step::MaskedPath { root, target: path_text(path), directory: empty, null: rootfs.slots.null };
        program.step(Place::Item("linux.maskedPaths", index), &step);
    }
    Ok(())
}

/// The empty directory.
fn plan_empty(rootfs: &mut Rootfs<'_>, program: &mut Program) -> Result<Slot> {
    if rootfs.slots.empty != NO_SLOT {
        return Ok(rootfs.slots.empty);
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
    Ok(empty)
}
