//! `linux.seccomp` with SCMP_ACT_NOTIFY: an agent beside the container answers.

use crate::harness::{
    Agent, Bundle, Container, SESSION, Suite, Test, Verdict, View, check, check_eq, fail, skip,
};
use serde_json::{Value, json};
use std::{fs, os::unix::net::UnixListener};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("seccomp", "config-linux.md");
    g.since(1, 1);
    g.must(
        "notify-listener",
        "seccomp.listenerPath: the container process state and the descriptor are sent",
        |t| {
            let (b, agent) = notifying(t, &["getsid"])?;
            let c = t.create(&b)?;
            // The specification leaves open which of the two installs the filter.
            if !agent.was_told() {
                c.start()?;
            }
            let state = one(&agent)?;
            check_state(&state, &c, &["creating", "created", "running"])?;
            check_eq!(state["pid"], c.pid, "pid");
            Ok(())
        },
    );
    g.must("notify-closes-the-connection", "seccomp.listenerPath: MUST be closed after sending", |t| {
        let (b, agent) = notifying(t, &["getsid"])?;
        b.write()?;
        let id = t.id();
        let running = t.call(&["run", "--bundle"]).arg(&b.dir).arg(&id).spawn()?;
        one(&agent)?;
        let closed = agent.saw_close(1);
        t.call(&["kill", &id, "KILL"]).done()?.ok()?;
        running.done()?;
        check!(closed, "the connection stays open while the container runs");
        Ok(())
    });
    g.must("notify-run-is-answered", "seccomp.syscalls.action: SCMP_ACT_NOTIFY", |t| {
        let (mut b, agent) = answered(t)?;
        let r = ask(t, &mut b)?;
        check_answers(&b, &r)?;
        one(&agent).map(drop)
    });
    g.must("notify-start-is-answered", "seccomp.syscalls.action: SCMP_ACT_NOTIFY", |t| {
        let (mut b, agent) = answered(t)?;
        probe(&mut b);
        let c = t.create(&b)?;
        c.start()?;
        check_eq!(c.wait()?, 0, "the process's exit code");
        check_answers(&b, &c.report()?)?;
        one(&agent).map(drop)
    });
    g.must("notify-exec-is-answered", "seccomp: of the container's further processes", |t| {
        let (b, agent) = notifying(t, &["mkdir", "mkdirat", "getsid"])?;
        let c = t.running_of(&b)?;
        check_answers(&b, &c.exec_report(&[], &PROBES)?)?;
        let told = agent.told(2)?;
        check_state(&told[1], &c, &["running"])?;
        check!(told[1]["pid"] != told[0]["pid"], "the pid is that of the process, not {}", told[1]["pid"]);
        check_eq!(told[1]["state"]["pid"], c.pid, "state.pid");
        Ok(())
    });
    for (name, user, no_new_privileges) in [
        ("notify-with-no-new-privileges", 0, true),
        ("notify-of-a-user", 1000, false),
        ("notify-of-a-user-with-no-new-privileges", 1000, true),
    ] {
        g.must(name, "seccomp.syscalls.action: SCMP_ACT_NOTIFY", move |t| {
            let (mut b, _agent) = answered(t)?;
            b.config["process"]["user"] = json!({"uid": user, "gid": user});
            b.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
            let r = ask(t, &mut b)?;
            check_answers(&b, &r)
        });
    }
    calls_of_the_runtime(suite);
    failures(suite);
}

/// What the runtime itself may have to call once the filter is in.
const COMMON: [&str; 17] = [
    "execve",
    "read",
    "openat",
    "close",
    "fcntl",
    "futex",
    "capset",
    "capget",
    "prctl",
    "setresuid",
    "sendmsg",
    "recvmsg",
    "epoll_pwait",
    "wait4",
    "exit_group",
    "exit",
    "mmap",
];

