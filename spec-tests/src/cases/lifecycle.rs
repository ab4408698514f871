//! runtime.md: the operations, each in each state.

use crate::harness::{Container, Suite, Test, Verdict, View, check, check_eq, fail, within};
use nix::{sys::signal::Signal, unistd::Pid};
use serde_json::json;
use std::{fs, time::Duration};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("lifecycle", "runtime.md");
    g.must("create-gives-created", "Create: the status is created", |t| {
        t.create(&t.waiting()?)?.is("created")
    });
    g.must("create-does-not-run-the-program", "Create: the program is not run", |t| {
        let mut b = t.bundle()?;
        b.payload(&["report-to", "/tmp/ran"]);
        let c = t.create(&b)?;
        std::thread::sleep(Duration::from_millis(50));
        check!(!b.inside("/tmp/ran").exists(), "the program ran before start");
        c.start()?;
        check_eq!(c.wait()?, 0, "exit code");
        check!(b.inside("/tmp/ran").exists(), "the program did not run after start");
        Ok(())
    });
    g.must("create-makes-the-namespaces", "Create: all resources are made", |t| {
        let c = t.create(&t.waiting()?)?;
        for name in ["pid", "mnt", "ipc", "uts"] {
            let own = fs::read_link(format!("/proc/self/ns/{name}"))?;
            check!(c.namespace(name)? != own.to_string_lossy(), "the {name} namespace is the host's");
        }
        Ok(())
    });
    g.must("config-is-read-once", "Create: later changes to config.json have no effect", config_once);
    g.must("start-gives-running", "Start: the status is running", |t| t.running()?.is("running"));
    g.must("start-runs-the-program", "Start: runs the user-specified program", |t| {
        let c = t.started(&t.bundle()?)?;
        check_eq!(c.wait()?, 0, "exit code");
        check_eq!(c.report()?["pid"], 1, "the report's pid");
        Ok(())
    });
    g.must("end-gives-stopped", "Kill: the status is stopped once the process ended", |t| {
        let mut b = t.bundle()?;
        b.payload(&["exit", "7"]);
        let c = t.started(&b)?;
        check_eq!(c.wait()?, 7, "exit code");
        c.is("stopped")
    });
    g.must("end-of-a-created-one-gives-stopped", "Kill: the status is stopped once the process ended", |t| {
        let c = t.create(&t.waiting()?)?;
        c.kill("KILL")?;
        c.wait()?;
        c.is("stopped")
    });
    g.must("id-is-free-after-delete", "Delete: the ID may be used again", |t| {
        let b = t.waiting()?;
        let id = t.id();
        for _ in 0..2 {
            let c = t.create_as(&b, &id, &[])?;
            c.start_ready()?;
            c.stop()?;
            c.delete()?;
        }
        Ok(())
    });
    g.must("taken-id-is-refused", "Create: an ID that is not unique is an error", taken_id);
    g.must("bundle-may-be-used-twice", "Create", |t| {
        let mut b = t.waiting()?;
        let first = t.create(&b)?;
        b.config["linux"]["cgroupsPath"] = json!(format!("{}/{}-other", t.cgroup_parent(), t.tag()));
        let second = t.create(&b)?;
        check!(first.pid != second.pid, "one process for two containers");
        Ok(())
    });
    errors(suite);
    kill(suite);
    delete(suite);
}

/// Operations where the state does not allow them.
fn errors(suite: &mut Suite) {
    let mut g = suite.group("lifecycle", "runtime.md");
    for operation in ["start", "state", "kill", "delete", "pause", "resume", "exec", "ps", "update", "events"]
    {
        let clause = match operation {
            "start" => "Start: an error if there is no such container",
            "state" => "Query State: an error if there is no such container",
            "kill" => "Kill: an error if there is no such container",
            "delete" => "Delete: an error if there is no such container",
            _ => "an error if there is no such container",
        };
        let body = move |t: &Test| {
            let mut call = t.call(&[operation, "no-such-container"]);
            match operation {
                "kill" => call = call.arg("TERM"),
                "exec" => call = call.arg("/bin/payload"),
                _ => {}
            }
            call.done()?.refused().map(drop)
        };
        let name = format!("{operation}-of-none");
        match operation {
            "start" | "state" | "kill" | "delete" => g.must(&name, clause, body),
            _ => g.cli(&name, clause, body),
        }
        let clause = format!("{operation}: an error without an ID");
        g.must(&format!("{operation}-without-id"), &clause, move |t| {
            t.call(&[operation]).done()?.refused().map(drop)
        });
    }
    g.must("create-without-id", "Create: an error without an ID", |t| {
        let b = t.bundle()?;
        b.write()?;
        t.call(&["create", "--bundle"]).arg(&b.dir).done()?.refused().map(drop)
    });
    g.must("start-of-a-running-one", "Start: an error unless created, and no effect", |t| {
        let c = t.running()?;
        t.call(&["start", &c.id]).done()?.refused()?;
        c.is("running")
    });
    g.must("start-of-a-stopped-one", "Start: an error unless created, and no effect", |t| {
        let c = stopped(t)?;
        t.call(&["start", &c.id]).done()?.refused()?;
        c.is("stopped")
    });
    g.must("kill-of-a-stopped-one", "Kill: an error unless created or running", |t| {
        let c = stopped(t)?;
        t.call(&["kill", &c.id, "TERM"]).done()?.refused()?;
        c.is("stopped")
    });
    g.must("delete-of-a-running-one", "Delete: an error unless stopped, and no effect", |t| {
        let c = t.running()?;
        t.call(&["delete", &c.id]).done()?.refused()?;
        c.is("running")
    });
    g.must("delete-of-a-created-one", "Delete: an error unless stopped, and no effect", |t| {
        let c = t.create(&t.waiting()?)?;
        t.call(&["delete", &c.id]).done()?.refused()?;
        c.is("created")
    });
    for operation in ["exec", "pause", "resume", "update"] {
        g.cli(
            &format!("{operation}-of-a-stopped-one"),
            &format!("{operation}: an error in the wrong state"),
            move |t| {
                let c = stopped(t)?;
                let call = t.call(&[operation, &c.id]);
                match operation {
                    "exec" => call.arg("/bin/payload"),
                    "update" => call.arg("--pids-limit").arg("10"),
                    _ => call,
                }
                .done()?
                .refused()?;
                c.is("stopped")
            },
        );
    }
    g.cli("resume-of-a-running-one", "resume: an error unless paused", |t| {
        let c = t.running()?;
        t.call(&["resume", &c.id]).done()?.refused()?;
        c.is("running")
    });
}

