//! `process.terminal`: the console socket, sizes, /dev/console.

use crate::{
    harness::{Bundle, ConsoleSocket, Container, Suite, Test, Verdict, View, check, check_eq, fail, parse},
    payload,
};
use serde_json::{Value, json};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("terminal", "config.md");
    g.must("streams-are-the-terminal", "process.terminal: the standard streams", |t| {
        let r = life(t, &bundle(t)?)?;
        for stream in ["stdin", "stdout", "stderr"] {
            check_eq!(r["terminal"][stream], true, "{stream} is a terminal");
        }
        Ok(())
    });
    g.must("is-controlling", "process.terminal: the process's own terminal", |t| {
        let r = life(t, &bundle(t)?)?;
        check_eq!(r["terminal"]["controlling"], true, "/dev/tty can be opened");
        check_eq!(r["session"], 1, "the session");
        Ok(())
    });
    g.must("is-of-the-containers-devpts", "process.terminal", |t| {
        let r = life(t, &bundle(t)?)?;
        let link = r["descriptors"]["0"].as_str().unwrap_or_default();
        check!(link == "/dev/pts/0" || link == "/dev/console", "standard input is {link:?}");
        Ok(())
    });
    g.must("no-other-descriptors", "runtime-linux.md: only the standard streams are open", |t| {
        let r = life(t, &bundle(t)?)?;
        let names: Vec<&String> =
            r["descriptors"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
        check_eq!(names, vec!["0", "1", "2"], "open descriptors");
        Ok(())
    });
    g.must("console-size", "process.consoleSize", |t| {
        let mut b = bundle(t)?;
        b.config["process"]["consoleSize"] = json!({"width": 91, "height": 37});
        check_eq!(life(t, &b)?["terminal"]["size"], json!([91, 37]), "columns and rows");
        Ok(())
    });
    g.must("owner-is-the-user", "process.terminal with a user", |t| {
        let mut b = bundle(t)?;
        b.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        b.probe("stat:/dev/pts/0");
        check_eq!(life(t, &b)?.probe("stat:/dev/pts/0")?["uid"], 1000, "owner of the terminal");
        Ok(())
    });
    let mut g = suite.group("terminal", "config-linux.md");
    g.must("console-device", "Default Devices: /dev/console is the terminal", |t| {
        let mut b = bundle(t)?;
        b.probe("stat:/dev/console").probe("stat:/dev/pts/0").probe("open:/dev/console");
        let r = life(t, &b)?;
        let (console, terminal) = (r.probe("stat:/dev/console")?, r.probe("stat:/dev/pts/0")?);
        check_eq!(
            (&console["inode"], &console["minor"]),
            (&terminal["inode"], &terminal["minor"]),
            "/dev/console"
        );
        r.mount("/dev/console")?;
        r.probe("open:/dev/console").map(drop)
    });
    g.cli("input-reaches-the-process", "--console-socket", |t| {
        let mut b = bundle(t)?;
        b.payload(&["echo"]);
        let (c, terminal) = create(t, &b)?;
        c.start()?;
        terminal.write("hello\n\u{4}")?;
        let all = terminal.read_to_end()?;
        check!(all.matches("hello").count() == 2, "the echo and the output: {all:?}");
        check_eq!(c.wait()?, 0, "exit code");
        Ok(())
    });
    g.cli("size-can-be-changed", "--console-socket", |t| {
        let (c, terminal) = create(t, &bundle(t)?)?;
        terminal.resize(123, 45)?;
        c.start()?;
        let r = last_json(&terminal.read_to_end()?)?;
        check_eq!(r["terminal"]["size"], json!([123, 45]), "columns and rows");
        c.wait().map(drop)
    });
    g.cli("message-names-the-terminal", "--console-socket", |t| {
        let (c, terminal) = create(t, &bundle(t)?)?;
        check!(!terminal.bytes.is_empty(), "an empty message came with the descriptor");
        // Before the terminal goes, whose end is a hangup for the process.
        t.call(&["delete", "--force", &c.id]).done()?.ok().map(drop)
    });
    g.cli("no-listener-is-refused", "--console-socket", |t| {
        let b = bundle(t)?;
        b.write()?;
        let call =
            t.call(&["create", "--bundle"]).arg(&b.dir).arg("--console-socket").arg(t.dir().join("none"));
        call.arg(t.id()).done()?.refused().map(drop)
    });
    g.cli("socket-without-terminal-is-refused", "--console-socket", |t| {
        let b = t.bundle()?;
        b.write()?;
        let socket = ConsoleSocket::new(t.dir(), "console")?;
        let call = t.call(&["create", "--bundle"]).arg(&b.dir).arg("--console-socket").arg(&socket.path);
        call.arg(t.id()).done()?.refused().map(drop)
    });
    g.cli("terminal-without-socket-is-refused", "--console-socket", |t| t.refuses(&bundle(t)?).map(drop));
    g.cli("long-socket-path", "--console-socket", |t| {
        let dir = t.dir().join("d".repeat(150));
        std::fs::create_dir(&dir)?;
        // As engines do it: a socket may be bound by a short name and connected to by a long one only through /proc.
        let socket = ConsoleSocket::new(t.dir(), "console")?;
        let long = dir.join("link");
        std::os::unix::fs::symlink(&socket.path, &long)?;
        let b = bundle(t)?;
        b.write()?;
        let call = t.call(&["create", "--bundle"]).arg(&b.dir).arg("--console-socket").arg(&long).arg(t.id());
        let mut running = call.spawn()?;
        match socket.receive(&mut running) {
            Ok(_) => running.done()?.ok().map(drop),
            // sun_path holds 108 bytes: a clear refusal will do.
            Err(_) => running.done()?.refused().map(drop),
        }
    });
    g.cli("exec-with-terminal", "exec --tty --console-socket", |t| {
        let c = t.running()?;
        let socket = ConsoleSocket::new(t.dir(), "console")?;
        let call = t.call(&["exec", "--tty", "--console-socket"]).arg(&socket.path).arg("--detach");
        let pid_file = t.dir().join("exec.pid");
        let mut running =
            call.arg("--pid-file").arg(&pid_file).arg(&c.id).arg(payload::PATH).arg("report").spawn()?;
        let terminal = socket.receive(&mut running)?;
        let r = last_json(&terminal.read_to_end()?)?;
        let done = running.done()?.ok()?;
        check_eq!(t.container(&c.id, &pid_file, done.out)?.wait()?, 0, "exit code");
        check_eq!(r["terminal"]["stdin"], true, "standard input is a terminal");
        check_eq!(r["terminal"]["controlling"], true, "/dev/tty can be opened");
        Ok(())
    });
}

