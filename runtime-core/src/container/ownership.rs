//! Whom the container's cgroup belongs to: config-linux.md, "Cgroup ownership".

use crate::{
    namespace::{Namespaces, flag, id_maps::IdMaps},
    spec::{Mount, Spec},
};
use nix::unistd::geteuid;
use std::path::Path;

/// The host's user whom the cgroup is given to: the one that executes the container's process, where it sees the cgroup in a
/// namespace of its own and may write there; nothing where it stays as it is.
pub(super) fn of(spec: &Spec, namespaces: &Namespaces) -> Option<u32> {
    let writable = |mount: &Mount| {
        let of_cgroups = mount.typ.as_deref().is_some_and(|kind| kind == "cgroup" || kind == "cgroup2");
        let read_only = mount.options.iter().any(|option| option == "ro");
        of_cgroups && mount.destination == Path::new("/sys/fs/cgroup") && !read_only
    };
    let joined = namespaces.joined_user().is_some();
    if namespaces.new & flag::CGROUP == 0 || joined || !spec.mounts.iter().any(writable) {
        return None;
    }
    let user = spec.process.as_ref().map_or(0, |process| process.user.uid);
    host_id(spec, namespaces.new, user).filter(|uid| *uid != geteuid().as_raw())
}

/// The host's user that is the container's root.
pub(super) fn root_of(spec: &Spec, new_namespaces: u32) -> u32 {
    host_id(spec, new_namespaces, 0).unwrap_or(0)
}

fn host_id(spec: &Spec, new_namespaces: u32, user: u32) -> Option<u32> {
    if new_namespaces & flag::USER == 0 {
        return Some(user);
    }
    let maps = IdMaps::of(spec);
    maps.uids().iter().find_map(|range| {
        let offset = user.checked_sub(range.container_id).filter(|offset| *offset < range.size)?;
        range.host_id.checked_add(offset)
    })
}
