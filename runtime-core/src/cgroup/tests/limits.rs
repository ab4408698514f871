//! Limits: written, changed, refused, and biting.

use super::*;
use crate::sys::bpf;
use std::os::fd::AsFd;

pub(super) fn devices_are_refused() {
    let made = Made::with("{}");
    let read = |device: &str| run_in(&made, &format!("exec 3<{device}"));
    // On v1 the root's own rules hold for all below; the host has all of them.
    for usual in ["/dev/null", "/dev/zero", "/dev/urandom"] {
        assert_eq!(read(usual), 0, "{usual}");
    }
    let node = format!("/tmp/{}-kmsg", name());
    let mknod = Command::new("mknod").args([&node, "c", "1", "11"]).status().unwrap();
    assert!(mknod.success());
    let allow = r#"{"devices":[{"allow":true,"type":"c","major":1,"minor":11,"access":"r"}]}"#;
    let answers = [
        read(&node),
        made.update(&resources(allow)).map(|()| read(&node)).unwrap(),
        made.update(&resources(allow)).map(|()| run_in(&made, &format!("exec 3>{node}"))).unwrap(),
        made.update(&resources("{}")).map(|()| read(&node)).unwrap(),
        made.update(&resources(r#"{"devices":[]}"#)).map(|()| read(&node)).unwrap(),
        made.update(&resources(r#"{"devices":[{"allow":true,"access":"rwm"}]}"#))
            .map(|()| read(&node))
            .unwrap(),
        run_in(&made, &format!("exec 3>{node}")),
        made.update(&resources(r#"{"devices":[]}"#)).map(|()| read(&node)).unwrap(),
        read("/dev/null"),
    ];
    std::fs::remove_file(&node).unwrap();
    assert_eq!(answers.map(|answer| answer == 0), [false, true, false, true, false, true, true, false, true]);
    if !made.v1() {
        let dir = made.clone_into().unwrap().unwrap();
        assert_eq!(bpf::device_programs(dir.as_fd()).unwrap().len(), 1);
    }
}

/// On a host that lacks a controller, what asks for it is refused by its place and the controller's name.
pub(super) fn missing_controllers_are_named() {
    let made = Made::new();
    let table = [
        ("memory", "memory.limit", r#"{"memory":{"limit":1000000}}"#),
        ("pids", "pids.limit", r#"{"pids":{"limit":10}}"#),
        ("cpu", "cpu.shares", r#"{"cpu":{"shares":10}}"#),
        ("cpuset", "cpu.cpus", r#"{"cpu":{"cpus":"0"}}"#),
        ("hugetlb", "hugepageLimits", r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}"#),
        ("rdma", "rdma.x", r#"{"rdma":{"x":{"hcaHandles":1}}}"#),
        ("net_cls", "network.classID", r#"{"network":{"classID":1}}"#),
        ("net_prio", "network.priorities", r#"{"network":{"priorities":[{"name":"lo","priority":1}]}}"#),
    ];
    for (controller, place, json) in table {
        if !made.has(controller) {
            let expected =
                format!("linux.resources.{place}: this host has no cgroup controller {controller}");
            assert_eq!(refused(&made, json), expected);
        }
    }
    let of_v2 = made.paths().find(|(controllers, _)| controllers.is_empty());
    let of_v2 = of_v2.map(|(_, dir)| std::fs::read_to_string(dir.join("cgroup.controllers")).unwrap());
    if of_v2.is_some_and(|controllers| !controllers.contains("memory")) {
        let expected =
            "linux.resources.unified[\"memory.high\"]: this host's cgroup v2 has no controller memory";
        assert_eq!(refused(&made, r#"{"unified":{"memory.high":"1"}}"#), expected);
    }
    if made.clone_into().unwrap().is_none() {
        assert!(refused(&made, r#"{"unified":{"hugetlb.2MB.max":"0"}}"#).contains("needs cgroup v2"));
    }
}

/// Asserts what a file holds, by its name on v1 or on v2.
fn holds(made: &Made, v1: &str, v2: &str, value: impl Into<i64>) {
    let file = if made.v1() { v1 } else { v2 };
    assert_eq!(made.file(file), value.into().to_string(), "{file}");
}

pub(super) fn memory_limits_are_raised_and_lowered() {
    let made = Made::new();
    if made.lacks("memory") {
        return;
    }
    let steps = [(50, 60), (500, 600), (100, 100), (700, 900), (20, 300), (100, 100)];
    for (limit, both) in steps.map(|(limit, both)| (limit << 20, both << 20)) {
        let json = format!(r#"{{"memory":{{"limit":{limit},"swap":{both},"reservation":{limit}}}}}"#);
        made.update(&resources(&json)).unwrap();
        holds(&made, "memory.limit_in_bytes", "memory.max", limit);
        holds(&made, "memory.soft_limit_in_bytes", "memory.low", limit);
        if made.v1() {
            assert_eq!(made.file("memory.memsw.limit_in_bytes"), both.to_string());
        } else {
            assert_eq!(made.file("memory.swap.max"), (both - limit).to_string());
        }
    }
    // One of the two leaves the other as it is, which is v1's limit of both together.
    let both = |made: &Made| {
        let number = |file| made.file(file).parse::<u64>().unwrap();
        if made.v1() {
            number("memory.memsw.limit_in_bytes")
        } else {
            number("memory.max") + number("memory.swap.max")
        }
    };
    made.update(&resources(&format!(r#"{{"memory":{{"swap":{}}}}}"#, 300 << 20))).unwrap();
    holds(&made, "memory.limit_in_bytes", "memory.max", 100 << 20);
    assert_eq!(both(&made), 300 << 20);
    made.update(&resources(&format!(r#"{{"memory":{{"limit":{}}}}}"#, 200 << 20))).unwrap();
    holds(&made, "memory.limit_in_bytes", "memory.max", 200 << 20);
    assert_eq!(both(&made), 300 << 20);
    for wrong in [format!(r#"{{"limit":{}}}"#, 400 << 20), format!(r#"{{"swap":{}}}"#, 100 << 20)] {
        let error = made.update(&resources(&format!(r#"{{"memory":{wrong}}}"#))).unwrap_err().to_string();
        assert!(error.starts_with("linux.resources.memory."), "{error}");
    }
    assert_eq!(both(&made), 300 << 20);
    made.update(&resources(r#"{"memory":{"limit":-1}}"#)).unwrap();
    if made.v1() {
        assert!(made.file("memory.memsw.limit_in_bytes").len() > 15);
    } else {
        assert_eq!(
            ["memory.max", "memory.swap.max"].map(|file| made.file(file)),
            ["max"; 2].map(str::to_owned)
        );
    }
    made.update(&resources("{}")).unwrap();
}

pub(super) fn processor_limits_are_raised_and_lowered() {
    let made = Made::new();
    if made.lacks("cpu") {
        return;
    }
    for (quota, period, burst) in
        [(50_000, 100_000, 0), (20_000, 20_000, 20_000), (500_000, 50_000, 100_000), (2_000, 10_000, 0)]
    {
        let json = format!(r#"{{"cpu":{{"quota":{quota},"period":{period},"burst":{burst},"shares":512}}}}"#);
        made.update(&resources(&json)).unwrap();
        holds(&made, "cpu.cfs_burst_us", "cpu.max.burst", burst);
        holds(&made, "cpu.shares", "cpu.weight", if made.v1() { 512 } else { 59 });
        if made.v1() {
            assert_eq!(made.file("cpu.cfs_quota_us"), quota.to_string());
            assert_eq!(made.file("cpu.cfs_period_us"), period.to_string());
        } else {
            assert_eq!(made.file("cpu.max"), format!("{quota} {period}"));
        }
    }
    // One of the two leaves the other as it is.
    made.update(&resources(r#"{"cpu":{"period":20000}}"#)).unwrap();
    made.update(&resources(r#"{"cpu":{"quota":3000}}"#)).unwrap();
    made.update(&resources(r#"{"cpu":{"period":30000}}"#)).unwrap();
    if made.v1() {
        assert_eq!(["cpu.cfs_quota_us", "cpu.cfs_period_us"].map(|file| made.file(file)), ["3000", "30000"]);
    } else {
        assert_eq!(made.file("cpu.max"), "3000 30000");
        made.update(&resources(r#"{"cpu":{"quota":-1}}"#)).unwrap();
        assert_eq!(made.file("cpu.max"), "max 30000");
    }
    made.update(&resources(r#"{"cpu":{"idle":1}}"#)).unwrap();
    assert_eq!(made.file("cpu.idle"), "1");
    made.update(&resources(r#"{"cpu":{"idle":0,"shares":100}}"#)).unwrap();
    holds(&made, "cpu.shares", "cpu.weight", if made.v1() { 100 } else { 17 });
    if made.v1() {
        assert!(refused(&made, r#"{"cpu":{"shares":1}}"#).starts_with("linux.resources.cpu.shares: "));
    }
    made.update(&resources(r#"{"cpu":{"cpus":"0","mems":"0"}}"#)).unwrap();
    assert_eq!(["cpuset.cpus", "cpuset.mems"].map(|file| made.file(file)), ["0", "0"]);
}

pub(super) fn the_number_of_processes_is_limited() {
    let made = Made::new();
    if made.lacks("pids") {
        return;
    }
    for (json, value) in [
        (r#"{"pids":{"limit":7}}"#, "7"),
        (r#"{"pids":{"limit":0}}"#, "1"),
        (r#"{"pids":{"limit":-1}}"#, "max"),
        (r#"{"pids":{"limit":20}}"#, "20"),
    ] {
        made.update(&resources(json)).unwrap();
        assert_eq!(made.file("pids.max"), value);
    }
    assert_eq!(made.stats().unwrap().pids.limit, 20);
    let forks = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23; do sleep 2 & done";
    assert_ne!(run_in(&made, forks), 0);
}

pub(super) fn huge_pages_and_unified_keys_are_limited() {
    let made = Made::new();
    if !made.v1() && made.has("memory") {
        let json = r#"{"memory":{"limit":50331648},"unified":{"memory.high":"33554432","cpu.weight":"50",
            "memory.swap.max":"max","pids.max":"55","cpuset.cpus":"0"}}"#;
        made.update(&resources(json)).unwrap();
        let files = ["memory.max", "memory.high", "cpu.weight", "memory.swap.max", "pids.max", "cpuset.cpus"];
        let values = ["50331648", "33554432", "50", "max", "55", "0"];
        assert_eq!(files.map(|file| made.file(file)), values);
        let error = made.update(&resources(r#"{"unified":{"memory.high":"much"}}"#)).unwrap_err().to_string();
        assert!(error.starts_with("linux.resources.unified[\"memory.high\"]: "), "{error}");
    }
    if made.has("hugetlb") && made.try_file("hugetlb.2MB.max").is_some() {
        let json = r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}"#;
        made.check(&resources(json)).unwrap();
        made.apply(&resources(json)).unwrap();
        assert_eq!(["hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"].map(|file| made.file(file)), ["4194304"; 2]);
        made.update(&resources(r#"{"unified":{"hugetlb.2MB.max":"2097152","cgroup.max.depth":"5"}}"#))
            .unwrap();
        assert_eq!(["hugetlb.2MB.max", "cgroup.max.depth"].map(|file| made.file(file)), ["2097152", "5"]);
        let error = made.update(&resources(r#"{"unified":{"no.such":"1"}}"#)).unwrap_err().to_string();
        assert!(error.starts_with("linux.resources.unified[\"no.such\"]: "), "{error}");
        assert_eq!(made.stats().unwrap().hugetlb["2MB"].usage, 0);
    } else if made.has("hugetlb") && made.try_file("hugetlb.2MB.limit_in_bytes").is_some() {
        let json = r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}"#;
        made.apply(&resources(json)).unwrap();
        let files = ["hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.rsvd.limit_in_bytes"];
        assert_eq!(files.map(|file| made.file(file)), ["4194304"; 2]);
    }
    if made.has("net_cls") {
        let json = r#"{"network":{"classID":1048577,"priorities":[{"name":"lo","priority":3}]}}"#;
        made.update(&resources(json)).unwrap();
        assert_eq!(made.file("net_cls.classid"), "1048577");
        assert_eq!(made.file("net_prio.ifpriomap"), "lo 3");
    }
}

pub(super) fn block_devices_have_limits() {
    let made = Made::new();
    let controller = if made.v1() { "blkio" } else { "io" };
    if made.lacks(controller) {
        return;
    }
    // Weights need BFQ in the kernel, on v2 io.cost will do.
    match made.update(&resources(r#"{"blockIO":{"weight":500}}"#)) {
        Ok(()) => {
            let weight = made.try_file("blkio.bfq.weight").or_else(|| made.try_file("io.bfq.weight"));
            assert!(weight.is_none_or(|weight| weight.ends_with("500")));
        }
        Err(error) => assert!(error.to_string().starts_with("linux.resources.blockIO.weight: "), "{error}"),
    }
    let disks = std::fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let numbers = disks.filter_map(|disk| std::fs::read_to_string(disk.path().join("dev")).ok());
    let Some(disk) = numbers.into_iter().next() else { return };
    let (major, minor) = disk.trim().split_once(':').unwrap();
    let json = |rate: u64| {
        let device = format!(r#"[{{"major":{major},"minor":{minor},"rate":{rate}}}]"#);
        format!(r#"{{"blockIO":{{"throttleReadBpsDevice":{device},"throttleWriteIOPSDevice":{device}}}}}"#)
    };
    made.update(&resources(&json(1_048_576))).unwrap();
    if made.v1() {
        assert_eq!(made.file("blkio.throttle.read_bps_device"), format!("{major}:{minor} 1048576"));
        assert_eq!(made.file("blkio.throttle.write_iops_device"), format!("{major}:{minor} 1048576"));
    } else {
        let line = format!("{major}:{minor} rbps=1048576 wbps=max riops=max wiops=1048576");
        assert_eq!(made.file("io.max"), line);
    }
    made.update(&resources(&json(0))).unwrap();
    let file = if made.v1() { "blkio.throttle.read_bps_device" } else { "io.max" };
    assert_eq!(made.file(file), "");
    let none = r#"{"blockIO":{"throttleReadBpsDevice":[{"major":4000,"minor":9,"rate":1}]}}"#;
    let error = made.update(&resources(none)).unwrap_err().to_string();
    assert!(error.starts_with("linux.resources.blockIO.throttleReadBpsDevice: "), "{error}");
}
