//! Mounts of type `cgroup` and `cgroup2`: the container's own cgroups as the host has them. The host's mounts are cloned at
//! the container's cgroup directory: the same view as a new mount inside a cgroup namespace, and a new mount of cgroup2 waits
//! for RCU, 11 to 15 ms on an idle host.

use super::{
    CgroupComes, Rootfs, attributes, clone,
    entry::{self, Entry},
    label,
};
use crate::{
    Result,
    cgroup::{HierarchyView, View},
    guards::{self, Guard},
    namespace::flag,
    plan::{Place, Program, path_text, text},
};
use corten_init::{
    message::Phase,
    step::{NO_SLOT, Slot, Step},
    wire::{Text, Texts},
};
use std::path::Path;

const AWAITED: Place = Place::Property("linux.cgroupsPath");

/// Plans one mount of the container's cgroups.
pub(super) fn plan(
    rootfs: &mut Rootfs<'_>,
    entry: &Entry<'_>,
    program: &mut Program,
    view: &View,
) -> Result<()> {
    if let (View::Legacy { .. }, CgroupComes::AfterPivot) = (view, rootfs.cgroup) {
        let filled_later = plan_tmpfs(rootfs, entry, program)?;
        rootfs.unfilled.push((entry.place, filled_later, entry.options.set));
        return Ok(());
    }
    if rootfs.cgroup != CgroupComes::BeforeMounts {
        rootfs.cgroup = CgroupComes::BeforeMounts;
        program.step(AWAITED, &Step::Await { phase: Phase::Cgroup as u8 });
    }
    match view {
        View::Unified { old_systemd: Some((target, hierarchy)), .. } if *target == entry.target => {
            plan_legacy(rootfs, entry, program, std::slice::from_ref(hierarchy), &[])
        }
        View::Unified { dir, mount, .. } => {
            // A user namespace without a cgroup namespace must not see, or write, the host's whole tree.
            let shown = if rootfs.own & (flag::CGROUP | flag::USER) != 0 { dir } else { mount };
            plan_unified(rootfs, entry, program, shown, entry.options.set)
        }
        View::Legacy { hierarchies, links } => plan_legacy(rootfs, entry, program, hierarchies, links),
        View::None => plan_host(rootfs, entry, program),
    }
}

fn plan_unified(
    rootfs: &Rootfs<'_>,
    entry: &Entry<'_>,
    program: &mut Program,
    dir: &Path,
    set: u64,
) -> Result<()> {
    let slot = program.slot()?;
    let path = path_text(dir);
    program.step(entry.place, &clone((slot, path, NO_SLOT), (false, true), (set, entry.options.clear)));
    entry::plan_attach(rootfs, entry, program, slot, 0);
    program.step(entry.place, &Step::Release { slot });
    Ok(())
}

/// Cgroups are disabled: the container stays in the caller's and sees what the caller sees, but it changes nothing there
/// (CVE-2023-25809).
fn plan_host(rootfs: &Rootfs<'_>, entry: &Entry<'_>, program: &mut Program) -> Result<()> {
    let slot = program.slot()?;
    let path = text("/sys/fs/cgroup");
    let read_only = if guards::on(Guard::HostCgroups) { libc::MOUNT_ATTR_RDONLY } else { 0 };
    let set = entry.options.set | read_only;
    program.step(entry.place, &clone((slot, path, NO_SLOT), (true, true), (set, 0)));
    entry::plan_attach(rootfs, entry, program, slot, 0);
    program.step(entry.place, &Step::Release { slot });
    Ok(())
}

/// v1: a tmpfs with a folder for each hierarchy and links for those that are mounted together.
fn plan_legacy(
    rootfs: &mut Rootfs<'_>,
    entry: &Entry<'_>,
    program: &mut Program,
    hierarchies: &[HierarchyView],
    links: &[(String, String)],
) -> Result<()> {
    let slot = plan_tmpfs(rootfs, entry, program)?;
    plan_hierarchies((entry.place, slot, entry.options.set), NO_SLOT, program, hierarchies, links)
}

/// Plans what was left out because the container's cgroup was not there: it is awaited, and its hierarchies are mounted from
/// the old root `from`.
pub(super) fn plan_unfilled(
    rootfs: &mut Rootfs<'_>,
    from: Slot,
    program: &mut Program,
    view: &View,
) -> Result<()> {
    program.step(AWAITED, &Step::Await { phase: Phase::Cgroup as u8 });
    let View::Legacy { hierarchies, links } = view else { return Ok(()) };
    for unfilled in std::mem::take(&mut rootfs.unfilled) {
        plan_hierarchies(unfilled, from, program, hierarchies, links)?;
    }
    Ok(())
}

/// Whether a mount of cgroups may be filled when all the rest is in place: nothing is to be mounted or hidden in it.
pub(super) fn may_come_last(rootfs: &Rootfs<'_>) -> bool {
    let mounts = &rootfs.spec.mounts;
    let cgroups = mounts.iter().filter(|mount| matches!(mount.typ.as_deref(), Some("cgroup" | "cgroup2")));
    let targets: Vec<_> = cgroups.map(|mount| mount.destination.as_path()).collect();
    let linux = rootfs.spec.linux.as_ref();
    let hidden = linux.into_iter().flat_map(|linux| [&linux.masked_paths, &linux.readonly_paths]);
    let hidden = hidden.flatten().flatten().map(Path::new);
    let mut places = mounts.iter().map(|mount| mount.destination.as_path()).chain(hidden);
    !places.any(|path| targets.iter().any(|target| lies_beneath(path, target)))
}

fn lies_beneath(path: &Path, directory: &Path) -> bool {
    let mut names = entry::names(path);
    entry::names(directory).all(|name| names.next() == Some(name)) && names.next().is_some()
}

fn plan_tmpfs(rootfs: &mut Rootfs<'_>, entry: &Entry<'_>, program: &mut Program) -> Result<Slot> {
    let slot = program.slot()?;
    let label = label::of(rootfs, "tmpfs", &[]);
    let options: Vec<&[u8]> = ["mode=755"].into_iter().chain(label.as_deref()).map(str::as_bytes).collect();
    let step = Step::NewFilesystem {
        slot,
        kind: text("tmpfs"),
        source: text("tmpfs"),
        options: Texts::Given(&options),
        attributes: entry.options.set & !libc::MOUNT_ATTR_RDONLY,
    };
    program.step(entry.place, &step);
    entry::plan_attach(rootfs, entry, program, slot, 0);
    Ok(slot)
}

fn plan_hierarchies(
    (place, slot, set): (Place, Slot, u64),
    from: Slot,
    program: &mut Program,
    hierarchies: &[HierarchyView],
    links: &[(String, String)],
) -> Result<()> {
    for hierarchy in hierarchies {
        let own = program.slot()?;
        let path = path_text(&hierarchy.dir);
        program.step(place, &clone((own, path, from), (false, true), (set, 0)));
        // The tmpfs itself is the root of what is attached in it: nothing of the image is on the way.
        let name = Text(hierarchy.name.as_bytes());
        program.step(place, &Step::Attach { slot: own, target: name, strictness: 2, root: slot });
        program.step(place, &Step::Release { slot: own });
    }
    for (from, to) in links {
        let step = Step::Symlink { root: slot, points_to: text(to), target: text(from), replace: false };
        program.step(place, &step);
    }
    if set & libc::MOUNT_ATTR_RDONLY != 0 {
        program.step(place, &attributes(slot, false, libc::MOUNT_ATTR_RDONLY, 0, 0));
    }
    program.step(place, &Step::Release { slot });
    Ok(())
}
