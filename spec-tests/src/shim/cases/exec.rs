//! Exec processes.

use crate::{
    harness::{Suite, Verdict, check, check_eq, parse},
    shim::{
        fifo::Output,
        messages::{Code, DeleteResponse, Empty, StateResponse, WaitResponse, status},
        probe::{Probe, State, gone, probe, spec},
    },
};
use serde_json::json;

pub(super) fn add(suite: &mut Suite) {
    let mut group = suite.group("exec", "task service");
    group.must("process", "Exec, spec", probe(process));
    group.must("state", "State of an exec process", probe(state));
    group.must("exit", "Wait and Delete of an exec process", probe(exit));
    group.must("in-created", "Start of an exec process in a created task", probe(in_created));
    group.must("pauses-with-its-container", "State of an exec process of a paused task", probe(paused));
    group.must("failed-start", "a start that fails", probe(failed_start));
    group.must("same-id-after-delete", "Exec", probe(same_id));
    group.must("start-after-inits-exit", "Start after the first process ended", probe(too_late));
    group.must("ends-with-its-container", "the end of the container", probe(ends));
    group.must("many", "exec processes at once", probe(many));
    group.must("bad-spec", "Exec with a bad spec", probe(bad_spec));
    group.must("bad-id", "Exec with a bad id", probe(bad_id));
    group.must("kill", "Kill of an exec process", probe(kill));
}

fn process(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let out = Output::new(probe.test.dir().join("out"))?;
    let mut request = task.exec_request("e1", &["report"]);
    let process = json!({
        "args": ["/bin/payload", "report"], "cwd": "/tmp", "env": ["PATH=/bin", "A=1"],
        "user": {"uid": 5, "gid": 6, "additionalGids": [7]}, "noNewPrivileges": true,
    });
    request.spec = Some(spec("Process", &process));
    let err = Output::new(probe.test.dir().join("err"))?;
    (request.stdout, request.stderr) = (out.name(), err.name());
    task.client.call::<Empty>("Exec", &request)?;
    task.start_exec("e1")?;
    let told: WaitResponse = task.client.call("Wait", &task.exec("e1"))?;
    check_eq!(told.exit_status, 0, "the exit status");
    task.client.call::<Empty>("Delete", &task.exec("e1"))?;
    out.says("}\n")?;
    let report = parse(&out.text())?;
    check_eq!(report["cwd"], "/tmp", "cwd");
    check_eq!(report["user"]["uid"], json!([5, 5, 5]), "uid");
    check_eq!(report["user"]["groups"], json!([7]), "groups");
    check_eq!(report["noNewPrivileges"], true, "noNewPrivileges");
    check!(report["env"].as_array().is_some_and(|env| env.contains(&json!("A=1"))), "env: {}", report["env"]);
    Ok(())
}

fn state(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let out = Output::new(probe.test.dir().join("out"))?;
    let mut request = task.exec_request("e1", &["wait"]);
    let err = Output::new(probe.test.dir().join("err"))?;
    (request.stdout, request.stderr) = (out.name(), err.name());
    task.client.call::<Empty>("Exec", &request)?;
    let told: StateResponse = task.client.call("State", &task.exec("e1"))?;
    check_eq!((told.status, told.pid), (status::CREATED, 0), "status and pid before the start");
    check_eq!(told.stdout, out.name(), "stdout");
    let pid = task.start_exec("e1")?;
    let told: StateResponse = task.client.call("State", &task.exec("e1"))?;
    check_eq!((told.status, told.pid), (status::RUNNING, pid), "status and pid");
    out.says("ready")?;
    task.client.call::<Empty>("Kill", &task.kill_request("e1", 12))?;
    let _: WaitResponse = task.client.call("Wait", &task.exec("e1"))?;
    let told: StateResponse = task.client.call("State", &task.exec("e1"))?;
    check_eq!((told.status, told.exit_status), (status::STOPPED, 42), "status and exit status");
    task.is(status::RUNNING)
}

fn exit(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    for (id, code) in [("e0", 0), ("e9", 9), ("e255", 255)] {
        task.add_exec(id, &["exit", &code.to_string()])?;
        let waiter = task.client.begin("Wait", &task.exec(id))?;
        let pid = task.start_exec(id)?;
        let told = task.client.end::<WaitResponse>(waiter)?;
        check_eq!(told.map(|told| told.exit_status), Ok(code), "the answer to Wait");
        let told: DeleteResponse = task.client.call("Delete", &task.exec(id))?;
        check_eq!((told.pid, told.exit_status), (pid, code), "pid and exit status");
        task.client.refused("State", &task.exec(id), Code::NotFound)?;
    }
    Ok(())
}

fn in_created(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Created)?;
    task.add_exec("e1", &["exit", "4"])?;
    task.start_exec("e1")?;
    let told: WaitResponse = task.client.call("Wait", &task.exec("e1"))?;
    check_eq!(told.exit_status, 4, "the exit status");
    task.is(status::CREATED)
}

