//! Bad input: a clear last line on stderr, a non-zero exit, and nothing left behind.

use crate::harness::{Bundle, Suite, Test, Verdict, check, check_eq};
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("errors", "runtime.md");
    g.must("no-bundle", "Create: an error without a bundle", |t| {
        let call = t.call(&["create", "--bundle"]).arg(t.dir().join("nowhere"));
        call.arg(t.id()).done()?.refused()?.says(&["nowhere"]).map(drop)
    });
    g.must("no-config", "Create: an error without config.json", |t| {
        let b = t.bundle()?;
        t.call(&["create", "--bundle"])
            .arg(&b.dir)
            .arg(t.id())
            .done()?
            .refused()?
            .says(&["config.json"])
            .map(drop)
    });
    for (name, text) in [
        ("broken", "{\"ociVersion\": \"1.0.2\", \"process\": {"),
        ("empty", ""),
        ("no-object", "[]"),
        ("null", "null"),
        ("two-documents", "{\"ociVersion\": \"1.0.2\"} {}"),
        ("binary", "\u{0}\u{1}\u{2}"),
        ("deep", ""),
        ("not-utf8", ""),
    ] {
        g.must(&format!("json-{name}"), "Create: an error for what is no config.json", move |t| {
            let b = t.bundle()?;
            let bytes = match name {
                "deep" => format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(),
                "not-utf8" => {
                    [&b"{\"ociVersion\": \"1.0.2\", \"hostname\": \""[..], &[0xff, 0xfe], b"\"}"].concat()
                }
                _ => text.as_bytes().to_vec(),
            };
            fs::write(b.dir.join("config.json"), bytes)?;
            t.call(&["create", "--bundle"]).arg(&b.dir).arg(t.id()).done()?.refused().map(drop)
        });
    }
    g.must("config-is-a-directory", "Create: an error without config.json", |t| {
        let b = t.bundle()?;
        fs::create_dir(b.dir.join("config.json"))?;
        t.call(&["create", "--bundle"]).arg(&b.dir).arg(t.id()).done()?.refused().map(drop)
    });
    for (name, id) in
        [("empty", ""), ("of-a-path", "../x"), ("with-a-slash", "a/b"), ("dot", "."), ("dot-dot", "..")]
    {
        let clause = "Create: an error for an ID that is not valid";
        g.must(&format!("id-{name}"), clause, move |t| bad_id(t, id));
    }
    for (name, id) in [
        ("with-a-blank", "a b"),
        ("with-a-newline", "a\nb"),
        ("not-ascii", "ä"),
        ("with-a-bell", "x\u{7}"),
        ("star", "*"),
    ] {
        g.cli(&format!("id-{name}"), "create: letters, digits, _ + - . alone", move |t| bad_id(t, id));
    }
    g.must("id-of-2-kilobytes", "Create: an error for an ID that is not valid", |t| {
        bad_id(t, &"x".repeat(2000))
    });
    g.must("id-with-all-that-is-allowed", "Create", |t| {
        let b = t.waiting()?;
        let id = format!("{}-A_b.c+9", t.id());
        let c = t.create_as(&b, &id, &[])?;
        c.is("created")?;
        t.call(&["delete", "--force", &id]).done()?.ok().map(drop)
    });
    for operation in ["state", "start", "kill", "delete", "exec", "ps", "pause"] {
        g.must(&format!("path-as-id-of-{operation}"), "an error for an ID that is not valid", move |t| {
            let c = t.running()?;
            let id = format!("../{}/{}", t.root().file_name().unwrap_or_default().to_string_lossy(), c.id);
            let call = t.call(&[operation, &id]);
            let call = if operation == "exec" { call.arg("/bin/payload") } else { call };
            call.done()?.refused()?;
            c.is("running")
        });
    }
    programs(suite);
    command_line(suite);
}

fn bad_id(t: &Test, id: &str) -> Verdict {
    let b = t.waiting()?;
    b.write()?;
    let before = names(t)?;
    let done = t.call(&["create", "--bundle"]).arg(&b.dir).arg("--").arg(id).done()?;
    if done.code() == 0 {
        t.call(&["delete", "--force", "--"]).arg(id).done()?;
    }
    done.refused()?;
    check_eq!(names(t)?, before, "what is in the directories around the state");
    Ok(())
}

fn names(t: &Test) -> Verdict<Vec<String>> {
    let mut all = Vec::new();
    for dir in [t.dir().to_path_buf(), t.root()] {
        for entry in fs::read_dir(dir)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with(".out") && !name.ends_with(".err") && !name.starts_with(".c") {
                all.push(name);
            }
        }
    }
    all.sort();
    Ok(all)
}

