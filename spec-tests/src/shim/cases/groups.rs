//! Several containers of one shim: a pod.

use crate::{
    harness::{Bundle, Suite, Verdict, check, check_eq},
    shim::{
        daemon::{Bootstrap, address},
        messages::{Code, Empty, PidsResponse, ShutdownRequest, status},
        probe::{Probe, State, Task, alive, gone, probe},
    },
};
use serde_json::{Value, json};

const SANDBOX: &str = "io.kubernetes.cri.sandbox-id";
const GROUP: &str = "io.containerd.runc.v2.group";

pub(super) fn add(suite: &mut Suite) {
    let mut group = suite.group("groups", "groups");
    group.must("sandbox-id", "the sandbox's annotation", probe(|p| shared(p, SANDBOX)));
    group.must("group", "the group's annotation", probe(|p| shared(p, GROUP)));
    group.must("apart", "another group is another shim", probe(apart));
    group.must("group-goes-first", "both annotations", probe(both));
    group.must("one-by-one", "Delete of one", probe(one_by_one));
    group.must("pids", "Pids of one", probe(pids));
    group.must("killed-shim", "delete after the shim was killed", probe(killed));
    group.must("member-deleted-after-kill", "delete of a member after the shim was killed", probe(member));
}

/// A bundle with these annotations.
fn annotated(probe: &Probe, annotations: Value) -> Verdict<Bundle> {
    let mut bundle = probe.bundle()?;
    bundle.config["annotations"] = annotations;
    Ok(bundle)
}

/// Tasks of one pod in this state, its leader first.
pub(super) fn pod<'p, 't>(
    probe: &'p Probe<'t>,
    key: &str,
    state: State,
    count: usize,
) -> Verdict<Vec<Task<'p, 't>>> {
    let name = format!("{}-pod", probe.test.tag());
    let mut tasks = Vec::new();
    for _ in 0..count {
        let task = probe.task_of(annotated(probe, json!({key: name}))?)?;
        task.bring(state)?;
        tasks.push(task);
    }
    Ok(tasks)
}

fn shared(probe: &Probe, key: &str) -> Verdict {
    let tasks = pod(probe, key, State::Running, 3)?;
    let pid = tasks[0].shim_pid()?;
    for task in &tasks[1..] {
        check_eq!(task.address, tasks[0].address, "the address");
        check_eq!(task.shim_pid()?, pid, "the shim");
        check_eq!(
            std::fs::read_to_string(task.bundle.dir.join("address"))?,
            task.address,
            "the address file"
        );
        task.is(status::RUNNING)?;
    }
    Ok(())
}

fn apart(probe: &Probe) -> Verdict {
    let one = probe.task_of(annotated(probe, json!({SANDBOX: format!("{}-a", probe.test.tag())}))?)?;
    let two = probe.task_of(annotated(probe, json!({SANDBOX: format!("{}-b", probe.test.tag())}))?)?;
    check!(one.address != two.address, "two pods have one address");
    check!(one.shim_pid()? != two.shim_pid()?, "two pods have one shim");
    Ok(())
}

fn both(probe: &Probe) -> Verdict {
    let tag = probe.test.tag();
    let one =
        probe.task_of(annotated(probe, json!({GROUP: format!("{tag}-g"), SANDBOX: format!("{tag}-a")}))?)?;
    let two =
        probe.task_of(annotated(probe, json!({GROUP: format!("{tag}-g"), SANDBOX: format!("{tag}-b")}))?)?;
    check_eq!(one.address, two.address, "the address");
    Ok(())
}

fn one_by_one(probe: &Probe) -> Verdict {
    let tasks = pod(probe, SANDBOX, State::Running, 3)?;
    for (index, task) in tasks.iter().enumerate() {
        task.stop()?;
        task.delete()?;
        task.client.refused("State", &task.me(), Code::NotFound)?;
        // The daemon asks so after each; the shim stays as long as it has others.
        if index + 1 < tasks.len() {
            task.client.call::<Empty>("Shutdown", &ShutdownRequest { id: task.id.clone(), now: false })?;
            probe.daemon.delete(&task.bundle.dir, &task.id)?.ok()?;
        }
        for other in &tasks[index + 1..] {
            other.is(status::RUNNING)?;
        }
    }
    Ok(())
}

fn pids(probe: &Probe) -> Verdict {
    let tasks = pod(probe, SANDBOX, State::Running, 2)?;
    for task in &tasks {
        let told: PidsResponse = task.client.call("Pids", &task.me())?;
        let pids: Vec<u32> = told.processes.iter().map(|process| process.pid).collect();
        check_eq!(pids, [task.state()?.pid], "the pids");
    }
    Ok(())
}

/// The shim dies: the daemon calls `delete` for each, the leader's first.
fn killed(probe: &Probe) -> Verdict {
    let tasks = pod(probe, SANDBOX, State::Running, 3)?;
    let pids = tasks.iter().map(|task| Ok(task.state()?.pid)).collect::<Verdict<Vec<u32>>>()?;
    tasks[0].kill_shim()?;
    probe.daemon.delete(&tasks[0].bundle.dir, &tasks[0].id)?.ok()?;
    // The pod is no more with its leader's shim, though nobody may ever call `delete` for the others.
    for pid in &pids {
        gone(*pid)?;
    }
    for task in &tasks[1..] {
        probe.daemon.delete(&task.bundle.dir, &task.id)?.ok()?;
    }
    // The same pod can be had again.
    let again = probe.daemon.start(&tasks[0].bundle.dir, &tasks[0].id, &Bootstrap::default())?.ok()?;
    check_eq!(address(&again)?, tasks[0].address, "the address");
    Ok(())
}

fn member(probe: &Probe) -> Verdict {
    let tasks = pod(probe, SANDBOX, State::Running, 2)?;
    let pids = tasks.iter().map(|task| Ok(task.state()?.pid)).collect::<Verdict<Vec<u32>>>()?;
    tasks[0].kill_shim()?;
    probe.daemon.delete(&tasks[1].bundle.dir, &tasks[1].id)?.ok()?;
    gone(pids[1])?;
    check!(alive(pids[0]), "`delete` of one member ended the leader");
    probe.daemon.delete(&tasks[0].bundle.dir, &tasks[0].id)?.ok()?;
    gone(pids[0])
}
