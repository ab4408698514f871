//! What answers hold, beyond their code.

use crate::{
    harness::{Cgroups, Suite, Verdict, check, check_eq, fail},
    shim::{
        messages::{
            Code, ConnectResponse, DeleteResponse, Empty, KillRequest, PidsResponse, ProcessDetails,
            ShutdownRequest, StatsResponse, UpdateTaskRequest, WaitResponse, number_at, status,
        },
        probe::{Probe, State, Task, alive, gone, probe, spec},
    },
};
use prost::Message;
use serde_json::json;
use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub(super) fn add(suite: &mut Suite) {
    let mut group = suite.group("details", "task service");
    group.must("state-created", "State", probe(state_created));
    group.must("state-stopped", "State", probe(state_stopped));
    group.must("connect", "Connect", probe(connect));
    group.must("pids", "Pids", probe(pids));
    group.must("wait-many", "Wait by many", probe(wait_many));
    group.must("wait-of-an-exit-code", "Wait", probe(exit_code));
    group.must("delete", "Delete", probe(delete));
    group.must("kill-term", "Kill", probe(kill_term));
    group.must("kill-0", "Kill with signal 0", probe(kill_nothing));
    group.must("kill-bad-signal", "Kill with a bad signal", probe(kill_bad));
    group.must("kill-stopped-all", "Kill of a stopped one with all", probe(kill_stopped_all));
    group.must("kill-all", "Kill with all", probe(kill_all));
    group.must("kill-paused", "Kill of a paused one", probe(kill_paused));
    group.must("update-memory", "Update", probe(update_memory));
    group.must("update-garbage", "Update with what is no JSON", probe(update_garbage));
    group.must("stats-type", "Stats", probe(stats_type));
    group.must("stats-running", "Stats", probe(stats_running));
    group.must("stats-stopped", "Stats after exit", probe(stats_stopped));
    group.must("shutdown-with-containers", "Shutdown", probe(shutdown_ignored));
    group.must("shutdown", "Shutdown", probe(shutdown));
    group.must("create-after-delete", "Create", probe(again));
    group.must("create-failed", "Create of a bad bundle", probe(create_failed));
    group.must("create-no-program", "Create or Start of a missing program", probe(no_program));
    group.must("create-no-bundle", "Create without a bundle", probe(no_bundle));
    group.must("exit-between-create-and-start", "exit between Create and Start", probe(early_exit));
}

fn state_created(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    let pid = task.create()?;
    let state = task.state()?;
    check_eq!((state.status, state.pid), (status::CREATED, pid), "status and pid");
    check_eq!(state.id, task.id, "the id");
    check_eq!(state.bundle, task.bundle.dir.to_string_lossy(), "the bundle");
    check!(
        state.exited_at.as_ref().is_none_or(|at| at.seconds <= 0),
        "it has not exited: {:?}",
        state.exited_at
    );
    check_eq!(task.start()?, pid, "the pid that Start gives");
    check_eq!(task.state()?.status, status::RUNNING, "the status");
    Ok(())
}

fn state_stopped(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Stopped)?;
    let state = task.state()?;
    check_eq!((state.status, state.exit_status), (status::STOPPED, 137), "status and exit status");
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let at = state.exited_at.map(|at| at.seconds.unsigned_abs()).unwrap_or_default();
    check!(now.abs_diff(at) < 60, "it exited at {at}, now is {now}");
    Ok(())
}

fn connect(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    let told: ConnectResponse = task.client.call("Connect", &task.me())?;
    check_eq!(told.task_pid, 0, "the task's pid before Create");
    check!(alive(told.shim_pid), "no process {}", told.shim_pid);
    let pid = task.create()?;
    let told: ConnectResponse = task.client.call("Connect", &task.me())?;
    check_eq!(told.task_pid, pid, "the task's pid");
    Ok(())
}

fn pids(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    let pid = task.create()?;
    task.start()?;
    task.add_exec("e1", &["wait"])?;
    let exec = task.start_exec("e1")?;
    let told: PidsResponse = task.client.call("Pids", &task.me())?;
    let mut found: Vec<u32> = told.processes.iter().map(|process| process.pid).collect();
    found.sort_unstable();
    let mut all = vec![pid, exec];
    all.sort_unstable();
    check_eq!(found, all, "the pids");
    let info =
        told.processes.iter().find(|process| process.pid == exec).and_then(|process| process.info.clone());
    let Some(info) = info else { return fail("the exec process has no details") };
    check_eq!(info.type_url, "containerd.runc.v1.ProcessDetails", "the type of the details");
    check_eq!(ProcessDetails::decode(&info.value[..])?.exec_id, "e1", "exec_id");
    Ok(())
}

