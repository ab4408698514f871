//! Cgroups as a container that may write to its own can leave them.

use super::ground::settled;
use crate::harness::{Bundle, Cgroups, Suite, Test, Verdict, check, check_eq, parse};
use std::fs;

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("cgroups", "of our own:");
    g.attack("odd-cgroups-below", "odd, deep, many and threaded cgroups below the container's", None, |t| {
        let (b, top) = writable(t)?;
        let mut b = b;
        b.payload(&["cgroups", &top]);
        let c = t.create(&b)?;
        c.start_ready()?;
        check!(!c.stdout().contains("made 0"), "the container could make no cgroup: {}", c.stdout());
        c.is("running")?;
        let done = t.call(&["ps", "--format", "json", &c.id]).done()?;
        if done.code() == 0 {
            let all = parse(&done.stdout())?;
            check!(all.as_array().is_some_and(|all| all.len() == 2), "not both of its processes: {all}");
        }
        settled(t.call(&["events", "--stats", &c.id]).done()?)?;
        settled(c.exec(&[], &["exit", "0"])?)?;
        for verb in ["pause", "resume"] {
            settled(t.call(&[verb, &c.id]).done()?)?;
        }
        t.call(&["delete", "--force", &c.id]).done()?.ok()?;
        c.wait().map(drop)
    });
    g.attack("frozen-by-itself", "a container that has frozen itself can be killed and deleted", None, |t| {
        let c = t.running()?;
        let text = fs::read_to_string(format!("/proc/{}/cgroup", c.pid))?;
        let mut frozen = false;
        for hierarchy in &t.machine.hierarchies {
            for line in text.lines() {
                let path = line.splitn(3, ':').nth(2).unwrap_or_default().trim_start_matches('/');
                let dir = hierarchy.at.join(path);
                frozen |= !path.is_empty() && fs::write(dir.join("cgroup.freeze"), "1").is_ok();
                let v1 = hierarchy.controllers.iter().any(|name| name == "freezer");
                frozen |= v1
                    && line.contains(":freezer:")
                    && fs::write(dir.join("freezer.state"), "FROZEN").is_ok();
            }
        }
        check!(frozen, "the suite itself: nothing was frozen");
        c.is("paused")?;
        settled(c.exec(&[], &["exit", "0"])?)?;
        t.call(&["delete", "--force", &c.id]).done()?.ok()?;
        c.wait().map(drop)
    });
    g.attack("removed-by-another", "a container whose cgroup somebody else has removed", None, |t| {
        let c = t.running()?;
        c.stop()?;
        for hierarchy in &t.machine.hierarchies {
            let parent = hierarchy.at.join(t.cgroup_parent().trim_start_matches('/'));
            for entry in
                fs::read_dir(parent)?.flatten().filter(|e| e.file_name().to_string_lossy().contains(t.tag()))
            {
                let _ = fs::remove_dir(entry.path());
            }
        }
        c.is("stopped")?;
        settled(t.call(&["ps", &c.id]).done()?)?;
        c.delete().map(drop)
    });
    g.attack(
        "out-of-the-cgroup",
        "a process that has left the container's cgroups dies with it",
        None,
        |t| {
            let mut b = t.bundle()?;
            b.payload(&["family", "2"]);
            let c = t.running_of(&b)?;
            let done = t.call(&["ps", "--format", "json", &c.id]).done()?;
            if done.code() != 0 {
                return crate::harness::skip("the runtime has no `ps --format json`");
            }
            let all = parse(&done.stdout())?;
            let child =
                all.as_array().into_iter().flatten().filter_map(serde_json::Value::as_i64).max().unwrap_or(0);
            for hierarchy in &t.machine.hierarchies {
                let top = hierarchy.at.join(t.cgroup_parent().trim_start_matches('/'));
                let place = top.join(format!("{}-elsewhere", t.tag()));
                fs::create_dir_all(&place)?;
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    if let Ok(value) = fs::read(top.join(file)) {
                        let _ = fs::write(place.join(file), value);
                    }
                }
                let _ = fs::write(place.join("cgroup.procs"), child.to_string());
            }
            t.call(&["delete", "--force", &c.id]).done()?.ok()?;
            c.wait()?;
            let gone = crate::harness::within(std::time::Duration::from_secs(2), || {
                let _ = nix::sys::wait::waitpid(None, Some(nix::sys::wait::WaitPidFlag::WNOHANG));
                (!std::path::Path::new(&format!("/proc/{child}")).exists()).then_some(())
            });
            check_eq!(gone, Some(()), "whether process {child} is gone");
            for hierarchy in &t.machine.hierarchies {
                let top = hierarchy.at.join(t.cgroup_parent().trim_start_matches('/'));
                crate::harness::remove_cgroup(&top.join(format!("{}-elsewhere", t.tag())));
            }
            Ok(())
        },
    );
}

/// A container that can write to a cgroup of its own, and where.
fn writable(t: &Test) -> Verdict<(Bundle, String)> {
    let mut b = t.bundle()?;
    b.namespace("cgroup", None);
    b.mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]);
    b.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "rw"]);
    b.namespace("network", None);
    let top = if t.machine.cgroups == Cgroups::V2 {
        "/sys/fs/cgroup".to_owned()
    } else {
        t.machine.v1("memory")?;
        "/sys/fs/cgroup/memory".to_owned()
    };
    Ok((b, top))
}
