//! Values of linux.resources that cannot be, found before anything is made. config-linux.md, "Control groups".

use super::{
    convert,
    error::{Error, Result},
};
use crate::spec::{
    LinuxBlockIo, LinuxCpu, LinuxHugepageLimit, LinuxMemory, LinuxNetwork, LinuxRdma, LinuxResources,
};
use std::{collections::BTreeMap, fs};

/// The kernel's `PID_MAX_LIMIT` on 64 bits.
const PIDS: i64 = 4 * 1024 * 1024;

fn wrong(property: &str, reason: impl Into<String>) -> Error {
    Error::config(format!("linux.resources.{property}"), reason)
}

fn within<T: Copy + PartialOrd + std::fmt::Display>(
    property: &str,
    value: T,
    least: T,
    most: T,
) -> Result<()> {
    if value < least || value > most {
        return Err(wrong(property, format!("{value} is not within {least} and {most}")));
    }
    Ok(())
}

/// All but the devices, which have their own.
pub(super) fn ranges(resources: &LinuxResources) -> Result<()> {
    resources.memory.as_ref().map_or(Ok(()), memory)?;
    resources.cpu.as_ref().map_or(Ok(()), cpu)?;
    if let Some(limit) = resources.pids.and_then(|pids| pids.limit) {
        within("pids.limit", limit, -1, PIDS)?;
    }
    resources.block_io.as_ref().map_or(Ok(()), block_io)?;
    hugepages(&resources.hugepage_limits)?;
    resources.network.as_ref().map_or(Ok(()), network)?;
    rdma(&resources.rdma)?;
    unified(&resources.unified)
}

fn memory(memory: &LinuxMemory) -> Result<()> {
    let limits = [("limit", memory.limit), ("reservation", memory.reservation), ("swap", memory.swap)];
    for (name, value) in limits {
        within(&format!("memory.{name}"), value.unwrap_or(0), -1, i64::MAX)?;
    }
    if let Some(swappiness) = memory.swappiness.filter(|swappiness| *swappiness != u64::MAX) {
        within("memory.swappiness", swappiness, 0, 100)?;
    }
    convert::swap(memory.limit.unwrap_or(0), memory.swap.unwrap_or(0)).map(drop)
}

fn cpu(cpu: &LinuxCpu) -> Result<()> {
    if let Some(period) = cpu.period.filter(|period| *period != 0) {
        within("cpu.period", period, 1_000, 1_000_000)?;
    }
    if let Some(quota) = cpu.quota.filter(|quota| *quota > 0) {
        within("cpu.quota", quota, 1_000, i64::MAX / 1_000)?;
        let burst = cpu.burst.unwrap_or(0);
        if burst > quota.cast_unsigned() {
            return Err(wrong("cpu.burst", format!("{burst} is above cpu.quota, {quota}")));
        }
    }
    within("cpu.idle", cpu.idle.unwrap_or(0), 0, 1)?;
    present("cpu.cpus", cpu.cpus.as_deref(), "/sys/devices/system/cpu/present")?;
    present("cpu.mems", cpu.mems.as_deref(), "/sys/devices/system/node/online")
}

/// Whether the host has what `wanted` lists: v2 takes any number, v1 says no more than EINVAL.
fn present(property: &str, wanted: Option<&str>, file: &str) -> Result<()> {
    let Some(text) = wanted.filter(|text| !text.is_empty()) else { return Ok(()) };
    let wanted =
        convert::list(text).ok_or_else(|| wrong(property, format!("{text:?} is no list as 0-2,5")))?;
    // A kernel without NUMA has no such file and one node.
    let host = fs::read_to_string(file).unwrap_or_else(|_| "0".to_owned());
    let have = convert::list(&host).unwrap_or_default();
    match wanted.iter().find(|number| !have.contains(number)) {
        Some(number) => {
            Err(wrong(property, format!("{text:?}: the host has no {number}, only {}", host.trim())))
        }
        None => Ok(()),
    }
}