fn wait_many(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    task.create()?;
    let other = task.connection()?;
    let mut streams = Vec::new();
    for _ in 0..50 {
        streams.push((task.client.begin("Wait", &task.me())?, other.begin("Wait", &task.me())?));
    }
    task.start()?;
    task.kill(9)?;
    for (a, b) in streams {
        for answer in [task.client.end::<WaitResponse>(a)?, other.end::<WaitResponse>(b)?] {
            check_eq!(answer.map(|answer| answer.exit_status), Ok(137), "the answer to Wait");
        }
    }
    Ok(())
}

fn exit_code(probe: &Probe) -> Verdict {
    for (code, want) in [("0", 0), ("7", 7), ("255", 255)] {
        let mut bundle = probe.bundle()?;
        bundle.payload(&["exit", code]);
        let task = probe.task_of(bundle)?;
        task.create()?;
        task.start()?;
        check_eq!(task.wait()?, want, "the exit status");
        check_eq!(task.delete()?.exit_status, want, "the exit status that Delete gives");
    }
    Ok(())
}

fn delete(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    let pid = task.create()?;
    task.start()?;
    task.stop()?;
    let told: DeleteResponse = task.delete()?;
    check_eq!((told.pid, told.exit_status), (pid, 137), "pid and exit status");
    check!(told.exited_at.as_ref().is_some_and(|at| at.seconds > 0), "no time of exit: {:?}", told.exited_at);
    Ok(())
}

fn kill_term(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    task.kill(15)?;
    check_eq!(task.wait()?, 0, "the exit status of a payload that ends at SIGTERM");
    Ok(())
}

fn kill_nothing(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    task.kill(0)?;
    task.is(status::RUNNING)
}

fn kill_bad(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    for signal in [65, 1000, u32::MAX] {
        task.client.refused("Kill", &task.kill_request("", signal), Code::Unknown)?;
    }
    task.is(status::RUNNING)
}

fn kill_stopped_all(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Stopped)?;
    let request = KillRequest { all: true, ..task.kill_request("", 9) };
    task.client.call::<Empty>("Kill", &request).map(drop)
}

fn kill_all(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    task.add_exec("e1", &["wait"])?;
    let exec = task.start_exec("e1")?;
    let request = KillRequest { all: true, ..task.kill_request("", 9) };
    task.client.call::<Empty>("Kill", &request)?;
    check_eq!(task.wait()?, 137, "the exit status");
    gone(exec)?;
    let told: WaitResponse = task.client.call("Wait", &task.exec("e1"))?;
    check_eq!(told.exit_status, 137, "the exit status of the exec process");
    Ok(())
}

fn kill_paused(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Paused)?;
    check_eq!(task.stop()?, 137, "the exit status");
    task.is(status::STOPPED)
}

/// Skips where memory cannot be limited.
pub(super) fn needs_memory(probe: &Probe) -> Verdict {
    let machine = &probe.test.machine;
    if machine.cgroups == Cgroups::V2 {
        machine.v2(Some("memory")).map(drop)
    } else {
        machine.v1("memory").map(drop)
    }
}

/// The file of the task's memory limit; a skip where there is none.
fn memory_limit(task: &Task) -> Verdict<std::path::PathBuf> {
    let path = task.bundle.config["linux"]["cgroupsPath"]
        .as_str()
        .unwrap_or_default()
        .trim_start_matches('/')
        .to_owned();
    let machine = &task.probe.test.machine;
    if machine.cgroups == Cgroups::V2 {
        Ok(machine.v2(Some("memory"))?.join(path).join("memory.max"))
    } else {
        Ok(machine.v1("memory")?.join(path).join("memory.limit_in_bytes"))
    }
}

fn update_memory(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let file = memory_limit(&task)?;
    let resources = Some(spec("LinuxResources", &json!({"memory": {"limit": 64 << 20}})));
    let request = UpdateTaskRequest { id: task.id.clone(), resources };
    task.client.call::<Empty>("Update", &request)?;
    check_eq!(fs::read_to_string(file)?.trim(), (64 << 20).to_string(), "the limit");
    Ok(())
}

fn update_garbage(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    for text in ["", "{", "[]", "\"x\"", "{\"memory\": {\"limit\": \"much\"}}"] {
        let mut resources = spec("LinuxResources", &json!({}));
        resources.value = text.into();
        let request = UpdateTaskRequest { id: task.id.clone(), resources: Some(resources) };
        if task.client.ask::<Empty>("Update", &request)?.is_ok() {
            return fail(format!("resources {text:?} were taken"));
        }
    }
    task.client
        .refused("Update", &UpdateTaskRequest { id: task.id.clone(), resources: None }, Code::InvalidArgument)
        .or_else(|_| {
            task.client.refused(
                "Update",
                &UpdateTaskRequest { id: task.id.clone(), resources: None },
                Code::Unknown,
            )
        })?;
    task.is(status::RUNNING)
}