fn stopped(t: &Test) -> Verdict<Container<'_>> {
    let mut b = t.bundle()?;
    b.payload(&["exit", "0"]);
    let c = t.started(&b)?;
    c.wait()?;
    Ok(c)
}

fn config_once(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.config["hostname"] = json!("first");
    let c = t.create(&b)?;
    b.config["hostname"] = json!("second");
    b.config["process"]["args"] = json!(["/bin/payload", "exit", "9"]);
    b.config["annotations"] = json!({"late": "yes"});
    b.write()?;
    c.start()?;
    check_eq!(c.wait()?, 0, "exit code");
    check_eq!(c.report()?["uts"]["hostname"], "first", "hostname");
    check!(c.state()?["annotations"]["late"].is_null(), "the state shows a later annotation");
    fs::remove_file(b.dir.join("config.json"))?;
    c.is("stopped")
}

fn taken_id(t: &Test) -> Verdict {
    let b = t.waiting()?;
    let c = t.create(&b)?;
    let mut other = t.waiting()?;
    other.config["hostname"] = json!("other");
    other.write()?;
    let done = t.call(&["create", "--bundle"]).arg(&other.dir).arg(&c.id).done()?;
    done.refused()?.says(&["exist"])?;
    c.is("created")?;
    check_eq!(c.state()?["pid"], c.pid, "the pid of the first container");
    c.start_ready()
}

fn kill(suite: &mut Suite) {
    let mut g = suite.group("lifecycle", "runtime.md");
    for (text, name) in [("TERM", "SIGTERM"), ("SIGHUP", "SIGHUP"), ("10", "SIGUSR1"), ("WINCH", "SIGWINCH")]
    {
        g.must(&format!("kill-with-{text}"), "Kill: sends the signal to the process", move |t| {
            let mut b = t.bundle()?;
            b.payload(&["trap"]);
            let c = t.create(&b)?;
            c.start_ready()?;
            c.kill(text)?;
            if name == "SIGTERM" {
                check_eq!(c.wait()?, 0, "exit code");
                return Ok(());
            }
            c.says(name)?;
            c.is("running")
        });
    }
    g.cli("kill-with-lower-case", "kill: names in either case", |t| {
        let mut b = t.bundle()?;
        b.payload(&["trap"]);
        let c = t.running_of(&b)?;
        c.kill("sigint")?;
        c.says("SIGINT")
    });
    g.cli("kill-without-signal", "kill: SIGTERM by default", |t| {
        let c = t.running()?;
        t.call(&["kill", &c.id]).done()?.ok()?;
        check_eq!(c.wait()?, 0, "exit code");
        Ok(())
    });
    g.must("kill-of-a-created-one", "Kill: a created container gets the signal", |t| {
        let c = t.create(&t.waiting()?)?;
        c.kill("KILL")?;
        check_eq!(c.wait()?, 137, "status");
        Ok(())
    });
    for wrong in ["NOSUCH", "999", "-1", "TERMKILL", "0x9"] {
        g.cli(&format!("kill-with-wrong-signal-{wrong}"), "kill: an unknown signal is an error", move |t| {
            let c = t.running()?;
            t.call(&["kill", &c.id, wrong]).done()?.refused()?;
            c.is("running")
        });
    }
    g.cli("kill-all", "kill --all: every process gets the signal", |t| {
        let mut b = t.bundle()?;
        b.payload(&["family", "3"]);
        let c = t.create(&b)?;
        c.start_ready()?;
        let found = within(Duration::from_secs(5), || (members(&c).len() == 4).then_some(()));
        check!(found.is_some(), "not four processes: {:?}", members(&c));
        let all = members(&c);
        t.call(&["kill", "--all", &c.id, "KILL"]).done()?.ok()?;
        c.wait()?;
        let gone = within(Duration::from_secs(5), || all.iter().all(|pid| ended(*pid)).then_some(()));
        check!(gone.is_some(), "processes survived kill --all");
        Ok(())
    });
    g.must("end-of-the-first-process-ends-the-others", "Delete: what create made is undone", |t| {
        let mut b = t.bundle()?;
        b.payload(&["family", "3"]);
        let c = t.create(&b)?;
        c.start_ready()?;
        within(Duration::from_secs(5), || (members(&c).len() == 4).then_some(()));
        let all = members(&c);
        c.stop()?;
        c.delete()?;
        check!(all.iter().all(|pid| ended(*pid)), "processes survived delete");
        Ok(())
    });
    g.must("shared-pid-namespace-processes-end-at-delete", "Delete: what create made is undone", |t| {
        let mut b = t.bundle()?;
        b.without_namespace("pid").payload(&["family", "3"]);
        let c = t.create(&b)?;
        c.start_ready()?;
        let all = within(Duration::from_secs(5), || Some(family(c.pid)).filter(|all| all.len() == 3));
        let Some(all) = all else { return fail("the family did not come up") };
        t.call(&["delete", "--force", &c.id]).done()?.ok()?;
        let gone = within(Duration::from_secs(3), || all.iter().all(|pid| ended(*pid)).then_some(()));
        check!(gone.is_some(), "processes survived delete --force: {all:?}");
        Ok(())
    });
}

