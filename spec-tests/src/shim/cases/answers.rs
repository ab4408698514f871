//! Every method in every state of a task and of an exec process: the code of its answer, and for some the words.

use crate::{
    harness::{Suite, Verdict, fail, skip},
    shim::{
        client::words,
        messages::{Code, Empty},
        probe::{Probe, State, Task, probe},
    },
};
use std::time::Duration;

/// What is to come of a request.
#[derive(Clone, Copy, Debug)]
enum Want {
    Ok,
    /// No answer until the process ends.
    Blocks,
    Code(Code),
    /// An answer, be it an error.
    Answer,
    /// Code Unknown, and these words.
    Says(&'static str),
}

use State::{Created, Deleted, Paused, Running, Stopped, Unknown};
use Want::{Answer, Blocks, Ok as Fine, Says};

const NOT_FOUND: Want = Want::Code(Code::NotFound);
const UNKNOWN: Want = Want::Code(Code::Unknown);
const PRECONDITION: Want = Want::Code(Code::FailedPrecondition);
const EXISTS: Want = Want::Code(Code::AlreadyExists);

const STATES: [State; 6] = [Unknown, Created, Running, Paused, Stopped, Deleted];

/// The answers for the container's first process, in the order of `STATES`.
const TASK: [(&str, [Want; 6]); 17] = [
    (
        "Create",
        [
            Fine,
            Says("already exists"),
            Says("already exists"),
            Says("already exists"),
            Says("already exists"),
            Fine,
        ],
    ),
    ("Start", [NOT_FOUND, Fine, UNKNOWN, UNKNOWN, UNKNOWN, NOT_FOUND]),
    ("Delete", [NOT_FOUND, Fine, Says("cannot delete a running process"), UNKNOWN, Fine, NOT_FOUND]),
    ("State", [NOT_FOUND, Fine, Fine, Fine, Fine, NOT_FOUND]),
    ("Pids", [NOT_FOUND, Fine, Fine, Fine, Fine, NOT_FOUND]),
    ("Pause", [NOT_FOUND, UNKNOWN, Fine, UNKNOWN, UNKNOWN, NOT_FOUND]),
    ("Resume", [NOT_FOUND, UNKNOWN, UNKNOWN, Fine, UNKNOWN, NOT_FOUND]),
    ("Checkpoint", [NOT_FOUND, UNKNOWN, Fine, Fine, UNKNOWN, NOT_FOUND]),
    ("Kill", [NOT_FOUND, Fine, Fine, Fine, NOT_FOUND, NOT_FOUND]),
    ("Exec", [NOT_FOUND, Fine, Fine, UNKNOWN, UNKNOWN, NOT_FOUND]),
    ("ResizePty", [NOT_FOUND, Fine, Fine, Fine, Fine, NOT_FOUND]),
    ("CloseIO", [NOT_FOUND, Fine, Fine, Fine, Fine, NOT_FOUND]),
    ("Update", [NOT_FOUND, Fine, Fine, Fine, UNKNOWN, NOT_FOUND]),
    ("Wait", [NOT_FOUND, Blocks, Blocks, Blocks, Fine, NOT_FOUND]),
    ("Stats", [NOT_FOUND, Fine, Fine, Fine, Fine, NOT_FOUND]),
    ("Connect", [Fine, Fine, Fine, Fine, Fine, Fine]),
    ("Shutdown", [Fine, Fine, Fine, Fine, Fine, Fine]),
];

/// What an exec process goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exec {
    Absent,
    Added,
    Running,
    /// Its program does not exist.
    FailedStart,
    Exited,
    Deleted,
}

const EXECS: [Exec; 6] =
    [Exec::Absent, Exec::Added, Exec::Running, Exec::FailedStart, Exec::Exited, Exec::Deleted];

