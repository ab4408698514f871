//! Properties of a unit, decided without asking anybody: what a scope is like, limits as systemd has them, annotations.
//! systemd.resource-control(5), org.freedesktop.systemd1(5). What systemd has no property for is written to the cgroup's files
//! alone; what it has one for is told to it too, so that it stays when systemd sets its properties anew.

use super::{
    super::{
        convert,
        devices::{Kind, Policy, Rule},
        error::{Error, Result},
    },
    dbus::Value,
    path::Place,
    variant,
};
use crate::{
    annotations::SYSTEMD_PROPERTY,
    spec::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources},
};
use std::collections::BTreeMap;

/// What a property has that has no limit.
const INFINITY: u64 = u64::MAX;
const SECOND: u64 = 1_000_000;
/// The kernel's period where none is set, in microseconds.
pub(super) const PERIOD: u64 = 100_000;

/// One property of a unit.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Property {
    pub(super) name: String,
    pub(super) value: Value,
    /// Done without where systemd is older than this version; none for what must be.
    pub(super) since: Option<u32>,
    /// It comes from an annotation.
    pub(super) annotation: bool,
}

impl Property {
    /// One that every systemd has.
    fn must(name: &str, value: Value) -> Self {
        Self { name: name.to_owned(), value, since: None, annotation: false }
    }

    /// One that came with the version `since`; a file of the cgroup says the same, or it is a nicety.
    fn since(since: u32, name: &str, value: Value) -> Self {
        Self { since: Some(since), ..Self::must(name, value) }
    }

    fn limit(since: u32, name: &str, limit: i64) -> Self {
        Self::since(since, name, Value::U64(u64::try_from(limit).unwrap_or(INFINITY)))
    }

    /// As a message has it.
    pub(super) fn to_value(&self) -> Value {
        Value::Struct(vec![Value::text(self.name.as_str()), Value::Variant(Box::new(self.value.clone()))])
    }
}

/// What the properties depend on beside the resources.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Host {
    /// The controllers are those of v2.
    pub(in super::super) unified: bool,
    /// The unit is one of a user's systemd, which may load no device program.
    pub(in super::super) user: bool,
    /// The weights of v2 are BFQ's.
    pub(in super::super) bfq: bool,
    /// The cgroup is idle now.
    pub(in super::super) idle: bool,
    /// The quota that it has now, in microseconds a period.
    pub(in super::super) quota: Option<u64>,
    /// The period that it has now, in microseconds.
    pub(in super::super) period: Option<u64>,
}

/// What a new unit for container `id` is like.
pub(super) fn unit(place: &Place, id: &str, pid: Option<u32>, unified: bool) -> Vec<Property> {
    let on = || Value::Bool(true);
    let mut properties = vec![Property::must("Description", Value::text(format!("corten container {id}")))];
    match pid {
        Some(pid) => {
            properties.push(Property::must("Slice", Value::text(place.slice.as_str())));
            properties.push(Property::must("PIDs", Value::array("u", [Value::U32(pid)])));
            properties.push(Property::must("Delegate", on()));
            // A failed scope would keep its name.
            properties.push(Property::since(236, "CollectMode", Value::text("inactive-or-failed")));
        }
        // A slice's place is in its name.
        None => {
            let slice = Value::text(place.slice.as_str());
            properties.push(Property::must("Wants", Value::array("s", [slice])));
        }
    }
    // Whoever makes a container also stops it: systemd is not to do so at shutdown before its engine.
    properties.push(Property::must("DefaultDependencies", Value::Bool(false)));
    let io = if unified { "IOAccounting" } else { "BlockIOAccounting" };
    let accounting = ["CPUAccounting", "MemoryAccounting", "TasksAccounting", io];
    properties.extend(accounting.map(|name| Property::since(227, name, on())));
    properties
}

/// The limits of `resources`, as far as systemd has properties for them.
pub(super) fn resources(resources: &LinuxResources, host: &Host) -> Result<Vec<Property>> {
    let mut all = Vec::new();
    if let Some(limits) = &resources.memory {
        memory(limits, host, &mut all)?;
    }
    if let Some(limits) = &resources.cpu {
        cpu(limits, host, &mut all);
        cpuset("AllowedCPUs", limits.cpus.as_deref(), &mut all);
        cpuset("AllowedMemoryNodes", limits.mems.as_deref(), &mut all);
    }
    if let Some(limit) = resources.pids.and_then(|pids| pids.limit).filter(|limit| *limit != 0) {
        all.push(Property::limit(227, "TasksMax", limit));
    }
    if let Some(limits) = &resources.block_io {
        io(limits, host, &mut all);
    }
    if host.unified {
        resources.unified.iter().for_each(|(file, value)| unified(file, value.trim(), host, &mut all));
    }
    Ok(all)
}

