//! `linux.resources` (config-linux.md, "Control groups"), as far as it is the same for every cgroup version and host.

use crate::spec::{
    LinuxBlockIo, LinuxCpu, LinuxDeviceCgroup, LinuxDeviceType, LinuxHugepageLimit, LinuxMemory,
    LinuxResources,
};

use super::{
    super::place::{Faults, Place, Quoted},
    values,
};

/// The period of CPU bandwidth control, in microseconds.
const CPU_PERIOD: std::ops::RangeInclusive<u64> = 1_000..=1_000_000;

pub(super) fn check(faults: &mut Faults, at: &Place<'_>, resources: &LinuxResources) {
    for (index, rule) in resources.devices.iter().flatten().enumerate() {
        device_rule(faults, &at.name("devices").index(index), rule);
    }
    if let Some(memory) = &resources.memory {
        self::memory(faults, &at.name("memory"), memory);
    }
    if let Some(cpu) = &resources.cpu {
        self::cpu(faults, &at.name("cpu"), cpu);
    }
    if let Some(io) = &resources.block_io {
        block_io(faults, &at.name("blockIO"), io);
    }
    for (index, limit) in resources.hugepage_limits.iter().enumerate() {
        hugepage_limit(faults, &at.name("hugepageLimits").index(index), limit);
    }
    let priorities = resources.network.iter().flat_map(|network| &network.priorities);
    for (index, priority) in priorities.enumerate() {
        let at = at.name("network");
        let at = at.name("priorities");
        values::device_name(faults, &at.index(index).name("name"), &priority.name);
    }
    for (device, limits) in &resources.rdma {
        let at = at.name("rdma");
        let at = at.key(device);
        let name = !device.is_empty() && !device.contains(|c: char| c.is_whitespace() || c == '\0');
        faults.expect(name, &at, "must be the name of an RDMA device");
        let any = limits.hca_handles.is_some() || limits.hca_objects.is_some();
        faults.expect(any, &at, "must have hcaHandles or hcaObjects");
    }
    for (file, value) in &resources.unified {
        let at = at.name("unified");
        let at = at.key(file);
        // The name of a file in the container's own cgroup.
        let name = file.contains('.') && !file.starts_with('.') && !file.contains(['/', '\0']);
        faults.expect(name, &at, "must be the name of a cgroup file, as \"memory.high\"");
        values::no_nul(faults, &at, value);
    }
}

fn device_rule(faults: &mut Faults, at: &Place<'_>, rule: &LinuxDeviceCgroup) {
    let access = rule.access.as_deref().unwrap_or_default();
    if access.is_empty() || !access.bytes().all(|b| b"rwm".contains(&b)) {
        faults.add(
            &at.name("access"),
            format_args!("must be some of \"r\", \"w\" and \"m\" and not {}", Quoted(access)),
        );
    }
    if let Some(LinuxDeviceType::U | LinuxDeviceType::P) = rule.typ {
        faults.add(&at.name("type"), "must be \"a\", \"b\" or \"c\"");
    }
    for (name, number) in [("major", rule.major), ("minor", rule.minor)] {
        // -1 means any, as runc has it.
        values::range(faults, &at.name(name), number.unwrap_or(-1), -1, u32::MAX.into());
    }
}

fn memory(faults: &mut Faults, at: &Place<'_>, memory: &LinuxMemory) {
    // Ignored by the specification's own words, but still not to be nonsense.
    let limits = [
        ("limit", memory.limit),
        ("reservation", memory.reservation),
        ("swap", memory.swap),
        ("kernel", memory.kernel),
        ("kernelTCP", memory.kernel_tcp),
    ];
    for (name, limit) in limits {
        if let Some(limit) = limit.filter(|&limit| limit < -1) {
            faults.add(&at.name(name), format_args!("must be a number of bytes or -1 and not {limit}"));
        }
    }
    let (limit, swap) = (memory.limit.unwrap_or_default(), memory.swap.unwrap_or_default());
    if swap > 0 && swap < limit {
        let expected = format_args!("must be at least memory.limit ({limit}), as it counts both");
        faults.add(&at.name("swap"), format_args!("{expected}, and not {swap}"));
    }
    if let Some(swappiness) = memory.swappiness.filter(|&swappiness| swappiness > 100) {
        faults.add(&at.name("swappiness"), format_args!("must be at most 100 and not {swappiness}"));
    }
}