/// The answers for an exec process, in the order of `EXECS`.
const EXEC: [(&str, [Want; 6]); 8] = [
    ("Start", [NOT_FOUND, Fine, UNKNOWN, UNKNOWN, UNKNOWN, NOT_FOUND]),
    ("Delete", [NOT_FOUND, Fine, UNKNOWN, Fine, Fine, NOT_FOUND]),
    ("State", [NOT_FOUND, Fine, Fine, Fine, Fine, NOT_FOUND]),
    ("Kill", [NOT_FOUND, PRECONDITION, Fine, PRECONDITION, NOT_FOUND, NOT_FOUND]),
    ("Exec", [Fine, EXISTS, EXISTS, EXISTS, EXISTS, Fine]),
    ("ResizePty", [NOT_FOUND, Fine, Fine, Fine, Answer, NOT_FOUND]),
    ("CloseIO", [NOT_FOUND, Fine, Fine, Fine, Fine, NOT_FOUND]),
    ("Wait", [NOT_FOUND, Blocks, Blocks, Fine, Fine, NOT_FOUND]),
];

pub(super) fn add(suite: &mut Suite) {
    let mut group = suite.group("answers", "task service");
    for (method, wants) in TASK {
        for (state, want) in STATES.into_iter().zip(wants) {
            let name = format!("{method}-{}", format!("{state:?}").to_lowercase());
            group.must(&name, method, probe(move |probe| task(probe, method, state, want)));
        }
    }
    for (method, wants) in EXEC {
        for (state, want) in EXECS.into_iter().zip(wants) {
            let name = format!("exec-{method}-{}", format!("{state:?}").to_lowercase());
            group.must(
                &name,
                &format!("{method} of an exec process"),
                probe(move |probe| exec(probe, method, state, want)),
            );
        }
    }
}

fn task(probe: &Probe, method: &str, state: State, want: Want) -> Verdict {
    if method == "Checkpoint" {
        probe.test.machine.needs_file("/usr/sbin/criu", "checkpoints are CRIU's")?;
    }
    let task = probe.task_in(state)?;
    judge(&task, method, "", want)
}

fn exec(probe: &Probe, method: &str, state: Exec, want: Want) -> Verdict {
    let task = probe.task_in(Running)?;
    let arguments: &[&str] =
        if state == Exec::Exited || state == Exec::Deleted { &["exit", "3"] } else { &["wait"] };
    let mut request = task.exec_request("new", arguments);
    if state == Exec::FailedStart {
        request.spec = Some(crate::shim::probe::spec(
            "Process",
            &serde_json::json!({
                "args": ["/no/such/program"], "cwd": "/", "user": {"uid": 0, "gid": 0},
            }),
        ));
    }
    if state != Exec::Absent {
        task.client.call::<Empty>("Exec", &request)?;
    }
    match state {
        Exec::Absent | Exec::Added => {}
        Exec::Running => {
            task.start_exec("new")?;
        }
        Exec::FailedStart => {
            task.client.refused("Start", &task.exec("new"), Code::Unknown)?;
        }
        Exec::Exited | Exec::Deleted => {
            task.start_exec("new")?;
            task.client.call::<Empty>("Wait", &task.exec("new"))?;
            if state == Exec::Deleted {
                task.client.call::<Empty>("Delete", &task.exec("new"))?;
            }
        }
    }
    judge(&task, method, "new", want)
}

fn judge(task: &Task, method: &str, exec_id: &str, want: Want) -> Verdict {
    let stream = task.begin(method, exec_id)?;
    if matches!(want, Blocks) {
        return match task.client.within(stream, Duration::from_millis(150))? {
            None => Ok(()),
            Some(answer) => fail(format!("{method} answered at once: {:?}", answer.status)),
        };
    }
    let answer = task.client.end::<Empty>(stream)?;
    match (want, answer) {
        (Fine, Ok(_)) | (Answer, _) => Ok(()),
        (Fine, Err(status)) if method == "Checkpoint" && status.code == Code::Unimplemented as i32 => {
            skip(format!("the shim takes no checkpoints: {}", status.message))
        }
        (Fine, Err(status)) if method == "Checkpoint" && status.message.to_lowercase().contains("criu") => {
            skip(format!("CRIU does not work here: {}", status.message))
        }
        (Want::Code(code), Err(status)) if status.code == code as i32 && !status.message.is_empty() => Ok(()),
        (Says(text), Err(status)) if status.code == Code::Unknown as i32 && status.message.contains(text) => {
            Ok(())
        }
        (want, Ok(_)) => fail(format!("{method} succeeded; {want:?} was due")),
        (want, Err(status)) => fail(format!("{method}: {}; {want:?} was due", words(&status))),
    }
}
