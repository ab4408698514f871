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

pub(super) fn limits_are_written_raised_and_lowered() {
    let made = Made::new();
    if !made.v1() {
        // Nothing but hugetlb lives in the unified tree of the hosts that this runs on natively.
        for (json, place) in [
            (
                r#"{"memory":{"limit":1000000}}"#,
                "linux.resources.memory.limit: this host has no cgroup controller memory",
            ),
            (
                r#"{"pids":{"limit":10}}"#,
                "linux.resources.pids.limit: this host has no cgroup controller pids",
            ),
            (
                r#"{"cpu":{"shares":10}}"#,
                "linux.resources.cpu.shares: this host has no cgroup controller cpu",
            ),
            (
                r#"{"network":{"classID":1}}"#,
                "linux.resources.network.classID: this host has no cgroup controller net_cls",
            ),
        ] {
            if !made.file("cgroup.controllers").contains("memory") || json.contains("network") {
                assert!(refused(&made, json).starts_with(place), "{json}");
            }
        }
        return;
    }
    let steps = [(50, 60), (500, 600), (100, 100), (700, 900), (20, 300), (100, 100)];
    for (limit, both) in steps.map(|(limit, both)| (limit << 20, both << 20)) {
        let json = format!(r#"{{"memory":{{"limit":{limit},"swap":{both},"reservation":{limit}}}}}"#);
        made.update(&resources(&json)).unwrap();
        assert_eq!(made.file("memory.limit_in_bytes"), limit.to_string());
        assert_eq!(made.file("memory.memsw.limit_in_bytes"), both.to_string());
        assert_eq!(made.file("memory.soft_limit_in_bytes"), limit.to_string());
    }
    made.update(&resources(r#"{"memory":{"limit":-1}}"#)).unwrap();
    assert!(made.file("memory.memsw.limit_in_bytes").len() > 15);
    for (quota, period, burst) in
        [(50_000, 100_000, 0), (20_000, 20_000, 20_000), (500_000, 50_000, 100_000), (2_000, 10_000, 0)]
    {
        let json = format!(r#"{{"cpu":{{"quota":{quota},"period":{period},"burst":{burst},"shares":512}}}}"#);
        made.update(&resources(&json)).unwrap();
        let values = ["cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us", "cpu.shares"]
            .map(|file| made.file(file));
        assert_eq!(values, [quota, period, burst, 512].map(|value| value.to_string()));
    }
    made.update(&resources(r#"{"cpu":{"idle":1}}"#)).unwrap();
    assert_eq!(made.file("cpu.idle"), "1");
    made.update(&resources(r#"{"cpu":{"idle":0,"shares":100}}"#)).unwrap();
    assert_eq!(made.file("cpu.shares"), "100");
    made.update(&resources(r#"{"pids":{"limit":7},"cpu":{"cpus":"0","mems":"0"}}"#)).unwrap();
    made.update(&resources(r#"{"pids":{}}"#)).unwrap();
    assert_eq!(
        ["pids.max", "cpuset.cpus", "cpuset.mems"].map(|file| made.file(file)),
        ["7", "0", "0"].map(str::to_owned)
    );
    made.update(&resources(r#"{"pids":{"limit":-1}}"#)).unwrap();
    assert_eq!(made.file("pids.max"), "max");
    let error = refused(&made, r#"{"cpu":{"shares":1}}"#);
    assert!(error.starts_with("linux.resources.cpu.shares: "), "{error}");
    let error = refused(&made, r#"{"rdma":{"x":{"hcaHandles":1}}}"#);
    assert!(error.starts_with("linux.resources.rdma.x: this host has no cgroup controller rdma"), "{error}");
}

pub(super) fn huge_pages_are_limited() {
    let json = r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}"#;
    let made = Made::new();
    if made.clone_into().unwrap().is_none() {
        let error = refused(&made, json);
        assert!(
            error.starts_with("linux.resources.hugepageLimits: this host has no cgroup controller hugetlb"),
            "{error}"
        );
        let error = refused(&made, r#"{"unified":{"hugetlb.2MB.max":"0"}}"#);
        assert!(error.contains("needs cgroup v2"), "{error}");
        return;
    }
    made.check(&resources(json)).unwrap();
    made.apply(&resources(json)).unwrap();
    assert_eq!(made.file("hugetlb.2MB.max"), "4194304");
    assert_eq!(made.file("hugetlb.2MB.rsvd.max"), "4194304");
    made.update(&resources(r#"{"unified":{"hugetlb.2MB.max":"2097152","cgroup.max.depth":"5"}}"#)).unwrap();
    assert_eq!(made.file("hugetlb.2MB.max"), "2097152");
    assert_eq!(made.file("cgroup.max.depth"), "5");
    let error = made.update(&resources(r#"{"unified":{"no.such":"1"}}"#)).unwrap_err().to_string();
    assert!(error.starts_with("linux.resources.unified[\"no.such\"]: "), "{error}");
    assert_eq!(made.stats().unwrap().hugetlb["2MB"].usage, 0);
}

pub(super) fn limits_bite() {
    let made = Made::new();
    if !made.v1() {
        return;
    }
    made.apply(&resources(r#"{"memory":{"limit":16777216,"swap":16777216},"pids":{"limit":20}}"#)).unwrap();
    let fill = "head -c 100000000 /dev/zero | tail -c 90000000 >/dev/null; exit $?";
    assert_eq!(run_in(&made, "exec head -c 1000 /dev/zero"), 0);
    assert_ne!(run_in(&made, fill), 0);
    let stats = made.stats().unwrap();
    assert!(stats.memory.event_count.unwrap().oom_kill >= 1);
    assert_eq!(stats.memory.usage.limit, 16_777_216);
    assert_ne!(
        run_in(
            &made,
            "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23; do sleep 2 & done"
        ),
        0
    );
    made.kill_all(libc::SIGKILL).unwrap();
    // Weights need BFQ in the kernel.
    match made.update(&resources(r#"{"blockIO":{"weight":500}}"#)) {
        Ok(()) => assert_eq!(made.file("blkio.bfq.weight"), "500"),
        Err(error) => {
            assert!(error.to_string().starts_with("linux.resources.blockIO.weight: "), "{error}");
        }
    }
}