fn block_io(io: &LinuxBlockIo) -> Result<()> {
    let number = |property: &str, number: i64| within(property, number, 0, u32::MAX.into());
    let weight = |property: &str, weight: Option<u16>| match weight {
        None | Some(0) => Ok(()),
        Some(weight) => within(property, weight, 10, 1_000),
    };
    weight("blockIO.weight", io.weight)?;
    for (place, device) in io.weight_device.iter().enumerate() {
        let property = |field| format!("blockIO.weightDevice[{place}].{field}");
        number(&property("major"), device.major)?;
        number(&property("minor"), device.minor)?;
        weight(&property("weight"), device.weight)?;
        if device.weight.or(device.leaf_weight).is_none() {
            return Err(wrong(&property("weight"), "neither it nor leafWeight is given"));
        }
    }
    let throttles = [
        ("throttleReadBpsDevice", &io.throttle_read_bps_device),
        ("throttleWriteBpsDevice", &io.throttle_write_bps_device),
        ("throttleReadIOPSDevice", &io.throttle_read_iops_device),
        ("throttleWriteIOPSDevice", &io.throttle_write_iops_device),
    ];
    for (name, devices) in throttles {
        for (place, device) in devices.iter().enumerate() {
            number(&format!("blockIO.{name}[{place}].major"), device.major)?;
            number(&format!("blockIO.{name}[{place}].minor"), device.minor)?;
        }
    }
    Ok(())
}

fn hugepages(limits: &[LinuxHugepageLimit]) -> Result<()> {
    for (place, entry) in limits.iter().enumerate() {
        let size = &entry.page_size;
        let digits = ["KB", "MB", "GB"].iter().find_map(|unit| size.strip_suffix(unit)).unwrap_or("");
        if digits.is_empty() || digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let property = format!("hugepageLimits[{place}].pageSize");
            return Err(wrong(&property, format!("{size:?} is no size as 64KB, 2MB or 1GB")));
        }
    }
    Ok(())
}

fn network(network: &LinuxNetwork) -> Result<()> {
    for (place, entry) in network.priorities.iter().enumerate() {
        if !is_word(&entry.name) {
            let property = format!("network.priorities[{place}].name");
            return Err(wrong(&property, format!("{:?} is no interface's name", &entry.name)));
        }
    }
    Ok(())
}

fn rdma(devices: &BTreeMap<String, LinuxRdma>) -> Result<()> {
    for (name, limits) in devices {
        let property = format!("rdma.{name}");
        if !is_word(name) {
            return Err(wrong("rdma", format!("{name:?} is no device's name")));
        }
        if limits.hca_handles.or(limits.hca_objects).is_none() {
            return Err(wrong(&property, "neither hcaHandles nor hcaObjects is given"));
        }
    }
    Ok(())
}