fn paused(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    task.add_exec("e1", &["wait"])?;
    task.start_exec("e1")?;
    task.client.call::<Empty>("Pause", &task.me())?;
    let told: StateResponse = task.client.call("State", &task.exec("e1"))?;
    check_eq!(told.status, status::PAUSED, "the status");
    task.client.call::<Empty>("Resume", &task.me())?;
    let told: StateResponse = task.client.call("State", &task.exec("e1"))?;
    check_eq!(told.status, status::RUNNING, "the status");
    Ok(())
}

fn failed_start(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let mut request = task.exec_request("e1", &[]);
    request.spec =
        Some(spec("Process", &json!({"args": ["/no/such"], "cwd": "/", "user": {"uid": 0, "gid": 0}})));
    task.client.call::<Empty>("Exec", &request)?;
    let why = task.client.refused("Start", &task.exec("e1"), Code::Unknown)?;
    check!(why.message.contains("no such file or directory"), "the message: {:?}", why.message);
    let told: StateResponse = task.client.call("State", &task.exec("e1"))?;
    check_eq!(told.status, status::CREATED, "the status");
    let _: WaitResponse = task.client.call("Wait", &task.exec("e1"))?;
    task.client.call::<Empty>("Delete", &task.exec("e1"))?;
    task.is(status::RUNNING)
}

fn same_id(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    for code in ["1", "2", "3"] {
        task.add_exec("same", &["exit", code])?;
        task.start_exec("same")?;
        let told: WaitResponse = task.client.call("Wait", &task.exec("same"))?;
        check_eq!(told.exit_status.to_string(), code, "the exit status");
        task.client.call::<Empty>("Delete", &task.exec("same"))?;
    }
    Ok(())
}

fn too_late(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    task.add_exec("e1", &["wait"])?;
    task.stop()?;
    task.client.refused("Start", &task.exec("e1"), Code::FailedPrecondition).map(drop)
}

fn ends(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    task.add_exec("e1", &["wait"])?;
    let pid = task.start_exec("e1")?;
    task.stop()?;
    gone(pid)?;
    let told: WaitResponse = task.client.call("Wait", &task.exec("e1"))?;
    check_eq!(told.exit_status, 137, "the exit status");
    task.client.call::<Empty>("Delete", &task.exec("e1")).map(drop)
}

fn many(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let ids: Vec<String> = (0..20).map(|number| format!("e{number}")).collect();
    let mut waits = Vec::new();
    for (id, code) in ids.iter().zip(0..) {
        task.add_exec(id, &["exit", &i32::to_string(&code)])?;
        waits.push(task.client.begin("Wait", &task.exec(id))?);
    }
    let starts: Vec<u32> =
        ids.iter().map(|id| task.client.begin("Start", &task.exec(id))).collect::<Verdict<_>>()?;
    for (start, (wait, code)) in starts.into_iter().zip(waits.into_iter().zip(0..)) {
        check!(task.client.end::<Empty>(start)?.is_ok(), "Start of e{code}");
        let told = task.client.end::<WaitResponse>(wait)?;
        check_eq!(told.map(|told| told.exit_status), Ok(code), "the exit status of e{code}");
    }
    Ok(())
}

fn bad_spec(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    for text in ["", "{", "[]", "{\"args\": 5}", "{\"args\": []}"] {
        let mut request = task.exec_request("e1", &[]);
        if let Some(spec) = &mut request.spec {
            spec.value = text.into();
        }
        // It may be found wrong at the start only.
        if task.client.ask::<Empty>("Exec", &request)?.is_ok() {
            let started = task.client.ask::<Empty>("Start", &task.exec("e1"))?;
            check!(started.is_err(), "spec {text:?} was taken");
            task.client.call::<Empty>("Delete", &task.exec("e1"))?;
        }
    }
    task.is(status::RUNNING)
}

fn bad_id(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let long = "x".repeat(5000);
    for id in ["../../../../tmp/corten-test-evil", "/", "a/b", "..", long.as_str()] {
        if task.client.ask::<Empty>("Exec", &task.exec_request(id, &["exit", "0"]))?.is_ok() {
            // Such an id may be no more than a name to the shim: then its process runs and ends.
            if task.client.ask::<Empty>("Start", &task.exec(id))?.is_ok() {
                let _: WaitResponse = task.client.call("Wait", &task.exec(id))?;
            }
            task.client.call::<Empty>("Delete", &task.exec(id))?;
        }
        check!(!std::path::Path::new("/tmp/corten-test-evil").exists(), "a file was made at /tmp");
    }
    task.is(status::RUNNING)
}

fn kill(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    task.add_exec("e1", &["wait"])?;
    let pid = task.start_exec("e1")?;
    crate::shim::probe::ready(pid)?;
    task.client.call::<Empty>("Kill", &task.kill_request("e1", 0))?;
    task.client.call::<Empty>("Kill", &task.kill_request("e1", 15))?;
    let told: WaitResponse = task.client.call("Wait", &task.exec("e1"))?;
    check_eq!(told.exit_status, 0, "the exit status of a payload that ends at SIGTERM");
    task.client.refused("Kill", &task.kill_request("e1", 15), Code::NotFound)?;
    task.is(status::RUNNING)
}
