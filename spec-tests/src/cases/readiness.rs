//! NOTIFY_SOCKET, sd_notify(3): what a container's process says of its readiness comes to who called the runtime.

use crate::harness::{Bundle, Call, Suite, Test, Verdict, check, check_eq, fail, parse, strings};
use std::{
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// Longer than any case.
const LIMIT: Duration = Duration::from_secs(30);

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("readiness", "runc(8)");
    g.cli("run", "run: READY is passed on", |t| {
        let (b, manager) = prepared(t, &["notify", "READY=1"])?;
        let running = manager.call(t, &["run", "--bundle"]).arg(&b.dir).arg(t.id()).spawn()?;
        check_eq!(manager.hears()?, "READY=1", "what was passed on first");
        check!(manager.hears()?.starts_with("MAINPID="), "no MAINPID follows");
        running.done()?.ok().map(drop)
    });
    g.cli("run-detached", "run --detach: returns when READY is passed on", |t| {
        let (b, manager) = prepared(t, &["notify", "STATUS=soon", "READY=1", "wait"])?;
        let (id, file) = (t.id(), t.dir().join("pid"));
        let call = manager.call(t, &["run", "--detach", "--bundle"]).arg(&b.dir).arg("--pid-file").arg(&file);
        let done = call.arg(&id).done()?.ok()?;
        let c = t.container(&id, &file, done.out)?;
        manager.hears_of(c.pid)?;
        c.stop()
    });
    g.cli("start", "start: returns when READY is passed on", |t| {
        let (b, manager) = prepared(t, &["notify", "READY=1", "wait"])?;
        let (id, file) = (t.id(), t.dir().join("pid"));
        let call = manager.call(t, &["create", "--bundle"]).arg(&b.dir).arg("--pid-file").arg(&file);
        let done = call.arg(&id).done()?.ok()?;
        let c = t.container(&id, &file, done.out)?;
        manager.call(t, &["start", &id]).done()?.ok()?;
        manager.hears_of(c.pid)?;
        c.stop()
    });
    g.cli("end-without-ready", "start: an end without READY is waited for no longer", |t| {
        let (b, manager) = prepared(t, &["notify", "STATUS=never"])?;
        manager.call(t, &["run", "--detach", "--bundle"]).arg(&b.dir).arg(t.id()).done()?.ok()?;
        manager.hears_nothing()
    });
    g.cli("environment", "run: NOTIFY_SOCKET is the container's own", |t| {
        let (b, manager) = prepared(t, &["report"])?;
        let done = manager.call(t, &["run", "--bundle"]).arg(&b.dir).arg(t.id()).done()?.ok()?;
        let report = parse(&done.stdout())?;
        let own = strings(&report["env"]).into_iter().find_map(|v| v.strip_prefix("NOTIFY_SOCKET="));
        check!(own.is_some_and(|path| Path::new(path) != manager.path), "{}", report["env"]);
        manager.hears_nothing()
    });
    g.cli("none-without-a-manager", "run: NOTIFY_SOCKET is not made up", |t| {
        let report = t.report(&t.bundle()?)?;
        check!(!strings(&report["env"]).iter().any(|v| v.starts_with("NOTIFY_SOCKET")), "{}", report["env"]);
        Ok(())
    });
}

/// A service manager, which reads all that it is told at once: a runtime may wait for that.
struct Manager {
    heard: Receiver<String>,
    path: PathBuf,
}

fn prepared(t: &Test, arguments: &[&str]) -> Verdict<(Bundle, Manager)> {
    let mut b = t.bundle()?;
    b.payload(arguments);
    b.write()?;
    let path = t.dir().join("manager");
    let socket = UnixDatagram::bind(&path)?;
    socket.set_read_timeout(Some(LIMIT))?;
    let (sender, heard) = channel();
    thread::spawn(move || {
        let mut bytes = [0u8; 4096];
        while let Ok(length) = socket.recv(&mut bytes) {
            if sender.send(String::from_utf8_lossy(&bytes[..length]).into_owned()).is_err() {
                break;
            }
        }
    });
    Ok((b, Manager { heard, path }))
}

impl Manager {
    /// A call of the runtime as this manager makes it.
    fn call(&self, t: &Test, arguments: &[&str]) -> Call {
        t.call(arguments).env("NOTIFY_SOCKET", &self.path.to_string_lossy())
    }

    /// One message, with or without an end of line.
    fn hears(&self) -> Verdict<String> {
        let heard = self.heard.recv_timeout(Duration::from_secs(5));
        heard.map(|text| text.trim_end().to_owned()).or_else(|_| fail("nothing was passed on"))
    }

    fn hears_of(&self, pid: i32) -> Verdict {
        check_eq!(self.hears()?, "READY=1", "what was passed on first");
        check_eq!(self.hears()?, format!("MAINPID={pid}"), "what was passed on then");
        Ok(())
    }

    fn hears_nothing(&self) -> Verdict {
        match self.heard.recv_timeout(Duration::from_millis(200)) {
            Ok(message) => fail(format!("passed on: {message:?}")),
            Err(_) => Ok(()),
        }
    }
}
