//! `mounts`, config.md "Mounts".

use super::{
    Rootfs, attributes, cgroup_mount, clone, devices,
    entry::{self, Entry, begins, names, plan_attach},
    hidden, idmap, label,
    long_options::{self, Way},
};
use crate::{
    ErrorKind, Result,
    cgroup::View,
    guards::{self, Guard},
    namespace::flag,
    plan::{Place, Program, path_text, text},
};
use corten_init::{
    step::{NO_SLOT, Slot, Step},
    wire::{Text, Texts},
};
use std::{fs, os::unix::ffi::OsStrExt, path::Path};

/// File systems whose state belongs to a namespace and not to the mount: read-only is an attribute of the mount alone.
const KERNEL_FILESYSTEMS: [&str; 6] = ["proc", "sysfs", "mqueue", "devpts", "tmpfs", "cgroup2"];

/// Whether a mount is the same in every network namespace, where it is made upon included: each has files of its own beneath
/// /proc/sys/net, and what is bound on them must not be bound on those of the host's.
fn is_networkless(entry: &Entry<'_>) -> bool {
    let in_proc = begins(&entry.target, "proc") && names(&entry.target).nth(1).is_some();
    entry.options.bind.is_none() && !entry.options.remount && !in_proc && NETWORKLESS.contains(&entry.kind())
}

/// File systems that are the same in every network namespace.
const NETWORKLESS: [&str; 8] = ["proc", "mqueue", "devpts", "tmpfs", "ramfs", "overlay", "cgroup", "cgroup2"];

/// Plans the clones of bind sources that the container's root may not be able to reach.
pub(super) fn plan_early(rootfs: &mut Rootfs<'_>, program: &mut Program) -> Result<()> {
    entry::all(rootfs.spec).try_for_each(|entry| plan_early_one(rootfs, &entry?, program))
}

/// Plans the clone of what `entry` binds, if it binds anything.
pub(super) fn plan_early_one(
    rootfs: &mut Rootfs<'_>,
    entry: &Entry<'_>,
    program: &mut Program,
) -> Result<()> {
    let Some(bind) = entry.options.bind.filter(|_| !entry.options.remount) else { return Ok(()) };
    let slot = program.slot()?;
    let source = entry.source(rootfs.bundle)?;
    plan_clone(rootfs, entry, program, (slot, bind.recursive), &source, (0, 0));
    // In the host's namespace the clone shares with the host; in the container's it must only receive.
    if !rootfs.is_shared()? {
        program.step(entry.place, &attributes(slot, true, 0, 0, super::ms::SLAVE));
    }
    if let Place::Item(list, index) = entry.place {
        rootfs.early.0.insert((list, index), slot);
    }
    Ok(())
}

/// Plans all mounts in their order.
pub(super) fn plan(rootfs: &mut Rootfs<'_>, program: &mut Program, view: &View) -> Result<()> {
    let mounts = &rootfs.spec.mounts;
    for (index, entry) in entry::all(rootfs.spec).enumerate() {
        let entry = entry?;
        if rootfs.awaits_network() && !is_networkless(&entry) {
            // The parent needs a while for it. What nothing that follows lies over is made before.
            let free = |name| !mounts.iter().skip(index).any(|later| begins(&later.destination, name));
            if free("dev") {
                devices::plan(rootfs, program)?;
            }
            if free("proc") {
                hidden::plan_common(rootfs, program)?;
            }
            rootfs.plan_network(program);
        }
        if entry.options.remount {
            plan_remount(rootfs, &entry, program);
        } else if names(&entry.target).next().is_none() {
            // It would lie over the root that the container gets, seen by nobody.
            return Err(entry.error(ErrorKind::InvalidConfig, "destination: is the container's root"));
        } else if entry.options.bind.is_some() {
            plan_bind(rootfs, &entry, program)?;
        } else {
            match entry.kind() {
                "cgroup" | "cgroup2" => cgroup_mount::plan(rootfs, &entry, program, view)?,
                "proc" if rootfs.in_user_namespace() && rootfs.own & flag::PID == 0 => {
                    plan_host_tree(rootfs, &entry, program, "/proc")?;
                }
                "sysfs" if rootfs.in_user_namespace() && rootfs.own & flag::NETWORK == 0 => {
                    plan_host_tree(rootfs, &entry, program, "/sys")?;
                }
                "mqueue" if rootfs.in_user_namespace() && rootfs.own & flag::IPC == 0 => {
                    plan_host_tree(rootfs, &entry, program, "/dev/mqueue")?;
                }
                "" => return Err(entry.error(ErrorKind::InvalidConfig, "type: must be set")),
                _ => plan_filesystem(rootfs, &entry, program)?,
            }
        }
    }
    Ok(())
}

