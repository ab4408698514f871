//! Events: which, with what, in which order.

use crate::{
    harness::{Cgroups, Suite, Verdict, check, check_eq, fail},
    shim::{
        daemon::NAMESPACE,
        messages::{Empty, TaskCreate, TaskDelete, TaskExec, TaskExit, TaskStart, WaitResponse},
        probe::{Probe, State, gone, probe},
    },
};
use serde_json::json;
use std::{thread, time::Duration};

pub(super) fn add(suite: &mut Suite) {
    let mut group = suite.group("events", "events");
    group.must("life", "create, start, exit, delete", probe(life));
    group.must("exec", "exec-added, exec-started, exit", probe(exec));
    group.must("pause", "paused, resumed", probe(pause));
    group.must("oom", "oom", probe(oom));
    group.must("start-before-exit", "start before exit", probe(start_first));
    group.must("exec-start-before-exit", "exec-started before exit", probe(exec_start_first));
    group.must("init-last", "exit of the first process is the last", probe(init_last));
    group.must("init-last-shared-pids", "the same without a pid namespace", probe(init_last_shared));
    group.must("daemon-away", "events are kept while the daemon is away", probe(daemon_away));
}

fn life(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    let pid = task.create()?;
    task.start()?;
    task.stop()?;
    task.delete()?;
    let events = &probe.daemon.events;
    check_eq!(
        events.settled(4),
        ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"],
        "the topics"
    );
    for (envelope, kind) in events.all().iter().zip(["Create", "Start", "Exit", "Delete"]) {
        let event = envelope.event.clone().unwrap_or_default();
        check_eq!(event.type_url, format!("containerd.events.Task{kind}"), "the type");
        check_eq!(envelope.namespace, NAMESPACE, "the namespace");
        check!(envelope.timestamp.as_ref().is_some_and(|at| at.seconds > 0), "{kind} without a time");
    }
    let create: TaskCreate = events.nth("/tasks/create", 0)?;
    let bundle = task.bundle.dir.to_string_lossy().into_owned();
    check_eq!((create.container_id, create.pid, create.bundle), (task.id.clone(), pid, bundle), "of create");
    check!(create.io.is_some(), "create without io");
    let start: TaskStart = events.nth("/tasks/start", 0)?;
    check_eq!((start.container_id, start.pid), (task.id.clone(), pid), "of start");
    let exit: TaskExit = events.nth("/tasks/exit", 0)?;
    check_eq!((&exit.container_id, &exit.id), (&task.id, &task.id), "ids of exit");
    check_eq!((exit.pid, exit.exit_status), (pid, 137), "pid and status of exit");
    check!(exit.exited_at.is_some_and(|at| at.seconds > 0), "exit without a time");
    let delete: TaskDelete = events.nth("/tasks/delete", 0)?;
    check_eq!((&delete.container_id, delete.pid, delete.exit_status), (&task.id, pid, 137), "of delete");
    Ok(())
}

fn exec(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    task.add_exec("e1", &["exit", "5"])?;
    let pid = task.start_exec("e1")?;
    let _: WaitResponse = task.client.call("Wait", &task.exec("e1"))?;
    task.client.call::<Empty>("Delete", &task.exec("e1"))?;
    let events = &probe.daemon.events;
    let want = ["/tasks/create", "/tasks/start", "/tasks/exec-added", "/tasks/exec-started", "/tasks/exit"];
    check_eq!(events.settled(5), want, "the topics");
    let added: TaskExec = events.nth("/tasks/exec-added", 0)?;
    check_eq!((&added.container_id, added.exec_id.as_str()), (&task.id, "e1"), "of exec-added");
    let started: TaskExec = events.nth("/tasks/exec-started", 0)?;
    check_eq!((started.exec_id.as_str(), started.pid), ("e1", pid), "of exec-started");
    let exit: TaskExit = events.nth("/tasks/exit", 0)?;
    check_eq!((&exit.container_id, exit.id.as_str()), (&task.id, "e1"), "ids of exit");
    check_eq!((exit.pid, exit.exit_status), (pid, 5), "pid and status of exit");
    Ok(())
}

