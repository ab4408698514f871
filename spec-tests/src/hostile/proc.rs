//! /proc and /sys: where they are mounted, and what the runtime writes there.

use super::ground::{Outside, settled};
use crate::{
    harness::{Bundle, Suite, Test, Verdict, View, check, check_eq, fail, parse, within},
    payload,
};
use nix::sched::{CloneFlags, setns};
use serde_json::json;
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    thread,
    time::Duration,
};

const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("proc", "CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2025-54867:");
    for (at, kind) in [("/proc", "proc"), ("/sys", "sysfs")] {
        for (name, to) in [
            ("to-a-directory-of-the-image", "/evil"),
            ("to-the-root", "."),
            ("to-itself", at),
            ("to-above-the-root", "../../../../../../../.."),
            ("to-the-host", "@"),
        ] {
            let what = format!("the image's {at} is a symlink");
            let guard = (to != at).then_some("ProcDirectory");
            g.attack(&format!("{kind}-link-{name}"), &what, guard, move |t| linked(t, at, kind, to));
        }
    }
    let mut g = suite.group("proc", "CVE-2019-16884:");
    g.attack("volume-over-proc", "a volume over /proc takes what is written", Some("ProcfsHandle"), |t| {
        let mut b = sysctl(t)?;
        let fake = t.dir().join("fake");
        fs::create_dir_all(fake.join("sys/net/ipv4"))?;
        let file = fake.join("sys/net/ipv4/ip_forward");
        fs::write(&file, "0")?;
        b.mount("/proc", "bind", &fake.to_string_lossy(), &["rbind"]);
        forwards(t, &b)?;
        check_eq!(fs::read_to_string(&file)?, "0", "what the volume's file holds");
        Ok(())
    });
    let mut g = suite.group("proc", "CVE-2025-52881, CVE-2025-62596:");
    g.attack(
        "other-file-of-proc",
        "a mount leads a sysctl to another file of /proc",
        Some("ProcfsHandle"),
        |t| {
            let own = format!("/proc/{}/oom_score_adj", std::process::id());
            let before = fs::read_to_string(&own)?;
            let mut b = sysctl(t)?;
            b.mount(FORWARD, "bind", &own, &["bind"]);
            let verdict = forwards(t, &b);
            check_eq!(fs::read_to_string(&own)?, before, "the other file");
            verdict
        },
    );
    g.attack(
        "link-in-a-volume-over-proc-sys",
        "a symlink leads a sysctl to another file",
        Some("ProcfsHandle"),
        |t| {
            let outside = Outside::new(t)?;
            let fake = t.dir().join("fake");
            fs::create_dir_all(fake.join("net/ipv4"))?;
            fs::write(fake.join("victim"), "unharmed")?;
            symlink("/proc/sys/victim", fake.join("net/ipv4/ip_forward"))?;
            let mut b = sysctl(t)?;
            b.mount("/proc/sys", "bind", &fake.to_string_lossy(), &["rbind"]);
            let verdict = forwards(t, &b);
            check_eq!(fs::read_to_string(fake.join("victim"))?, "unharmed", "the file that the link names");
            outside.untouched()?;
            verdict
        },
    );
    let mut g = suite.group("proc", "CVE-2026-115521:");
    g.attack(
        "forged-descriptors",
        "a forged /proc/self/fd leads the last remount astray",
        Some("LateReadOnly"),
        |t| {
            let fake = t.dir().join("fake");
            fs::create_dir_all(fake.join("self/fd"))?;
            symlink("self", fake.join("thread-self"))?;
            for number in 0..512 {
                symlink("/victim", fake.join(format!("self/fd/{number}")))?;
            }
            let mut b = t.bundle()?;
            b.mount("/victim", "tmpfs", "victim", &[]).mount("/late", "tmpfs", "late", &["ro"]);
            b.mount("/proc", "bind", &fake.to_string_lossy(), &["rbind"]);
            b.payload(&["probe", "create:/late/new", "create:/victim/new"]);
            let done = t.try_run(&b)?;
            let out = done.stdout();
            if settled(done)? {
                let r = parse(&out)?;
                check_eq!(r["create:/late/new"]["error"], "EROFS", "a file in the read-only mount");
                check_eq!(r["create:/victim/new"]["ok"], true, "a file in the other one");
            }
            Ok(())
        },
    );
    let mut g = suite.group("proc", "of our own:");
    g.attack(
        "covered-by-the-container",
        "exec where the container has covered /proc with its own",
        None,
        |t| {
            let mut b = t.waiting()?;
            b.user_namespace(100_000, 65536)?;
            all_capabilities(t, &mut b);
            b.payload(&["cover-proc"]);
            let c = t.create(&b)?;
            if !settled(c.start()?)? {
                return Ok(());
            }
            c.ready()?;
            let done = c.exec(&["--cwd", "/tmp"], &["open-descriptors"])?;
            let out = done.stdout();
            if settled(done)? {
                check_eq!(parse(&out)?["descriptors"], json!([0, 1, 2]), "open descriptors");
            }
            c.is("running")
        },
    );
}

