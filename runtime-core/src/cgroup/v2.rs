//! The resources of the specification as values for the files of the cgroup v2 controllers, the kernel's
//! Documentation/admin-guide/cgroup-v2.rst, and the enabling of controllers down a path.

use super::{convert, dir::Dir, error::Result, setting::Setting};
use crate::spec::{LinuxBlockIo, LinuxCpu, LinuxHugepageLimit, LinuxMemory};
use nix::errno::Errno;
use std::{collections::BTreeMap, path::Path};

/// The controller `memory`. What v1 alone has, as swappiness, is warned of by the check.
pub(super) fn memory(memory: &LinuxMemory) -> Result<Vec<Setting>> {
    let mut settings = Vec::new();
    let limit = memory.limit.unwrap_or(0);
    if let Some(swap) = convert::swap(limit, memory.swap.unwrap_or(0))? {
        // A kernel that does not count swap cannot limit it; to allow all of it or none is what one asks of such too.
        let optional = swap == "max" || swap == "0";
        settings.push(Setting::new("memory.swap", "memory.swap.max", swap).optional_if(optional));
    }
    if limit != 0 {
        settings.push(Setting::new("memory.limit", "memory.max", convert::limit(limit)));
    }
    if let Some(reservation) = memory.reservation.filter(|reservation| *reservation != 0) {
        settings.push(Setting::new("memory.reservation", "memory.low", convert::limit(reservation)));
    }
    Ok(settings)
}

/// The controller `cpu`. `quota` tells the present quota, `max` or a number, where only a period is asked for.
pub(super) fn cpu(cpu: &LinuxCpu, quota: impl FnOnce() -> String) -> Vec<Setting> {
    let mut settings = Vec::new();
    if let Some(idle @ 0) = cpu.idle {
        settings.push(Setting::new("cpu.idle", "cpu.idle", idle).optional());
    }
    if let Some(shares) = cpu.shares.filter(|shares| *shares != 0 && cpu.idle != Some(1)) {
        settings.push(Setting::new("cpu.shares", "cpu.weight", convert::cpu_weight(shares)));
    }
    if let Some(burst) = cpu.burst {
        settings.push(Setting::new("cpu.burst", "cpu.max.burst", burst).optional_if(burst == 0).depends());
    }
    let period = cpu.period.filter(|period| *period != 0);
    match (cpu.quota.filter(|quota| *quota != 0).map(convert::limit), period) {
        (Some(quota), Some(period)) => {
            settings.push(Setting::new("cpu.quota", "cpu.max", format!("{quota} {period}")).depends());
        }
        (Some(quota), None) => settings.push(Setting::new("cpu.quota", "cpu.max", quota).depends()),
        (None, Some(period)) => {
            settings.push(Setting::new("cpu.period", "cpu.max", format!("{} {period}", quota())).depends());
        }
        (None, None) => {}
    }
    if let Some(idle) = cpu.idle.filter(|idle| *idle != 0) {
        settings.push(Setting::new("cpu.idle", "cpu.idle", idle));
    }
    if cpu.realtime_runtime.is_some_and(|runtime| runtime != 0) {
        settings.push(Setting::new("cpu.realtimeRuntime", "cpu.rt_runtime_us", 0));
    }
    if cpu.realtime_period.is_some_and(|period| period != 0) {
        settings.push(Setting::new("cpu.realtimePeriod", "cpu.rt_period_us", 0));
    }
    settings
}

