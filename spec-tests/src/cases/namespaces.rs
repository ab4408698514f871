//! `linux.namespaces`: new, inherited and joined by path; hostname, time offsets.

use crate::harness::{Bundle, Suite, Test, Verdict, View, check, check_eq, skip, strings};
use serde_json::{Value, json};
use std::fs;

/// The type in config.json and the file in /proc/PID/ns that shows it.
const TYPES: [(&str, &str); 8] = [
    ("pid", "pid"),
    ("network", "net"),
    ("mount", "mnt"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("user", "user"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("namespaces", "config-linux.md");
    for (kind, file) in TYPES {
        g.since(1, u32::from(kind == "time"));
        g.must(&format!("new-{kind}"), "namespaces: a new one without a path", move |t| {
            let r = t.report(&with_new(t, kind)?)?;
            check!(r.namespace(file) != own(file)?, "the {kind} namespace is the host's");
            Ok(())
        });
        if kind != "mount" {
            g.must(&format!("inherited-{kind}"), "namespaces: inherited if not listed", move |t| {
                let mut b = t.bundle()?;
                b.without_namespace(kind);
                check_eq!(t.report(&b)?.namespace(file), own(file)?, "the {kind} namespace");
                Ok(())
            });
        }
        g.must(
            &format!("joined-{kind}"),
            "namespaces.path: the process is placed in that namespace",
            move |t| joined(t, kind, file),
        );
        g.must(
            &format!("joined-{kind}-of-the-wrong-type"),
            "namespaces.path: an error for another type",
            move |t| {
                let other = if file == "uts" { "ipc" } else { "uts" };
                let mut b = t.bundle()?;
                b.without_namespace(kind).namespace(kind, Some(&format!("/proc/self/ns/{other}")));
                t.refuses(&b).map(drop)
            },
        );
        g.must(&format!("joined-{kind}-missing"), "namespaces.path: an error if there is none", move |t| {
            let mut b = t.bundle()?;
            b.without_namespace(kind).namespace(kind, Some("/no/such/namespace"));
            t.refuses(&b).map(drop)
        });
        g.must(&format!("repeated-{kind}"), "namespaces: an error for repeated types", move |t| {
            let mut b = with_new(t, kind)?;
            b.namespace(kind, None);
            t.refuses(&b).map(drop)
        });
    }
    g.since(1, 0);
    g.must("joined-file-that-is-no-namespace", "namespaces.path: an error for another type", |t| {
        let mut b = t.bundle()?;
        b.namespace("network", Some("/etc/passwd"));
        t.refuses(&b).map(drop)
    });
    g.must("joined-relative-path", "namespaces.path: an absolute path", |t| {
        let mut b = t.bundle()?;
        b.namespace("network", Some("proc/self/ns/net"));
        b.write()?;
        t.call(&["create", "--bundle"]).arg(&b.dir).arg(t.id()).in_dir("/").done()?.refused().map(drop)
    });
    g.must("unknown-type-is-refused", "namespaces.type: Valid values", |t| {
        let mut b = t.bundle()?;
        b.namespace("steel", None);
        t.refuses(&b).map(drop)
    });
    g.must("pod", "namespaces.path: several, as a pod's containers share them", |t| {
        let mut sandbox = t.waiting()?;
        sandbox.namespace("network", None).config["hostname"] = json!("pod");
        let first = t.running_of(&sandbox)?;
        let mut b = t.bundle()?;
        for (kind, file) in [("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("pid", "pid")] {
            b.without_namespace(kind).namespace(kind, Some(&format!("/proc/{}/ns/{file}", first.pid)));
        }
        let r = t.report(&b)?;
        check_eq!(r["uts"]["hostname"], "pod", "hostname");
        check!(r["pid"] != 1, "the second container's process is the first of the pod's");
        for file in ["net", "ipc", "uts", "pid"] {
            check_eq!(r.namespace(file), first.namespace(file)?, "the {file} namespace");
        }
        first.is("running")
    });
    g.must("network-has-a-loopback-alone", "namespaces: its own network stack", |t| {
        let mut b = t.bundle()?;
        b.namespace("network", None);
        let r = t.report(&b)?;
        let got = strings(&r["interfaces"]);
        check!(got.contains(&"lo") && !got.contains(&"eth0"), "interfaces: {got:?}");
        Ok(())
    });
    g.may("network-loopback-is-up", "namespaces: a new network is the runtime's to set up", |t| {
        let mut b = t.bundle()?;
        b.without_namespace("network").namespace("network", None);
        check_eq!(t.report(&b)?["loopback"], true, "whether 127.0.0.1 can be connected to");
        Ok(())
    });
    g.may("network-loopback-is-up-in-a-user-namespace", "namespaces: the same", |t| {
        let mut b = with_new(t, "user")?;
        b.without_namespace("network").namespace("network", None);
        check_eq!(t.report(&b)?["loopback"], true, "whether 127.0.0.1 can be connected to");
        Ok(())
    });
    g.may("network-joined-is-left-as-it-is", "namespaces.path: what is joined is another's", |t| {
        joined_of_the_host(t, "network", "net", |r| {
            check_eq!(r["loopback"], false, "whether 127.0.0.1 can be connected to");
            Ok(())
        })
    });
    g.must("cgroup-view", "namespaces: an isolated view of the cgroup hierarchy", |t| {
        let mut b = t.bundle()?;
        b.namespace("cgroup", None);
        let r = t.report(&b)?;
        let text = r["cgroup"].as_str().unwrap_or_default();
        for line in text.lines().filter(|line| line.contains("pids") || line.starts_with("0::")) {
            check!(line.ends_with(":/"), "/proc/self/cgroup shows {line:?}");
        }
        Ok(())
    });
    g.must("ipc-is-apart", "namespaces: processes inside see their own objects alone", |t| {
        let mut b = t.bundle()?;
        b.probe("read:/proc/sysvipc/shm");
        let r = t.report(&b)?;
        let text = r.probe("read:/proc/sysvipc/shm")?["text"].as_str().unwrap_or_default();
        check_eq!(text.lines().count(), 1, "shared memory segments and a heading");
        Ok(())
    });
    names(suite);
    time(suite);
}

fn own(file: &str) -> Verdict<String> {
    match fs::read_link(format!("/proc/self/ns/{file}")) {
        Ok(link) => Ok(link.to_string_lossy().into_owned()),
        Err(_) => skip(format!("this kernel has no {file} namespaces")),
    }
}

/// A bundle with a new namespace of this type.
fn with_new(t: &Test, kind: &str) -> Verdict<Bundle> {
    let mut b = t.bundle()?;
    b.without_namespace(kind);
    if kind == "user" {
        b.user_namespace(100_000, 1000)?;
    } else {
        b.namespace(kind, None);
    }
    Ok(b)
}

/// A namespace that no runtime has made. That of mounts is one in which the bundle can be found, as the runtime needs it.
fn joined_of_the_host(t: &Test, kind: &str, file: &str, look: fn(&Value) -> Verdict) -> Verdict {
    let mut holder = std::process::Command::new(t.host_payload())
        .arg("apart")
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let mut ready = [0u8; 6];
    let told = holder.stdout.take().map(|mut out| std::io::Read::read_exact(&mut out, &mut ready));
    let verdict = (|| {
        check!(matches!(told, Some(Ok(()))), "the suite itself: no namespace to join");
        let path = format!("/proc/{}/ns/{file}", holder.id());
        let want = fs::read_link(&path)?;
        let mut b = t.bundle()?;
        b.without_namespace(kind).namespace(kind, Some(&path));
        let c = t.started(&b)?;
        check_eq!(c.wait()?, 0, "exit code");
        let r = c.report()?;
        check_eq!(r.namespace(file), want.to_string_lossy().as_ref(), "the {kind} namespace");
        look(&r)?;
        c.delete().map(drop)
    })();
    holder.kill()?;
    holder.wait()?;
    verdict
}

fn joined(t: &Test, kind: &str, file: &str) -> Verdict {
    own(file)?;
    if kind == "mount" {
        return joined_of_the_host(t, kind, file, |_| Ok(()));
    }
    let mut holder = with_new(t, kind)?;
    holder.payload(&["wait"]);
    let first = t.running_of(&holder)?;
    let mut b = t.bundle()?;
    if kind == "user" {
        // It owns no other namespace of the first container: those are new.
        let root = b.rootfs();
        for dir in [root.clone(), root.join("tmp")] {
            std::os::unix::fs::chown(dir, Some(100_000), Some(100_000))?;
        }
    }
    b.without_namespace(kind).namespace(kind, Some(&format!("/proc/{}/ns/{file}", first.pid)));
    // `run` in the foreground would wait for what the pid namespace's first process does.
    let second = t.started(&b)?;
    check_eq!(second.wait()?, 0, "exit code");
    check_eq!(second.report()?.namespace(file), first.namespace(file)?, "the {kind} namespace");
    first.is("running")
}

fn names(suite: &mut Suite) {
    let mut g = suite.group("namespaces", "config.md");
    g.must("hostname", "hostname", |t| {
        let mut b = t.bundle()?;
        b.config["hostname"] = json!("corten-1.example");
        let r = t.report(&b)?;
        check_eq!(r["uts"]["hostname"], "corten-1.example", "hostname");
        check!(nix::unistd::gethostname()? != "corten-1.example", "the host has the name too");
        Ok(())
    });
    g.must("hostname-of-64-bytes", "hostname", |t| {
        let mut b = t.bundle()?;
        let name = "n".repeat(64);
        b.config["hostname"] = json!(name);
        check_eq!(t.report(&b)?["uts"]["hostname"], name, "hostname");
        Ok(())
    });
    g.must("hostname-too-long-is-refused", "hostname: an error for what cannot be set", |t| {
        let mut b = t.bundle()?;
        b.config["hostname"] = json!("n".repeat(65));
        t.refuses(&b).map(drop)
    });
    g.must("hostname-without-a-namespace-leaves-the-host-alone", "hostname", |t| {
        let before = nix::unistd::gethostname()?;
        let mut b = t.bundle()?;
        b.without_namespace("uts").config["hostname"] = json!("corten-of-the-host");
        let done = t.try_create(&b)?;
        let after = nix::unistd::gethostname()?;
        if before != after {
            fs::write("/proc/sys/kernel/hostname", before.to_string_lossy().as_bytes())?;
        }
        check_eq!(after, before, "the host's name");
        if done.code() == 0 { Ok(()) } else { done.refused().map(drop) }
    });
    g.must("hostname-is-the-hosts-if-unset", "hostname", |t| {
        let host = nix::unistd::gethostname()?;
        check_eq!(t.report(&t.bundle()?)?["uts"]["hostname"], host.to_string_lossy().as_ref(), "hostname");
        Ok(())
    });
    g.since(1, 1);
    g.must("domainname", "domainname", |t| {
        let mut b = t.bundle()?;
        b.config["domainname"] = json!("example.test");
        check_eq!(t.report(&b)?["uts"]["domainname"], "example.test", "domain name");
        Ok(())
    });
}

fn time(suite: &mut Suite) {
    let mut g = suite.group("namespaces", "config-linux.md");
    g.since(1, 1);
    g.must("time-offsets", "timeOffsets: monotonic and boottime", |t| {
        own("time")?;
        let mut b = t.bundle()?;
        b.namespace("time", None);
        b.config["linux"]["timeOffsets"] =
            json!({"monotonic": {"secs": 500_000, "nanosecs": 7}, "boottime": {"secs": 900_000}});
        let r = t.report(&b)?;
        let text = r["timeOffsets"].as_str().unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        check_eq!(words, vec!["monotonic", "500000", "7", "boottime", "900000", "0"], "offsets");
        check!(r["monotonic"].as_i64() > Some(500_000), "the monotonic clock shows {}", r["monotonic"]);
        check!(r["boottime"].as_i64() > Some(900_000), "the boot clock shows {}", r["boottime"]);
        Ok(())
    });
    g.must("time-offsets-of-exec", "timeOffsets: in the container", |t| {
        own("time")?;
        let mut b = t.waiting()?;
        b.namespace("time", None);
        b.config["linux"]["timeOffsets"] = json!({"monotonic": {"secs": 500_000}});
        let c = t.running_of(&b)?;
        let r: Value = c.exec_report(&[], &[])?;
        check!(r["monotonic"].as_i64() > Some(500_000), "the monotonic clock shows {}", r["monotonic"]);
        Ok(())
    });
    g.must("time-offsets-without-a-namespace-are-refused", "timeOffsets: of a time namespace", |t| {
        let mut b = t.bundle()?;
        b.config["linux"]["timeOffsets"] = json!({"monotonic": {"secs": 5}});
        t.refuses(&b).map(drop)
    });
    g.must("time-offsets-of-an-unknown-clock-are-refused", "timeOffsets: Valid values", |t| {
        let mut b = t.bundle()?;
        b.namespace("time", None);
        b.config["linux"]["timeOffsets"] = json!({"sundial": {"secs": 5}});
        t.refuses(&b).map(drop)
    });
}