fn memory(memory: &LinuxMemory, host: &Host, all: &mut Vec<Property>) -> Result<()> {
    let set = |limit: Option<i64>| limit.filter(|limit| *limit != 0);
    if !host.unified {
        all.extend(set(memory.limit).map(|limit| Property::limit(0, "MemoryLimit", limit)));
        return Ok(());
    }
    let swap = convert::swap(memory.limit.unwrap_or(0), memory.swap.unwrap_or(0))?;
    let swap = swap.map(|swap| Value::U64(swap.parse().unwrap_or(INFINITY)));
    all.extend(swap.map(|swap| Property::since(232, "MemorySwapMax", swap)));
    all.extend(set(memory.limit).map(|limit| Property::limit(231, "MemoryMax", limit)));
    all.extend(set(memory.reservation).map(|limit| Property::limit(231, "MemoryLow", limit)));
    Ok(())
}

fn cpu(cpu: &LinuxCpu, host: &Host, all: &mut Vec<Property>) {
    let shares = cpu.shares.filter(|shares| *shares != 0);
    match (host.unified, cpu.idle, shares) {
        (true, Some(1), _) => all.push(idle()),
        (true, _, Some(shares)) => all.push(weight(convert::cpu_weight(shares))),
        // The kernel gives one that is no longer idle the usual weight.
        (true, Some(0), None) if host.idle => all.push(weight(INFINITY)),
        (true, ..) => {}
        (false, _, shares) => {
            all.extend(shares.map(|shares| Property::since(0, "CPUShares", Value::U64(shares))));
        }
    }
    quota(cpu.quota.filter(|quota| *quota != 0), cpu.period.filter(|period| *period != 0), host, all);
}

fn weight(weight: u64) -> Property {
    Property::since(232, "CPUWeight", Value::U64(weight))
}

/// `CPUWeight=idle`.
fn idle() -> Property {
    Property::since(252, "CPUWeight", Value::U64(0))
}

/// A quota in microseconds, negative for none, for each period.
fn quota(quota: Option<i64>, period: Option<u64>, host: &Host, all: &mut Vec<Property>) {
    if quota.is_none() && period.is_none() {
        return;
    }
    let quota = match quota {
        Some(quota) => u64::try_from(quota).ok(),
        None => host.quota,
    };
    let each = period.or(host.period).unwrap_or(PERIOD).max(1);
    // Rounded up, so that systemd comes back to just this quota. Less than a hundredth of a processor would become none at all
    // in the unit's file, which holds whole percents.
    let per_second = quota.map(|quota| {
        let per_second = (u128::from(quota) * u128::from(SECOND)).div_ceil(each.into());
        u64::try_from(per_second).unwrap_or(INFINITY).max(SECOND / 100)
    });
    all.extend(period.map(|period| Property::since(242, "CPUQuotaPeriodUSec", Value::U64(period))));
    all.push(Property::since(213, "CPUQuotaPerSecUSec", Value::U64(per_second.unwrap_or(INFINITY))));
}

/// A list of processors or memory nodes as a bit for each, the lowest first.
fn cpuset(name: &str, list: Option<&str>, all: &mut Vec<Property>) {
    let Some(numbers) = list.and_then(convert::list).filter(|numbers| !numbers.is_empty()) else { return };
    let highest = numbers.iter().max().copied().unwrap_or(0);
    let mut bits = vec![0_u8; usize::from(highest) / 8 + 1];
    numbers.iter().for_each(|number| bits[usize::from(*number) / 8] |= 1 << (number % 8));
    all.push(Property::since(244, name, Value::bytes(bits)));
}

/// systemd finds a device by a path; udev makes one for every number.
fn block_device(major: impl std::fmt::Display, minor: impl std::fmt::Display) -> String {
    format!("/dev/block/{major}:{minor}")
}

fn of_device(since: u32, name: &str, device: String, value: u64) -> Property {
    let entry = Value::Struct(vec![Value::Text(device), Value::U64(value)]);
    Property::since(since, name, Value::array("(st)", [entry]))
}

