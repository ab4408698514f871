//! A root file system, or a volume, on a FUSE server that hangs.

use super::{
    fuse_server::{Fuse, Manner},
    ground::settled,
};
use crate::harness::{Suite, Test, Verdict, check, within};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Within this time the runtime has come to where it waits.
const SETTLE: Duration = Duration::from_millis(400);
/// Within this time a forced delete is over, one way or the other.
const BOUND: Duration = Duration::from_secs(13);

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("fuse", "of our own:");
    let manners = [("silent", Manner::Silent), ("unread", Manner::Unread), ("held", Manner::Held)];
    for (name, manner) in manners {
        let what = "the root file system hangs; the runtime is killed";
        g.attack(&format!("{name}-root-runtime-killed"), what, None, move |t| root(t, manner, true));
        let what = "the root file system hangs; the container is deleted by force meanwhile";
        let guard = (manner == Manner::Held).then_some("BoundedDelete");
        g.attack(&format!("{name}-root-deleted"), what, guard, move |t| root(t, manner, false));
        let what = "a volume hangs that something is mounted in";
        g.attack(&format!("{name}-volume"), what, None, move |t| volume(t, manner));
    }
}

fn root(t: &Test, manner: Manner, killed: bool) -> Verdict {
    t.machine.needs_file("/dev/fuse", "FUSE")?;
    let mut b = t.waiting()?;
    // The runtime looks HOME up in the image.
    b.config["process"]["env"] = serde_json::json!(["PATH=/bin"]);
    b.write()?;
    let mut fuse = Fuse::at(&b.rootfs(), manner)?;
    let verdict = hung(t, &b.dir, manner, killed);
    fuse.end();
    verdict
}

fn volume(t: &Test, manner: Manner) -> Verdict {
    t.machine.needs_file("/dev/fuse", "FUSE")?;
    let mut b = t.waiting()?;
    let dir = t.dir().join("volume");
    fs::create_dir(&dir)?;
    let mut fuse = Fuse::at(&dir, manner)?;
    b.mount("/data", "bind", &dir.to_string_lossy(), &["rbind"]).mount("/data/below", "tmpfs", "x", &[]);
    b.write()?;
    let verdict = hung(t, &b.dir, manner, false);
    fuse.end();
    verdict
}

/// `create` hangs. Killed, it ends; a forced delete is over in time; and when the server is gone nothing is left.
fn hung(t: &Test, bundle: &std::path::Path, manner: Manner, killed: bool) -> Verdict {
    let id = t.id();
    let mut running = t.call(&["create", "--bundle"]).arg(bundle).arg(&id).spawn()?;
    within(SETTLE, || running.ended().then_some(()));
    if running.ended() {
        return settled(running.done()?).map(drop);
    }
    if killed {
        kill(Pid::from_raw(running.pid()), Signal::SIGKILL)?;
        let died = within(Duration::from_secs(3), || running.ended().then_some(()));
        check!(
            died.is_some() || manner == Manner::Held,
            "the runtime cannot be killed while it waits for the image"
        );
    }
    let start = Instant::now();
    let deleted = t.call(&["delete", "--force", &id]).done()?;
    check!(start.elapsed() < BOUND, "delete --force took {:?}", start.elapsed());
    let gone = settled(deleted)?;
    if manner != Manner::Held {
        check!(gone, "delete --force failed, though all that waits can be killed");
        // One that waits before anything is on record is nobody's container yet.
        if !killed && manner != Manner::Silent {
            let ended = within(Duration::from_secs(5), || running.ended().then_some(()));
            check!(ended.is_some(), "the container is deleted, and its create hangs on");
        }
    }
    Ok(())
}
