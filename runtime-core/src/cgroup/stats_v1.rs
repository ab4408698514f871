//! What the v1 controllers count.

use super::{
    convert,
    dir::Dir,
    read::{blkio, number, page_sizes, pairs, rdma},
    stats::{Blkio, CpuUsage, Cpuset, Hugetlb, MemoryEntry, MemoryEvents, Stats},
};

/// cpuacct.stat counts in hundredths of a second, whatever the kernel's own clock: the kernel's `USER_HZ`.
const TICK: u64 = 10_000_000;

/// Reads what `controller` counts in the cgroup `dir`.
pub(super) fn read(dir: &Dir, controller: &str, stats: &mut Stats) {
    match controller {
        "cpu" => {
            let counts = pairs(dir, "cpu.stat");
            let count = |key: &str| counts.get(key).copied().unwrap_or(0);
            stats.cpu.throttling.periods = count("nr_periods");
            stats.cpu.throttling.throttled_periods = count("nr_throttled");
            stats.cpu.throttling.throttled_time = count("throttled_time");
            stats.cpu.throttling.bursts = count("nr_bursts");
            stats.cpu.throttling.burst_time = count("burst_time");
        }
        "cpuacct" => stats.cpu.usage = cpu_usage(dir),
        "cpuset" => stats.cpuset = cpuset(dir),
        "memory" => memory(dir, stats),
        "pids" => {
            stats.pids.current = number(dir, "pids.current");
            stats.pids.limit = Some(number(dir, "pids.max")).filter(|limit| *limit != u64::MAX).unwrap_or(0);
        }
        "blkio" => stats.blkio = block_devices(dir),
        "hugetlb" => {
            for size in page_sizes() {
                let count = |name: &str| number(dir, &format!("hugetlb.{size}.{name}"));
                let usage = count("usage_in_bytes");
                let (max, failcnt) = (count("max_usage_in_bytes"), count("failcnt"));
                let entry = Hugetlb { usage, max, failcnt, limit: count("limit_in_bytes") };
                stats.hugetlb.insert(size, entry);
            }
        }
        "rdma" => {
            stats.rdma = rdma(&dir.try_read("rdma.current").unwrap_or_default());
            stats.rdma_limits = rdma(&dir.try_read("rdma.max").unwrap_or_default());
        }
        _ => {}
    }
}

fn cpu_usage(dir: &Dir) -> CpuUsage {
    let ticks = pairs(dir, "cpuacct.stat");
    let time = |key: &str| ticks.get(key).copied().unwrap_or(0).saturating_mul(TICK);
    let list = |file: &str| -> Vec<u64> {
        let text = dir.try_read(file).unwrap_or_default();
        text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
    };
    CpuUsage {
        total: number(dir, "cpuacct.usage"),
        percpu: list("cpuacct.usage_percpu"),
        percpu_kernel: list("cpuacct.usage_percpu_sys"),
        percpu_user: list("cpuacct.usage_percpu_user"),
        kernel: time("system"),
        user: time("user"),
    }
}

/// BFQ counts what it schedules; throttling counts everything.
fn block_devices(dir: &Dir) -> Blkio {
    let read = |file: &str| blkio(&dir.try_read(file).unwrap_or_default());
    let bfq = |name: &str| read(&format!("blkio.bfq.{name}_recursive"));
    let either = |name: &str| {
        let entries = bfq(name);
        if entries.is_empty() { read(&format!("blkio.throttle.{name}_recursive")) } else { entries }
    };
    Blkio {
        io_service_bytes_recursive: either("io_service_bytes"),
        io_serviced_recursive: either("io_serviced"),
        io_queued_recursive: bfq("io_queued"),
        io_service_time_recursive: bfq("io_service_time"),
        io_wait_time_recursive: bfq("io_wait_time"),
        io_merged_recursive: bfq("io_merged"),
        io_time_recursive: bfq("time"),
        sectors_recursive: bfq("sectors"),
        psi: None,
    }
}

fn cpuset(dir: &Dir) -> Cpuset {
    let list = |file: &str| dir.try_read(file).and_then(|text| convert::list(&text)).unwrap_or_default();
    let count = |name: &str| number(dir, &format!("cpuset.{name}"));
    let level = dir.try_read("cpuset.sched_relax_domain_level");
    Cpuset {
        cpus: list("cpuset.cpus"),
        cpu_exclusive: count("cpu_exclusive"),
        mems: list("cpuset.mems"),
        mem_hardwall: count("mem_hardwall"),
        mem_exclusive: count("mem_exclusive"),
        memory_migrate: count("memory_migrate"),
        memory_spread_page: count("memory_spread_page"),
        memory_spread_slab: count("memory_spread_slab"),
        memory_pressure: count("memory_pressure"),
        sched_load_balance: count("sched_load_balance"),
        sched_relax_domain_level: level.and_then(|text| text.trim().parse().ok()).unwrap_or(0),
    }
}

fn memory(dir: &Dir, stats: &mut Stats) {
    let memory = &mut stats.memory;
    let entry = |name: &str| {
        let count = |file: &str| number(dir, &format!("memory.{name}{file}"));
        MemoryEntry {
            limit: count("limit_in_bytes"),
            usage: count("usage_in_bytes"),
            max: count("max_usage_in_bytes"),
            failcnt: count("failcnt"),
        }
    };
    memory.usage = entry("");
    memory.swap = entry("memsw.");
    memory.kernel = entry("kmem.");
    memory.kernel_tcp = entry("kmem.tcp.");
    memory.raw = pairs(dir, "memory.stat");
    memory.cache = memory.raw.get("cache").copied().unwrap_or(0);
    let control = pairs(dir, "memory.oom_control");
    let is_set = |key: &str| control.get(key).is_some_and(|value| *value != 0);
    (memory.oom_kill_disable, memory.under_oom) = (is_set("oom_kill_disable"), is_set("under_oom"));
    let kills = control.get("oom_kill").copied();
    memory.event_count = kills.map(|oom_kill| MemoryEvents { oom_kill, ..MemoryEvents::default() });
}
