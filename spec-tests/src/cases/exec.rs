//! `exec`, which the specification leaves out: as runc(8) and engines have it.

use crate::{
    harness::{CAPABILITIES, Container, Suite, Test, Verdict, View, check, check_eq, strings, within},
    payload,
};
use serde_json::{Value, json};
use std::{fs, time::Duration};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("exec", "runc(8)");
    for code in ["0", "1", "99", "255"] {
        g.cli(&format!("exit-{code}"), "exec: the exit status is passed on", move |t| {
            let c = t.running()?;
            check_eq!(c.exec(&[], &["exit", code])?.code().to_string(), code, "exit code");
            Ok(())
        });
    }
    g.cli("ended-by-a-signal", "exec: 128 and the signal", |t| {
        let c = t.running()?;
        check_eq!(c.exec(&[], &["killself", "9"])?.code(), 137, "exit code");
        Ok(())
    });
    g.cli("namespaces", "exec: in the container's namespaces", |t| {
        let c = t.running()?;
        let r = c.exec_report(&[], &[])?;
        for name in ["pid", "mnt", "ipc", "uts", "net", "user", "cgroup"] {
            check_eq!(r.namespace(name), c.namespace(name)?, "the {name} namespace");
        }
        check!(r["pid"] != 1, "the pid is 1");
        Ok(())
    });
    g.cli("root", "exec: in the container's root", |t| {
        let c = t.running()?;
        let probe = format!("stat:/{}", crate::harness::MARK);
        c.exec_report(&[], &[&probe])?.probe(&probe).map(drop)
    });
    g.cli("cgroup", "exec: in the container's cgroups", |t| {
        let c = t.running()?;
        let pid = detached(t, &c, &[], &["wait"])?;
        let own = fs::read_to_string(format!("/proc/{}/cgroup", c.pid))?;
        let theirs = fs::read_to_string(format!("/proc/{}/cgroup", pid.pid))?;
        check_eq!(theirs, own, "cgroups");
        end(&pid)
    });
    g.cli("environment-of-the-container", "exec: the container's env", |t| {
        let r = t.running()?.exec_report(&[], &[])?;
        check!(strings(&r["env"]).contains(&"CORTEN=steel"), "env: {}", r["env"]);
        Ok(())
    });
    g.cli("env", "exec --env", |t| {
        let r =
            t.running()?.exec_report(&["--env", "A=1", "--env", "B=two = 2", "--env", "CORTEN=rust"], &[])?;
        let env = strings(&r["env"]);
        for want in ["A=1", "B=two = 2", "CORTEN=rust"] {
            check!(env.contains(&want), "no {want} in {env:?}");
        }
        Ok(())
    });
    g.cli("env-short", "exec -e", |t| {
        let r = t.running()?.exec_report(&["-e", "A=1", "-e", "B=2"], &[])?;
        check!(
            strings(&r["env"]).contains(&"A=1") && strings(&r["env"]).contains(&"B=2"),
            "env: {}",
            r["env"]
        );
        Ok(())
    });
    g.cli("cwd", "exec --cwd", |t| {
        let r = t.running()?.exec_report(&["--cwd", "/tmp"], &[])?;
        check_eq!(r["cwd"], "/tmp", "cwd");
        Ok(())
    });
    g.cli("cwd-of-the-container", "exec: the container's cwd", |t| {
        let mut b = t.waiting()?;
        b.config["process"]["cwd"] = json!("/tmp");
        check_eq!(t.running_of(&b)?.exec_report(&[], &[])?["cwd"], "/tmp", "cwd");
        Ok(())
    });
    for (given, uid, gid) in [("1000:2000", 1000, 2000), ("7", 7, 0), ("0:0", 0, 0)] {
        g.cli(&format!("user-{}", given.replace(':', "_")), "exec --user", move |t| {
            let r = t.running()?.exec_report(&["--user", given], &[])?;
            check_eq!(r["user"]["uid"], json!([uid, uid, uid]), "uid");
            check_eq!(r["user"]["gid"], json!([gid, gid, gid]), "gid");
            Ok(())
        });
    }
    for wrong in ["root", "1:2:3", "-1", "1:", ":1", "99999999999", "1000:x"] {
        g.cli(&format!("wrong-user-{}", wrong.replace(':', "_")), "exec --user: an error", move |t| {
            let c = t.running()?;
            c.exec(&["--user", wrong], &["report"])?.refused().map(drop)
        });
    }
    g.cli("user-of-the-container", "exec: the container's user", |t| {
        let mut b = t.waiting()?;
        b.config["process"]["user"] = json!({"uid": 5, "gid": 6, "additionalGids": [7], "umask": 0o027});
        let r = t.running_of(&b)?.exec_report(&[], &[])?;
        check_eq!(r["user"]["uid"], json!([5, 5, 5]), "uid");
        check_eq!(r["user"]["groups"], json!([7]), "groups");
        check_eq!(r["user"]["umask"], 0o027, "umask");
        Ok(())
    });
    g.cli("additional-gids", "exec --additional-gids", |t| {
        let r = t.running()?.exec_report(&["--additional-gids", "55", "--additional-gids", "66"], &[])?;
        check_eq!(r["user"]["groups"], json!([55, 66]), "groups");
        Ok(())
    });
    capabilities(suite);
    rest(suite);
    failures(suite);
}

