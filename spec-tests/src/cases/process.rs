//! `process`: arguments, environment, working directory, streams and how the process ends.

use crate::harness::{Bundle, Suite, Test, Verdict, View, check, check_eq, fail, strings};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("process", "config.md");
    g.must("cwd", "process.cwd: the working directory", cwd);
    g.must("cwd-relative-is-refused", "process.cwd: an absolute path", cwd_relative);
    g.must("cwd-for-a-user-without-access-to-others", "process.cwd: the working directory", cwd_of_user);
    g.must("env", "process.env: as environ", env);
    g.must("env-odd-values", "process.env: as environ", env_odd);
    g.must("env-last-of-a-name", "process.env: as environ", env_repeated);
    g.must("env-not-of-the-runtime", "process.env: as environ", env_of_runtime);
    g.must("args", "process.args: as execvp's argv", args);
    g.must("args-many", "process.args: as execvp's argv", args_many);
    g.must("args-search-path", "process.args: execvp searches PATH", args_search);
    g.must("args-search-path-in-order", "process.args: execvp searches PATH", args_search_order);
    g.must("args-relative-with-slash", "process.args: execvp with a slash", args_relative);
    g.must("args-script", "process.args: execvp runs a script", args_script);
    g.must("args-empty-is-refused", "process.args: at least one entry", |t| {
        let mut b = t.bundle()?;
        b.config["process"]["args"] = json!([]);
        t.refuses(&b).map(drop)
    });
    g.must("args-missing-is-refused", "process.args: at least one entry", |t| {
        let mut b = t.bundle()?;
        remove(&mut b.config["process"], "args");
        t.refuses(&b).map(drop)
    });
    g.must("cwd-missing-is-refused", "process.cwd: required", |t| {
        let mut b = t.bundle()?;
        remove(&mut b.config["process"], "cwd");
        t.refuses(&b).map(drop)
    });
    g.must("is-first-of-its-pid-namespace", "process: the container process", |t| {
        check_eq!(t.report(&t.bundle()?)?["pid"], 1, "pid");
        Ok(())
    });
    g.must("no-new-privileges", "process.noNewPrivileges", |t| no_new_privileges(t, true));
    g.must("no-new-privileges-false", "process.noNewPrivileges", |t| no_new_privileges(t, false));
    g.must("oom-score-adj", "process.oomScoreAdj: set to the given value", |t| oom(t, Some(321)));
    g.must("oom-score-adj-zero", "process.oomScoreAdj: set to the given value", |t| oom(t, Some(0)));
    g.must("oom-score-adj-unset", "process.oomScoreAdj: not changed when unset", |t| oom(t, None));
    g.must("oom-score-adj-negative", "process.oomScoreAdj: set to the given value", oom_negative);
    g.must("terminal-false", "process.terminal: false by default", no_terminal);
    g.must("console-size-without-terminal", "process.consoleSize: ignored without a terminal", console_size);
    g.must("descriptors", "runtime-linux.md: only the standard streams are open", descriptors);
    g.must(
        "descriptors-of-a-careless-engine",
        "runtime-linux.md: only the standard streams are open",
        careless,
    );
    g.must("symlinks-of-dev", "runtime-linux.md: /dev/fd, stdin, stdout, stderr", dev_links);
    g.cli("stdin", "run: the process reads the runtime's standard input", stdin);
    g.cli("stdout-and-stderr", "run: the process writes to the runtime's streams", streams);
    g.cli("preserve-fds", "run --preserve-fds", preserve_fds);
    g.cli("listen-fds", "run: LISTEN_FDS passes sockets", listen_fds);
    for code in [0u8, 1, 42, 127, 255] {
        g.cli(&format!("exit-{code}"), "run: the exit status is passed on", move |t| {
            let mut b = t.bundle()?;
            b.payload(&["exit", &code.to_string()]);
            check_eq!(t.try_run(&b)?.code(), i32::from(code), "exit code");
            Ok(())
        });
    }
    g.cli("ended-by-a-signal", "run: 128 and the signal", |t| {
        let c = t.running()?;
        c.kill("KILL")?;
        check_eq!(c.wait()?, 137, "status");
        Ok(())
    });
}

/// Takes a property out.
pub(super) fn remove(object: &mut Value, key: &str) {
    if let Some(map) = object.as_object_mut() {
        map.remove(key);
    }
}

fn cwd(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.directory("/srv/deep")?;
    b.config["process"]["cwd"] = json!("/srv/deep");
    check_eq!(t.report(&b)?["cwd"], "/srv/deep", "cwd");
    Ok(())
}

fn cwd_relative(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.config["process"]["cwd"] = json!("tmp");
    t.refuses(&b).map(drop)
}

