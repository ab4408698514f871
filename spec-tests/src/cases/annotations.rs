//! Annotations of config.json that crun defined and engines rely on. They are no part of the specification.

use crate::{
    harness::{ConsoleSocket, Suite, Test, Verdict, check, check_eq, parse},
    payload,
};
use serde_json::json;
use std::{fs, os::fd::AsRawFd, path::Path};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("annotations", "crun(1)");
    g.cli("keep-original-groups", "run.oci.keep_original_groups: the caller's additional groups", |t| {
        check_eq!(groups(t, "1")?, json!([7, 8]), "additional groups");
        check_eq!(groups(t, "0")?, json!([5]), "additional groups, if it is 0");
        Ok(())
    });
    for kind in ["createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
        g.cli(&format!("hooks-output-of-{kind}"), "run.oci.hooks.stdout, run.oci.hooks.stderr", move |t| {
            output(t, kind)
        });
    }
    g.cli("hooks-output-that-cannot-be", "run.oci.hooks.stdout: an error", |t| {
        let mut b = t.waiting()?;
        b.config["annotations"] = json!({"run.oci.hooks.stdout": "/no/such/directory/file"});
        let hook = json!({"path": t.host_payload(), "args": ["payload", "exit", "0"]});
        b.push("/hooks/createRuntime", hook);
        t.refuses(&b).map(drop)
    });
    g.cli("pidfd-receiver", "run.oci.pidfd_receiver: a socket that the pidfd is sent to", |t| {
        let socket = ConsoleSocket::new(t.dir(), "pidfd")?;
        let mut b = t.waiting()?;
        b.config["annotations"] = json!({"run.oci.pidfd_receiver": socket.path});
        b.write()?;
        let file = t.dir().join("pid");
        let id = t.id();
        let call = t.call(&["create", "--bundle"]).arg(&b.dir).arg("--pid-file").arg(&file).arg(&id);
        let mut running = call.spawn()?;
        let received = socket.receive(&mut running);
        running.done()?.ok()?;
        let descriptor = received?.master;
        let about = fs::read_to_string(format!("/proc/self/fdinfo/{}", descriptor.as_raw_fd()))?;
        let pid = format!("Pid:\t{}", fs::read_to_string(file)?.trim());
        check!(about.lines().any(|line| line == pid), "no {pid:?} in {about:?}");
        Ok(())
    });
}

/// The additional groups of a process whose runtime was called with 7 and 8.
fn groups(t: &Test, value: &str) -> Verdict<serde_json::Value> {
    let mut b = t.bundle()?;
    b.config["process"]["user"] = json!({"uid": 0, "gid": 0, "additionalGids": [5]});
    b.config["annotations"] = json!({"run.oci.keep_original_groups": value});
    b.write()?;
    let call = t.call(&["run", "--bundle"]).arg(&b.dir).arg(t.id());
    let done = call.through(&["setpriv", "--groups", "7,8"]).done()?.ok()?;
    Ok(parse(&done.stdout())?["user"]["groups"].clone())
}

/// What a hook prints is in the files, behind what was there.
fn output(t: &Test, kind: &str) -> Verdict {
    let mut b = t.waiting()?;
    let (out, err) = (t.dir().join("hook.out"), t.dir().join("hook.err"));
    fs::write(&out, "before\n")?;
    b.config["annotations"] = json!({"run.oci.hooks.stdout": out, "run.oci.hooks.stderr": err});
    // That hook alone begins in the container's root.
    let path = if kind == "startContainer" { Path::new(payload::PATH) } else { t.host_payload() };
    for arguments in [["payload", "report"].as_slice(), &["payload", "fail", "0"]] {
        b.push(&format!("/hooks/{kind}"), json!({"path": path, "args": arguments}));
    }
    let c = t.create(&b)?;
    c.start_ready()?;
    c.stop()?;
    c.delete()?;
    let text = fs::read_to_string(&out)?;
    check!(text.starts_with("before\n{"), "the file of standard output: {text:?}");
    check_eq!(fs::read_to_string(&err)?, "the payload fails as it was told\n", "the file of standard error");
    Ok(())
}
