//! What the specification allows and oci-spec 0.10 refuses or loses. Works on the JSON tree, and only when the quick way
//! failed or may have lost something: see `load`.

use super::document::ForLinux;
use oci_spec::runtime::{Capability, LinuxResources, Process, Spec};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Maps whose keys are the user's: a null there is a wrong value and not a property left out.
const USER_MAPS: [&str; 5] = ["annotations", "netDevices", "sysctl", "timeOffsets", "unified"];

/// True if oci-spec may have lost a word of the document.
pub(super) fn spec_lost_words(ForLinux(spec): &ForLinux, bytes: &[u8]) -> bool {
    let linux = spec.linux().as_ref();
    let resources = linux.and_then(|linux| linux.resources().as_ref());
    let rdt = linux.is_some_and(|linux| linux.intel_rdt().is_some());
    spec.process().as_ref().is_some_and(|process| process_lost_words(process, bytes))
        || resources.is_some_and(|resources| resources_lost_words(resources, bytes))
        || rdt && (mentions(bytes, b"\"enableCMT\"") || mentions(bytes, b"\"enableMBM\""))
}

/// As [`spec_lost_words`]. A missing `ioPriority.class` becomes IOPRIO_CLASS_BE.
pub(super) fn process_lost_words(process: &Process, _: &[u8]) -> bool {
    process.io_priority().is_some()
}

/// As [`spec_lost_words`]. A missing `pids.limit` (none: leave it alone) becomes 0 (no process at all).
pub(super) fn resources_lost_words(resources: &LinuxResources, _: &[u8]) -> bool {
    resources.pids().is_some_and(|pids| pids.limit() == 0)
}

fn mentions(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// Repairs a config.json.
pub(super) fn spec(tree: &mut Value) {
    drop_nulls(tree);
    if let Some(tree) = tree.get_mut("process") {
        process(tree);
    }
    let old = is_before_1_3(tree.get("ociVersion").and_then(Value::as_str).unwrap_or_default());
    let Some(linux) = tree.get_mut("linux") else { return };
    if let Some(tree) = linux.get_mut("resources") {
        resources(tree);
        // Engines' writers put down the 0 of a limit that was not set; since 1.3 it is a limit of its own.
        if old && object(tree, "pids").is_some_and(|pids| pids.get("limit") == Some(&Value::from(0))) {
            tree.as_object_mut().map(|resources| resources.remove("pids"));
        }
    }
    if let Some(rdt) = object(linux, "intelRdt") {
        rename(rdt, "enableCMT", "enableCmt");
        rename(rdt, "enableMBM", "enableMbm");
    }
}

/// Repairs `process`.
pub(super) fn process(tree: &mut Value) {
    drop_nulls(tree);
    if let Some(sets) = object(tree, "capabilities") {
        sets.values_mut().filter_map(Value::as_array_mut).for_each(drop_unknown_capabilities);
    }
    if let Some(flags) = object(tree, "scheduler").and_then(|scheduler| scheduler.get_mut("flags")) {
        flags.as_array_mut().into_iter().flatten().for_each(respell_scheduler_flag);
    }
    if let Some(affinity) = object(tree, "execCPUAffinity") {
        affinity.retain(|_, list| list != "");
    }
    if let Some(priority) = object(tree, "ioPriority") {
        // The class is required: an empty one makes the complaint that names those there are.
        priority.entry("class").or_insert_with(|| Value::from(""));
    }
    if let Some(process) = tree.as_object_mut() {
        process.entry("user").or_insert_with(|| Value::Object(Map::new()));
    }
}

/// Repairs `linux.resources`.
pub(super) fn resources(tree: &mut Value) {
    drop_nulls(tree);
    if object(tree, "pids").is_some_and(|pids| !pids.contains_key("limit")) {
        tree.as_object_mut().map(|resources| resources.remove("pids"));
    }
    for limit in elements(tree, "hugepageLimits") {
        // uint64 in the specification, i64 in oci-spec; both mean that there is no limit.
        if let Some(limit) = limit.get_mut("limit").filter(|limit| limit.as_u64() > Some(i64::MAX as u64)) {
            *limit = Value::from(i64::MAX);
        }
    }
    for device in elements(tree, "devices") {
        if let Some(device) =
            device.as_object_mut().filter(|device| device.get("type").is_some_and(|typ| typ == ""))
        {
            device.remove("type");
        }
    }
}

/// Whether this is the version of a specification older than 1.3.
fn is_before_1_3(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version < (1, 3))
}

