//! What a container can send to the runtime: NOTIFY_SOCKET, and what stands at the other end of other sockets.

use super::ground::settled;
use crate::harness::{ConsoleSocket, Suite, check, check_eq, fail, within};
use nix::sys::socket::{Backlog, listen};
use std::{
    fs,
    os::unix::net::{UnixDatagram, UnixListener},
    thread,
    time::Duration,
};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("readiness", "of our own:");
    g.attack("forged-notifications", "a container tells more than that it is ready", None, |t| {
        let mut b = t.bundle()?;
        b.payload(&["notify-badly"]);
        b.write()?;
        let path = t.dir().join("manager");
        let manager = UnixDatagram::bind(&path)?;
        manager.set_read_timeout(Some(Duration::from_secs(5)))?;
        let heard = thread::spawn(move || {
            let mut all = Vec::new();
            let mut bytes = [0u8; 200_000];
            while let Ok(length) = manager.recv(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                let last = text.starts_with("MAINPID=") || text.starts_with("BARRIER");
                all.push(text);
                if last && all.len() >= 3 {
                    break;
                }
            }
            all
        });
        let (id, file) = (t.id(), t.dir().join("pid"));
        let call = t.call(&["run", "--detach", "--bundle"]).arg(&b.dir).arg("--pid-file").arg(&file).arg(&id);
        let done = call.env("NOTIFY_SOCKET", &path.to_string_lossy()).done()?;
        let out = done.out.clone();
        if !settled(done)? {
            return Ok(());
        }
        let c = t.container(&id, &file, out)?;
        c.stop()?;
        let Ok(all) = heard.join() else { return fail("the suite itself: the manager broke down") };
        for message in &all {
            for line in message.lines() {
                let own = line.starts_with("READY=1")
                    || line == format!("MAINPID={}", c.pid)
                    || line == "BARRIER=1";
                check!(own, "the manager was told {line:?} (all: {all:?})");
            }
        }
        check!(
            all.iter().any(|message| message.contains("READY=1")),
            "the manager was not told of READY: {all:?}"
        );
        Ok(())
    });
    g.attack("console-socket-that-never-accepts", "who listens for the terminal never takes it", None, |t| {
        let mut b = t.waiting()?;
        b.config["process"]["terminal"] = serde_json::json!(true);
        b.write()?;
        let path = t.dir().join("console.sock");
        let listener = UnixListener::bind(&path)?;
        let id = t.id();
        settled(
            t.call(&["create", "--bundle"]).arg(&b.dir).arg("--console-socket").arg(&path).arg(&id).done()?,
        )?;
        settled(t.call(&["delete", "--force", &id]).done()?)?;
        drop(listener);
        Ok(())
    });
    g.attack(
        "console-socket-that-is-full",
        "who listens for the terminal takes nobody any more",
        None,
        |t| {
            let mut b = t.waiting()?;
            b.config["process"]["terminal"] = serde_json::json!(true);
            b.write()?;
            let path = t.dir().join("console.sock");
            let listener = UnixListener::bind(&path)?;
            listen(&listener, Backlog::new(0)?)?;
            let _first = std::os::unix::net::UnixStream::connect(&path)?;
            let id = t.id();
            let running = t
                .call(&["create", "--bundle"])
                .arg(&b.dir)
                .arg("--console-socket")
                .arg(&path)
                .arg(&id)
                .spawn()?;
            thread::sleep(Duration::from_millis(300));
            // It may wait for its turn. A delete must not wait with it, and when the listener goes it must end.
            settled(t.call(&["delete", "--force", &id]).done()?)?;
            drop(listener);
            settled(running.done()?)?;
            settled(t.call(&["delete", "--force", &id]).done()?).map(drop)
        },
    );
    g.attack(
        "console-socket-that-talks",
        "who listens for the terminal closes at once, or talks",
        None,
        |t| {
            for talk in [false, true] {
                let mut b = t.waiting()?;
                b.config["process"]["terminal"] = serde_json::json!(true);
                b.write()?;
                let socket = ConsoleSocket::new(t.dir(), if talk { "a.sock" } else { "b.sock" })?;
                let path = socket.path.clone();
                let id = t.id();
                let mut running = t
                    .call(&["create", "--bundle"])
                    .arg(&b.dir)
                    .arg("--console-socket")
                    .arg(&path)
                    .arg(&id)
                    .spawn()?;
                let terminal = socket.receive(&mut running);
                if let (true, Ok(terminal)) = (talk, &terminal) {
                    terminal.write(&"x".repeat(2000))?;
                }
                drop(terminal);
                settled(running.done()?)?;
                settled(t.call(&["delete", "--force", &id]).done()?)?;
            }
            Ok(())
        },
    );
    g.attack("pid-file-is-a-link", "the pid file's name leads elsewhere", None, |t| {
        let b = t.waiting()?;
        b.write()?;
        let (victim, file, id) = (t.dir().join("victim"), t.dir().join("pid"), t.id());
        fs::write(&victim, "kept")?;
        std::os::unix::fs::symlink(&victim, &file)?;
        settled(t.call(&["create", "--bundle"]).arg(&b.dir).arg("--pid-file").arg(&file).arg(&id).done()?)?;
        check_eq!(fs::read_to_string(&victim)?, "kept", "what the link leads to");
        settled(t.call(&["delete", "--force", &id]).done()?).map(drop)
    });
    g.attack(
        "start-socket-is-misused",
        "somebody connects to a created container and says nothing, or nonsense",
        None,
        |t| {
            let c = t.create(&t.waiting()?)?;
            let socket = t.root().join(&c.id).join("start.sock");
            if !socket.exists() {
                return crate::harness::skip("the runtime has no such socket");
            }
            for _ in 0..20 {
                drop(nonsense(&socket)?);
            }
            let held = nonsense(&socket)?;
            within(Duration::from_millis(50), || None::<()>);
            drop(held);
            c.start_ready()?;
            c.stop()
        },
    );
}

/// A connection that is closed, or kept, without the byte that starts the container.
fn nonsense(path: &std::path::Path) -> crate::harness::Verdict<std::os::fd::OwnedFd> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
    use std::os::fd::AsRawFd;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket)
}