fn unified(values: &BTreeMap<String, String>) -> Result<()> {
    for name in values.keys() {
        let property = format!("unified[{name:?}]");
        let file = name.split_once('.').is_some_and(|(controller, rest)| {
            is_word(controller) && is_word(rest) && !name.contains('/') && !name.starts_with('.')
        });
        if !file {
            return Err(wrong(&property, "must be a file's name as memory.high, without slashes"));
        }
        if name == "cgroup.procs" || name == "cgroup.threads" {
            return Err(wrong(&property, "would move processes, which is no limit"));
        }
    }
    Ok(())
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Says what is left out: properties that no kernel of today has, or that cgroup v2 has not (`v2`).
pub(super) fn warn(resources: &LinuxResources, v2: bool) {
    let gone =
        |property: &str| log::warn!("linux.resources.{property}: ignored, this kernel has nothing like it");
    if let Some(memory) = &resources.memory {
        #[allow(deprecated, reason = "what is deprecated is what the warning is about")]
        let kernel = memory.kernel;
        let properties = [
            ("kernel", kernel.is_some_and(|limit| limit > 0)),
            ("kernelTCP", v2 && memory.kernel_tcp.is_some_and(|limit| limit > 0)),
            ("useHierarchy", memory.use_hierarchy == Some(false)),
            ("swappiness", v2 && memory.swappiness.is_some_and(|swappiness| swappiness != u64::MAX)),
            ("disableOOMKiller", v2 && memory.disable_oom_killer == Some(true)),
        ];
        properties.iter().filter(|(_, set)| *set).for_each(|(name, _)| gone(&format!("memory.{name}")));
    }
    if let Some(io) = &resources.block_io {
        let devices = io.weight_device.iter();
        if io
            .leaf_weight
            .into_iter()
            .chain(devices.filter_map(|device| device.leaf_weight))
            .any(|weight| weight != 0)
        {
            gone("blockIO.leafWeight");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_by_its_place() {
        let table = [
            (r#"{"memory":{"limit":-2}}"#, "memory.limit"),
            (r#"{"memory":{"limit":100,"swap":50}}"#, "memory.swap"),
            (r#"{"memory":{"swap":50}}"#, "memory.swap"),
            (r#"{"memory":{"swappiness":101}}"#, "memory.swappiness"),
            (r#"{"cpu":{"period":999}}"#, "cpu.period"),
            (r#"{"cpu":{"period":1000001}}"#, "cpu.period"),
            (r#"{"cpu":{"quota":1}}"#, "cpu.quota"),
            (r#"{"cpu":{"quota":5000,"burst":5001}}"#, "cpu.burst"),
            (r#"{"cpu":{"idle":2}}"#, "cpu.idle"),
            (r#"{"cpu":{"cpus":"0-"}}"#, "cpu.cpus"),
            (r#"{"cpu":{"cpus":"60000"}}"#, "cpu.cpus"),
            (r#"{"cpu":{"mems":"60000"}}"#, "cpu.mems"),
            (r#"{"pids":{"limit":-2}}"#, "pids.limit"),
            (r#"{"pids":{"limit":4194305}}"#, "pids.limit"),
            (r#"{"blockIO":{"weight":9}}"#, "blockIO.weight"),
            (r#"{"blockIO":{"weightDevice":[{"major":8,"minor":0}]}}"#, "blockIO.weightDevice[0].weight"),
            (
                r#"{"blockIO":{"throttleReadBpsDevice":[{"major":-8,"minor":0,"rate":1}]}}"#,
                "blockIO.throttleReadBpsDevice[0].major",
            ),
            (r#"{"hugepageLimits":[{"pageSize":"2M","limit":1}]}"#, "hugepageLimits[0].pageSize"),
            (r#"{"hugepageLimits":[{"pageSize":"../2MB","limit":1}]}"#, "hugepageLimits[0].pageSize"),
            (r#"{"rdma":{"mlx5_1":{}}}"#, "rdma.mlx5_1"),
            (r#"{"network":{"priorities":[{"name":"a b","priority":1}]}}"#, "network.priorities[0].name"),
            (r#"{"unified":{"../memory.max":"1"}}"#, "unified[\"../memory.max\"]"),
            (r#"{"unified":{"memory":"1"}}"#, "unified[\"memory\"]"),
            (r#"{"unified":{"cgroup.procs":"1"}}"#, "unified[\"cgroup.procs\"]"),
        ];
        for (json, place) in table {
            let error = ranges(&serde_json::from_str(json).unwrap()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("linux.resources.{place}: ")), "{json}: {error}");
        }
    }

    #[test]
    fn what_engines_write_is_taken() {
        for json in [
            "{}",
            r#"{"memory":{"disableOOMKiller":false},"cpu":{"shares":0},"blockIO":{"weight":0}}"#,
            r#"{"memory":{"limit":-1,"swap":-1},"cpu":{"quota":-1,"period":0},"pids":{}}"#,
            r#"{"memory":{"limit":100,"swap":100},"cpu":{"cpus":"0","mems":"0"},"pids":{"limit":-1}}"#,
            r#"{"unified":{"memory.high":"max","hugetlb.2MB.max":"0"}}"#,
        ] {
            ranges(&serde_json::from_str(json).unwrap()).unwrap_or_else(|error| panic!("{json}: {error}"));
        }
    }
}
