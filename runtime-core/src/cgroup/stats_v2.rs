//! What the v2 controllers count, in the form that v1 has.

use super::{
    convert,
    dir::Dir,
    read::{io_stat, number, page_sizes, pairs, pressure, rdma},
    stats::{CpuUsage, Hugetlb, MemoryEntry, MemoryEvents, Stats},
};

/// Reads what the controllers of the cgroup `dir` count. On a hybrid host they are the few that v1 has not; pressure is counted
/// here alone.
pub(super) fn read(dir: &Dir, stats: &mut Stats) {
    let controllers = dir.try_read("cgroup.controllers").unwrap_or_default();
    let has = |name: &str| controllers.split_whitespace().any(|controller| controller == name);
    cpu(dir, stats);
    if has("cpuset") {
        let list = |file: &str| dir.try_read(file).and_then(|text| convert::list(&text)).unwrap_or_default();
        stats.cpuset.cpus = list("cpuset.cpus.effective");
        stats.cpuset.mems = list("cpuset.mems.effective");
    }
    if has("memory") {
        memory(dir, stats);
    }
    if has("pids") {
        stats.pids.current = number(dir, "pids.current");
        stats.pids.limit = Some(number(dir, "pids.max")).filter(|limit| *limit != u64::MAX).unwrap_or(0);
    }
    if has("io") {
        let (bytes, operations) = io_stat(&dir.try_read("io.stat").unwrap_or_default());
        stats.blkio.io_service_bytes_recursive = bytes;
        stats.blkio.io_serviced_recursive = operations;
    }
    if has("hugetlb") {
        for size in page_sizes() {
            let usage = number(dir, &format!("hugetlb.{size}.current"));
            let limit = number(dir, &format!("hugetlb.{size}.max"));
            let failcnt = pairs(dir, &format!("hugetlb.{size}.events")).get("max").copied().unwrap_or(0);
            stats.hugetlb.insert(size, Hugetlb { usage, max: 0, failcnt, limit });
        }
    }
    if has("rdma") {
        stats.rdma = rdma(&dir.try_read("rdma.current").unwrap_or_default());
        stats.rdma_limits = rdma(&dir.try_read("rdma.max").unwrap_or_default());
    }
    stats.cpu.psi = pressure(dir, "cpu.pressure");
    stats.memory.psi = pressure(dir, "memory.pressure");
    stats.blkio.psi = pressure(dir, "io.pressure");
    if stats.pids.current == 0 && !has("pids") {
        // Without the controller the processes can still be counted.
        let processes = dir.try_read("cgroup.threads").map_or(0, |text| text.lines().count());
        stats.pids.current = u64::try_from(processes).unwrap_or(0);
    }
}

fn cpu(dir: &Dir, stats: &mut Stats) {
    // Time is counted in every cgroup, the controller is needed for the quota only. v1's own numbers are better, where there
    // are any.
    let counts = pairs(dir, "cpu.stat");
    let time = |key: &str| counts.get(key).copied().unwrap_or(0).saturating_mul(1_000);
    if stats.cpu.usage == CpuUsage::default() {
        stats.cpu.usage.total = time("usage_usec");
        stats.cpu.usage.kernel = time("system_usec");
        stats.cpu.usage.user = time("user_usec");
    }
    if let (Some(&periods), Some(&throttled)) = (counts.get("nr_periods"), counts.get("nr_throttled")) {
        stats.cpu.throttling.periods = periods;
        stats.cpu.throttling.throttled_periods = throttled;
        stats.cpu.throttling.throttled_time = time("throttled_usec");
        stats.cpu.throttling.bursts = counts.get("nr_bursts").copied().unwrap_or(0);
        stats.cpu.throttling.burst_time = time("burst_usec");
    }
}

fn memory(dir: &Dir, stats: &mut Stats) {
    let memory = &mut stats.memory;
    memory.raw = pairs(dir, "memory.stat");
    memory.cache = memory.raw.get("file").copied().unwrap_or(0);
    let events = pairs(dir, "memory.events");
    let count = |key: &str| events.get(key).copied().unwrap_or(0);
    memory.usage = MemoryEntry {
        limit: number(dir, "memory.max"),
        usage: number(dir, "memory.current"),
        max: number(dir, "memory.peak"),
        failcnt: count("max"),
    };
    let swap_events = pairs(dir, "memory.swap.events");
    memory.swap = MemoryEntry {
        limit: number(dir, "memory.swap.max").saturating_add(memory.usage.limit),
        usage: number(dir, "memory.swap.current").saturating_add(memory.usage.usage),
        max: 0,
        failcnt: swap_events.get("fail").copied().unwrap_or(0),
    };
    memory.swap_peak = number(dir, "memory.swap.peak");
    memory.event_count = Some(MemoryEvents {
        low: count("low"),
        high: count("high"),
        max: count("max"),
        oom: count("oom"),
        oom_kill: count("oom_kill"),
        oom_group_kill: count("oom_group_kill"),
    });
}