fn io(io: &LinuxBlockIo, host: &Host, all: &mut Vec<Property>) {
    let weight = |weight: u16| match (host.unified, host.bfq) {
        (true, true) => weight_of_bfq(weight),
        (true, false) => convert::io_weight(weight),
        (false, _) => weight.into(),
    };
    let (one, each) =
        if host.unified { ("IOWeight", "IODeviceWeight") } else { ("BlockIOWeight", "BlockIODeviceWeight") };
    let set = |weight: Option<u16>| weight.filter(|weight| *weight != 0);
    all.extend(set(io.weight).map(|value| Property::since(230, one, Value::U64(weight(value)))));
    for device in &io.weight_device {
        let path = block_device(device.major, device.minor);
        all.extend(set(device.weight).map(|value| of_device(230, each, path, weight(value))));
    }
    let names: [Option<&str>; 4] = match host.unified {
        true => ["IOReadBandwidthMax", "IOWriteBandwidthMax", "IOReadIOPSMax", "IOWriteIOPSMax"].map(Some),
        // v1's limits of operations are no property.
        false => [Some("BlockIOReadBandwidth"), Some("BlockIOWriteBandwidth"), None, None],
    };
    let throttles = [
        &io.throttle_read_bps_device,
        &io.throttle_write_bps_device,
        &io.throttle_read_iops_device,
        &io.throttle_write_iops_device,
    ];
    for (name, devices) in names.into_iter().zip(throttles) {
        let Some(name) = name else { continue };
        for device in devices {
            // 0 takes the limit away.
            let rate = if device.rate == 0 { INFINITY } else { device.rate };
            all.push(of_device(230, name, block_device(device.major, device.minor), rate));
        }
    }
}

/// The weight that systemd turns into the `weight` of BFQ.
fn weight_of_bfq(weight: u16) -> u64 {
    match u64::from(weight) {
        weight @ ..=100 => weight,
        weight => 100 + (weight - 100) * 11,
    }
}

/// One file of linux.resources.unified. What systemd has no property for, or what makes no sense, is left to the file itself.
fn unified(file: &str, value: &str, host: &Host, all: &mut Vec<Property>) {
    let number = |text: &str| text.parse::<u64>().ok();
    let limit = |since, name| bytes(value).map(|limit| Property::since(since, name, Value::U64(limit)));
    match file {
        "cpu.idle" if value == "1" => all.push(idle()),
        "cpu.idle" if value == "0" && host.idle => all.push(weight(INFINITY)),
        "cpu.max" => {
            let mut words = value.split_whitespace();
            let (first, period, rest) = (words.next(), words.next(), words.next());
            let limit = match first {
                Some("max") => Some(-1),
                first => first.and_then(|text| text.parse().ok()).filter(|quota| *quota > 0),
            };
            let fits = period.is_none_or(|period| number(period).is_some_and(|period| period > 0));
            if limit.is_some() && fits && rest.is_none() {
                quota(limit, period.and_then(number), host, all);
            }
        }
        "cpu.weight" => all.extend(number(value).map(weight)),
        "cpuset.cpus" => cpuset("AllowedCPUs", Some(value), all),
        "cpuset.mems" => cpuset("AllowedMemoryNodes", Some(value), all),
        "memory.high" => all.extend(limit(231, "MemoryHigh")),
        "memory.low" => all.extend(limit(231, "MemoryLow")),
        "memory.max" => all.extend(limit(231, "MemoryMax")),
        "memory.min" => all.extend(limit(240, "MemoryMin")),
        "memory.swap.max" => all.extend(limit(232, "MemorySwapMax")),
        "memory.zswap.max" => all.extend(limit(253, "MemoryZSwapMax")),
        "pids.max" => all.extend(limit(227, "TasksMax")),
        "io.weight" => weights(value, number, all),
        "io.bfq.weight" => {
            let weight = |text: &str| text.parse().ok().filter(|weight| *weight <= 1_000).map(weight_of_bfq);
            weights(value, weight, all);
        }
        "io.max" => value.lines().for_each(|line| io_max(line, all)),
        _ => log::debug!("linux.resources.unified[{file:?}]: systemd is not told of it"),
    }
}

/// The lines of io.weight: a number or `default NUMBER`, and `MAJOR:MINOR NUMBER`.
fn weights(lines: &str, number: impl Fn(&str) -> Option<u64>, all: &mut Vec<Property>) {
    for line in lines.lines() {
        let (device, value) = line.trim().split_once(char::is_whitespace).unwrap_or(("default", line));
        let Some(weight) = number(value.trim()) else { continue };
        match device_numbers(device) {
            Some((major, minor)) => {
                all.push(of_device(230, "IODeviceWeight", block_device(major, minor), weight));
            }
            None if device == "default" => all.push(Property::since(230, "IOWeight", Value::U64(weight))),
            None => {}
        }
    }
}

