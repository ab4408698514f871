//! `linux.resources` (config-linux.md, "Control groups"), apart from `blockIO`.

use super::{block_io::LinuxBlockIo, define::objects, linux::LinuxDeviceType};
use std::collections::BTreeMap;

objects! {
    /// The limits of a container: config-linux.md, "Control groups".
    ///
    /// ```
    /// use runtime_core::spec::{LinuxPids, LinuxResources};
    ///
    /// let mut limits = LinuxResources::default();
    /// limits.memory.get_or_insert_default().limit = Some(512 << 20);
    /// limits.pids = Some(LinuxPids { limit: Some(100) });
    /// limits.unified.insert("memory.high".to_owned(), "402653184".to_owned());
    /// ```
    #[non_exhaustive]
    LinuxResources {
        /// Which devices can be used, the last rule that fits decides: "Allowed Device list". An update without a list leaves the
        /// rules as they are.
        devices: Option<Vec<LinuxDeviceCgroup>> = "devices",
        /// Memory.
        memory: Option<LinuxMemory> = "memory",
        /// Processor time, and which processors.
        cpu: Option<LinuxCpu> = "cpu",
        /// Processes and threads.
        pids: Option<LinuxPids> = "pids",
        /// Block devices.
        block_io: Option<LinuxBlockIo> = "blockIO",
        /// Huge pages.
        hugepage_limits: Vec<LinuxHugepageLimit> = "hugepageLimits",
        /// Marks and priorities of packets: cgroup v1 only.
        network: Option<LinuxNetwork> = "network",
        /// RDMA devices, by name.
        rdma: BTreeMap<String, LinuxRdma> = "rdma",
        /// Files of a cgroup of version 2 and what is written to them, as `memory.high`. They are written last.
        unified: BTreeMap<String, String> = "unified",
    }

    /// A rule for devices: config-linux.md, "Allowed Device list".
    ///
    /// ```
    /// use runtime_core::spec::{LinuxDeviceCgroup, LinuxDeviceType};
    ///
    /// let mut fuse = LinuxDeviceCgroup::default();
    /// (fuse.allow, fuse.typ, fuse.access) = (true, Some(LinuxDeviceType::C), Some("rwm".to_owned()));
    /// (fuse.major, fuse.minor) = (Some(10), Some(229));
    /// ```
    LinuxDeviceCgroup {
        /// Whether they can be used.
        allow: bool = "allow" Written,
        /// The kind of devices, all if there is none.
        typ: Option<LinuxDeviceType> = "type",
        /// Their major number, any if there is none.
        major: Option<i64> = "major",
        /// Their minor number, any if there is none.
        minor: Option<i64> = "minor",
        /// Some of `r`, `w` and `m`: to read, to write, to make a file of it.
        access: Option<String> = "access",
    }

    /// Memory: config-linux.md, "Memory". Sizes are in bytes, and -1 is no limit.
    ///
    /// ```
    /// use runtime_core::spec::LinuxMemory;
    ///
    /// let mut memory = LinuxMemory::default();
    /// memory.limit = Some(512 << 20);
    /// memory.swap = Some(512 << 20); // with the memory: no swap
    /// ```
    #[non_exhaustive]
    LinuxMemory {
        /// The most memory.
        limit: Option<i64> = "limit",
        /// What is left to it when memory gets scarce.
        reservation: Option<i64> = "reservation",
        /// The most memory and swap together.
        swap: Option<i64> = "swap",
        /// The most memory of the kernel. The kernel and the specification have given it up.
        kernel: Option<i64> = "kernel",
        /// The most memory of TCP's buffers: cgroup v1 only.
        kernel_tcp: Option<i64> = "kernelTCP",
        /// How readily memory is swapped out, 0 to 100: cgroup v1 only.
        swappiness: Option<u64> = "swappiness",
        /// Whether processes sleep instead of being killed when the limit is reached: cgroup v1 only.
        disable_oom_killer: Option<bool> = "disableOOMKiller",
        /// Whether cgroups beneath are counted too: cgroup v1 only, where they always are today.
        use_hierarchy: Option<bool> = "useHierarchy",
        /// Whether a limit below what is used is an error.
        check_before_update: Option<bool> = "checkBeforeUpdate",
    }

    /// Processor time, and which processors: config-linux.md, "CPU". Times are in microseconds.
    ///
    /// ```
    /// use runtime_core::spec::LinuxCpu;
    ///
    /// let mut cpu = LinuxCpu::default();
    /// (cpu.quota, cpu.period) = (Some(50_000), Some(100_000)); // half a processor
    /// cpu.cpus = Some("0-1".to_owned());
    /// ```
    #[non_exhaustive]
    LinuxCpu {
        /// Its weight among its siblings; 1024 is the usual.
        shares: Option<u64> = "shares",
        /// The most time in each period, -1 for no limit.
        quota: Option<i64> = "quota",
        /// Whether it runs only where nobody else does: 1.
        idle: Option<i64> = "idle",
        /// How much that was not used can be saved for later periods.
        burst: Option<u64> = "burst",
        /// The length of a period.
        period: Option<u64> = "period",
        /// The most time of real-time processes in each of their periods.
        realtime_runtime: Option<i64> = "realtimeRuntime",
        /// The length of their period.
        realtime_period: Option<u64> = "realtimePeriod",
        /// The processors, as `0-3,7`.
        cpus: Option<String> = "cpus",
        /// The memory nodes, as `0-3,7`.
        mems: Option<String> = "mems",
    }

    /// Processes and threads: config-linux.md, "PIDs".
    ///
    /// ```
    /// use runtime_core::spec::LinuxPids;
    ///
    /// let pids = LinuxPids { limit: Some(100) };
    /// ```
    #[derive(Copy)]
    LinuxPids {
        /// The most of them, -1 for no limit. If there is none the limit is left alone.
        limit: Option<i64> = "limit",
    }

    /// Huge pages of one size: config-linux.md, "Huge page limits".
    ///
    /// ```
    /// use runtime_core::spec::LinuxHugepageLimit;
    ///
    /// let none = LinuxHugepageLimit { page_size: "2MB".to_owned(), limit: 0 };
    /// ```
    LinuxHugepageLimit {
        /// Their size, as `2MB`.
        page_size: String = "pageSize" Written,
        /// The most memory in such pages, in bytes.
        limit: u64 = "limit" Written,
    }

    /// Marks and priorities of packets: config-linux.md, "Network".
    ///
    /// ```
    /// use runtime_core::spec::{LinuxInterfacePriority, LinuxNetwork};
    ///
    /// let mut network = LinuxNetwork::default();
    /// network.class_id = Some(0x0010_0001);
    /// network.priorities.push(LinuxInterfacePriority { name: "eth0".to_owned(), priority: 5 });
    /// ```
    #[non_exhaustive]
    LinuxNetwork {
        /// The class that packets are marked with.
        class_id: Option<u32> = "classID",
        /// Priorities, by device.
        priorities: Vec<LinuxInterfacePriority> = "priorities",
    }

    /// The priority of packets that leave by a device: config-linux.md, "Network".
    ///
    /// ```
    /// use runtime_core::spec::LinuxInterfacePriority;
    ///
    /// let first = LinuxInterfacePriority { name: "eth0".to_owned(), priority: 7 };
    /// ```
    LinuxInterfacePriority {
        /// The device's name.
        name: String = "name" Written,
        /// The priority.
        priority: u32 = "priority" Written,
    }

    /// What can be had of an RDMA device: config-linux.md, "RDMA".
    ///
    /// ```
    /// use runtime_core::spec::{LinuxRdma, LinuxResources};
    ///
    /// let mut limits = LinuxResources::default();
    /// limits.rdma.insert("mlx5_0".to_owned(), LinuxRdma { hca_handles: Some(3), hca_objects: Some(10_000) });
    /// ```
    #[derive(Copy)]
    LinuxRdma {
        /// The most handles.
        hca_handles: Option<u32> = "hcaHandles",
        /// The most objects.
        hca_objects: Option<u32> = "hcaObjects",
    }
}