/// The directory belongs to the user alone, and root has no capability to pass by its mode.
fn cwd_of_user(t: &Test) -> Verdict {
    use std::os::unix::fs::{PermissionsExt, chown};
    let mut b = t.bundle()?;
    b.directory("/home")?;
    chown(b.inside("/home"), Some(1000), Some(1000))?;
    fs::set_permissions(b.inside("/home"), fs::Permissions::from_mode(0o700))?;
    b.config["process"]["cwd"] = json!("/home");
    b.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    check_eq!(t.report(&b)?["cwd"], "/home", "cwd");
    Ok(())
}

fn env(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.config["process"]["env"] = json!(["PATH=/bin", "A=1", "B=two words", "PWD_NOT=x"]);
    let r = t.report(&b)?;
    let got = strings(&r["env"]);
    for want in ["PATH=/bin", "A=1", "B=two words", "PWD_NOT=x"] {
        check!(got.contains(&want), "{want:?} is not in the environment {got:?}");
    }
    Ok(())
}

fn env_odd(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    let odd = ["EMPTY=", "EQUALS=a=b=c", "LINES=a\nb", "SCRIPT=ä€😀", "QUOTES=\"'\\$HOME", "a.b-c=1"];
    b.config["process"]["env"] = json!(odd);
    let r = t.report(&b)?;
    let got = strings(&r["env"]);
    for want in odd {
        check!(got.contains(&want), "{want:?} is not in the environment {got:?}");
    }
    Ok(())
}

fn env_repeated(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.config["process"]["env"] = json!(["A=first", "PATH=/bin", "A=last"]);
    let r = t.report(&b)?;
    // environ keeps both; what getenv finds is the first of them, and a runtime may drop all but the last.
    let got: Vec<&str> = strings(&r["env"]).into_iter().filter(|v| v.starts_with("A=")).collect();
    check!(got == ["A=first", "A=last"] || got == ["A=last"], "A is {got:?}");
    Ok(())
}

fn env_of_runtime(t: &Test) -> Verdict {
    let b = t.bundle()?;
    b.write()?;
    let call = t.call(&["run", "--bundle"]).arg(&b.dir).arg(t.id());
    let r = crate::harness::parse(&call.env("CORTEN_OF_THE_HOST", "1").done()?.ok()?.stdout())?;
    let got = strings(&r["env"]);
    check!(!got.iter().any(|v| v.starts_with("CORTEN_OF_THE_HOST")), "the runtime's own environment came in");
    check!(
        !got.iter().any(|v| v.starts_with("_") || v.contains("PIPE") || v.contains("INIT")),
        "got {got:?}"
    );
    Ok(())
}

fn args(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    let want = ["/bin/payload", "report", "", "two words", "ä\n\t", "--flag=x", "*", "$HOME"];
    b.config["process"]["args"] = json!(want);
    let r = t.report(&b)?;
    check_eq!(strings(&r["args"]), want.to_vec(), "argv");
    Ok(())
}

fn args_many(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    let mut want: Vec<String> = vec!["/bin/payload".into(), "report".into()];
    want.extend((0..2000).map(|n| format!("argument-{n}")));
    b.config["process"]["args"] = json!(want);
    check_eq!(t.report(&b)?["args"], json!(want), "argv");
    Ok(())
}

fn args_search(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.config["process"]["args"] = json!(["payload", "report"]);
    b.config["process"]["env"] = json!(["PATH=/nowhere:/bin"]);
    check_eq!(strings(&t.report(&b)?["args"]), vec!["payload", "report"], "argv");
    Ok(())
}

fn args_search_order(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    // The first match cannot be executed, so that execvp goes on.
    b.file("/first/payload", "not executable")?;
    b.config["process"]["args"] = json!(["payload", "report"]);
    b.config["process"]["env"] = json!(["PATH=/first:/bin"]);
    t.report(&b).map(drop)
}

fn args_relative(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.config["process"]["args"] = json!(["./payload", "report"]);
    b.config["process"]["cwd"] = json!("/bin");
    b.config["process"]["env"] = json!([]);
    t.report(&b).map(drop)
}

fn args_script(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.script("/bin/script", "#!/bin/payload report\n")?;
    b.config["process"]["args"] = json!(["/bin/script", "more"]);
    let r = t.report(&b)?;
    check_eq!(strings(&r["args"]), vec!["/bin/payload", "report", "/bin/script", "more"], "argv");
    Ok(())
}

fn no_new_privileges(t: &Test, on: bool) -> Verdict {
    let mut b = t.bundle()?;
    b.config["process"]["noNewPrivileges"] = json!(on);
    check_eq!(t.report(&b)?["noNewPrivileges"], on, "no_new_privs");
    Ok(())
}