/// All capabilities that there are, as the root of a user namespace has them; without one those that this machine grants.
pub(super) fn all_capabilities(t: &Test, b: &mut Bundle) {
    let own = b.config["linux"]["uidMappings"].is_array();
    let granted = payload::CAPABILITIES.iter().zip(0..).filter(|(_, n)| own || t.machine.has_capability(*n));
    let all: Vec<String> = granted.map(|(name, _)| format!("CAP_{name}")).collect();
    b.config["process"]["capabilities"] = json!({"bounding": all, "effective": all, "permitted": all});
}

fn linked(t: &Test, at: &str, kind: &str, to: &str) -> Verdict {
    let outside = Outside::new(t)?;
    let to = if to == "@" { outside.text("empty") } else { to.to_owned() };
    let mut b = t.bundle()?;
    if at == "/sys" {
        b.mount("/sys", "sysfs", "sysfs", &["ro", "nosuid", "noexec", "nodev"]);
        b.namespace("network", None);
    }
    b.file("/evil/self/attr/exec", "")?;
    fs::remove_dir(b.inside(at))?;
    b.link(at, &to)?;
    let done = t.try_run(&b)?;
    let out = done.stdout();
    let ran = settled(done)?;
    outside.untouched()?;
    if ran {
        let r = parse(&out)?;
        check_eq!(r.mount(at)?["type"], kind, "what is mounted at {at}");
        check!(!b.inside(at).is_symlink(), "{at} is a symlink, and the container runs");
    }
    Ok(())
}

/// A bundle that switches forwarding on in a network of its own.
fn sysctl(t: &Test) -> Verdict<Bundle> {
    t.machine.needs_file(FORWARD, "a sysctl")?;
    let mut b = t.waiting()?;
    b.namespace("network", None);
    b.config["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
    Ok(b)
}

/// The container is refused, or forwarding is on in its network.
fn forwards(t: &Test, b: &Bundle) -> Verdict {
    b.write()?;
    let (id, file) = (t.id(), t.dir().join("pid"));
    let done = t.call(&["create", "--bundle"]).arg(&b.dir).arg("--pid-file").arg(&file).arg(&id).done()?;
    let out = done.out.clone();
    if !settled(done)? {
        return Ok(());
    }
    let c = t.container(&id, &file, out)?;
    let network = File::open(format!("/proc/{}/ns/net", c.pid))?;
    let read = thread::spawn(move || {
        setns(network, CloneFlags::CLONE_NEWNET)?;
        within(Duration::ZERO, || fs::read_to_string(FORWARD).ok()).ok_or(nix::errno::Errno::ENOENT)
    });
    match read.join() {
        Ok(Ok(value)) if value.trim() == "1" => Ok(()),
        Ok(Ok(value)) => fail(format!("the container was made, its forwarding is {:?}", value.trim())),
        other => fail(format!("the suite itself: {other:?}")),
    }
}
