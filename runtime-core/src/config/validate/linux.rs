//! `linux` (config-linux.md), apart from `resources` and `seccomp`.

use std::collections::BTreeMap;

use crate::spec::{
    Linux, LinuxDevice, LinuxDeviceType, LinuxIntelRdt, LinuxMemoryPolicy, LinuxNamespaceType as Kind,
    LinuxNetDevice, LinuxTimeOffset, MemoryPolicyFlagType as PolicyFlag, MemoryPolicyModeType as PolicyMode,
};

use super::{
    super::place::{Faults, Place, Quoted},
    Namespaces, bit, ids, resources, sysctl, values,
};

/// The largest major and minor number of a device file.
const MAX_MAJOR: i64 = 0xfff;
const MAX_MINOR: i64 = 0xf_ffff;

/// All of a file's mode, its type included, as some engines write it.
const MAX_MODE: u32 = 0o17_7777;

const PROPAGATION: [&str; 8] =
    ["private", "rprivate", "rshared", "rslave", "runbindable", "shared", "slave", "unbindable"];

pub(super) fn check(faults: &mut Faults, at: &Place<'_>, linux: &Linux, namespaces: Namespaces) {
    namespace_list(faults, &at.name("namespaces"), linux);
    user_namespace(faults, at, linux, namespaces);
    time_offsets(faults, &at.name("timeOffsets"), &linux.time_offsets, namespaces);
    for (index, device) in linux.devices.iter().enumerate() {
        self::device(faults, &at.name("devices").index(index), device);
    }
    net_devices(faults, &at.name("netDevices"), &linux.net_devices, namespaces);
    for (key, value) in &linux.sysctl {
        sysctl::check(faults, &at.name("sysctl"), key, value, namespaces);
    }
    for (name, paths) in [("maskedPaths", &linux.masked_paths), ("readonlyPaths", &linux.readonly_paths)] {
        let at = at.name(name);
        for (index, path) in paths.iter().enumerate() {
            values::absolute(faults, &at.index(index), path);
        }
        faults.expect(
            paths.is_empty() || namespaces.has(Kind::Mount),
            &at,
            "needs a mount namespace in linux.namespaces",
        );
    }
    if let Some(kind) =
        linux.rootfs_propagation.as_deref().filter(|kind| !kind.is_empty() && !PROPAGATION.contains(kind))
    {
        let expected = "must be (r)private, (r)slave, (r)shared or (r)unbindable";
        faults.add(&at.name("rootfsPropagation"), format_args!("{expected} and not {}", Quoted(kind)));
    }
    if let Some(path) = &linux.cgroups_path {
        values::no_nul_in_path(faults, &at.name("cgroupsPath"), path);
    }
    values::no_nul(faults, &at.name("mountLabel"), linux.mount_label.as_deref().unwrap_or_default());
    if let Some(personality) = &linux.personality {
        faults.expect(
            personality.flags.is_empty(),
            &at.name("personality").name("flags"),
            "must be empty: there are no flags yet",
        );
    }
    if let Some(rdt) = &linux.intel_rdt {
        intel_rdt(faults, &at.name("intelRdt"), rdt);
    }
    if let Some(policy) = &linux.memory_policy {
        memory_policy(faults, &at.name("memoryPolicy"), policy);
    }
    if let Some(these) = &linux.resources {
        resources::check(faults, &at.name("resources"), these);
    }
}

fn namespace_list(faults: &mut Faults, at: &Place<'_>, linux: &Linux) {
    let mut seen = 0_u32;
    for (index, namespace) in linux.namespaces.iter().enumerate() {
        let at = at.index(index);
        let bit = bit(namespace.typ);
        if seen & bit != 0 {
            let kind = values::word(namespace.typ);
            faults.add(&at.name("type"), format_args!("must not be there twice: {kind}"));
        }
        seen |= bit;
        if let Some(path) = &namespace.path {
            values::absolute(faults, &at.name("path"), path);
        }
    }
}

/// A new user namespace needs both maps; a joined one has its own, though engines repeat them here.
fn user_namespace(faults: &mut Faults, at: &Place<'_>, linux: &Linux, namespaces: Namespaces) {
    for (name, mappings) in [("uidMappings", &linux.uid_mappings), ("gidMappings", &linux.gid_mappings)] {
        let at = at.name(name);
        ids::check(faults, &at, mappings);
        if mappings.is_empty() {
            faults.expect(!namespaces.is_new(Kind::User), &at, "must be given for a new user namespace");
        } else {
            faults.expect(namespaces.has(Kind::User), &at, "needs a user namespace in linux.namespaces");
        }
    }
}

