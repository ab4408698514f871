//! `linux.sysctl`: only what belongs to a namespace of the container (config-linux.md, "Sysctl"). Anything else would
//! change the host.

use crate::spec::LinuxNamespaceType;

use super::{
    super::place::{Faults, Place},
    Namespaces, values,
};

/// The parameters beneath `kernel` that belong to the IPC namespace (ipc_namespaces(7)).
const KERNEL_IPC: [&str; 8] =
    ["msgmax", "msgmnb", "msgmni", "sem", "shm_rmid_forced", "shmall", "shmmax", "shmmni"];

/// The path of the parameter `key` beneath `/proc/sys`. The first `.` or `/` of the key says which of the two separates
/// (sysctl.d(5)): `net.ipv4.conf.eth0/1.forwarding` and `net/ipv4/conf/eth0.1/forwarding` are the same.
pub(crate) fn sysctl_path(key: &str) -> String {
    if separator(key) == '/' {
        return key.to_owned();
    }
    let swapped = key.chars().map(|c| match c {
        '.' => '/',
        '/' => '.',
        c => c,
    });
    swapped.collect()
}

fn separator(key: &str) -> char {
    key.chars().find(|c| matches!(c, '.' | '/')).unwrap_or('.')
}

pub(super) fn check(faults: &mut Faults, at: &Place<'_>, key: &str, value: &str, namespaces: Namespaces) {
    let at = at.key(key);
    values::no_nul(faults, &at, key);
    values::no_nul(faults, &at, value);
    let separator = separator(key);
    // What stands for a dot within a part when the parts are separated by dots, and the other way round.
    let dot = if separator == '.' { '/' } else { '.' };
    let climbs = |part: &str| part.len() <= 2 && part.chars().all(|c| c == dot);
    if key.split(separator).any(climbs) {
        return faults.add(&at, "must be the name of a kernel parameter");
    }
    let mut parts = key.split(separator);
    let names = [parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default);
    let (needed, name) = match names {
        ["kernel", "hostname", ""] => return faults.add(&at, "must be set by the property hostname"),
        ["kernel", "domainname", ""] => (LinuxNamespaceType::Uts, "a UTS"),
        ["kernel", parameter, ""] if KERNEL_IPC.contains(&parameter) => (LinuxNamespaceType::Ipc, "an IPC"),
        ["fs", "mqueue", parameter] if !parameter.is_empty() => (LinuxNamespaceType::Ipc, "an IPC"),
        ["net", parameter, _] if !parameter.is_empty() => (LinuxNamespaceType::Network, "a network"),
        _ => return faults.add(&at, "must be a parameter that belongs to a namespace"),
    };
    if !namespaces.has(needed) {
        faults.add(&at, format_args!("needs {name} namespace in linux.namespaces"));
    }
}