/// The statistics' bytes and the paths in them of the pids' number, the memory limit and the number of OOM kills.
fn stats(task: &Task) -> Verdict<(Vec<u8>, [&'static [u64]; 3])> {
    let told: StatsResponse = task.client.call("Stats", &task.me())?;
    let Some(stats) = told.stats else { return fail("Stats without statistics") };
    let v2 = task.probe.test.machine.cgroups == Cgroups::V2;
    let want = if v2 { "io.containerd.cgroups.v2.Metrics" } else { "io.containerd.cgroups.v1.Metrics" };
    check_eq!(stats.type_url, want, "the type");
    let paths: [&[u64]; 3] = if v2 { [&[1, 1], &[4, 33], &[8, 5]] } else { [&[2, 1], &[4, 33, 1], &[9, 3]] };
    Ok((stats.value, paths))
}

fn stats_type(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    stats(&task).map(drop)
}

fn stats_running(probe: &Probe) -> Verdict {
    needs_memory(probe)?;
    let mut bundle = probe.bundle()?;
    bundle.config["linux"]["resources"] = json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 50}});
    let task = probe.task_of(bundle)?;
    task.bring(State::Running)?;
    let (stats, [pids, limit, _]) = stats(&task)?;
    check_eq!(number_at(&stats, pids), Some(1), "pids.current");
    check_eq!(number_at(&stats, &[pids[0], 2]), Some(50), "pids.limit");
    check_eq!(number_at(&stats, limit), Some(64 << 20), "the memory limit");
    Ok(())
}

fn stats_stopped(probe: &Probe) -> Verdict {
    needs_memory(probe)?;
    let mut bundle = probe.bundle()?;
    bundle.payload(&["allocate", "100"]);
    bundle.config["linux"]["resources"] = json!({"memory": {"limit": 16 << 20, "swap": 16 << 20}});
    let task = probe.task_of(bundle)?;
    task.create()?;
    task.start()?;
    check_eq!(task.wait()?, 137, "the exit status");
    let (stats, [_, _, kills]) = stats(&task)?;
    check_eq!(number_at(&stats, kills), Some(1), "oom_kill");
    Ok(())
}

fn shutdown_ignored(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    task.client.call::<Empty>("Shutdown", &ShutdownRequest { id: task.id.clone(), now: false })?;
    std::thread::sleep(Duration::from_millis(100));
    task.is(status::RUNNING)
}

fn shutdown(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Deleted)?;
    let pid = task.shim_pid()?;
    probe.shut_down(&task.client, &task.id)?;
    gone(pid)?;
    let path = task.address.trim_start_matches("unix://");
    check!(!std::path::Path::new(path).exists(), "the socket is still there");
    Ok(())
}

fn again(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    for _ in 0..3 {
        task.bring(State::Deleted)?;
    }
    Ok(())
}

fn create_failed(probe: &Probe) -> Verdict {
    let mut bundle = probe.bundle()?;
    let good = bundle.config.clone();
    bundle.config["mounts"] =
        json!([{"destination": "/x", "type": "bind", "source": "/no/such", "options": ["bind"]}]);
    let mut task = probe.task_of(bundle)?;
    let status = task.client.refused("Create", &task.create_request(), Code::Unknown)?;
    check!(status.message.contains("/no/such"), "the message does not name the source: {:?}", status.message);
    task.client.refused("State", &task.me(), Code::NotFound)?;
    task.bundle.config = good;
    task.bring(State::Running)
}

fn no_program(probe: &Probe) -> Verdict {
    let mut bundle = probe.bundle()?;
    bundle.config["process"]["args"] = json!(["/no/such/program"]);
    let task = probe.task_of(bundle)?;
    let answer = match task.client.ask::<Empty>("Create", &task.create_request())? {
        Ok(_) => task.client.ask::<Empty>("Start", &task.me())?,
        refused => refused,
    };
    match answer {
        Ok(_) => fail("a program that does not exist was started"),
        // Engines look for these words.
        Err(status) if status.message.contains("no such file or directory") => Ok(()),
        Err(status) => fail(format!("the message: {:?}", status.message)),
    }
}

fn no_bundle(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    let mut request = task.create_request();
    request.bundle = "/no/such/bundle".to_owned();
    check!(task.client.ask::<Empty>("Create", &request)?.is_err(), "a bundle that is not there was taken");
    task.bring(State::Running)
}

fn early_exit(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    let pid = task.create()?;
    task.kill(9)?;
    check_eq!(task.wait()?, 137, "the exit status");
    task.is(status::STOPPED)?;
    task.client.refused("Start", &task.me(), Code::Unknown)?;
    let told = task.delete()?;
    check_eq!((told.pid, told.exit_status), (pid, 137), "pid and exit status");
    let topics = probe.daemon.events.settled(3);
    check_eq!(topics, ["/tasks/create", "/tasks/exit", "/tasks/delete"], "the events");
    Ok(())
}