/// Filters that the runtime's own calls after installing them meet.
fn calls_of_the_runtime(suite: &mut Suite) {
    let mut g = suite.group("seccomp", "config-linux.md");
    g.since(1, 1);
    for (name, no_new_privileges) in
        [("notify-of-common-calls", false), ("notify-of-common-calls-with-no-new-privileges", true)]
    {
        g.must(name, "seccomp.syscalls.action: SCMP_ACT_NOTIFY", move |t| {
            let (mut b, agent) = notifying(t, &COMMON)?;
            b.payload(&["report"]);
            b.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
            t.report(&b)?;
            check!(agent.answered(libc::SYS_execve), "execve was not told");
            one(&agent).map(drop)
        });
    }
    g.must("notify-of-write", "seccomp.syscalls.action: SCMP_ACT_NOTIFY", |t| {
        let (mut b, agent) = notifying(t, &["write"])?;
        b.payload(&["report"]);
        t.report(&b)?;
        check!(agent.answered(libc::SYS_write), "write was not told");
        one(&agent).map(drop)
    });
    // What runtimes wait by. The payload gets by without, though its read of /proc/self/maps must not be deadly.
    let waits = ["recvmsg", "recvfrom", "sendto", "pidfd_getfd", "wait4", "waitid", "clone3"];
    for (action, also) in [("SCMP_ACT_ERRNO", "read"), ("SCMP_ACT_KILL_PROCESS", "futex")] {
        g.must(&format!("notify-beside-{action}"), "seccomp.syscalls.action: of each entry", move |t| {
            let (mut b, agent) = notifying(t, &["getsid"])?;
            let names: Vec<_> = waits.iter().chain([&also]).collect();
            b.push("/linux/seccomp/syscalls", json!({"names": names, "action": action}));
            b.config["process"]["noNewPrivileges"] = json!(true);
            b.payload(&["exit", "7"]);
            check_eq!(t.try_run(&b)?.code(), 7, "the payload's exit code");
            one(&agent).map(drop)
        });
    }
}

/// Agents that are not there, and documents that are wrong.
fn failures(suite: &mut Suite) {
    let mut g = suite.group("seccomp", "config-linux.md");
    g.since(1, 1);
    g.must("notify-without-a-listener-is-refused", "seccomp.listenerPath: an error if sending fails", |t| {
        let (mut b, _agent) = notifying(t, &["getsid"])?;
        let path = t.dir().join("stale");
        drop(UnixListener::bind(&path)?);
        b.config["linux"]["seccomp"]["listenerPath"] = json!(path);
        t.refuses(&b).map(drop)
    });
    g.must("notify-without-a-socket-is-refused", "seccomp.listenerPath: an error if sending fails", |t| {
        let (mut b, _agent) = notifying(t, &["getsid"])?;
        b.config["linux"]["seccomp"]["listenerPath"] = json!("/no/such/socket");
        t.refuses(&b).map(drop)
    });
    g.must("notify-without-a-path-is-refused", "seccomp.listenerPath: an error if it is empty", |t| {
        let (mut b, _agent) = notifying(t, &["getsid"])?;
        b.config["linux"]["seccomp"]["listenerPath"] = json!("");
        b.config["linux"]["seccomp"]["listenerMetadata"] = Value::Null;
        t.refuses(&b).map(drop)
    });
    g.must("notify-by-default-is-refused", "seccomp.defaultAction: not SCMP_ACT_NOTIFY", |t| {
        let (mut b, _agent) = notifying(t, &["getsid"])?;
        b.config["linux"]["seccomp"]["defaultAction"] = json!("SCMP_ACT_NOTIFY");
        t.refuses(&b).map(drop)
    });
    g.must("notify-of-a-lost-agent", "seccomp.listenerPath: an error if sending fails", |t| {
        let (b, agent) = notifying(t, &["getsid"])?;
        let c = t.create(&b)?;
        if agent.was_told() {
            return skip("this runtime sends the state at create");
        }
        fs::remove_file(agent.path())?;
        t.call(&["start", &c.id]).done()?.refused()?;
        c.is("stopped")
    });
    g.must(
        "notify-exec-without-a-listener-is-refused",
        "seccomp.listenerPath: an error if sending fails",
        |t| {
            let (b, agent) = notifying(t, &["getsid"])?;
            let c = t.running_of(&b)?;
            fs::remove_file(agent.path())?;
            c.exec(&[], &["report"])?.refused()?;
            c.is("running")
        },
    );
    g.must(
        "listener-is-ignored-without-notify",
        "seccomp.listenerPath: ignored without SCMP_ACT_NOTIFY",
        |t| {
            let (mut b, agent) = notifying(t, &["getsid"])?;
            b.payload(&["report"]);
            b.config["linux"]["seccomp"]["syscalls"][0]["action"] = json!("SCMP_ACT_ERRNO");
            t.report(&b)?;
            b.config["linux"]["seccomp"]["listenerPath"] = json!("/no/such/socket");
            t.report(&b)?;
            check!(!agent.was_told(), "the agent was told");
            Ok(())
        },
    );
    g.must(
        "metadata-without-a-listener-is-refused",
        "seccomp.listenerMetadata: not without listenerPath",
        |t| {
            let (mut b, _agent) = notifying(t, &["getsid"])?;
            b.config["linux"]["seccomp"]["syscalls"][0]["action"] = json!("SCMP_ACT_ERRNO");
            b.config["linux"]["seccomp"]["listenerPath"] = Value::Null;
            t.refuses(&b).map(drop)
        },
    );
    g.cli("notify-receiver-of-an-annotation", "run.oci.seccomp.receiver, as crun has it", |t| {
        let (mut b, agent) = notifying(t, &["getsid"])?;
        b.payload(&["report"]).probe("call:getsid,0");
        b.config["linux"]["seccomp"]["listenerPath"] = Value::Null;
        b.config["linux"]["seccomp"]["listenerMetadata"] = Value::Null;
        b.config["annotations"] = json!({"run.oci.seccomp.receiver": agent.path()});
        check_eq!(t.report(&b)?.probe("call:getsid,0")?["result"], SESSION, "getsid");
        check_eq!(agent.told(1)?[0]["metadata"], Value::Null, "metadata");
        Ok(())
    });
}

