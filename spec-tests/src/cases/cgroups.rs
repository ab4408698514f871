//! `linux.cgroupsPath` and `linux.resources`: what the container's cgroup holds, on version 1 and 2.

use crate::harness::{Bundle, Cgroups, Container, Suite, Test, Verdict, check, check_eq, fail, skip};
use serde_json::json;
use std::{fs, path::PathBuf};

/// Controller of version 1, file, what it is to hold; the resources are `linux.resources`.
const V1: [(&str, &str, &str, &str, &str); 19] = [
    (
        "cpu-realtime-runtime",
        "cpu",
        "cpu.rt_runtime_us",
        r#"{"cpu": {"realtimeRuntime": 9000, "realtimePeriod": 900000}}"#,
        "9000",
    ),
    (
        "cpu-realtime-period",
        "cpu",
        "cpu.rt_period_us",
        r#"{"cpu": {"realtimeRuntime": 9000, "realtimePeriod": 900000}}"#,
        "900000",
    ),
    ("memory-limit", "memory", "memory.limit_in_bytes", r#"{"memory": {"limit": 67108864}}"#, "67108864"),
    (
        "memory-unlimited",
        "memory",
        "memory.limit_in_bytes",
        r#"{"memory": {"limit": -1}}"#,
        "9223372036854771712",
    ),
    (
        "memory-reservation",
        "memory",
        "memory.soft_limit_in_bytes",
        r#"{"memory": {"reservation": 33554432}}"#,
        "33554432",
    ),
    (
        "memory-swap",
        "memory",
        "memory.memsw.limit_in_bytes",
        r#"{"memory": {"limit": 67108864, "swap": 134217728}}"#,
        "134217728",
    ),
    (
        "memory-kernel-tcp",
        "memory",
        "memory.kmem.tcp.limit_in_bytes",
        r#"{"memory": {"kernelTCP": 33554432}}"#,
        "33554432",
    ),
    ("memory-swappiness", "memory", "memory.swappiness", r#"{"memory": {"swappiness": 33}}"#, "33"),
    (
        "memory-oom-killer",
        "memory",
        "memory.oom_control",
        r#"{"memory": {"disableOOMKiller": true}}"#,
        "oom_kill_disable 1",
    ),
    ("cpu-shares", "cpu", "cpu.shares", r#"{"cpu": {"shares": 512}}"#, "512"),
    ("cpu-quota", "cpu", "cpu.cfs_quota_us", r#"{"cpu": {"quota": 50000, "period": 100000}}"#, "50000"),
    ("cpu-period", "cpu", "cpu.cfs_period_us", r#"{"cpu": {"quota": 10000, "period": 20000}}"#, "20000"),
    ("cpu-unlimited", "cpu", "cpu.cfs_quota_us", r#"{"cpu": {"quota": -1}}"#, "-1"),
    ("cpuset-cpus", "cpuset", "cpuset.cpus", r#"{"cpu": {"cpus": "0"}}"#, "0"),
    ("cpuset-mems", "cpuset", "cpuset.mems", r#"{"cpu": {"mems": "0"}}"#, "0"),
    ("pids-limit", "pids", "pids.max", r#"{"pids": {"limit": 99}}"#, "99"),
    ("pids-unlimited", "pids", "pids.max", r#"{"pids": {"limit": -1}}"#, "max"),
    ("blkio-weight", "blkio", "blkio.bfq.weight", r#"{"blockIO": {"weight": 333}}"#, "333"),
    ("network-class", "net_cls", "net_cls.classid", r#"{"network": {"classID": 1048577}}"#, "1048577"),
];

/// The same of version 2.
const V2: [(&str, &str, &str, &str, &str); 19] = [
    ("memory-limit", "memory", "memory.max", r#"{"memory": {"limit": 67108864}}"#, "67108864"),
    ("memory-unlimited", "memory", "memory.max", r#"{"memory": {"limit": -1}}"#, "max"),
    ("memory-reservation", "memory", "memory.low", r#"{"memory": {"reservation": 33554432}}"#, "33554432"),
    (
        "memory-swap",
        "memory",
        "memory.swap.max",
        r#"{"memory": {"limit": 67108864, "swap": 100663296}}"#,
        "33554432",
    ),
    (
        "memory-swap-none",
        "memory",
        "memory.swap.max",
        r#"{"memory": {"limit": 67108864, "swap": 67108864}}"#,
        "0",
    ),
    (
        "memory-swap-unlimited",
        "memory",
        "memory.swap.max",
        r#"{"memory": {"limit": 67108864, "swap": -1}}"#,
        "max",
    ),
    ("cpu-quota", "cpu", "cpu.max", r#"{"cpu": {"quota": 50000, "period": 100000}}"#, "50000 100000"),
    ("cpu-unlimited", "cpu", "cpu.max", r#"{"cpu": {"quota": -1}}"#, "max 100000"),
    ("cpu-weight", "cpu", "cpu.weight", r#"{"cpu": {"shares": 2}}"#, "1"),
    ("cpu-weight-most", "cpu", "cpu.weight", r#"{"cpu": {"shares": 262144}}"#, "10000"),
    (
        "cpu-burst",
        "cpu",
        "cpu.max.burst",
        r#"{"cpu": {"quota": 50000, "period": 100000, "burst": 20000}}"#,
        "20000",
    ),
    ("cpu-idle", "cpu", "cpu.idle", r#"{"cpu": {"idle": 1}}"#, "1"),
    ("cpuset-cpus", "cpuset", "cpuset.cpus", r#"{"cpu": {"cpus": "0"}}"#, "0"),
    ("cpuset-mems", "cpuset", "cpuset.mems", r#"{"cpu": {"mems": "0"}}"#, "0"),
    ("pids-limit", "pids", "pids.max", r#"{"pids": {"limit": 99}}"#, "99"),
    ("pids-unlimited", "pids", "pids.max", r#"{"pids": {"limit": -1}}"#, "max"),
    ("unified-memory", "memory", "memory.high", r#"{"unified": {"memory.high": "50331648"}}"#, "50331648"),
    ("unified-pids", "pids", "pids.max", r#"{"unified": {"pids.max": "77"}}"#, "77"),
    (
        "unified-hugetlb",
        "hugetlb",
        "hugetlb.2MB.max",
        r#"{"unified": {"hugetlb.2MB.max": "4194304"}}"#,
        "4194304",
    ),
];

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("cgroups", "config-linux.md");
    for (name, controller, file, resources, want) in V1 {
        let clause = format!("resources: {}", name.split('-').next().unwrap_or(name));
        g.must(&format!("v1-{name}"), &clause, move |t| {
            t.machine.v1(controller)?;
            holds(t, controller, file, resources, want)
        });
    }
    for (name, controller, file, resources, want) in V2 {
        let since = if name.starts_with("unified") || name.contains("burst") || name.contains("idle") {
            1
        } else {
            0
        };
        g.since(1, since);
        let clause = format!("resources: {}", name.split('-').next().unwrap_or(name));
        g.must(&format!("v2-{name}"), &clause, move |t| {
            t.machine.v2(Some(controller))?;
            holds(t, controller, file, resources, want)
        });
    }
    g.since(1, 1);
    g.must("v1-cpu-burst", "resources: cpu.burst", |t| {
        t.machine.v1("cpu")?;
        holds(
            t,
            "cpu",
            "cpu.cfs_burst_us",
            r#"{"cpu": {"quota": 50000, "period": 100000, "burst": 20000}}"#,
            "20000",
        )
    });
    g.must("v1-cpu-idle", "resources: cpu.idle", |t| {
        t.machine.v1("cpu")?;
        holds(t, "cpu", "cpu.idle", r#"{"cpu": {"idle": 1}}"#, "1")
    });
    g.must(
        "v2-unified-of-no-controller-is-refused",
        "Unified: an error for a controller that is not there",
        |t| {
            t.machine.v2(None)?;
            let mut b = t.bundle()?;
            b.config["linux"]["resources"] = json!({"unified": {"steel.max": "1"}});
            t.refuses(&b).map(drop)
        },
    );
    g.since(1, 0);
    g.must("rdma", "resources: rdma", |t| {
        needs(t, "rdma")?;
        let Some(device) = fs::read_dir("/sys/class/infiniband").ok().and_then(|mut list| list.next()) else {
            return skip("no RDMA device here");
        };
        let device = device?.file_name().to_string_lossy().into_owned();
        let (_, c) = with(t, &json!({"rdma": {&device: {"hcaHandles": 3}}}).to_string())?;
        let got = read(&directory(t, &c, "rdma")?, "rdma.max")?;
        let want = format!("{device} hca_handle=3 hca_object=max");
        check!(got.lines().any(|line| line == want), "rdma.max is {got:?}, not {want:?}");
        Ok(())
    });
    g.must("rdma-of-no-device-is-refused", "resources: rdma", |t| {
        needs(t, "rdma")?;
        let mut b = t.bundle()?;
        b.config["linux"]["resources"] = json!({"rdma": {"no-such-device": {"hcaHandles": 3}}});
        t.refuses(&b).map(drop)
    });
    g.must("v2-hugepages", "resources: hugepageLimits", |t| {
        let root = t.machine.v2(Some("hugetlb"))?.to_path_buf();
        let rsvd = fs::exists(root.join("..").join("hugetlb.2MB.rsvd.max"))?;
        let resources = r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}"#;
        let (_, c) = with(t, resources)?;
        let dir = directory(t, &c, "hugetlb")?;
        let file = if rsvd || fs::exists(dir.join("hugetlb.2MB.rsvd.max"))? {
            "hugetlb.2MB.rsvd.max"
        } else {
            "hugetlb.2MB.max"
        };
        let plain = read(&dir, "hugetlb.2MB.max")?;
        let reserved = read(&dir, file)?;
        check!(plain == "4194304" || reserved == "4194304", "limits: {plain}, reserved {reserved}");
        Ok(())
    });
    g.must("unknown-page-size-is-refused", "resources: hugepageLimits.pageSize", |t| {
        let mut b = t.bundle()?;
        b.config["linux"]["resources"] = json!({"hugepageLimits": [{"pageSize": "3MB", "limit": 4194304}]});
        t.refuses(&b).map(drop)
    });
    for (name, resources) in [
        ("cpus-that-are-not-there", r#"{"cpu": {"cpus": "999"}}"#),
        ("quota-too-small", r#"{"cpu": {"quota": 1}}"#),
        ("swap-below-limit", r#"{"memory": {"limit": 67108864, "swap": 33554432}}"#),
    ] {
        g.must(
            &format!("{name}-is-refused"),
            "runtime.md Lifecycle 2: an error for what cannot be made",
            move |t| {
                let controller =
                    if name == "swap-below-limit" { "memory" } else { name.split('-').next().unwrap_or("") };
                needs(
                    t,
                    if controller == "cpus" {
                        "cpuset"
                    } else if controller == "quota" {
                        "cpu"
                    } else {
                        controller
                    },
                )?;
                let mut b = t.bundle()?;
                b.config["linux"]["resources"] = serde_json::from_str(resources)?;
                t.refuses(&b).map(drop)
            },
        );
    }
    paths(suite);
}

/// Skips unless this machine has the controller.
pub(super) fn needs(t: &Test, controller: &str) -> Verdict {
    if t.machine.cgroups == Cgroups::V2 {
        t.machine.v2(Some(controller)).map(drop)
    } else {
        t.machine.v1(controller).map(drop)
    }
}

/// A container that waits, with these resources.
pub(super) fn with<'t>(t: &'t Test, resources: &str) -> Verdict<(Bundle, Container<'t>)> {
    let mut b = t.waiting()?;
    b.config["linux"]["resources"] = serde_json::from_str(resources)?;
    let c = t.create(&b)?;
    Ok((b, c))
}

/// The cgroup of the container's process in the hierarchy of `controller`, whatever the runtime names it.
pub(super) fn directory(t: &Test, c: &Container<'_>, controller: &str) -> Verdict<PathBuf> {
    let lines = fs::read_to_string(format!("/proc/{}/cgroup", c.pid))?;
    for line in lines.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(names), Some(path)) = (parts.next(), parts.next()) else { continue };
        let v2 = names.is_empty();
        let fits = if t.machine.cgroups == Cgroups::V2 {
            v2
        } else {
            names.split(',').any(|name| name == controller)
        };
        let known = |h: &&crate::harness::Hierarchy| {
            h.v2 == v2 && (v2 || h.controllers.iter().any(|c| c == controller))
        };
        if let (true, Some(found)) = (fits, t.machine.hierarchies.iter().find(known)) {
            return Ok(found.at.join(path.trim_start_matches('/')));
        }
    }
    skip(format!("process {} is in no hierarchy with {controller}", c.pid))
}

/// What a file of a cgroup holds.
pub(super) fn read(dir: &std::path::Path, file: &str) -> Verdict<String> {
    match fs::read_to_string(dir.join(file)) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => fail(format!("{}/{file}: {error}", dir.display())),
    }
}

fn holds(t: &Test, controller: &str, file: &str, resources: &str, want: &str) -> Verdict {
    let (root, v2) = if t.machine.cgroups == Cgroups::V2 {
        (t.machine.v2(Some(controller))?, true)
    } else {
        (t.machine.v1(controller)?, false)
    };
    // What the kernel does not offer at all cannot be asked for.
    let parent = root.join(t.cgroup_parent().trim_start_matches('/'));
    if !parent.join(file).exists() {
        return skip(format!("this kernel has no {file} on cgroup v{}", if v2 { 2 } else { 1 }));
    }
    let (_, c) = with(t, resources)?;
    let got = read(&directory(t, &c, controller)?, file)?;
    check!(got == want || got.lines().any(|line| line == want), "{file} is {got:?}, not {want:?}");
    Ok(())
}

fn paths(suite: &mut Suite) {
    let mut g = suite.group("cgroups", "config-linux.md");
    g.must("absolute-path", "cgroupsPath: relative to the cgroups mount point", |t| {
        let b = t.waiting()?;
        let want = b.config["linux"]["cgroupsPath"].as_str().unwrap_or_default().to_owned();
        let c = t.create(&b)?;
        check!(places(&c)?.iter().any(|path| path.contains(&want)), "the process is in {:?}", places(&c)?);
        Ok(())
    });
    g.must("same-path-same-place", "cgroupsPath: the same place for the same value", |t| {
        let b = t.waiting()?;
        let mut seen = Vec::new();
        for _ in 0..2 {
            let c = t.create(&b)?;
            seen.push(places(&c)?);
            c.stop()?;
            c.delete()?;
        }
        check_eq!(seen[0], seen[1], "the places");
        Ok(())
    });
    g.must("deep-path", "cgroupsPath: made if it does not exist", |t| {
        let mut b = t.waiting()?;
        let path = format!("{}/{}-deep/a/b", t.cgroup_parent(), t.tag());
        b.config["linux"]["cgroupsPath"] = json!(path);
        let c = t.create(&b)?;
        check!(places(&c)?.iter().any(|place| place.contains(&path)), "the process is in {:?}", places(&c)?);
        c.stop()?;
        c.delete()?;
        // The parents are the suite's to remove.
        for hierarchy in &t.machine.hierarchies {
            let top = hierarchy.at.join(path.trim_start_matches('/'));
            check!(!top.exists(), "{} is still there", top.display());
            for parent in top.ancestors().skip(1).take(2) {
                let _ = fs::remove_dir(parent);
            }
        }
        Ok(())
    });
    g.must("no-path", "cgroupsPath: optional", |t| {
        t.enter_own_cgroup()?;
        let mut b = t.waiting()?;
        super::process::remove(&mut b.config["linux"], "cgroupsPath");
        let c = t.create(&b)?;
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let theirs = fs::read_to_string(format!("/proc/{}/cgroup", c.pid))?;
        check!(own != theirs, "the process is in the runtime's cgroups");
        c.stop()?;
        c.delete().map(drop)
    });
    g.must("path-out-of-the-hierarchy-stays-within", "cgroupsPath: within the hierarchy", |t| {
        let mut b = t.waiting()?;
        b.config["linux"]["cgroupsPath"] = json!(format!("/../../../..{}/{}-up", t.cgroup_parent(), t.tag()));
        match t.try_create(&b)? {
            done if done.code() == 0 => Ok(()),
            done => done.refused().map(drop),
        }
    });
    g.must("process-is-inside-from-the-start", "cgroupsPath: the process", |t| {
        let b = t.bundle()?;
        let want = b.config["linux"]["cgroupsPath"].as_str().unwrap_or_default().to_owned();
        let r = t.report(&b)?;
        check!(r["cgroup"].as_str().unwrap_or_default().contains(&want), "the program sees {}", r["cgroup"]);
        Ok(())
    });
    g.must("every-v1-hierarchy", "cgroupsPath", |t| {
        t.machine.v1("pids")?;
        let c = t.create(&t.waiting()?)?;
        for controller in ["memory", "cpu", "pids", "devices", "freezer"] {
            if t.machine.v1(controller).is_ok() {
                let dir = directory(t, &c, controller)?;
                check!(
                    dir.to_string_lossy().contains(t.tag()),
                    "{controller}: the process is in {}",
                    dir.display()
                );
            }
        }
        Ok(())
    });
    g.must(
        "non-empty-cgroup-and-others-stay-alive",
        "Control groups: a shared cgroup is an error or works",
        |t| {
            let b = t.waiting()?;
            let first = t.running_of(&b)?;
            let second = t.waiting()?;
            let mut second = second;
            second.config["linux"]["cgroupsPath"] = b.config["linux"]["cgroupsPath"].clone();
            match t.try_create(&second)? {
                done if done.code() == 0 => {}
                done => drop(done.refused()?),
            }
            first.is("running")
        },
    );
}

/// The paths in /proc/PID/cgroup.
fn places(c: &Container<'_>) -> Verdict<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", c.pid))?;
    Ok(text.lines().filter_map(|line| line.splitn(3, ':').nth(2).map(str::to_owned)).collect())
}