/// A line of io.max: `MAJOR:MINOR rbps=NUMBER ...`.
fn io_max(line: &str, all: &mut Vec<Property>) {
    let mut words = line.split_whitespace();
    let Some((major, minor)) = words.next().and_then(device_numbers) else { return };
    for (key, value) in words.filter_map(|word| word.split_once('=')) {
        let name = match key {
            "rbps" => "IOReadBandwidthMax",
            "wbps" => "IOWriteBandwidthMax",
            "riops" => "IOReadIOPSMax",
            "wiops" => "IOWriteIOPSMax",
            _ => continue,
        };
        all.extend(bytes(value).map(|rate| of_device(230, name, block_device(major, minor), rate)));
    }
}

fn device_numbers(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A limit as the kernel reads one: `max`, or a number that a letter may follow.
fn bytes(text: &str) -> Option<u64> {
    if text == "max" {
        return Some(INFINITY);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text.get(digits.len()..)? {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        "t" | "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// The devices of `policy`. systemd allows some and denies all others; what is neither that nor all devices is left to the
/// program of the cgroup on v2, where both hold.
pub(super) fn devices(policy: &Policy, host: &Host, fresh: bool) -> Vec<Property> {
    if host.user {
        return Vec::new();
    }
    let entries: Option<Vec<_>> = policy.rules.iter().map(device).collect();
    let (kind, entries) = match entries {
        Some(entries) if !policy.default => ("strict", entries),
        None if !policy.default && !host.unified => {
            ("strict", policy.rules.iter().filter_map(device).collect())
        }
        _ => ("auto", Vec::new()),
    };
    let allow = |entries| Property::since(240, "DeviceAllow", Value::array("(ss)", entries));
    let mut properties = vec![Property::since(240, "DevicePolicy", Value::text(kind))];
    if !fresh {
        // An empty list takes away what there is; others add.
        properties.push(allow(Vec::new()));
    }
    if !entries.is_empty() {
        properties.push(allow(entries));
    }
    properties
}

/// A rule as systemd has it; nothing for one that denies, and for one minor of all majors.
fn device(rule: &Rule) -> Option<Value> {
    let kind = match rule.kind {
        Kind::Block => "block",
        Kind::Char => "char",
    };
    let path = match (rule.major, rule.minor) {
        _ if !rule.allow => return None,
        (None, None) => format!("{kind}-*"),
        (Some(major), None) => format!("{kind}-{major}"),
        (Some(major), Some(minor)) => format!("/dev/{kind}/{major}:{minor}"),
        (None, Some(_)) => return None,
    };
    Some(Value::Struct(vec![Value::Text(path), Value::Text(rule.letters())]))
}

/// The properties among `annotations`: `org.systemd.property.NAME`, its value in GVariant's text form. A name that ends with
/// `Sec` is that of unit files, in seconds; on the bus it ends with `USec`.
pub(super) fn annotations(annotations: &BTreeMap<String, String>) -> Result<Vec<Property>> {
    let sorted: BTreeMap<_, _> = annotations.iter().collect();
    let found = sorted
        .into_iter()
        .filter_map(|(key, text)| key.strip_prefix(SYSTEMD_PROPERTY).map(|name| (key, name, text)));
    let read = |(key, name, text): (&String, &str, &String)| {
        let wrong = |reason: String| Error::config(format!("annotations[{key:?}]"), reason);
        if name.len() < 3 || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(wrong("is no property's name: at least three letters".to_owned()));
        }
        if ["PIDs", "PIDFDs", "Slice"].contains(&name) {
            return Err(wrong("is what the container itself decides".to_owned()));
        }
        let value = variant::parse(text).map_err(|reason| wrong(format!("{text:?}: {reason}")))?;
        let stem = name.strip_suffix("Sec").filter(|stem| stem.ends_with(|c: char| c.is_ascii_lowercase()));
        let (name, value) = match stem {
            Some(stem) => (format!("{stem}USec"), microseconds(&value).map_err(wrong)?),
            None => (name.to_owned(), value),
        };
        Ok(Property { annotation: true, ..Property::must(&name, value) })
    };
    found.map(read).collect()
}

/// Seconds of any number's type.
fn microseconds(seconds: &Value) -> Result<Value, String> {
    let whole = match seconds {
        Value::Byte(value) => i128::from(*value),
        Value::I16(value) => (*value).into(),
        Value::U16(value) => (*value).into(),
        Value::I32(value) => (*value).into(),
        Value::U32(value) => (*value).into(),
        Value::I64(value) => (*value).into(),
        Value::U64(value) => (*value).into(),
        Value::Double(value) => {
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
            let whole = (value * SECOND as f64) as i128;
            return u64::try_from(whole).map(Value::U64).map_err(|_| format!("{value} s is out of range"));
        }
        _ => return Err("is no number of seconds".to_owned()),
    };
    let whole = whole * i128::from(SECOND);
    u64::try_from(whole).map(Value::U64).map_err(|_| "is out of range".to_owned())
}