const PROBES: [&str; 4] =
    ["mkdir:/tmp/emulated", "mkdir:/tmp/refused", "mkdir:/tmp/ordinary", "call:getsid,0"];

/// A bundle whose process waits, and an agent that is told of these calls.
fn notifying(t: &Test, names: &[&str]) -> Verdict<(Bundle, Agent)> {
    if !fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail")?.contains("user_notif") {
        return skip("this kernel has no user_notif");
    }
    let agent = Agent::at(&t.dir().join("agent"))?;
    let mut b = t.waiting()?;
    b.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": agent.path(), "listenerMetadata": "steel",
        "syscalls": [{"names": names, "action": "SCMP_ACT_NOTIFY"}],
    });
    Ok((b, agent))
}

/// The same for what [`PROBES`] call, made by a process that reports.
fn answered(t: &Test) -> Verdict<(Bundle, Agent)> {
    let (mut b, agent) = notifying(t, &["mkdir", "mkdirat", "getsid"])?;
    b.payload(&["report"]);
    Ok((b, agent))
}

fn probe(b: &mut Bundle) {
    for probe in PROBES {
        b.probe(probe);
    }
}

fn ask(t: &Test, b: &mut Bundle) -> Verdict<Value> {
    probe(b);
    t.report(b)
}

/// The answers to [`PROBES`] are the agent's.
fn check_answers(b: &Bundle, r: &Value) -> Verdict {
    r.probe(PROBES[0])?;
    check!(b.inside("/tmp/emulated-by-agent").is_dir(), "the agent made no directory");
    check!(!b.inside("/tmp/emulated").exists(), "the process made the directory itself");
    check_eq!(r.error(PROBES[1]), Some("ENOSPC"), "mkdir that the agent refuses");
    r.probe(PROBES[2])?;
    check!(b.inside("/tmp/ordinary").is_dir(), "mkdir that the agent lets go on");
    check_eq!(r.probe(PROBES[3])?["result"], SESSION, "getsid");
    Ok(())
}

/// The one state that the agent was told.
fn one(agent: &Agent) -> Verdict<Value> {
    match agent.told(1)?.pop() {
        Some(state) => Ok(state),
        None => fail("no container process state"),
    }
}

fn check_state(state: &Value, c: &Container, statuses: &[&str]) -> Verdict {
    check_eq!(state["descriptors"], 1, "descriptors");
    check_eq!(state["fds"], json!(["seccompFd"]), "fds");
    check_eq!(state["metadata"], "steel", "metadata");
    check!(state["pid"].is_i64() && state["ociVersion"].is_string(), "pid and ociVersion: {state}");
    let inner = &state["state"];
    check_eq!(inner["id"], c.id, "state.id");
    check!(inner["ociVersion"].is_string() && inner["bundle"].is_string(), "state: {inner}");
    let status = inner["status"].as_str().unwrap_or_default();
    check!(statuses.contains(&status), "state.status is {status:?}, not one of {statuses:?}");
    Ok(())
}