fn pause(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Paused)?;
    task.client.call::<Empty>("Resume", &task.me())?;
    let want = ["/tasks/create", "/tasks/start", "/tasks/paused", "/tasks/resumed"];
    check_eq!(probe.daemon.events.settled(4), want, "the topics");
    let paused: TaskStart = probe.daemon.events.nth("/tasks/paused", 0)?;
    check_eq!(paused.container_id, task.id, "the id");
    Ok(())
}

fn oom(probe: &Probe) -> Verdict {
    if probe.test.machine.cgroups == Cgroups::V2 {
        probe.test.machine.v2(Some("memory"))?;
    } else {
        probe.test.machine.v1("memory")?;
    }
    let mut bundle = probe.bundle()?;
    bundle.payload(&["allocate", "100"]);
    bundle.config["linux"]["resources"] = json!({"memory": {"limit": 16 << 20, "swap": 16 << 20}});
    let task = probe.task_of(bundle)?;
    task.bring(State::Running)?;
    check_eq!(task.wait()?, 137, "the exit status");
    let oom: TaskStart = probe.daemon.events.nth("/tasks/oom", 0)?;
    check_eq!(oom.container_id, task.id, "the id");
    Ok(())
}

fn start_first(probe: &Probe) -> Verdict {
    for _ in 0..10 {
        let mut bundle = probe.bundle()?;
        bundle.payload(&["exit", "0"]);
        let task = probe.task_of(bundle)?;
        let before = probe.daemon.events.all().len();
        task.create()?;
        task.start()?;
        task.wait()?;
        let topics = probe.daemon.events.settled(before + 3);
        check_eq!(topics[before..], ["/tasks/create", "/tasks/start", "/tasks/exit"], "the topics");
        task.delete()?;
        probe.daemon.events.settled(before + 4);
    }
    Ok(())
}

fn exec_start_first(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    probe.daemon.events.settled(2);
    for number in 0..20 {
        let id = format!("e{number}");
        task.add_exec(&id, &["exit", "0"])?;
        task.start_exec(&id)?;
        let _: WaitResponse = task.client.call("Wait", &task.exec(&id))?;
    }
    let topics = probe.daemon.events.settled(2 + 60);
    for round in topics[2..].chunks(3) {
        check_eq!(round, ["/tasks/exec-added", "/tasks/exec-started", "/tasks/exit"], "the topics");
    }
    Ok(())
}

fn init_last(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    ends_last(probe, &task)
}

fn init_last_shared(probe: &Probe) -> Verdict {
    let mut bundle = probe.bundle()?;
    bundle.without_namespace("pid");
    let task = probe.task_of(bundle)?;
    task.bring(State::Running)?;
    ends_last(probe, &task)
}

fn ends_last(probe: &Probe, task: &crate::shim::probe::Task) -> Verdict {
    let mut pids = Vec::new();
    for id in ["e1", "e2", "e3"] {
        task.add_exec(id, &["wait"])?;
        pids.push(task.start_exec(id)?);
    }
    check_eq!(task.stop()?, 137, "the exit status");
    for pid in pids {
        gone(pid)?;
    }
    let topics = probe.daemon.events.settled(2 + 6 + 4);
    check_eq!(topics.iter().filter(|topic| *topic == "/tasks/exit").count(), 4, "exits among {topics:?}");
    let last: TaskExit = probe.daemon.events.nth("/tasks/exit", 3)?;
    if last.id != task.id {
        return fail(format!("the last exit is of {:?}, not of the first process", last.id));
    }
    Ok(())
}

fn daemon_away(probe: &Probe) -> Verdict {
    let (events, socket) = (&probe.daemon.events, probe.daemon.event_socket());
    let task = probe.task()?;
    task.create()?;
    check_eq!(events.settled(1), ["/tasks/create"], "the topics");
    events.hang_up(&socket)?;
    task.start()?;
    task.stop()?;
    thread::sleep(Duration::from_millis(300));
    events.serve(&socket)?;
    let exit: TaskExit = events.nth("/tasks/exit", 0)?;
    check_eq!(exit.exit_status, 137, "the exit status");
    check_eq!(events.topics(), ["/tasks/create", "/tasks/start", "/tasks/exit"], "the topics");
    Ok(())
}