fn object<'a>(tree: &'a mut Value, name: &str) -> Option<&'a mut Map<String, Value>> {
    tree.get_mut(name)?.as_object_mut()
}

fn elements<'a>(tree: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> {
    tree.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten()
}

fn rename(members: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = members.remove(from) {
        members.insert(to.to_owned(), value);
    }
}

/// To the engines' JSON writers a null is a property left out. The depth is bounded by the parser's.
fn drop_nulls(tree: &mut Value) {
    match tree {
        Value::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            for (name, member) in members {
                if !USER_MAPS.contains(&name.as_str()) {
                    drop_nulls(member);
                }
            }
        }
        _ => {}
    }
}

/// A capability that this runtime does not know is a warning (config.md, "process.capabilities").
fn drop_unknown_capabilities(set: &mut Vec<Value>) {
    set.retain(|name| {
        let known = !name.is_string() || Capability::deserialize(name).is_ok();
        if !known {
            log::warn!("process.capabilities: ignoring unknown capability {name}");
        }
        known
    });
}

fn respell_scheduler_flag(flag: &mut Value) {
    let spelling = match flag.as_str() {
        Some("SCHED_FLAG_RESET_ON_FORK") => "SCHED_RESET_ON_FORK",
        Some("SCHED_FLAG_DL_OVERRUN") => "SCHED_FLAG_D_L_OVERRUN",
        _ => return,
    };
    *flag = Value::from(spelling);
}

/// Makes every empty string that means "not set" what it means, so that nobody else has to ask.
pub(super) fn drop_empty(spec: &mut Spec) {
    if is_empty(spec.hostname()) {
        spec.set_hostname(None);
    }
    if is_empty(spec.domainname()) {
        spec.set_domainname(None);
    }
    if let Some(process) = spec.process_mut() {
        drop_empty_of_process(process);
    }
    for mount in spec.mounts_mut().iter_mut().flatten() {
        if is_empty(mount.typ()) {
            mount.set_typ(None);
        }
        if mount.source().as_ref().is_some_and(|source| source.as_os_str().is_empty()) {
            mount.set_source(None);
        }
    }
    let Some(linux) = spec.linux_mut() else { return };
    if is_empty(linux.mount_label()) {
        linux.set_mount_label(None);
    }
    if is_empty(linux.rootfs_propagation()) {
        linux.set_rootfs_propagation(None);
    }
    if linux.cgroups_path().as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
        linux.set_cgroups_path(None);
    }
    if let Some(rdt) = linux.intel_rdt_mut().as_mut().filter(|rdt| is_empty(rdt.clos_id())) {
        rdt.set_clos_id(None);
    }
    for namespace in linux.namespaces_mut().iter_mut().flatten() {
        if namespace.path().as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            namespace.set_path(None);
        }
    }
}

/// As [`drop_empty`], for `process`.
pub(super) fn drop_empty_of_process(process: &mut Process) {
    if is_empty(process.apparmor_profile()) {
        process.set_apparmor_profile(None);
    }
    if is_empty(process.selinux_label()) {
        process.set_selinux_label(None);
    }
}

fn is_empty(text: &Option<String>) -> bool {
    text.as_deref() == Some("")
}

#[cfg(test)]
#[path = "repair_tests.rs"]
mod tests;