/// exec --detach; gives the process as if it were a container's.
fn detached<'t>(
    t: &'t Test,
    c: &Container<'_>,
    options: &[&str],
    arguments: &[&str],
) -> Verdict<Container<'t>> {
    let file = t.dir().join("exec.pid");
    let name = file.to_string_lossy().into_owned();
    let mut all = vec!["--detach", "--pid-file", &name];
    all.extend(options);
    let done = c.exec(&all, arguments)?.ok()?;
    t.container(&c.id, &file, done.out)
}

fn end(process: &Container<'_>) -> Verdict {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process.pid), nix::sys::signal::Signal::SIGKILL)?;
    process.wait().map(drop)
}

fn capabilities(suite: &mut Suite) {
    let mut g = suite.group("exec", "runc(8)");
    g.cli("capabilities-of-the-container", "exec: the container's capabilities", |t| {
        let r = t.running()?.exec_report(&[], &[])?;
        for set in ["bounding", "effective", "permitted"] {
            check_eq!(strings(&r["capabilities"][set]), CAPABILITIES.to_vec(), "the {set} set");
        }
        Ok(())
    });
    g.cli("no-inheritable-capabilities", "exec: inheritable as configured, which is none", |t| {
        let r = t.running()?.exec_report(&[], &[])?;
        check_eq!(strings(&r["capabilities"]["inheritable"]), Vec::<&str>::new(), "inheritable");
        check_eq!(strings(&r["capabilities"]["ambient"]), Vec::<&str>::new(), "ambient");
        Ok(())
    });
    g.cli("cap", "exec --cap", |t| {
        let r = t.running()?.exec_report(&["--cap", "CAP_SYS_CHROOT"], &[])?;
        for set in ["bounding", "effective", "permitted"] {
            check!(strings(&r["capabilities"][set]).contains(&"CAP_SYS_CHROOT"), "the {set} set lacks it");
        }
        check_eq!(strings(&r["capabilities"]["inheritable"]), Vec::<&str>::new(), "inheritable");
        Ok(())
    });
    g.cli("no-new-privs", "exec --no-new-privs", |t| {
        let c = t.running()?;
        check_eq!(c.exec_report(&["--no-new-privs"], &[])?["noNewPrivileges"], true, "no_new_privs");
        check_eq!(c.exec_report(&[], &[])?["noNewPrivileges"], false, "no_new_privs without the flag");
        Ok(())
    });
    g.cli("user-has-no-capabilities", "exec --user: capabilities are root's", |t| {
        let r = t.running()?.exec_report(&["--user", "1000:1000"], &[])?;
        check_eq!(strings(&r["capabilities"]["effective"]), Vec::<&str>::new(), "effective");
        Ok(())
    });
    g.cli("process-json", "exec --process", |t| {
        let c = t.running()?;
        let process = json!({
            "args": [payload::PATH, "report"], "cwd": "/tmp", "env": ["ONLY=this"],
            "user": {"uid": 3, "gid": 4, "additionalGids": [5], "umask": 0o007},
            "capabilities": {"bounding": ["CAP_KILL"]}, "noNewPrivileges": true,
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 100}], "oomScoreAdj": 500,
        });
        let r = of_json(t, &c, &process)?;
        check_eq!(r["user"]["uid"], json!([3, 3, 3]), "uid");
        check_eq!(r["user"]["groups"], json!([5]), "groups");
        check_eq!(r["user"]["umask"], 7, "umask");
        check_eq!(r["cwd"], "/tmp", "cwd");
        check!(strings(&r["env"]).contains(&"ONLY=this"), "env: {}", r["env"]);
        check!(!strings(&r["env"]).contains(&"CORTEN=steel"), "env: {}", r["env"]);
        check_eq!(strings(&r["capabilities"]["bounding"]), vec!["CAP_KILL"], "bounding");
        check_eq!(r["rlimits"]["RLIMIT_NOFILE"], json!([99, 100]), "RLIMIT_NOFILE");
        check_eq!(r["noNewPrivileges"], true, "no_new_privs");
        Ok(())
    });
    g.cli("process-json-oom-score", "exec --process: oomScoreAdj", |t| {
        let c = t.running()?;
        let process = json!({"args": [payload::PATH, "report"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "oomScoreAdj": 500});
        check_eq!(of_json(t, &c, &process)?["oomScoreAdj"], "500", "oom_score_adj");
        Ok(())
    });
    g.cli("process-json-inheritable", "exec --process: all five sets as given", |t| {
        let c = t.running()?;
        let set = ["CAP_KILL"];
        let process = json!({"args": [payload::PATH, "report"], "cwd": "/", "user": {"uid": 9, "gid": 9},
            "capabilities": {"bounding": set, "effective": set, "permitted": set, "inheritable": set, "ambient": set}});
        let r = of_json(t, &c, &process)?;
        for name in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
            check_eq!(strings(&r["capabilities"][name]), set.to_vec(), "the {name} set");
        }
        Ok(())
    });
    for (name, text) in [
        ("broken", "{\"args\": ["),
        ("empty", ""),
        ("without-args", "{\"cwd\": \"/\"}"),
        ("of-wrong-types", "{\"args\": 7}"),
    ] {
        g.cli(&format!("process-json-{name}-is-refused"), "exec --process: an error", move |t| {
            let c = t.running()?;
            let file = t.dir().join("process.json");
            fs::write(&file, text)?;
            t.call(&["exec", "--process"]).arg(&file).arg(&c.id).done()?.refused().map(drop)
        });
    }
}

