//! Id-mapped mounts: options `idmap` and `ridmap`, `mounts[].uidMappings` and `gidMappings`, config.md "Linux mount
//! options". mount_setattr(2) wants a user namespace that has the mappings; who makes one is not decided here.

use super::{
    Rootfs,
    entry::Entry,
    options::{self, IdRange, Idmap},
};
use crate::{
    Error, ErrorKind, Result,
    namespace::{flag, id_maps::IdMaps},
    plan::{Place, Program},
    spec::{LinuxIdMapping, Mount, Spec},
};
use corten_init::step::{NO_SLOT, Slot, Step};

/// A mount that needs a user namespace with these mappings.
pub(crate) struct Wanted {
    /// Its index in `mounts`.
    pub(crate) mount: usize,
    /// The mappings: an id of the file system becomes one of the host's. Nothing for those of a user namespace that is
    /// joined.
    pub(crate) maps: Option<IdMaps>,
}

/// A user namespace in a slot, for a mount.
#[derive(Clone, Copy)]
pub(crate) struct Ready {
    /// The mount's index in `mounts`.
    pub(crate) mount: usize,
    /// The namespace's file.
    pub(crate) slot: Slot,
}

/// The mounts of `spec` that are id-mapped. `new` are the flags of the namespaces that are new.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] where there are no mappings at all.
pub(crate) fn wanted(spec: &Spec, new: u32) -> Result<Vec<Wanted>> {
    let mounts = &spec.mounts;
    let mut list = Vec::new();
    for (index, mount) in mounts.iter().enumerate() {
        // Most mounts have no such option: they are parsed when they are planned.
        if !has_own(mount) && !mount.options.iter().any(|text| mentions(text)) {
            continue;
        }
        let parsed = options::parse(&mount.options, mount.typ.as_deref().unwrap_or_default());
        let Ok(parsed) = parsed else { continue }; // told when it is planned
        if parsed.idmap.is_some() || has_own(mount) {
            let idmap = parsed.idmap.unwrap_or_default();
            list.push(Wanted { mount: index, maps: maps(spec, index, mount, &idmap, new)? });
        }
    }
    Ok(list)
}

fn mentions(option: &str) -> bool {
    option.starts_with("idmap") || option.starts_with("ridmap")
}

fn has_own(mount: &Mount) -> bool {
    !mount.uid_mappings.is_empty()
}

/// In this order: ranges in the option itself, the mount's own, the container's.
fn maps(spec: &Spec, index: usize, mount: &Mount, idmap: &Idmap, new: u32) -> Result<Option<IdMaps>> {
    if !idmap.uids.is_empty() {
        let container = IdMaps::of(spec);
        let uids = ranges(&idmap.uids, container.uids(), index)?;
        return Ok(Some(IdMaps::new(uids, ranges(&idmap.gids, container.gids(), index)?)));
    }
    if has_own(mount) && !mount.gid_mappings.is_empty() {
        return Ok(Some(IdMaps::new(mount.uid_mappings.clone(), mount.gid_mappings.clone())));
    }
    Ok((new & flag::USER != 0).then(|| IdMaps::of(spec)))
}

/// The ranges of an option. One that is relative to the container's user namespace is moved to where that has the ids.
fn ranges(ranges: &[IdRange], container: &[LinuxIdMapping], mount: usize) -> Result<Vec<LinuxIdMapping>> {
    let mapping = |range: &IdRange| {
        let fault = |why: &str| {
            let text = format!("{}-{}-{}", range.inside, range.outside, range.size);
            Error::new(
                ErrorKind::InvalidConfig,
                format!("mounts[{mount}].options: idmap range {text}: {why}"),
            )
        };
        let host = match range.relative {
            false => range.outside,
            true => to_host(range.outside, container)
                .ok_or_else(|| fault("linux.uidMappings and gidMappings do not map the id"))?,
        };
        Ok(LinuxIdMapping { container_id: range.inside, host_id: host, size: range.size })
    };
    ranges.iter().map(mapping).collect()
}