fn time_offsets(
    faults: &mut Faults,
    at: &Place<'_>,
    offsets: &BTreeMap<String, LinuxTimeOffset>,
    namespaces: Namespaces,
) {
    faults.expect(
        offsets.is_empty() || namespaces.is_new(Kind::Time),
        at,
        "needs a new time namespace in linux.namespaces",
    );
    for (clock, offset) in offsets {
        let at = at.key(clock);
        faults.expect(
            matches!(clock.as_str(), "boottime" | "monotonic"),
            &at,
            "must be \"boottime\" or \"monotonic\"",
        );
        if offset.nanosecs > 999_999_999 {
            let expected = "must be less than 1000000000 and not";
            faults.add(&at.name("nanosecs"), format_args!("{expected} {}", offset.nanosecs));
        }
    }
}

fn device(faults: &mut Faults, at: &Place<'_>, device: &LinuxDevice) {
    values::absolute(faults, &at.name("path"), &device.path);
    match device.typ {
        LinuxDeviceType::A => {
            faults.add(&at.name("type"), "must be \"c\", \"u\", \"b\" or \"p\" and not \"a\"");
        }
        LinuxDeviceType::P => {}
        LinuxDeviceType::B | LinuxDeviceType::C | LinuxDeviceType::U => {
            values::range(faults, &at.name("major"), device.major, 0, MAX_MAJOR);
            values::range(faults, &at.name("minor"), device.minor, 0, MAX_MINOR);
        }
    }
    if let Some(mode) = device.file_mode.filter(|&mode| mode > MAX_MODE) {
        faults.add(&at.name("fileMode"), format_args!("must be a file's mode and not {mode}"));
    }
    for (name, id) in [("uid", device.uid), ("gid", device.gid)] {
        values::id(faults, &at.name(name), id.unwrap_or_default());
    }
}

fn net_devices(
    faults: &mut Faults,
    at: &Place<'_>,
    devices: &BTreeMap<String, LinuxNetDevice>,
    namespaces: Namespaces,
) {
    faults.expect(
        devices.is_empty() || namespaces.has(Kind::Network),
        at,
        "needs a network namespace in linux.namespaces",
    );
    let mut seen = BTreeMap::new();
    for (name, device) in devices {
        let at = at.key(name);
        values::device_name(faults, &at, name);
        let inside = device.name.as_ref().filter(|inside| !inside.is_empty()).unwrap_or(name);
        // `eth%d`: the kernel puts a number there that is free.
        let template = inside.strip_suffix("%d").map(|start| format!("{start}0"));
        if inside != name {
            values::device_name(faults, &at.name("name"), template.as_deref().unwrap_or(inside));
        }
        if template.is_some() {
            continue;
        }
        if let Some(other) = seen.insert(inside, name) {
            faults.add(&at.name("name"), format_args!("must not be that of {} too", Quoted(other)));
        }
    }
}

fn intel_rdt(faults: &mut Faults, at: &Place<'_>, rdt: &LinuxIntelRdt) {
    if let Some(id) = &rdt.clos_id {
        // A directory beneath resctrl's root, beside the kernel's own; `/` is the root itself.
        let taken = matches!(id.as_str(), "" | "." | ".." | "info" | "mon_data" | "mon_groups");
        if taken || id != "/" && id.contains(['/', '\n', '\0']) {
            faults.add(
                &at.name("closID"),
                format_args!("must be the name of a directory and not {}", Quoted(id)),
            );
        }
    }
    for (index, line) in rdt.schemata.iter().enumerate() {
        faults.expect(
            !line.contains(['\n', '\0']),
            &at.name("schemata").index(index),
            "must be one line of text",
        );
    }
    for (name, schema) in [("l3CacheSchema", &rdt.l3_cache_schema), ("memBwSchema", &rdt.mem_bw_schema)] {
        values::no_nul(faults, &at.name(name), schema.as_deref().unwrap_or_default());
    }
}

/// set_mempolicy(2): which modes take nodes, and which flags go together.
fn memory_policy(faults: &mut Faults, at: &Place<'_>, policy: &LinuxMemoryPolicy) {
    let nodes = policy.nodes.as_deref().unwrap_or_default();
    let place = at.name("nodes");
    match policy.mode {
        PolicyMode::MpolDefault | PolicyMode::MpolLocal => {
            faults.expect(nodes.is_empty(), &place, "must be empty for this mode");
        }
        PolicyMode::MpolPreferred if nodes.is_empty() => {}
        _ if nodes.is_empty() => faults.add(&place, "must be given for this mode"),
        _ => values::number_list(faults, &place, nodes),
    }
    let flags = policy.flags.as_slice();
    let place = at.name("flags");
    let both =
        flags.contains(&PolicyFlag::MpolFStaticNodes) && flags.contains(&PolicyFlag::MpolFRelativeNodes);
    faults.expect(!both, &place, "must not have both MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES");
}