fn programs(suite: &mut Suite) {
    let mut g = suite.group("errors", "runtime.md");
    let clause = "Start: an error, at create or at start";
    g.must("missing-program", clause, |t| {
        let mut b = t.bundle()?;
        b.config["process"]["args"] = json!(["/no/such/program"]);
        unstartable(t, &b, &["/no/such/program"])
    });
    g.must("missing-program-in-path", clause, |t| {
        let mut b = t.bundle()?;
        b.config["process"]["args"] = json!(["no-such-program"]);
        unstartable(t, &b, &["no-such-program"])
    });
    g.must("program-that-is-not-executable", clause, |t| {
        let mut b = t.bundle()?;
        b.file("/etc/text", "text")?;
        b.config["process"]["args"] = json!(["/etc/text"]);
        unstartable(t, &b, &["/etc/text", "permission denied"])
    });
    g.must("directory-as-program", clause, |t| {
        let mut b = t.bundle()?;
        b.config["process"]["args"] = json!(["/etc"]);
        unstartable(t, &b, &[])
    });
    g.must("program-of-no-known-format", clause, |t| {
        let mut b = t.bundle()?;
        b.script("/bin/junk", "\u{7f}JUNK")?;
        b.config["process"]["args"] = json!(["/bin/junk"]);
        let c = t.create(&b)?;
        // It is seen at execve alone: start fails, or the process ends at once with an error.
        let done = t.call(&["start", &c.id]).done()?;
        if done.code() == 0 {
            check!(c.wait()? != 0, "the process ended with 0");
            return Ok(());
        }
        done.refused().map(drop)
    });
    g.must("empty-program", clause, |t| {
        let mut b = t.bundle()?;
        b.config["process"]["args"] = json!([""]);
        unstartable(t, &b, &[])
    });
    g.must("cwd-that-is-a-file", clause, |t| {
        let mut b = t.bundle()?;
        b.config["process"]["cwd"] = json!("/bin/payload");
        unstartable(t, &b, &[])
    });
    g.cli("run-of-a-missing-program", "run: an error, nothing left", |t| {
        let mut b = t.bundle()?;
        b.config["process"]["args"] = json!(["/no/such/program"]);
        t.try_run(&b)?.refused()?.says(&["/no/such/program"]).map(drop)
    });
    g.must("bind-onto-a-file-as-directory", "Errors: the environment is as if never tried", |t| {
        let mut b = t.bundle()?;
        b.file("/etc/file", "")?;
        b.mount("/etc/file", "none", "/etc", &["bind"]);
        t.refuses(&b).map(drop)
    });
    g.must("mount-below-a-file", "Errors: the environment is as if never tried", |t| {
        let mut b = t.bundle()?;
        b.file("/etc/file", "")?;
        b.mount("/etc/file/below", "tmpfs", "x", &[]);
        t.refuses(&b).map(drop)
    });
    g.must("failed-create-can-be-repeated", "Errors: the environment is as if never tried", |t| {
        let mut b = t.bundle()?;
        let id = t.id();
        b.mount("/data", "none", "/no/such/source", &["bind"]).write()?;
        for _ in 0..2 {
            t.call(&["create", "--bundle"]).arg(&b.dir).arg(&id).done()?.refused()?;
        }
        b.config["mounts"].as_array_mut().map(Vec::pop);
        b.payload(&["wait"]);
        t.create_as(&b, &id, &[])?.is("created")
    });
    g.must("failed-start-leaves-a-container-to-delete", "Errors", |t| {
        let mut b = t.bundle()?;
        b.script("/bin/junk", "\u{7f}JUNK")?;
        b.config["process"]["args"] = json!(["/bin/junk"]);
        let c = t.create(&b)?;
        t.call(&["start", &c.id]).done()?;
        c.wait()?;
        t.call(&["delete", "--force", &c.id]).done()?.ok().map(drop)
    });
}

/// create fails, or start does; both leave what delete can remove.
fn unstartable(t: &Test, b: &Bundle, words: &[&str]) -> Verdict {
    let done = t.try_create(b)?;
    let done = if done.code() == 0 {
        let id = t.ids_given().pop().unwrap_or_default();
        t.call(&["start", &id]).done()?.refused()?
    } else {
        done.refused()?
    };
    if words.is_empty() { Ok(()) } else { done.says(words).map(drop) }
}