fn own_oom() -> Verdict<i64> {
    Ok(fs::read_to_string("/proc/self/oom_score_adj")?.trim().parse()?)
}

fn oom(t: &Test, value: Option<i64>) -> Verdict {
    let mut b = t.bundle()?;
    if let Some(value) = value {
        if value < own_oom()? {
            t.machine.needs_capability(24, "CAP_SYS_RESOURCE, which lowers oom_score_adj")?;
        }
        b.config["process"]["oomScoreAdj"] = json!(value);
    }
    let want = value.map_or_else(own_oom, Ok)?;
    check_eq!(t.report(&b)?["oomScoreAdj"], want.to_string(), "oom_score_adj");
    Ok(())
}

fn oom_negative(t: &Test) -> Verdict {
    t.machine.needs_capability(24, "CAP_SYS_RESOURCE, which lowers oom_score_adj")?;
    oom(t, Some(-500))
}

fn no_terminal(t: &Test) -> Verdict {
    let r = t.report(&t.bundle()?)?;
    for stream in ["stdin", "stdout", "stderr", "controlling"] {
        check_eq!(r["terminal"][stream], false, "{stream} is a terminal");
    }
    Ok(())
}

fn console_size(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.config["process"]["consoleSize"] = json!({"height": 10, "width": 20});
    no_descriptors_but(&t.report(&b)?, &["0", "1", "2"])
}

fn no_descriptors_but(report: &Value, want: &[&str]) -> Verdict {
    let got: BTreeMap<&String, &Value> = report["descriptors"].as_object().into_iter().flatten().collect();
    let names: Vec<&str> = got.keys().map(|name| name.as_str()).collect();
    check_eq!(names, want.to_vec(), "open descriptors ({got:?})");
    Ok(())
}

fn descriptors(t: &Test) -> Verdict {
    no_descriptors_but(&t.report(&t.bundle()?)?, &["0", "1", "2"])
}

fn careless(t: &Test) -> Verdict {
    let b = t.bundle()?;
    b.write()?;
    let secret = fs::File::open("/proc/self/status")?;
    let call = t.call(&["run", "--bundle"]).arg(&b.dir).arg(t.id()).leave_open(secret, 9)?;
    no_descriptors_but(&crate::harness::parse(&call.done()?.ok()?.stdout())?, &["0", "1", "2"])
}

fn dev_links(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    let links = [("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];
    for (name, _) in links {
        b.probe(format!("link:/dev/{name}"));
    }
    let r = t.report(&b)?;
    for (name, to) in links {
        let want = format!("/proc/self/{to}");
        check_eq!(r.probe(&format!("link:/dev/{name}"))?["to"], want, "/dev/{name}");
    }
    Ok(())
}

fn run_of(t: &Test, b: &Bundle) -> Verdict<crate::harness::Call> {
    b.write()?;
    Ok(t.call(&["run", "--bundle"]).arg(&b.dir))
}

fn stdin(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.payload(&["echo"]);
    let done = run_of(t, &b)?.arg(t.id()).input("a line\0and more").done()?.ok()?;
    check_eq!(done.stdout(), "a line\0and more", "what came back");
    Ok(())
}

fn streams(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.payload(&["fail", "3"]);
    let done = t.try_run(&b)?;
    check_eq!(done.code(), 3, "exit code");
    check_eq!(done.stdout(), "", "standard output");
    check!(done.stderr().contains("the payload fails as it was told"), "standard error: {:?}", done.stderr());
    Ok(())
}

fn preserve_fds(t: &Test) -> Verdict {
    let b = t.bundle()?;
    let file = || fs::File::open("/proc/self/status");
    let call = run_of(t, &b)?.arg("--preserve-fds").arg("2").arg(t.id());
    let call = call.leave_open(file()?, 3)?.leave_open(file()?, 4)?.leave_open(file()?, 5)?;
    no_descriptors_but(&crate::harness::parse(&call.done()?.ok()?.stdout())?, &["0", "1", "2", "3", "4"])
}

fn listen_fds(t: &Test) -> Verdict {
    let b = t.bundle()?;
    let socket = std::os::unix::net::UnixListener::bind(t.dir().join("listen"))?;
    let call = run_of(t, &b)?.arg(t.id()).socket_activated(1).leave_open(socket, 3)?;
    let r = crate::harness::parse(&call.done()?.ok()?.stdout())?;
    let env = strings(&r["env"]);
    check!(env.contains(&"LISTEN_FDS=1"), "LISTEN_FDS is not passed on: {env:?}");
    match r["descriptors"]["3"].as_str() {
        Some(link) if link.starts_with("socket:") => Ok(()),
        other => fail(format!("descriptor 3 is {other:?}, not the socket")),
    }
}
