//! `io.containerd.cgroups.v1.Metrics`.

use corten_ttrpc::metrics::v1::{
    BlkioEntry, BlkioStat, CpuStat, CpuUsage, HugetlbStat, MemoryEntry, MemoryOomControl, MemoryStat,
    Metrics, PidsStat, RdmaEntry, RdmaStat, Throttle,
};
use runtime_core::{Stats, stats as cgroup};

pub(super) fn metrics(stats: &Stats) -> Metrics {
    Metrics {
        hugetlb: stats.hugetlb.iter().map(|(size, entry)| hugetlb(size, entry)).collect(),
        pids: Some(PidsStat { current: stats.pids.current, limit: stats.pids.limit }),
        cpu: Some(cpu(&stats.cpu)),
        memory: Some(memory(&stats.memory)),
        blkio: Some(blkio(&stats.blkio)),
        rdma: Some(RdmaStat {
            current: stats.rdma.iter().map(|(device, entry)| rdma(device, *entry)).collect(),
            limit: stats.rdma_limits.iter().map(|(device, entry)| rdma(device, *entry)).collect(),
        }),
        network: Vec::new(),
        cgroup_stats: None,
        memory_oom_control: stats.memory.event_count.map(|count| MemoryOomControl {
            oom_kill_disable: stats.memory.oom_kill_disable.into(),
            under_oom: stats.memory.under_oom.into(),
            oom_kill: count.oom_kill,
        }),
    }
}

fn hugetlb(size: &str, entry: &cgroup::Hugetlb) -> HugetlbStat {
    HugetlbStat { usage: entry.usage, max: entry.max, failcnt: entry.failcnt, pagesize: size.to_owned() }
}

fn cpu(cpu: &cgroup::Cpu) -> CpuStat {
    let cgroup::CpuUsage { total, kernel, user, percpu, .. } = &cpu.usage;
    let usage = CpuUsage { total: *total, kernel: *kernel, user: *user, per_cpu: percpu.clone() };
    let throttling = Throttle {
        periods: cpu.throttling.periods,
        throttled_periods: cpu.throttling.throttled_periods,
        throttled_time: cpu.throttling.throttled_time,
    };
    CpuStat { usage: Some(usage), throttling: Some(throttling) }
}

fn entry(entry: cgroup::MemoryEntry) -> Option<MemoryEntry> {
    let cgroup::MemoryEntry { limit, usage, max, failcnt, .. } = entry;
    Some(MemoryEntry { limit, usage, max, failcnt })
}

fn memory(memory: &cgroup::Memory) -> MemoryStat {
    let raw = |name: &str| memory.raw.get(name).copied().unwrap_or(0);
    MemoryStat {
        cache: raw("cache"),
        rss: raw("rss"),
        rss_huge: raw("rss_huge"),
        mapped_file: raw("mapped_file"),
        dirty: raw("dirty"),
        writeback: raw("writeback"),
        pg_pg_in: raw("pgpgin"),
        pg_pg_out: raw("pgpgout"),
        pg_fault: raw("pgfault"),
        pg_maj_fault: raw("pgmajfault"),
        inactive_anon: raw("inactive_anon"),
        active_anon: raw("active_anon"),
        inactive_file: raw("inactive_file"),
        active_file: raw("active_file"),
        unevictable: raw("unevictable"),
        hierarchical_memory_limit: raw("hierarchical_memory_limit"),
        hierarchical_swap_limit: raw("hierarchical_memsw_limit"),
        total_cache: raw("total_cache"),
        total_rss: raw("total_rss"),
        total_rss_huge: raw("total_rss_huge"),
        total_mapped_file: raw("total_mapped_file"),
        total_dirty: raw("total_dirty"),
        total_writeback: raw("total_writeback"),
        total_pg_pg_in: raw("total_pgpgin"),
        total_pg_pg_out: raw("total_pgpgout"),
        total_pg_fault: raw("total_pgfault"),
        total_pg_maj_fault: raw("total_pgmajfault"),
        total_inactive_anon: raw("total_inactive_anon"),
        total_active_anon: raw("total_active_anon"),
        total_inactive_file: raw("total_inactive_file"),
        total_active_file: raw("total_active_file"),
        total_unevictable: raw("total_unevictable"),
        usage: entry(memory.usage),
        swap: entry(memory.swap),
        kernel: entry(memory.kernel),
        kernel_tcp: entry(memory.kernel_tcp),
    }
}

fn blkio(blkio: &cgroup::Blkio) -> BlkioStat {
    let entries = |list: &[cgroup::BlkioEntry]| list.iter().map(blkio_entry).collect();
    BlkioStat {
        io_service_bytes_recursive: entries(&blkio.io_service_bytes_recursive),
        io_serviced_recursive: entries(&blkio.io_serviced_recursive),
        io_queued_recursive: entries(&blkio.io_queued_recursive),
        io_service_time_recursive: entries(&blkio.io_service_time_recursive),
        io_wait_time_recursive: entries(&blkio.io_wait_time_recursive),
        io_merged_recursive: entries(&blkio.io_merged_recursive),
        io_time_recursive: entries(&blkio.io_time_recursive),
        sectors_recursive: entries(&blkio.sectors_recursive),
    }
}

fn blkio_entry(entry: &cgroup::BlkioEntry) -> BlkioEntry {
    BlkioEntry {
        op: entry.op.clone(),
        device: device(entry.major, entry.minor),
        major: entry.major,
        minor: entry.minor,
        value: entry.value,
    }
}

/// The device's file, as containerd names it.
fn device(major: u64, minor: u64) -> String {
    let table = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/uevent")).unwrap_or_default();
    let name = table.lines().find_map(|line| line.strip_prefix("DEVNAME="));
    name.map(|name| format!("/dev/{name}")).unwrap_or_default()
}

fn rdma(device: &str, entry: cgroup::Rdma) -> RdmaEntry {
    let cgroup::Rdma { hca_handles, hca_objects, .. } = entry;
    RdmaEntry { device: device.to_owned(), hca_handles, hca_objects }
}