/// A bundle with a terminal, whose process reports.
fn bundle(t: &Test) -> Verdict<Bundle> {
    let mut b = t.bundle()?;
    b.config["process"]["terminal"] = json!(true);
    Ok(b)
}

fn create<'t>(t: &'t Test, b: &Bundle) -> Verdict<(Container<'t>, crate::harness::Terminal)> {
    b.write()?;
    let socket = ConsoleSocket::new(t.dir(), "console")?;
    let (id, pid_file) = (t.id(), t.dir().join("pid"));
    let call = t.call(&["create", "--bundle"]).arg(&b.dir).arg("--console-socket").arg(&socket.path);
    let mut running = call.arg("--pid-file").arg(&pid_file).arg(&id).spawn()?;
    let terminal = socket.receive(&mut running);
    let done = running.done()?.ok()?;
    Ok((t.container(&id, &pid_file, done.out)?, terminal?))
}

/// The report of a container with a terminal, from create to its end.
pub(super) fn life(t: &Test, b: &Bundle) -> Verdict<Value> {
    let (c, terminal) = create(t, b)?;
    c.start()?;
    let text = terminal.read_to_end()?;
    check_eq!(c.wait()?, 0, "exit code ({text:?})");
    last_json(&text)
}

fn last_json(text: &str) -> Verdict<Value> {
    match text.lines().rev().find(|line| line.starts_with('{')) {
        Some(line) => parse(line.trim_end()),
        None => fail(format!("no report on the terminal: {text:?}")),
    }
}