/// A new file system.
pub(super) fn plan_filesystem(
    rootfs: &mut Rootfs<'_>,
    entry: &Entry<'_>,
    program: &mut Program,
) -> Result<()> {
    let kind = entry.kind();
    let of_kernel = KERNEL_FILESYSTEMS.contains(&kind);
    // What other mounts or devices will be made upon becomes read-only when they are there.
    let late = kind == "tmpfs" || entry.target == Path::new("/dev");
    let read_only = entry.options.set & libc::MOUNT_ATTR_RDONLY != 0;
    let set = if late { entry.options.set & !libc::MOUNT_ATTR_RDONLY } else { entry.options.set };
    let flags = entry.options.superblock_flags.iter().filter(|flag| **flag != "ro" || !of_kernel && !late);
    let data = entry.options.data.iter().map(|(key, value)| match value {
        Some(value) => format!("{key}={value}"),
        None => key.clone(),
    });
    let label = label::of(rootfs, kind, &entry.options.data);
    let texts: Vec<String> = flags.map(|flag| (*flag).to_owned()).chain(data).chain(label).collect();
    let source = entry.mount.source.as_deref().unwrap_or(Path::new(kind));
    let texts = match long_options::choose(entry, kind, source, texts)? {
        Way::Each(texts) => texts,
        Way::Together(data) => {
            return long_options::plan_together(rootfs, entry, program, (kind, source), &data);
        }
    };
    let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    let slot = program.slot()?;
    let step = Step::NewFilesystem {
        slot,
        kind: text(kind),
        source: path_text(source),
        options: Texts::Given(&texts),
        attributes: set,
    };
    program.step(entry.place, &step);
    let root = rootfs.slots.root;
    if entry.options.tmpcopyup {
        program.step(entry.place, &Step::CopyUp { slot, target: entry.target(), root });
    } else if kind == "tmpfs" && !entry.options.data.iter().any(|(key, _)| key == "mode") {
        program.step(entry.place, &Step::InheritMode { slot, target: entry.target(), root });
    }
    plan_attach(rootfs, entry, program, slot, if matches!(kind, "proc" | "sysfs") { 2 } else { 0 });
    if late && read_only {
        rootfs.read_only_at_last.push((entry.place, slot));
    } else {
        program.step(entry.place, &Step::Release { slot });
    }
    Ok(())
}

/// A bind mount.
pub(super) fn plan_bind(rootfs: &Rootfs<'_>, entry: &Entry<'_>, program: &mut Program) -> Result<()> {
    let source = entry.source(rootfs.bundle)?;
    let root = rootfs.slots.root;
    if entry.options.copy_symlink
        && let Ok(points_to) = fs::read_link(&source)
    {
        let points_to = Text(points_to.as_os_str().as_bytes());
        let step = Step::Symlink { root, points_to, target: entry.target(), replace: false };
        program.step(entry.place, &step);
        return Ok(());
    }
    let recursive = entry.options.bind.is_some_and(|bind| bind.recursive);
    let options = &entry.options;
    if let Some((propagation, propagate_all)) = plain(rootfs, entry) {
        let step = Step::Bind {
            path: path_text(&source),
            recursive,
            no_follow: options.src_nofollow,
            set: options.set,
            clear: options.clear,
            target: entry.target(),
            strictness: u8::from(options.dest_nofollow),
            root,
            propagation,
            propagate_all,
        };
        program.step(entry.place, &step);
        return Ok(());
    }
    let mut given = (0, 0);
    let slot = match rootfs.early.find(entry.place) {
        Some(slot) => slot,
        None => {
            let slot = program.slot()?;
            if !recursive {
                given = (options.set, options.clear);
            }
            plan_clone(rootfs, entry, program, (slot, recursive), &source, given);
            slot
        }
    };
    if options.set | options.clear != 0 && given == (0, 0) {
        program.step(entry.place, &attributes(slot, false, options.set, options.clear, 0));
    }
    if options.recursive_set | options.recursive_clear != 0 {
        program.step(entry.place, &attributes(slot, true, options.recursive_set, options.recursive_clear, 0));
    }
    plan_attach(rootfs, entry, program, slot, u8::from(options.dest_nofollow));
    program.step(entry.place, &Step::Release { slot });
    Ok(())
}

/// Whether one step says all of a bind mount; the one change of its propagation, if there is one, and whether that goes to all.
fn plain(rootfs: &Rootfs<'_>, entry: &Entry<'_>) -> Option<(u64, bool)> {
    let options = &entry.options;
    let more = options.recursive_set | options.recursive_clear != 0
        || idmap::is_mapped(rootfs, entry)
        || rootfs.early.find(entry.place).is_some();
    match options.propagation.as_slice() {
        _ if more => None,
        [] => Some((0, false)),
        [change] => Some((change.kind, change.recursive)),
        _ => None,
    }
}

fn plan_clone(
    rootfs: &Rootfs<'_>,
    entry: &Entry<'_>,
    program: &mut Program,
    (slot, recursive): (Slot, bool),
    source: &Path,
    given: (u64, u64),
) {
    let no_follow = entry.options.src_nofollow;
    let step = clone((slot, path_text(source), NO_SLOT), (recursive, no_follow), given);
    program.step(entry.place, &step);
    idmap::plan(rootfs, entry, program, slot);
}

/// The host's tree where the kernel lets a user namespace mount no new one: it owns no pid, network or ipc namespace.
fn plan_host_tree(rootfs: &Rootfs<'_>, entry: &Entry<'_>, program: &mut Program, path: &str) -> Result<()> {
    let slot = program.slot()?;
    program.step(
        entry.place,
        &Step::Clone { slot, path: text(path), from: NO_SLOT, recursive: true, no_follow: true },
    );
    if entry.options.set != 0 {
        // All of it: the cgroup file systems beneath /sys are mounts of their own (CVE-2023-25809).
        let all = guards::on(Guard::HostCgroups);
        program.step(entry.place, &attributes(slot, all, entry.options.set, 0, 0));
    }
    plan_attach(rootfs, entry, program, slot, 2);
    program.step(entry.place, &Step::Release { slot });
    Ok(())
}

/// A change of the mount that is at the destination.
fn plan_remount(rootfs: &Rootfs<'_>, entry: &Entry<'_>, program: &mut Program) {
    let options = &entry.options;
    let root = rootfs.slots.root;
    let mut step = |recursive, set, clear, propagation| {
        let target = entry.target();
        program.step(entry.place, &Step::Remount { root, target, recursive, set, clear, propagation });
    };
    step(false, options.set, options.clear, 0);
    if options.recursive_set | options.recursive_clear != 0 {
        step(true, options.recursive_set, options.recursive_clear, 0);
    }
    for change in &options.propagation {
        step(change.recursive, 0, 0, change.kind);
    }
}