fn command_line(suite: &mut Suite) {
    let mut g = suite.group("errors", "runc(8)");
    g.cli("unknown-operation", "an error", |t| t.call(&["melt"]).done()?.refused().map(drop));
    for operation in
        ["create", "run", "start", "state", "kill", "delete", "exec", "list", "ps", "pause", "update"]
    {
        g.cli(&format!("unknown-option-of-{operation}"), "an error", move |t| {
            t.call(&[operation, "--no-such-option", "x"]).done()?.refused().map(drop)
        });
    }
    for operation in ["start", "state", "delete", "pause", "resume"] {
        g.cli(&format!("too-many-arguments-of-{operation}"), "an error", move |t| {
            let c = t.create(&t.waiting()?)?;
            t.call(&[operation, &c.id, "more"]).done()?.refused()?;
            c.is("created")
        });
    }
    g.cli("log-json", "--log --log-format json: the error, a line of JSON", |t| {
        let log = t.dir().join("log.json");
        let call = t.call(&["--log"]).arg(&log).arg("--log-format").arg("json");
        call.arg("state").arg("no-such-container").done()?.refused()?;
        let text = fs::read_to_string(&log)?;
        let last: serde_json::Value = crate::harness::parse(text.lines().next_back().unwrap_or_default())?;
        check_eq!(last["level"], "error", "level");
        check!(last["msg"].is_string() && last["time"].is_string(), "msg and time: {last}");
        Ok(())
    });
    g.cli("log-text", "--log: the error", |t| {
        let log = t.dir().join("log.text");
        t.call(&["--log"]).arg(&log).arg("state").arg("no-such-container").done()?.refused()?;
        check!(!fs::read_to_string(&log)?.trim().is_empty(), "the log is empty");
        Ok(())
    });
    g.cli("log-is-appended-to", "--log", |t| {
        let log = t.dir().join("log.text");
        fs::write(&log, "before\n")?;
        t.call(&["--log"]).arg(&log).arg("state").arg("no-such-container").done()?.refused()?;
        check!(fs::read_to_string(&log)?.starts_with("before\n"), "the log was overwritten");
        Ok(())
    });
    g.cli("no-such-container-is-named", "does not exist", |t| {
        t.call(&["state", "no-such-container"])
            .done()?
            .refused()?
            .says(&["does not exist", "no such"])
            .map(drop)
    });
    g.cli("unwritable-pid-file", "--pid-file: an error, nothing left", |t| {
        let b = t.waiting()?;
        b.write()?;
        let call = t.call(&["create", "--bundle"]).arg(&b.dir).arg("--pid-file").arg("/no/such/dir/pid");
        call.arg(t.id()).done()?.refused().map(drop)
    });
    g.cli("version", "--version: name and spec", |t| {
        let out = t.call(&["--version"]).done()?.ok()?.stdout();
        check!(out.lines().any(|line| line.starts_with("spec:")), "no line `spec:`: {out:?}");
        Ok(())
    });
    g.cli("help", "--help", |t| {
        let out = t.call(&["--help"]).done()?.ok()?.stdout();
        check!(out.contains("create") && out.contains("delete"), "no operations: {out:?}");
        Ok(())
    });
    g.cli("spec", "spec: a config.json that runs", |t| {
        let b = t.bundle()?;
        t.call(&["spec"]).in_dir(&b.dir).done()?.ok()?;
        let mut config: serde_json::Value = serde_json::from_slice(&fs::read(b.dir.join("config.json"))?)?;
        check_eq!(config["root"]["path"], "rootfs", "root.path");
        config["process"]["args"] = json!(["/bin/payload", "report"]);
        config["process"]["terminal"] = json!(false);
        config["process"]["rlimits"] = json!([]);
        config["linux"]["cgroupsPath"] = b.config["linux"]["cgroupsPath"].clone();
        let b = Bundle { dir: b.dir, config };
        t.report(&b).map(drop)
    });
    g.cli("spec-does-not-overwrite", "spec: an error where there is one", |t| {
        let b = t.bundle()?;
        b.write()?;
        t.call(&["spec"]).in_dir(&b.dir).done()?.refused()?;
        let text = fs::read_to_string(b.dir.join("config.json"))?;
        check!(text.contains("corten-test"), "config.json was overwritten");
        Ok(())
    });
    g.cli("state-directory-is-private", "--root: not for other users", |t| {
        let c = t.running()?;
        let mode = fs::metadata(t.root().join(&c.id))?.permissions().mode();
        check_eq!(mode & 0o022, 0, "write permission of others");
        Ok(())
    });
}