fn cpu(faults: &mut Faults, at: &Place<'_>, cpu: &LinuxCpu) {
    for (name, time) in [("quota", cpu.quota), ("realtimeRuntime", cpu.realtime_runtime)] {
        if let Some(time) = time.filter(|&time| time < -1) {
            faults.add(&at.name(name), format_args!("must be a time in microseconds or -1 and not {time}"));
        }
    }
    if let Some(period) = cpu.period.filter(|period| *period != 0 && !CPU_PERIOD.contains(period)) {
        let (low, high) = (CPU_PERIOD.start(), CPU_PERIOD.end());
        faults.add(&at.name("period"), format_args!("must be {low} to {high} microseconds and not {period}"));
    }
    if let Some(idle) = cpu.idle {
        values::range(faults, &at.name("idle"), idle, 0, 1);
    }
    for (name, list) in [("cpus", &cpu.cpus), ("mems", &cpu.mems)] {
        let list = list.as_deref().unwrap_or_default();
        // The kernel's own syntax also has strides (`0-31:2/4`), `N` and `all`: leave the details to it.
        let right = list.bytes().all(|b| b.is_ascii_digit() || b",-:/ alN\n".contains(&b));
        faults.expect(right, &at.name(name), "must be a list as \"0-3,7\"");
    }
}

fn block_io(faults: &mut Faults, at: &Place<'_>, io: &LinuxBlockIo) {
    let mut weight = |at: &Place<'_>, name, weight: Option<u16>| {
        if let Some(weight) = weight.filter(|weight| *weight != 0 && !(10..=1000).contains(weight)) {
            faults.add(&at.name(name), format_args!("must be 10 to 1000 and not {weight}"));
        }
    };
    weight(at, "weight", io.weight);
    weight(at, "leafWeight", io.leaf_weight);
    let weights = io.weight_device.as_slice();
    for (index, device) in weights.iter().enumerate() {
        let at = at.name("weightDevice");
        let at = at.index(index);
        weight(&at, "weight", device.weight);
        weight(&at, "leafWeight", device.leaf_weight);
    }
    let numbers = weights.iter().map(|device| (device.major, device.minor));
    device_numbers(faults, &at.name("weightDevice"), numbers);
    let throttles = [
        ("throttleReadBpsDevice", &io.throttle_read_bps_device),
        ("throttleWriteBpsDevice", &io.throttle_write_bps_device),
        ("throttleReadIOPSDevice", &io.throttle_read_iops_device),
        ("throttleWriteIOPSDevice", &io.throttle_write_iops_device),
    ];
    for (name, devices) in throttles {
        let numbers = devices.iter().map(|device| (device.major, device.minor));
        device_numbers(faults, &at.name(name), numbers);
    }
}

fn device_numbers(faults: &mut Faults, at: &Place<'_>, numbers: impl Iterator<Item = (i64, i64)>) {
    for (index, (major, minor)) in numbers.enumerate() {
        let at = at.index(index);
        values::range(faults, &at.name("major"), major, 0, u32::MAX.into());
        values::range(faults, &at.name("minor"), minor, 0, u32::MAX.into());
    }
}

/// The page size is part of a file's name: `hugetlb.2MB.max`.
fn hugepage_limit(faults: &mut Faults, at: &Place<'_>, limit: &LinuxHugepageLimit) {
    let size = &limit.page_size;
    let number = ["KB", "MB", "GB"].into_iter().find_map(|unit| size.strip_suffix(unit)).unwrap_or_default();
    if number.is_empty() || number.starts_with('0') || !number.bytes().all(|b| b.is_ascii_digit()) {
        faults.add(&at.name("pageSize"), format_args!("must be a size as \"2MB\" and not {}", Quoted(size)));
    }
}
