//! The processes of a container that has no cgroup to name them, as where an ordinary user may make none: those that share
//! the namespace that was made for it.

use super::record::{ProcessId, Record};
use crate::namespace::flag;
use std::fs;

/// Nothing if the container has cgroups.
pub(super) fn without_cgroup(record: &Record) -> Vec<ProcessId> {
    // One of which it cannot be found out may live.
    let alive = |process: &ProcessId| process.is_alive().unwrap_or(true);
    let Some(first) = record.process.filter(alive) else { return Vec::new() };
    if record.cgroup.paths().next().is_some() {
        return Vec::new();
    }
    // One that was joined may have others' processes too.
    let kind = match record.new_namespaces {
        flags if flags & flag::PID != 0 => "pid",
        flags if flags & flag::USER != 0 => "user",
        _ => return vec![first],
    };
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok();
    let Some(own) = namespace(first.pid) else { return vec![first] };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    // The start time is taken before the comparison: should the number be used again between them, no signal is sent.
    let processes =
        pids.into_iter().filter_map(|pid| Some((ProcessId::of(pid).ok().flatten()?, namespace(pid))));
    processes.filter(|(_, found)| found.as_ref() == Some(&own)).map(|(process, _)| process).collect()
}
