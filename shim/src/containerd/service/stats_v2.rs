//! `io.containerd.cgroups.v2.Metrics`.

use corten_ttrpc::metrics::v2::{
    CpuStat, HugetlbStat, IoEntry, IoStat, MemoryEvents, MemoryStat, Metrics, PidsStat, PsiData, PsiStats,
    RdmaEntry, RdmaStat,
};
use runtime_core::{Stats, stats as cgroup};

pub(super) fn metrics(stats: &Stats) -> Metrics {
    Metrics {
        pids: Some(PidsStat { current: stats.pids.current, limit: pids_limit(stats.pids.limit) }),
        cpu: Some(cpu(&stats.cpu)),
        memory: Some(memory(&stats.memory)),
        rdma: Some(RdmaStat {
            current: stats.rdma.iter().map(|(device, entry)| rdma(device, *entry)).collect(),
            limit: stats.rdma_limits.iter().map(|(device, entry)| rdma(device, *entry)).collect(),
        }),
        io: Some(io(&stats.blkio)),
        hugetlb: stats.hugetlb.iter().map(|(size, entry)| hugetlb(size, entry)).collect(),
        memory_events: stats.memory.event_count.map(events),
        network: Vec::new(),
    }
}

/// Here no limit is the greatest number, and not 0 as in v1 and in the runtime.
fn pids_limit(limit: u64) -> u64 {
    if limit == 0 { u64::MAX } else { limit }
}

fn cpu(cpu: &cgroup::Cpu) -> CpuStat {
    const MICROSECOND: u64 = 1000;
    CpuStat {
        usage_usec: cpu.usage.total / MICROSECOND,
        user_usec: cpu.usage.user / MICROSECOND,
        system_usec: cpu.usage.kernel / MICROSECOND,
        nr_periods: cpu.throttling.periods,
        nr_throttled: cpu.throttling.throttled_periods,
        throttled_usec: cpu.throttling.throttled_time / MICROSECOND,
        psi: pressure(cpu.psi),
        nr_bursts: cpu.throttling.bursts,
        burst_usec: cpu.throttling.burst_time / MICROSECOND,
    }
}

fn pressure(pressure: Option<cgroup::Pressure>) -> Option<PsiStats> {
    let line = |line: cgroup::PressureLine| {
        let cgroup::PressureLine { avg10, avg60, avg300, total, .. } = line;
        Some(PsiData { avg10, avg60, avg300, total })
    };
    pressure.map(|pressure| PsiStats { some: line(pressure.some), full: line(pressure.full) })
}

fn memory(memory: &cgroup::Memory) -> MemoryStat {
    let raw = |name: &str| memory.raw.get(name).copied().unwrap_or(0);
    // Counted by kind of memory from Linux 5.9 on.
    let refault = raw("workingset_refault") + raw("workingset_refault_anon") + raw("workingset_refault_file");
    let activate =
        raw("workingset_activate") + raw("workingset_activate_anon") + raw("workingset_activate_file");
    MemoryStat {
        anon: raw("anon"),
        file: raw("file"),
        kernel_stack: raw("kernel_stack"),
        slab: raw("slab"),
        sock: raw("sock"),
        shmem: raw("shmem"),
        file_mapped: raw("file_mapped"),
        file_dirty: raw("file_dirty"),
        file_writeback: raw("file_writeback"),
        anon_thp: raw("anon_thp"),
        inactive_anon: raw("inactive_anon"),
        active_anon: raw("active_anon"),
        inactive_file: raw("inactive_file"),
        active_file: raw("active_file"),
        unevictable: raw("unevictable"),
        slab_reclaimable: raw("slab_reclaimable"),
        slab_unreclaimable: raw("slab_unreclaimable"),
        pgfault: raw("pgfault"),
        pgmajfault: raw("pgmajfault"),
        workingset_refault: refault,
        workingset_activate: activate,
        workingset_nodereclaim: raw("workingset_nodereclaim"),
        pgrefill: raw("pgrefill"),
        pgscan: raw("pgscan"),
        pgsteal: raw("pgsteal"),
        pgactivate: raw("pgactivate"),
        pgdeactivate: raw("pgdeactivate"),
        pglazyfree: raw("pglazyfree"),
        pglazyfreed: raw("pglazyfreed"),
        thp_fault_alloc: raw("thp_fault_alloc"),
        thp_collapse_alloc: raw("thp_collapse_alloc"),
        usage: memory.usage.usage,
        usage_limit: memory.usage.limit,
        // The runtime counts memory and swap together, as v1 does.
        swap_usage: memory.swap.usage.saturating_sub(memory.usage.usage),
        swap_limit: match (memory.swap.limit, memory.usage.limit) {
            (u64::MAX, _) => u64::MAX,
            (both, memory) => both.saturating_sub(memory),
        },
        max_usage: memory.usage.max,
        swap_max_usage: memory.swap_peak,
        psi: pressure(memory.psi),
    }
}

fn events(count: cgroup::MemoryEvents) -> MemoryEvents {
    let cgroup::MemoryEvents { low, high, max, oom, oom_kill, .. } = count;
    MemoryEvents { low, high, max, oom, oom_kill }
}

/// One entry for each device, from the runtime's two lists of operations.
fn io(blkio: &cgroup::Blkio) -> IoStat {
    let mut usage: Vec<IoEntry> = Vec::new();
    let lists = [(&blkio.io_service_bytes_recursive, true), (&blkio.io_serviced_recursive, false)];
    for (entry, is_bytes) in
        lists.into_iter().flat_map(|(list, bytes)| list.iter().map(move |entry| (entry, bytes)))
    {
        let found =
            usage.iter().position(|device| (device.major, device.minor) == (entry.major, entry.minor));
        let index = found.unwrap_or_else(|| {
            usage.push(IoEntry { major: entry.major, minor: entry.minor, ..IoEntry::default() });
            usage.len() - 1
        });
        let device = &mut usage[index];
        match (entry.op.as_str(), is_bytes) {
            ("Read", true) => device.rbytes = entry.value,
            ("Write", true) => device.wbytes = entry.value,
            ("Read", false) => device.rios = entry.value,
            ("Write", false) => device.wios = entry.value,
            _ => {}
        }
    }
    IoStat { usage, psi: pressure(blkio.psi) }
}

fn hugetlb(size: &str, entry: &cgroup::Hugetlb) -> HugetlbStat {
    HugetlbStat { current: entry.usage, max: entry.limit, pagesize: size.to_owned() }
}

fn rdma(device: &str, entry: cgroup::Rdma) -> RdmaEntry {
    let cgroup::Rdma { hca_handles, hca_objects, .. } = entry;
    RdmaEntry { device: device.to_owned(), hca_handles, hca_objects }
}