/// The controller `io`: weights by BFQ's file or, where that is not loaded, by that of the io.cost model.
pub(super) fn io(io: &LinuxBlockIo) -> Vec<Setting> {
    let mut settings = Vec::new();
    if let Some(weight) = io.weight.filter(|weight| *weight != 0) {
        settings.push(
            Setting::new("blockIO.weight", "io.bfq.weight", weight)
                .or("io.weight", convert::io_weight(weight)),
        );
    }
    for device in &io.weight_device {
        if let Some(weight) = device.weight.filter(|weight| *weight != 0) {
            let value = |weight| format!("{}:{} {weight}", device.major, device.minor);
            settings.push(
                Setting::new("blockIO.weightDevice", "io.bfq.weight", value(weight.into()))
                    .or("io.weight", value(convert::io_weight(weight))),
            );
        }
    }
    let throttles = [
        ("blockIO.throttleReadBpsDevice", "rbps", &io.throttle_read_bps_device),
        ("blockIO.throttleWriteBpsDevice", "wbps", &io.throttle_write_bps_device),
        ("blockIO.throttleReadIOPSDevice", "riops", &io.throttle_read_iops_device),
        ("blockIO.throttleWriteIOPSDevice", "wiops", &io.throttle_write_iops_device),
    ];
    for (property, key, devices) in throttles {
        for device in devices {
            // 0 takes the limit away, as on v1.
            let rate = if device.rate == 0 { "max".to_owned() } else { device.rate.to_string() };
            let value = format!("{}:{} {key}={rate}", device.major, device.minor);
            settings.push(Setting::new(property, "io.max", value));
        }
    }
    settings
}

/// The controller `hugetlb`: the use and, where the kernel counts them, the reservations.
pub(super) fn hugetlb(limits: &[LinuxHugepageLimit]) -> Vec<Setting> {
    let both = limits.iter().flat_map(|entry| {
        let (size, limit) = (&entry.page_size, entry.limit);
        let setting = |file| Setting::new("hugepageLimits", file, limit);
        [setting(format!("hugetlb.{size}.max")), setting(format!("hugetlb.{size}.rsvd.max")).optional()]
    });
    both.collect()
}

/// linux.resources.unified: each value to the file of its key, line by line, since some files take no two at once.
pub(super) fn unified(values: &BTreeMap<String, String>) -> Vec<Setting> {
    let lines = values.iter().flat_map(|(file, value)| {
        let lines: Vec<_> = if value.is_empty() { vec![""] } else { value.lines().collect() };
        lines.into_iter().map(move |line| Setting::new(&format!("unified[{file:?}]"), file, line).depends())
    });
    lines.collect()
}

/// Enables, from `mount` down to the cgroup above `dir`, the controllers that the mount has and `dir` lacks. What cannot be
/// enabled, because a cgroup on the way has processes of its own say, is left for the limit that needs it to complain of.
pub(super) fn enable_controllers(mount: &Path, path: &Path, dir: &Dir) -> Result<()> {
    let root = Dir::open(mount)?;
    let available = root.read("cgroup.controllers")?;
    if available.trim().is_empty() {
        return Ok(());
    }
    let present = dir.read("cgroup.controllers")?;
    let missing: Vec<_> = available
        .split_whitespace()
        .filter(|name| !present.split_whitespace().any(|other| other == *name))
        .map(|name| format!("+{name}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    enable(&root, &missing);
    let mut above: Vec<_> = path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
    above.reverse();
    for path in above {
        enable(&Dir::open(&mount.join(path))?, &missing);
    }
    Ok(())
}

/// Why the cgroup `path` below `mount` has no `controller`: the first cgroup on the way that does not pass it on, and the kernel's
/// answer when it is told to.
pub(super) fn why_disabled(mount: &Path, path: &Path, controller: &str) -> Option<String> {
    let mut above: Vec<_> = path.ancestors().skip(1).collect();
    above.reverse();
    above.into_iter().find_map(|path| {
        let dir = Dir::open(&mount.join(path)).ok()?;
        let errno = dir.put("cgroup.subtree_control", &format!("+{controller}")).err()?;
        let busy = if errno == Errno::EBUSY { ", it has processes of its own" } else { "" };
        Some(format!(
            "{} cannot pass on the controller {controller}: {}{busy}",
            dir.path().display(),
            errno.desc()
        ))
    })
}

fn enable(dir: &Dir, controllers: &[String]) {
    const FILE: &str = "cgroup.subtree_control";
    if dir.put(FILE, &controllers.join(" ")).is_ok() {
        return;
    }
    for controller in controllers {
        if let Err(errno) = dir.put(FILE, controller) {
            log::debug!("write {controller:?} to {}: {}", dir.path().join(FILE).display(), errno.desc());
        }
    }
}