/// What the container's `id` is on the host.
fn to_host(id: u32, container: &[LinuxIdMapping]) -> Option<u32> {
    container.iter().find_map(|map| {
        let offset = id.checked_sub(map.container_id).filter(|offset| *offset < map.size)?;
        map.host_id.checked_add(offset)
    })
}

/// Whether `entry` has a mapping that is ready.
pub(super) fn is_mapped(rootfs: &Rootfs<'_>, entry: &Entry<'_>) -> bool {
    rootfs.id_mapped.iter().any(|ready| entry.place == Place::Item("mounts", ready.mount))
}

/// Plans the mapping of the clone in `slot`, if `entry` has one. It must be attached nowhere yet, and the privilege must be
/// that of who owns the file system.
pub(super) fn plan(rootfs: &Rootfs<'_>, entry: &Entry<'_>, program: &mut Program, slot: Slot) {
    let ready = rootfs.id_mapped.iter().find(|ready| entry.place == Place::Item("mounts", ready.mount));
    let user_namespace = ready.map_or(NO_SLOT, |ready| ready.slot);
    if user_namespace != NO_SLOT {
        let recursive = entry.options.idmap.as_ref().is_some_and(|idmap| idmap.recursive);
        let set = libc::MOUNT_ATTR_IDMAP;
        let step = Step::Attributes { slot, recursive, set, clear: 0, propagation: 0, user_namespace };
        program.step(entry.place, &step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn spec(mount: &Value, maps: &Value) -> Spec {
        let linux = json!({"uidMappings": maps, "gidMappings": maps});
        serde_json::from_value(json!({"ociVersion": "1.3.0", "mounts": [mount], "linux": linux})).unwrap()
    }

    fn numbers(maps: &[LinuxIdMapping]) -> Vec<(u32, u32, u32)> {
        maps.iter().map(|map| (map.container_id, map.host_id, map.size)).collect()
    }

    fn found(mount: &Value, maps: &Value, new: u32) -> Vec<(u32, u32, u32)> {
        let list = wanted(&spec(mount, maps), new).unwrap();
        numbers(list[0].maps.as_ref().unwrap().uids())
    }

    #[test]
    fn the_options_ranges_come_before_the_mounts_and_those_before_the_containers() {
        let own = json!([{"containerID": 0, "hostID": 100, "size": 5}]);
        let container = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
        let mount = |option: &str, own: &Value| {
            json!({"destination": "/a", "source": "/b", "options": ["bind", option],
                   "uidMappings": own, "gidMappings": own})
        };
        let found = |option: &str, own: &Value| found(&mount(option, own), &container, flag::USER);
        assert_eq!(found("idmap=uids=0-7-1;gids=0-7-1", &own), [(0, 7, 1)]);
        assert_eq!(found("idmap", &own), [(0, 100, 5)]);
        // Mappings without the option are a mapping too.
        assert_eq!(found("bind", &own), [(0, 100, 5)]);
        assert_eq!(found("ridmap", &json!([])), [(0, 1000, 10)]);
        let joined = wanted(&spec(&mount("idmap", &json!([])), &container), 0).unwrap();
        assert!(joined[0].maps.is_none());
        // What is wrong with an option is told when the mount is planned.
        let wrong = mount("idmap=uids=0-7-@;gids=0-7-1", &own);
        assert!(wanted(&spec(&wrong, &container), flag::USER).unwrap().is_empty());
    }

    #[test]
    fn a_relative_range_is_where_the_container_has_the_ids() {
        let first = json!({"containerID": 0, "hostID": 0, "size": 1});
        let container = json!([first, {"containerID": 1, "hostID": 2, "size": 1000}]);
        let mount = |range: &str| {
            json!({"destination": "/a", "source": "/b",
                   "options": ["bind", format!("idmap=uids={range};gids=0-0-1")]})
        };
        assert_eq!(found(&mount("@1-3-10"), &container, flag::USER), [(1, 4, 10)]);
        let error = wanted(&spec(&mount("@0-5000-1"), &container), flag::USER).err().unwrap();
        assert!(error.report().contains("mounts[0].options: idmap range 0-5000-1"), "{}", error.report());
    }
}
