//! Cgroups of running containers: limits that are enforced, `update`, `pause`, `events`.

use super::cgroups::{directory, needs, read, with};
use crate::harness::{Cgroups, Container, Suite, Test, Verdict, check, check_eq};
use serde_json::{Value, json};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("cgroups", "config-linux.md");
    g.must("pids-limit-is-enforced", "resources: pids", |t| {
        needs(t, "pids")?;
        let mut b = t.bundle()?;
        b.config["linux"]["resources"] = json!({"pids": {"limit": 3}});
        b.payload(&["family", "20"]);
        let done = t.try_run(&b)?;
        check_eq!(done.code(), 71, "exit code of a process that starts too many others");
        Ok(())
    });
    g.must("memory-limit-is-enforced", "resources: memory", |t| {
        needs(t, "memory")?;
        let mut b = t.bundle()?;
        b.config["linux"]["resources"] = json!({"memory": {"limit": 33_554_432, "swap": 33_554_432}});
        b.payload(&["allocate", "100"]);
        check_eq!(t.try_run(&b)?.code(), 137, "exit code of a process that takes too much");
        Ok(())
    });
    g.must("memory-limit-too-low-to-begin", "resources: memory; Create: an error", |t| {
        needs(t, "memory")?;
        let mut b = t.waiting()?;
        b.config["linux"]["resources"] = json!({"memory": {"limit": 4096, "swap": 4096}});
        // Not only that the process is gone: why.
        t.refuses(&b)?.says(&["memory"]).map(drop)
    });
    g.must("pids-limit-without-room-for-a-hook", "resources: pids; Hooks: an error", |t| {
        needs(t, "pids")?;
        let mut b = t.waiting()?;
        b.config["linux"]["resources"] = json!({"pids": {"limit": 1}});
        b.config["hooks"]["createContainer"] = json!([{"path": "/bin/true"}]);
        t.refuses(&b)?.says(&["/bin/true"]).map(drop)
    });
    g.cli("update-pids", "update --pids-limit", |t| {
        update(t, "pids", &["--pids-limit", "55"], "pids.max", "55", "pids.max", "55")
    });
    g.cli("update-memory", "update --memory", |t| {
        let to = "50331648";
        update(t, "memory", &["--memory", to], "memory.limit_in_bytes", to, "memory.max", to)
    });
    g.cli("update-cpu-share", "update --cpu-share", |t| {
        update(t, "cpu", &["--cpu-share", "262144"], "cpu.shares", "262144", "cpu.weight", "10000")
    });
    g.cli("update-cpu-quota", "update --cpu-quota --cpu-period", |t| {
        let flags = ["--cpu-quota", "20000", "--cpu-period", "50000"];
        update(t, "cpu", &flags, "cpu.cfs_quota_us", "20000", "cpu.max", "20000 50000")
    });
    g.cli("update-cpuset", "update --cpuset-cpus", |t| {
        update(t, "cpuset", &["--cpuset-cpus", "0"], "cpuset.cpus", "0", "cpuset.cpus", "0")
    });
    g.cli("update-from-stdin", "update --resources -", |t| {
        needs(t, "pids")?;
        let (_, c) = with(t, "{}")?;
        c.start_ready()?;
        t.call(&["update", "--resources", "-", &c.id]).input(r#"{"pids": {"limit": 44}}"#).done()?.ok()?;
        check_eq!(read(&directory(t, &c, "pids")?, "pids.max")?, "44", "pids.max");
        Ok(())
    });
    g.cli("update-with-broken-json", "update --resources: an error", |t| {
        let c = t.running()?;
        t.call(&["update", "--resources", "-", &c.id]).input("{\"pids\": ").done()?.refused().map(drop)
    });
    g.cli("pause-and-resume", "pause, resume", |t| {
        let c = freezable(t)?;
        t.call(&["pause", &c.id]).done()?.ok()?;
        c.is("paused")?;
        let dir = directory(t, &c, "freezer")?;
        let frozen = read(&dir, "freezer.state").or_else(|_| read(&dir, "cgroup.events"))?;
        check!(frozen == "FROZEN" || frozen.contains("frozen 1"), "the cgroup is {frozen:?}");
        t.call(&["resume", &c.id]).done()?.ok()?;
        c.is("running")?;
        c.kill("TERM")?;
        check_eq!(c.wait()?, 0, "exit code");
        Ok(())
    });
    g.cli("kill-of-a-paused-one", "kill -9 of a paused container", |t| {
        let c = freezable(t)?;
        t.call(&["pause", &c.id]).done()?.ok()?;
        t.call(&["delete", "--force", &c.id]).done()?.ok()?;
        check_eq!(c.wait()?, 137, "status");
        Ok(())
    });
    g.cli("exec-of-a-paused-one", "exec: an error in a paused container", |t| {
        let c = freezable(t)?;
        t.call(&["pause", &c.id]).done()?.ok()?;
        let done = c.exec(&[], &["report"])?;
        t.call(&["resume", &c.id]).done()?.ok()?;
        done.refused().map(drop)
    });
    g.cli("events-stats", "events --stats: one JSON document", |t| {
        let c = t.running()?;
        let done = t.call(&["events", "--stats", &c.id]).done()?.ok()?;
        let stats: Value = crate::harness::parse(&done.stdout())?;
        check_eq!(stats["type"], "stats", "type");
        check_eq!(stats["id"], c.id, "id");
        check!(
            stats["data"]["pids"].is_object() && stats["data"]["cpu"].is_object(),
            "data: {}",
            stats["data"]
        );
        Ok(())
    });
    g.cli("tiny-memory-limit", "resources: a small limit is no obstacle to the start", |t| {
        needs(t, "memory")?;
        let mut b = t.bundle()?;
        b.config["linux"]["resources"] = json!({"memory": {"limit": 4_194_304}});
        b.payload(&["exit", "5"]);
        check_eq!(t.try_run(&b)?.code(), 5, "exit code");
        Ok(())
    });
}

fn update(
    t: &Test,
    controller: &str,
    flags: &[&str],
    v1_file: &str,
    v1_want: &str,
    v2_file: &str,
    v2_want: &str,
) -> Verdict {
    needs(t, controller)?;
    let (file, want) = if t.machine.cgroups == Cgroups::V2 { (v2_file, v2_want) } else { (v1_file, v1_want) };
    let (_, c) = with(t, r#"{"memory": {"limit": 100663296}, "pids": {"limit": 100}}"#)?;
    c.start_ready()?;
    let mut words = vec!["update"];
    words.extend(flags);
    words.push(&c.id);
    t.call(&words).done()?.ok()?;
    check_eq!(read(&directory(t, &c, controller)?, file)?, want, "{file}");
    Ok(())
}

/// A running container that can be frozen here.
fn freezable(t: &Test) -> Verdict<Container<'_>> {
    if t.machine.cgroups != Cgroups::V2 {
        t.machine.v1("freezer")?;
    }
    t.running()
}
