//! A shim that is killed, one that is held up, and a daemon that goes and comes.

use crate::{
    harness::{Suite, Verdict, check, check_eq, within},
    shim::{
        client::Client,
        messages::{ConnectResponse, DeleteResponse, PidsResponse, WaitResponse, status},
        probe::{Probe, State, gone, probe},
    },
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use prost::Message;
use std::{
    fs,
    time::{Duration, Instant},
};

pub(super) fn add(suite: &mut Suite) {
    let mut group = suite.group("faults", "faults");
    group.must(
        "killed-shim-running",
        "delete after the shim was killed",
        probe(|p| killed(p, State::Running)),
    );
    group.must(
        "killed-shim-created",
        "delete after the shim was killed",
        probe(|p| killed(p, State::Created)),
    );
    group.must("killed-shim-paused", "delete after the shim was killed", probe(|p| killed(p, State::Paused)));
    group.must("killed-shim-exec", "delete after the shim was killed", probe(killed_with_exec));
    group.must("delete-twice", "delete", probe(delete_twice));
    group.must("reconnect", "the daemon is started again", probe(reconnect));
    group.must("reconnect-ended", "the daemon is started again after the end", probe(reconnect_ended));
    group.must("waiter-goes", "a connection that ends while it waits", probe(waiter_goes));
    group.must("slow-hook", "a slow container does not hold up another", probe(slow_hook));
    group.must("reader-that-does-not-read", "a client that takes no answers", probe(deaf_client));
    group.must("signals", "signals to the shim", probe(signals));
}

fn killed(probe: &Probe, state: State) -> Verdict {
    let task = probe.task_in(state)?;
    let pid = task.state()?.pid;
    task.kill_shim()?;
    let done = probe.daemon.delete(&task.bundle.dir, &task.id)?.ok()?;
    let told = DeleteResponse::decode(&fs::read(&done.out)?[..])?;
    check_eq!((told.pid, told.exit_status), (pid, 137), "what `delete` prints");
    check!(told.exited_at.is_some_and(|at| at.seconds > 0), "`delete` prints no time of exit");
    gone(pid)
}

fn killed_with_exec(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    task.add_exec("e1", &["wait"])?;
    let pid = task.start_exec("e1")?;
    task.kill_shim()?;
    probe.daemon.delete(&task.bundle.dir, &task.id)?.ok()?;
    gone(pid)
}

fn delete_twice(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    task.kill_shim()?;
    probe.daemon.delete(&task.bundle.dir, &task.id)?.ok()?;
    probe.daemon.delete(&task.bundle.dir, &task.id)?.ok().map(drop)
}

fn reconnect(probe: &Probe) -> Verdict {
    let mut task = probe.task_in(State::Running)?;
    let pid = task.state()?.pid;
    drop(task.client.stream().shutdown(std::net::Shutdown::Both));
    // What ends meanwhile is known afterwards.
    kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGKILL)?;
    gone(pid)?;
    task.client = task.connection()?;
    let told: ConnectResponse = task.client.call("Connect", &task.me())?;
    check_eq!(told.task_pid, pid, "the task's pid");
    let _: PidsResponse = task.client.call("Pids", &task.me())?;
    check_eq!(task.wait()?, 137, "the exit status");
    task.is(status::STOPPED)
}

/// A daemon from 1.7 on asks for Pids, and ends a shim that names none: it takes it for one that was never used.
fn reconnect_ended(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Stopped)?;
    let again = task.connection()?;
    let told: PidsResponse = again.call("Pids", &task.me())?;
    check!(!told.processes.is_empty(), "Pids of a container that has ended and is not deleted is empty");
    let told: DeleteResponse = again.call("Delete", &task.me())?;
    check_eq!(told.exit_status, 137, "the exit status");
    Ok(())
}

fn waiter_goes(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    for _ in 0..50 {
        let other = task.connection()?;
        other.begin("Wait", &task.me())?;
    }
    let stream = task.client.begin("Wait", &task.me())?;
    task.kill(9)?;
    check_eq!(
        task.client.end::<WaitResponse>(stream)?.map(|told| told.exit_status),
        Ok(137),
        "the answer to Wait"
    );
    let pid = task.shim_pid()?;
    // Ours, and at most one that is about to be closed.
    let sockets = || {
        let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        links
            .filter(|e| fs::read_link(e.path()).is_ok_and(|l| l.to_string_lossy().starts_with("socket:")))
            .count()
    };
    let closed = within(Duration::from_secs(3), || (sockets() < 10).then_some(()));
    check!(closed.is_some(), "the shim holds {} sockets", sockets());
    Ok(())
}

/// A hook of one container sleeps; another of the same shim is asked meanwhile.
fn slow_hook(probe: &Probe) -> Verdict {
    let tasks = super::groups::pod(probe, "io.kubernetes.cri.sandbox-id", State::Running, 1)?;
    let mut bundle = probe.bundle()?;
    bundle.config["annotations"] = tasks[0].bundle.config["annotations"].clone();
    bundle.config["hooks"]["createRuntime"] =
        serde_json::json!([{"path": "/bin/sleep", "args": ["sleep", "2"]}]);
    let slow = probe.task_of(bundle)?;
    let begin = Instant::now();
    let stream = slow.client.begin("Create", &slow.create_request())?;
    std::thread::sleep(Duration::from_millis(100));
    tasks[0].is(status::RUNNING)?;
    tasks[0].stop()?;
    let took = begin.elapsed();
    let created = slow.client.end::<crate::shim::messages::Empty>(stream)?;
    check!(created.is_ok(), "Create: {created:?}");
    check!(begin.elapsed() >= Duration::from_secs(2), "the hook did not sleep");
    check!(took < Duration::from_secs(1), "the other container's requests took {took:?}");
    Ok(())
}

/// Answers that nobody takes fill the socket; others are served on.
fn deaf_client(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let deaf = Client::connect(&task.address)?;
    deaf.stream().set_write_timeout(Some(Duration::from_millis(300)))?;
    for _ in 0..20_000 {
        // At some point the shim reads no more of it, or ends it.
        if deaf.begin("State", &task.me()).is_err() {
            break;
        }
    }
    let begin = Instant::now();
    task.is(status::RUNNING)?;
    check!(begin.elapsed() < Duration::from_secs(1), "an answer took {:?}", begin.elapsed());
    Ok(())
}

/// What a service manager or a terminal may send a shim does not end it, or its containers would be on their own.
fn signals(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let pid = Pid::from_raw(i32::try_from(task.shim_pid()?)?);
    for signal in [Signal::SIGPIPE, Signal::SIGCHLD] {
        kill(pid, signal)?;
    }
    std::thread::sleep(Duration::from_millis(50));
    task.is(status::RUNNING)
}
