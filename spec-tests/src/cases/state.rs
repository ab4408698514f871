//! runtime.md: the state of a container as `state` prints it.

use crate::harness::{Suite, Test, Verdict, Version, check, check_eq, strings};
use serde_json::{Value, json};
use std::fs;

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("state", "runtime.md");
    g.must("oci-version", "State.ociVersion: a version of the specification", |t| {
        let s = t.create(&t.waiting()?)?.state()?;
        let version = s["ociVersion"].as_str().unwrap_or_default();
        check!(
            Version::parse(version).is_some() && version.split('.').count() >= 3,
            "ociVersion is {version:?}"
        );
        Ok(())
    });
    g.must("id", "State.id", |t| {
        let c = t.create(&t.waiting()?)?;
        check_eq!(c.state()?["id"], c.id, "id");
        Ok(())
    });
    g.must("pid-when-created", "State.pid: the process as the host sees it", |t| {
        let c = t.create(&t.waiting()?)?;
        check_eq!(c.state()?["pid"], c.pid, "pid");
        check!(fs::exists(format!("/proc/{}", c.pid))?, "no such process");
        Ok(())
    });
    g.must("pid-when-running", "State.pid: the process as the host sees it", |t| {
        let c = t.running()?;
        check_eq!(c.state()?["pid"], c.pid, "pid");
        Ok(())
    });
    g.must("pid-when-stopped", "State.pid: of created and running containers", |t| {
        let c = t.running()?;
        c.stop()?;
        let pid = &c.state()?["pid"];
        check!(pid.is_null() || *pid == 0, "a stopped container has pid {pid}");
        Ok(())
    });
    g.must("pid-file", "State.pid", |t| {
        let c = t.create(&t.waiting()?)?;
        let inside = fs::read_to_string(format!("/proc/{}/status", c.pid))?;
        let line = inside.lines().find(|line| line.starts_with("NSpid:")).unwrap_or_default();
        check_eq!(line.split_whitespace().last(), Some("1"), "the process's pid in its own namespace");
        Ok(())
    });
    g.must("bundle", "State.bundle: the absolute path", |t| {
        let b = t.waiting()?;
        let c = t.create(&b)?;
        check_eq!(c.state()?["bundle"], b.dir.to_string_lossy().as_ref(), "bundle");
        Ok(())
    });
    g.must("bundle-given-relative", "State.bundle: the absolute path", |t| {
        let b = t.waiting()?;
        b.write()?;
        let id = t.id();
        t.call(&["create", "--bundle", "."]).arg(&id).in_dir(&b.dir).done()?.ok()?;
        let done = t.call(&["state", &id]).done()?.ok()?;
        check_eq!(
            crate::harness::parse(&done.stdout())?["bundle"],
            b.dir.to_string_lossy().as_ref(),
            "bundle"
        );
        Ok(())
    });
    g.cli("bundle-of-the-working-directory", "create: without --bundle the working directory", |t| {
        let b = t.waiting()?;
        b.write()?;
        let id = t.id();
        t.call(&["create"]).arg(&id).in_dir(&b.dir).done()?.ok().map(drop)
    });
    g.must("annotations", "State.annotations", |t| {
        let mut b = t.waiting()?;
        let want = json!({"org.corten.one": "1", "empty": "", "odd key \"x\"": "line\nbreak ä"});
        b.config["annotations"] = want.clone();
        check_eq!(t.create(&b)?.state()?["annotations"], want, "annotations");
        Ok(())
    });
    g.must("no-annotations", "State.annotations: absent or empty", |t| {
        let s = t.create(&t.waiting()?)?.state()?;
        let got = &s["annotations"];
        check!(got.is_null() || *got == json!({}), "annotations: {got}");
        Ok(())
    });
    g.must("types", "State: the types of the properties", types);
    g.cli("list-json", "list --format json", list_json);
    g.cli("list-quiet", "list -q: the ids", |t| {
        let (a, b) = (t.create(&t.waiting()?)?, t.running()?);
        let done = t.call(&["list", "-q"]).done()?.ok()?;
        let mut got: Vec<String> = done.stdout().lines().map(str::to_owned).collect();
        let mut want = vec![a.id.clone(), b.id.clone()];
        got.sort();
        want.sort();
        check_eq!(got, want, "ids");
        Ok(())
    });
    g.cli("list-table", "list: a table with a heading", |t| {
        let c = t.running()?;
        let out = t.call(&["list"]).done()?.ok()?.stdout();
        check!(
            out.lines().next().is_some_and(|l| l.starts_with("ID") || l.starts_with("NAME")),
            "heading: {out:?}"
        );
        let line = out.lines().find(|line| line.contains(&c.id)).unwrap_or_default();
        check!(
            line.contains("running") && line.contains(&c.pid.to_string()),
            "the container's line: {line:?}"
        );
        Ok(())
    });
    g.cli("list-of-none", "list: empty where there are none", |t| {
        let done = t.call(&["list", "-q"]).done()?.ok()?;
        check_eq!(done.stdout().trim(), "", "ids");
        let done = t.call(&["list", "--format", "json"]).done()?.ok()?;
        let got: Value = crate::harness::parse(&done.stdout())?;
        check!(got.is_null() || got == json!([]), "a list of none: {got}");
        Ok(())
    });
    g.cli("list-of-a-root-that-does-not-exist", "list: empty, and makes nothing", |t| {
        fs::remove_dir_all(t.root())?;
        t.call(&["list", "-q"]).done()?.ok().map(drop)
    });
    g.cli("ps-json", "ps --format json: the process ids", |t| {
        let c = t.running()?;
        let done = t.call(&["ps", "--format", "json", &c.id]).done()?.ok()?;
        check_eq!(crate::harness::parse(&done.stdout())?, json!([c.pid]), "process ids");
        Ok(())
    });
    g.cli("ps-table", "ps: a table as ps(1) has it", |t| {
        let c = t.running()?;
        let out = t.call(&["ps", &c.id]).done()?.ok()?.stdout();
        check!(out.lines().next().is_some_and(|line| line.contains("PID")), "heading: {out:?}");
        check!(out.contains(&c.pid.to_string()), "no line of process {}: {out:?}", c.pid);
        Ok(())
    });
}

fn types(t: &Test) -> Verdict {
    let s = t.running()?.state()?;
    check!(s["ociVersion"].is_string() && s["id"].is_string() && s["status"].is_string(), "texts: {s}");
    check!(s["pid"].is_i64() && s["bundle"].is_string(), "pid and bundle: {s}");
    let known = ["creating", "created", "running", "stopped"];
    check!(known.contains(&s["status"].as_str().unwrap_or_default()), "status: {s}");
    Ok(())
}

fn list_json(t: &Test) -> Verdict {
    let (a, b) = (t.create(&t.waiting()?)?, t.running()?);
    let done = t.call(&["list", "--format", "json"]).done()?.ok()?;
    let got = crate::harness::parse(&done.stdout())?;
    let find = |id: &str| got.as_array().into_iter().flatten().find(|entry| entry["id"] == *id).cloned();
    for (container, status) in [(&a, "created"), (&b, "running")] {
        let Some(entry) = find(&container.id) else {
            return crate::harness::fail(format!("{} is not listed", container.id));
        };
        check_eq!(entry["status"], status, "status");
        check_eq!(entry["pid"], container.pid, "pid");
        check!(entry["bundle"].is_string(), "bundle: {entry}");
    }
    check_eq!(got.as_array().map(Vec::len), Some(2), "how many are listed");
    check!(strings(&got).is_empty(), "entries are objects");
    Ok(())
}
