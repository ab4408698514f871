//! The resources of the specification as values for the files of the cgroup v1 controllers, cgroups(7) and the kernel's
//! Documentation/admin-guide/cgroup-v1. Nothing here touches the system.

use super::setting::Setting;
use crate::spec::{
    LinuxBlockIo, LinuxCpu, LinuxHugepageLimit, LinuxMemory, LinuxNetwork, LinuxRdma, LinuxThrottleDevice,
};
use std::collections::BTreeMap;

/// Memory: a limit of 0 is one not set.
pub(super) fn memory(memory: &LinuxMemory) -> Vec<Setting> {
    let mut settings = Vec::new();
    let limit = memory.limit.filter(|limit| *limit != 0);
    let swap = memory.swap.filter(|swap| *swap != 0);
    let both = "memory.memsw.limit_in_bytes";
    if limit == Some(-1) && swap.is_none() {
        settings.push(Setting::new("memory.limit", both, -1).optional());
    }
    if let Some(limit) = limit {
        settings.push(Setting::new("memory.limit", "memory.limit_in_bytes", limit).depends());
    }
    if let Some(swap) = swap {
        settings.push(Setting::new("memory.swap", both, swap).optional_if(swap == -1).depends());
    }
    if let Some(reservation) = memory.reservation.filter(|reservation| *reservation != 0) {
        settings.push(Setting::new("memory.reservation", "memory.soft_limit_in_bytes", reservation));
    }
    if let Some(buffers) = memory.kernel_tcp.filter(|buffers| *buffers != 0) {
        settings.push(Setting::new("memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes", buffers));
    }
    if memory.disable_oom_killer == Some(true) {
        settings.push(Setting::new("memory.disableOOMKiller", "memory.oom_control", 1));
    }
    if let Some(swappiness) = memory.swappiness.filter(|swappiness| *swappiness != u64::MAX) {
        settings.push(Setting::new("memory.swappiness", "memory.swappiness", swappiness));
    }
    settings
}

/// The controller `cpu`.
pub(super) fn cpu(cpu: &LinuxCpu) -> Vec<Setting> {
    let mut settings = Vec::new();
    if let Some(period) = cpu.realtime_period.filter(|period| *period != 0) {
        settings.push(Setting::new("cpu.realtimePeriod", "cpu.rt_period_us", period).depends());
    }
    if let Some(runtime) = cpu.realtime_runtime.filter(|runtime| *runtime != 0) {
        settings.push(Setting::new("cpu.realtimeRuntime", "cpu.rt_runtime_us", runtime).depends());
    }
    if let Some(idle @ 0) = cpu.idle {
        settings.push(Setting::new("cpu.idle", "cpu.idle", idle).optional());
    }
    if let Some(shares) = cpu.shares.filter(|shares| *shares != 0) {
        settings.push(Setting::new("cpu.shares", "cpu.shares", shares));
    }
    if let Some(burst) = cpu.burst {
        settings.push(Setting::new("cpu.burst", "cpu.cfs_burst_us", burst).optional_if(burst == 0).depends());
    }
    if let Some(period) = cpu.period.filter(|period| *period != 0) {
        settings.push(Setting::new("cpu.period", "cpu.cfs_period_us", period).depends());
    }
    if let Some(quota) = cpu.quota.filter(|quota| *quota != 0) {
        settings.push(Setting::new("cpu.quota", "cpu.cfs_quota_us", quota.max(-1)).depends());
    }
    // An idle cgroup takes no shares, so this comes last.
    if let Some(idle) = cpu.idle.filter(|idle| *idle != 0) {
        settings.push(Setting::new("cpu.idle", "cpu.idle", idle));
    }
    settings
}

/// The controller `cpuset`, whose two files have the same names on v2.
pub(super) fn cpuset(cpu: &LinuxCpu) -> Vec<Setting> {
    let lists = [("cpu.cpus", "cpuset.cpus", &cpu.cpus), ("cpu.mems", "cpuset.mems", &cpu.mems)];
    let set = lists.into_iter().filter_map(|(property, file, list)| {
        list.as_ref().filter(|list| !list.is_empty()).map(|list| Setting::new(property, file, list))
    });
    set.collect()
}

