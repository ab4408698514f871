//! `process.scheduler`, `process.ioPriority`, `process.execCPUAffinity`, `linux.personality`, `linux.memoryPolicy`.

use crate::harness::{Bundle, RT_RUNTIME, Suite, Test, Verdict, check, check_eq, skip};
use serde_json::{Value, json};

/// What sched_getattr(2) calls the policies.
const POLICIES: [(&str, u32); 5] =
    [("SCHED_OTHER", 0), ("SCHED_FIFO", 1), ("SCHED_RR", 2), ("SCHED_BATCH", 3), ("SCHED_IDLE", 5)];

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("scheduling", "config.md");
    g.since(1, 1);
    for (name, number) in POLICIES {
        g.must(&format!("policy-{name}"), "process.scheduler.policy", move |t| policy(t, name, number));
    }
    g.must("nice", "process.scheduler.nice", nice);
    g.must("deadline", "process.scheduler.runtime, deadline, period", deadline);
    g.must("flag-reset-on-fork", "process.scheduler.flags", reset_on_fork);
    g.must("priority-of-the-wrong-policy-is-refused", "Valid values: an error", |t| {
        refused(t, "scheduler", json!({"policy": "SCHED_FIFO", "priority": 1000}))
    });
    g.must("unknown-policy-is-refused", "Valid values: an error", |t| {
        refused(t, "scheduler", json!({"policy": "SCHED_NONE"}))
    });
    g.must("unknown-flag-is-refused", "Valid values: an error", |t| {
        refused(t, "scheduler", json!({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_NONE"]}))
    });
    for (class, number, level) in
        [("IOPRIO_CLASS_RT", 1, 3), ("IOPRIO_CLASS_BE", 2, 6), ("IOPRIO_CLASS_IDLE", 3, 0)]
    {
        g.must(&format!("io-{class}"), "process.ioPriority", move |t| io_priority(t, class, number, level));
    }
    g.must("io-unknown-class-is-refused", "Valid values: an error", |t| {
        refused(t, "ioPriority", json!({"class": "IOPRIO_CLASS_BEST", "priority": 1}))
    });
    let mut g = suite.group("scheduling", "config-linux.md");
    g.since(1, 1);
    g.must("personality-linux32", "personality.domain: LINUX32 shows a 32-bit CPU", |t| {
        let mut b = t.bundle()?;
        b.config["linux"]["personality"] = json!({"domain": "LINUX32"});
        let r = t.report(&b)?;
        let machine = r["uts"]["machine"].as_str().unwrap_or_default();
        check!(cfg!(not(target_arch = "x86_64")) || machine == "i686", "uname shows {machine:?}");
        check_eq!(r["personality"], 8, "personality");
        Ok(())
    });
    g.must("personality-linux", "personality.domain: LINUX", |t| {
        let mut b = t.bundle()?;
        b.config["linux"]["personality"] = json!({"domain": "LINUX"});
        check_eq!(t.report(&b)?["personality"], 0, "personality");
        Ok(())
    });
    g.must("personality-unknown-is-refused", "Valid values: an error", |t| {
        let mut b = t.bundle()?;
        b.config["linux"]["personality"] = json!({"domain": "MULTICS"});
        t.refuses(&b).map(drop)
    });
    g.since(1, 3);
    g.must("memory-policy", "memoryPolicy.mode, nodes", memory_policy);
    g.must("memory-policy-unknown-is-refused", "memoryPolicy.mode: an error", |t| {
        let mut b = t.bundle()?;
        b.config["linux"]["memoryPolicy"] = json!({"mode": "MPOL_NOWHERE", "nodes": "0"});
        t.refuses(&b).map(drop)
    });
}

fn with(t: &Test, key: &str, value: Value) -> Verdict<Value> {
    let mut b = t.bundle()?;
    b.config["process"][key] = value;
    t.report(&b)
}

fn refused(t: &Test, key: &str, value: Value) -> Verdict {
    let mut b = t.bundle()?;
    b.config["process"][key] = value;
    t.refuses(&b).map(drop)
}

fn policy(t: &Test, name: &str, number: u32) -> Verdict {
    let realtime = matches!(number, 1 | 2);
    if realtime {
        t.machine.needs_capability(23, "CAP_SYS_NICE, which real-time policies need")?;
    }
    let mut value = json!({"policy": name});
    if realtime {
        value["priority"] = json!(7);
    }
    let mut b = t.bundle()?;
    b.config["process"]["scheduler"] = value;
    if realtime {
        give_real_time(t, &mut b)?;
    }
    let r = t.report(&b)?;
    check_eq!(r["scheduler"]["policy"], number, "policy");
    check_eq!(r["scheduler"]["priority"], if realtime { 7 } else { 0 }, "priority");
    Ok(())
}

/// Where the kernel has real-time group scheduling a cgroup v1 starts with no time for it.
fn give_real_time(t: &Test, b: &mut Bundle) -> Verdict {
    let Ok(root) = t.machine.v1("cpu") else { return Ok(()) };
    let parent = root.join(t.cgroup_parent().trim_start_matches('/')).join(RT_RUNTIME);
    match std::fs::read_to_string(&parent) {
        Ok(text) if text.trim() == "0" => return skip("this machine gives cgroups no real-time run time"),
        Ok(_) => {
            let cpu = json!({"realtimeRuntime": 10_000, "realtimePeriod": 1_000_000});
            b.config["linux"]["resources"] = json!({"cpu": cpu});
        }
        Err(_) => {}
    }
    Ok(())
}

fn nice(t: &Test) -> Verdict {
    let r = with(t, "scheduler", json!({"policy": "SCHED_OTHER", "nice": 5}))?;
    check_eq!(r["scheduler"]["nice"], 5, "nice");
    Ok(())
}

fn deadline(t: &Test) -> Verdict {
    t.machine.needs_capability(23, "CAP_SYS_NICE, which real-time policies need")?;
    // A process of a deadline policy cannot start others, and its CPU mask must span the whole root domain.
    let value = json!({"policy": "SCHED_DEADLINE", "runtime": 10_000_000, "deadline": 30_000_000, "period": 40_000_000});
    let r = with(t, "scheduler", value)?;
    check_eq!(r["scheduler"]["policy"], 6, "policy");
    check_eq!(r["scheduler"]["runtime"], 10_000_000, "runtime");
    check_eq!(r["scheduler"]["deadline"], 30_000_000, "deadline");
    check_eq!(r["scheduler"]["period"], 40_000_000, "period");
    Ok(())
}

fn reset_on_fork(t: &Test) -> Verdict {
    let value = json!({"policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK"]});
    let r = with(t, "scheduler", value)?;
    check_eq!(r["scheduler"]["flags"], 1, "flags");
    Ok(())
}

fn io_priority(t: &Test, class: &str, number: i64, level: i64) -> Verdict {
    let r = with(t, "ioPriority", json!({"class": class, "priority": level}))?;
    check_eq!(r["ioPriority"], number << 13 | level, "ioprio");
    Ok(())
}

fn memory_policy(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.config["linux"]["memoryPolicy"] = json!({"mode": "MPOL_BIND", "nodes": "0"});
    let r = t.report(&b)?;
    let Some(mode) = r["memoryPolicy"][0].as_i64() else { return skip("get_mempolicy(2) is not to be had") };
    check_eq!(mode, 2, "mode");
    check_eq!(r["memoryPolicy"][1], 1, "nodes");
    Ok(())
}