/// The children of a process.
fn family(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// The container's processes, of its PID namespace.
fn members(c: &Container<'_>) -> Vec<i32> {
    let mut all = family(c.pid);
    all.push(c.pid);
    all
}

/// Whether a process is gone or a zombie.
fn ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

fn delete(suite: &mut Suite) {
    let mut g = suite.group("lifecycle", "runtime.md");
    g.must("delete-removes-all", "Delete: what create made is deleted", |t| {
        let c = t.running()?;
        c.stop()?;
        c.delete()?;
        check!(!t.root().join(&c.id).exists(), "the state directory is still there");
        t.call(&["state", &c.id]).done()?.refused().map(drop)
    });
    g.cli("delete-force-of-a-running-one", "delete --force: kills", |t| {
        let c = t.running()?;
        t.call(&["delete", "--force", &c.id]).done()?.ok()?;
        check_eq!(c.wait()?, 137, "status");
        Ok(())
    });
    g.cli("delete-force-of-a-created-one", "delete --force: kills", |t| {
        let c = t.create(&t.waiting()?)?;
        t.call(&["delete", "--force", &c.id]).done()?.ok()?;
        check_eq!(c.wait()?, 137, "status");
        Ok(())
    });
    g.cli("delete-force-of-none", "delete --force: no error if there is no such container", |t| {
        t.call(&["delete", "--force", "no-such-container"]).done()?.ok().map(drop)
    });
    g.must("delete-keeps-what-others-made", "Delete: what the container did not create stays", |t| {
        let mut b = t.waiting()?;
        let data = t.dir().join("data");
        fs::create_dir(&data)?;
        fs::write(data.join("file"), "kept")?;
        b.mount("/data", "none", &data.to_string_lossy(), &["bind"]);
        let c = t.started(&b)?;
        c.stop()?;
        c.delete()?;
        check_eq!(fs::read_to_string(data.join("file"))?, "kept", "the volume's file");
        check!(b.rootfs().join("bin/payload").exists(), "the image lost its program");
        check!(b.dir.join("config.json").exists(), "the bundle lost its config.json");
        Ok(())
    });
    g.must("delete-after-the-bundle-is-gone", "Delete: what create made is deleted", |t| {
        let b = t.waiting()?;
        let c = t.create(&b)?;
        c.start_ready()?;
        c.stop()?;
        fs::remove_dir_all(&b.dir)?;
        c.is("stopped")?;
        c.delete().map(drop)
    });
    g.must("delete-after-an-unseen-end", "Delete: the process ended by itself", |t| {
        let c = t.running()?;
        nix::sys::signal::kill(Pid::from_raw(c.pid), Signal::SIGKILL)?;
        c.wait()?;
        c.is("stopped")?;
        c.delete().map(drop)
    });
    g.must("failed-create-leaves-nothing", "Errors: the environment is as if never tried", |t| {
        let mut b = t.bundle()?;
        b.mount("/data", "no-such-filesystem", "none", &[]);
        t.refuses(&b)?;
        b.config["mounts"].as_array_mut().map(Vec::pop);
        t.report(&b)?.mount("/proc").map(drop)
    });
}