/// The controller `pids`, the same on v2. 0 and 1 mean the same, that the first process may not fork; but with 0 not even
/// that one could be born inside.
pub(super) fn pids(limit: i64) -> Vec<Setting> {
    let limit = if limit == 0 { 1 } else { limit };
    vec![Setting::new("pids.limit", "pids.max", super::convert::limit(limit))]
}

/// The controller `blkio`: weights by CFQ's files or, on the kernels since 5.0 that lack it, by BFQ's.
pub(super) fn blkio(io: &LinuxBlockIo) -> Vec<Setting> {
    let mut settings = Vec::new();
    if let Some(weight) = io.weight.filter(|weight| *weight != 0) {
        settings.push(Setting::new("blockIO.weight", "blkio.weight", weight).or("blkio.bfq.weight", weight));
    }
    for device in &io.weight_device {
        if let Some(weight) = device.weight.filter(|weight| *weight != 0) {
            let value = format!("{}:{} {weight}", device.major, device.minor);
            settings.push(
                Setting::new("blockIO.weightDevice", "blkio.weight_device", &value)
                    .or("blkio.bfq.weight_device", &value),
            );
        }
    }
    for (property, file, devices) in throttles(io) {
        for device in devices {
            let value = format!("{}:{} {}", device.major, device.minor, device.rate);
            settings.push(Setting::new(property, file, value));
        }
    }
    settings
}

type Throttle<'a> = (&'static str, &'static str, &'a [LinuxThrottleDevice]);

fn throttles(io: &LinuxBlockIo) -> [Throttle<'_>; 4] {
    [
        ("blockIO.throttleReadBpsDevice", "blkio.throttle.read_bps_device", &io.throttle_read_bps_device),
        ("blockIO.throttleWriteBpsDevice", "blkio.throttle.write_bps_device", &io.throttle_write_bps_device),
        ("blockIO.throttleReadIOPSDevice", "blkio.throttle.read_iops_device", &io.throttle_read_iops_device),
        (
            "blockIO.throttleWriteIOPSDevice",
            "blkio.throttle.write_iops_device",
            &io.throttle_write_iops_device,
        ),
    ]
}

/// The controller `hugetlb`: the use and, where the kernel counts them, the reservations.
pub(super) fn hugetlb(limits: &[LinuxHugepageLimit]) -> Vec<Setting> {
    let both = limits.iter().flat_map(|entry| {
        let (size, limit) = (&entry.page_size, entry.limit);
        let setting = |file| Setting::new("hugepageLimits", file, limit);
        [
            setting(format!("hugetlb.{size}.limit_in_bytes")),
            setting(format!("hugetlb.{size}.rsvd.limit_in_bytes")).optional(),
        ]
    });
    both.collect()
}

/// The controller `rdma`, the same on v2.
pub(super) fn rdma(devices: &BTreeMap<String, LinuxRdma>) -> Vec<Setting> {
    let lines = devices.iter().map(|(name, limits)| {
        let mut line = name.clone();
        for (key, value) in [("hca_handle", limits.hca_handles), ("hca_object", limits.hca_objects)] {
            if let Some(value) = value {
                line.push_str(&format!(" {key}={value}"));
            }
        }
        Setting::new(&format!("rdma.{name}"), "rdma.max", line)
    });
    lines.collect()
}

/// The controller `net_cls`.
pub(super) fn net_cls(network: &LinuxNetwork) -> Vec<Setting> {
    let class = network.class_id.filter(|class| *class != 0);
    class.map(|class| Setting::new("network.classID", "net_cls.classid", class)).into_iter().collect()
}

/// The controller `net_prio`.
pub(super) fn net_prio(network: &LinuxNetwork) -> Vec<Setting> {
    let priorities = network.priorities.iter().map(|entry| {
        let value = format!("{} {}", entry.name, entry.priority);
        Setting::new("network.priorities", "net_prio.ifpriomap", value)
    });
    priorities.collect()
}
