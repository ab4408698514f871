//! `mounts` (config.md, "Mounts"). What the options mean, and which of them are unknown, is rootfs' business; here only
//! what they and the mount's other properties ask of each other.

use crate::spec::{LinuxNamespaceType, Mount};

use super::{
    super::place::{Faults, Place},
    Namespaces, ids, values,
};

pub(super) fn check(faults: &mut Faults, at: &Place<'_>, mount: &Mount, namespaces: Namespaces) {
    let destination = &mount.destination;
    values::path(faults, &at.name("destination"), destination);
    if destination.is_relative() && !destination.as_os_str().is_empty() {
        log::warn!(
            "{}: {} is relative, taken as relative to /",
            at.name("destination"),
            destination.display()
        );
    }
    let options = &mount.options;
    for (index, option) in options.iter().enumerate() {
        values::no_nul(faults, &at.name("options").index(index), option);
    }
    let typ = mount.typ.as_deref().unwrap_or_default();
    values::no_nul(faults, &at.name("type"), typ);
    let bind = matches!(typ, "bind" | "rbind") || has(options, &["bind", "rbind"]);
    if typ.is_empty() && !bind && !has(options, &["remount"]) {
        faults.add(&at.name("type"), "must be given, as this is no bind mount");
    }
    match &mount.source {
        Some(source) => values::no_nul_in_path(faults, &at.name("source"), source),
        None => faults.expect(
            !bind || has(options, &["remount"]),
            &at.name("source"),
            "must be given for a bind mount",
        ),
    }
    id_mapping(faults, at, mount, bind, namespaces);
}

fn has(options: &[String], names: &[&str]) -> bool {
    options.iter().any(|option| names.contains(&option.as_str()))
}

/// The mount's own mappings come in pairs, need a bind mount, and replace those of the container.
fn id_mapping(faults: &mut Faults, at: &Place<'_>, mount: &Mount, bind: bool, namespaces: Namespaces) {
    let uids = &mount.uid_mappings;
    let gids = &mount.gid_mappings;
    ids::check(faults, &at.name("uidMappings"), uids);
    ids::check(faults, &at.name("gidMappings"), gids);
    match (uids.is_empty(), gids.is_empty()) {
        (true, false) => faults.add(&at.name("uidMappings"), "must be given with gidMappings"),
        (false, true) => faults.add(&at.name("gidMappings"), "must be given with uidMappings"),
        (false, false) => faults.expect(bind, &at.name("uidMappings"), "needs a bind mount"),
        (true, true) if !namespaces.has(LinuxNamespaceType::User) => {
            let options = mount.options.iter();
            if let Some(index) =
                options.into_iter().position(|option| matches!(option.as_str(), "idmap" | "ridmap"))
            {
                let at = at.name("options");
                faults.add(
                    &at.index(index),
                    "needs uidMappings and gidMappings, or a user namespace in linux.namespaces",
                );
            }
        }
        (true, true) => {}
    }
}