fn of_json(t: &Test, c: &Container<'_>, process: &Value) -> Verdict<Value> {
    let file = t.dir().join("process.json");
    fs::write(&file, process.to_string())?;
    crate::harness::parse(&t.call(&["exec", "--process"]).arg(&file).arg(&c.id).done()?.ok()?.stdout())
}

fn rest(suite: &mut Suite) {
    let mut g = suite.group("exec", "runc(8)");
    g.cli("detach-and-pid-file", "exec --detach --pid-file", |t| {
        let c = t.running()?;
        let process = detached(t, &c, &[], &["wait"])?;
        process.ready()?;
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid))?;
        let line = status.lines().find(|line| line.starts_with("NSpid:")).unwrap_or_default();
        check_eq!(line.split_whitespace().count(), 3, "levels of PID namespaces ({line})");
        end(&process)?;
        c.is("running")
    });
    g.cli("stdin", "exec: the process reads the runtime's standard input", |t| {
        let c = t.running()?;
        let done = t.call(&["exec", &c.id, payload::PATH, "echo"]).input("through").done()?.ok()?;
        check_eq!(done.stdout(), "through", "what came back");
        Ok(())
    });
    g.cli("descriptors", "exec: only the standard streams are open", |t| {
        let r = t.running()?.exec_report(&[], &[])?;
        let names: Vec<&String> =
            r["descriptors"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
        check_eq!(names, vec!["0", "1", "2"], "open descriptors");
        Ok(())
    });
    g.cli("preserve-fds", "exec --preserve-fds", |t| {
        let c = t.running()?;
        let file = fs::File::open("/proc/self/status")?;
        let call =
            t.call(&["exec", "--preserve-fds", "1", &c.id, payload::PATH, "report"]).leave_open(file, 3)?;
        let r = crate::harness::parse(&call.done()?.ok()?.stdout())?;
        check!(r["descriptors"]["3"].is_string(), "descriptor 3 is not there: {}", r["descriptors"]);
        Ok(())
    });
    g.cli("rlimits-of-the-container", "exec: the container's rlimits", |t| {
        let mut b = t.waiting()?;
        b.config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88}]);
        let r = t.running_of(&b)?.exec_report(&[], &[])?;
        check_eq!(r["rlimits"]["RLIMIT_NOFILE"], json!([77, 88]), "RLIMIT_NOFILE");
        Ok(())
    });
    g.cli("oom-score-of-the-container", "exec: the container's oomScoreAdj", |t| {
        let mut b = t.waiting()?;
        b.config["process"]["oomScoreAdj"] = json!(400);
        check_eq!(t.running_of(&b)?.exec_report(&[], &[])?["oomScoreAdj"], "400", "oom_score_adj");
        Ok(())
    });
    g.cli("in-a-created-container", "exec before start", |t| {
        let c = t.create(&t.waiting()?)?;
        c.exec_report(&[], &[])?;
        c.is("created")
    });
    g.cli("searches-path", "exec: execvp searches PATH", |t| {
        let c = t.running()?;
        let done = t.call(&["exec", &c.id, "payload", "exit", "4"]).done()?;
        check_eq!(done.code(), 4, "exit code");
        Ok(())
    });
    g.cli("options-of-the-program-are-its-own", "exec: options end at the id", |t| {
        let c = t.running()?;
        let r = c.exec_report(&[], &["--cwd", "/tmp", "-e", "X=1", "--"])?;
        check_eq!(strings(&r["args"])[2..], ["--cwd", "/tmp", "-e", "X=1", "--"], "argv");
        check_eq!(r["cwd"], "/", "cwd");
        Ok(())
    });
    g.cli("two-at-once", "exec", |t| {
        let c = t.running()?;
        let calls: Vec<_> = (0..4)
            .map(|_| t.call(&["exec", &c.id, payload::PATH, "exit", "3"]).spawn())
            .collect::<Verdict<_>>()?;
        for call in calls {
            check_eq!(call.done()?.code(), 3, "exit code");
        }
        Ok(())
    });
    g.cli("cgroup-below", "exec --cgroup", |t| {
        if t.machine.v2(None).is_err() {
            return crate::harness::skip("version 1 has a path per controller");
        }
        let c = t.running()?;
        let own = fs::read_to_string(format!("/proc/{}/cgroup", c.pid))?;
        let root = t.machine.v2(None)?;
        let path = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
        let below = root.join(path).join("below");
        fs::create_dir(&below)?;
        let r = c.exec_report(&["--cgroup", "below"], &[])?;
        let seen = r["cgroup"].as_str().unwrap_or_default();
        check!(
            seen.lines().any(|line| line.starts_with("0::") && line.ends_with("/below")),
            "cgroup: {seen:?}"
        );
        within(Duration::from_secs(1), || fs::remove_dir(&below).is_ok().then_some(()));
        Ok(())
    });
    g.cli("process-that-outlives-exec", "exec --detach: ended with the container", |t| {
        let c = t.running()?;
        let process = detached(t, &c, &[], &["wait"])?;
        process.ready()?;
        c.kill("KILL")?;
        process.wait()?;
        c.wait()?;
        c.delete().map(drop)
    });
}

fn failures(suite: &mut Suite) {
    let mut g = suite.group("exec", "runc(8)");
    g.cli("missing-program", "exec: an error that names it", |t| {
        let c = t.running()?;
        let done =
            t.call(&["exec", &c.id, "/no/such/program"]).done()?.refused()?.says(&["/no/such/program"])?;
        check!(matches!(done.code(), 1 | 126 | 127 | 255), "exit code {}", done.code());
        Ok(())
    });
    g.cli("program-that-is-not-executable", "exec: an error that names it", |t| {
        let b = t.waiting()?;
        b.file("/etc/text", "text")?;
        let c = t.running_of(&b)?;
        t.call(&["exec", &c.id, "/etc/text"])
            .done()?
            .refused()?
            .says(&["/etc/text", "permission denied"])
            .map(drop)
    });
    g.cli("directory-as-program", "exec: an error", |t| {
        let c = t.running()?;
        t.call(&["exec", &c.id, "/tmp"]).done()?.refused().map(drop)
    });
    g.cli("missing-cwd", "exec --cwd: an error or it is made", |t| {
        let c = t.running()?;
        match c.exec(&["--cwd", "/no/such/directory"], &["exit", "0"])? {
            done if done.code() == 0 => Ok(()),
            done => done.refused().map(drop),
        }
    });
    g.cli("relative-cwd", "exec --cwd: an error", |t| {
        let c = t.running()?;
        c.exec(&["--cwd", "tmp"], &["exit", "0"])?.refused().map(drop)
    });
    g.cli("without-a-program", "exec: an error", |t| {
        let c = t.running()?;
        t.call(&["exec", &c.id]).done()?.refused().map(drop)
    });
    g.cli("unknown-capability", "exec --cap: an error or a warning", |t| {
        let c = t.running()?;
        match c.exec(&["--cap", "CAP_CORTEN"], &["exit", "0"])? {
            done if done.code() == 0 => Ok(()),
            done => done.refused().map(drop),
        }
    });
    g.cli("wrong-env", "exec --env: an error or ignored", |t| {
        let c = t.running()?;
        match c.exec(&["--env", "=x"], &["exit", "0"])? {
            done if done.code() == 0 => Ok(()),
            done => done.refused().map(drop),
        }
    });
    g.cli("failure-leaves-the-container-alone", "exec", |t| {
        let c = t.running()?;
        t.call(&["exec", &c.id, "/no/such/program"]).done()?.refused()?;
        c.is("running")?;
        check_eq!(c.exec(&[], &["exit", "0"])?.code(), 0, "exit code of the next one");
        Ok(())
    });
}
