//! `linux.maskedPaths` and `linux.readonlyPaths`.

use crate::harness::{Bundle, Suite, Test, Verdict, View, check, check_eq};
use serde_json::{Value, json};
use std::fs;

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("paths", "config-linux.md");
    g.must("masked-file", "maskedPaths: cannot be read", |t| {
        let r = masked(
            t,
            |b| b.file("/etc/secret", "secret").map(drop),
            &["/etc/secret"],
            &["read:/etc/secret"],
        )?;
        let got = &r["probes"]["read:/etc/secret"];
        check!(got["text"] == "" || got["error"].is_string(), "the file reads {got}");
        Ok(())
    });
    g.must("masked-directory", "maskedPaths: cannot be read", |t| {
        let probes = ["list:/srv/secret", "create:/srv/secret/new"];
        let r = masked(t, |b| b.file("/srv/secret/file", "secret").map(drop), &["/srv/secret"], &probes)?;
        check_eq!(r.probe("list:/srv/secret")?["names"], json!([]), "what is in the directory");
        check!(r.error("create:/srv/secret/new").is_some(), "a file was made in it");
        Ok(())
    });
    g.must("masked-proc-files", "maskedPaths: cannot be read", |t| {
        let all =
            ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats"];
        let r = masked(t, |_| Ok(()), &all, &["read:/proc/keys", "read:/proc/timer_list"])?;
        for path in ["/proc/keys", "/proc/timer_list"].iter().filter(|path| fs::exists(path).unwrap_or(false))
        {
            check_eq!(r["probes"][format!("read:{path}")]["text"], "", "{path}");
        }
        Ok(())
    });
    g.must("masked-proc-directory", "maskedPaths: cannot be read", |t| {
        let r = masked(t, |_| Ok(()), &["/proc/acpi", "/proc/scsi", "/proc/sys"], &["list:/proc/sys"])?;
        check_eq!(r.probe("list:/proc/sys")?["names"], json!([]), "what is in /proc/sys");
        Ok(())
    });
    g.must("masked-missing-is-ignored", "maskedPaths: what is not there needs no mask", |t| {
        masked(t, |_| Ok(()), &["/no/such/path", "/proc/no-such-file"], &[]).map(drop)
    });
    g.must("masked-mount", "maskedPaths: cannot be read", |t| {
        let mut b = t.bundle()?;
        b.mount("/data", "tmpfs", "x", &[]).probe("create:/data/new");
        b.config["linux"]["maskedPaths"] = json!(["/data"]);
        check!(t.report(&b)?.error("create:/data/new").is_some(), "a file was made in it");
        Ok(())
    });
    g.must("masked-twice", "maskedPaths", |t| {
        masked(t, |b| b.directory("/srv/x").map(drop), &["/srv/x", "/srv/x", "/srv"], &[]).map(drop)
    });
    g.must("masked-link-stays-inside", "maskedPaths: paths in the container", |t| {
        let outside = t.dir().join("outside");
        fs::write(&outside, "of the host")?;
        let mut b = t.waiting()?;
        b.link("/srv", &outside.to_string_lossy())?;
        b.config["linux"]["maskedPaths"] = json!(["/srv"]);
        let done = t.try_create(&b)?;
        check_eq!(fs::read_to_string(&outside)?, "of the host", "the host's file");
        if done.code() == 0 { Ok(()) } else { done.refused().map(drop) }
    });
    g.must("readonly-directory", "readonlyPaths: read-only", |t| {
        let probes = ["create:/srv/x/new", "read:/srv/x/file"];
        let r = readonly(t, |b| b.file("/srv/x/file", "text").map(drop), &["/srv/x"], &probes)?;
        check_eq!(r.error("create:/srv/x/new"), Some("EROFS"), "a new file");
        check_eq!(r.probe("read:/srv/x/file")?["text"], "text", "the file");
        Ok(())
    });
    g.must("readonly-file", "readonlyPaths: read-only", |t| {
        let probes = ["write:/etc/file=x", "read:/etc/file"];
        let r = readonly(t, |b| b.file("/etc/file", "text").map(drop), &["/etc/file"], &probes)?;
        check_eq!(r.error("write:/etc/file=x"), Some("EROFS"), "a write");
        check_eq!(r.probe("read:/etc/file")?["text"], "text", "the file");
        Ok(())
    });
    g.must("readonly-proc-sys", "readonlyPaths: read-only", |t| {
        let probe = "write:/proc/sys/kernel/msgmax=8192";
        let r = readonly(
            t,
            |_| Ok(()),
            &["/proc/sys", "/proc/bus", "/proc/irq", "/proc/sysrq-trigger"],
            &[probe],
        )?;
        check_eq!(r.error(probe), Some("EROFS"), "a write to a sysctl");
        Ok(())
    });
    g.must("readonly-missing-is-ignored", "readonlyPaths: what is not there cannot be written", |t| {
        readonly(t, |_| Ok(()), &["/no/such/path"], &[]).map(drop)
    });
    g.must("readonly-keeps-the-flags-of-its-mount", "readonlyPaths: read-only, and nothing else", |t| {
        let mut b = t.bundle()?;
        b.mount("/data", "tmpfs", "x", &["nosuid", "nodev", "noexec", "noatime"]);
        b.config["linux"]["readonlyPaths"] = json!(["/data"]);
        let r = t.report(&b)?;
        for word in ["ro", "nosuid", "nodev", "noexec"] {
            check!(
                crate::harness::strings(&r.mount("/data")?["options"]).contains(&word),
                "/data is not {word}"
            );
        }
        Ok(())
    });
    g.must("sysctl-is-set-before", "readonlyPaths: after the sysctls", |t| {
        let mut b = t.bundle()?;
        b.config["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
        b.config["linux"]["sysctl"] = json!({"kernel.msgmax": "4097"});
        b.probe("read:/proc/sys/kernel/msgmax");
        check_eq!(t.report(&b)?.probe("read:/proc/sys/kernel/msgmax")?["text"], "4097\n", "kernel.msgmax");
        Ok(())
    });
    sysctl(suite);
}

fn listed(
    t: &Test,
    property: &str,
    make: impl Fn(&Bundle) -> std::io::Result<()>,
    paths: &[&str],
    probes: &[&str],
) -> Verdict<Value> {
    let mut b = t.bundle()?;
    make(&b)?;
    b.config["linux"][property] = json!(paths);
    for probe in probes {
        b.probe(*probe);
    }
    t.report(&b)
}

fn masked(
    t: &Test,
    make: impl Fn(&Bundle) -> std::io::Result<()>,
    paths: &[&str],
    probes: &[&str],
) -> Verdict<Value> {
    listed(t, "maskedPaths", make, paths, probes)
}

fn readonly(
    t: &Test,
    make: impl Fn(&Bundle) -> std::io::Result<()>,
    paths: &[&str],
    probes: &[&str],
) -> Verdict<Value> {
    listed(t, "readonlyPaths", make, paths, probes)
}

fn sysctl(suite: &mut Suite) {
    let mut g = suite.group("sysctl", "config-linux.md");
    let settings = [
        ("kernel.msgmax", "4099"),
        ("kernel.shm_rmid_forced", "1"),
        ("kernel.sem", "32001\t1024000001\t501\t32001"),
        ("fs.mqueue.msg_max", "11"),
        ("net.ipv4.ip_forward", "1"),
        ("net.ipv4.ip_local_port_range", "20000\t30000"),
        ("net.ipv4.ping_group_range", "0\t7"),
        ("net.core.somaxconn", "777"),
    ];
    for (key, value) in settings {
        g.must(&format!("set-{key}"), "sysctl", move |t| {
            let path = format!("/proc/sys/{}", key.replace('.', "/"));
            t.machine.needs_file(&path, "a sysctl")?;
            let mut b = t.bundle()?;
            b.namespace("network", None).probe(format!("read:{path}"));
            b.config["linux"]["sysctl"] = json!({key: value.replace('\t', " ")});
            let r = t.report(&b)?;
            let got =
                r.probe(&format!("read:{path}"))?["text"].as_str().unwrap_or_default().trim_end().to_owned();
            check_eq!(got, value, "{key}");
            let host = fs::read_to_string(&path)?;
            check!(host.trim_end() != value, "{key} is {value} on the host too");
            Ok(())
        });
    }
    g.must("hostname-of-a-namespace", "sysctl", |t| {
        let mut b = t.bundle()?;
        b.config["linux"]["sysctl"] = json!({"kernel.domainname": "corten.test"});
        check_eq!(t.report(&b)?["uts"]["domainname"], "corten.test", "domain name");
        Ok(())
    });
    g.must("of-the-host-is-refused", "sysctl: of a namespace of the container alone", |t| {
        refused(t, "vm.swappiness", "77", false)
    });
    g.must("of-an-inherited-network-is-refused", "sysctl: of a namespace of the container alone", |t| {
        refused(t, "net.core.somaxconn", "778", false)
    });
    g.must("unknown-is-refused", "sysctl: an error for what cannot be set", |t| {
        refused(t, "net.ipv4.corten", "1", true)
    });
    g.must("wrong-value-is-refused", "sysctl: an error for what cannot be set", |t| {
        refused(t, "net.ipv4.ip_forward", "steel", true)
    });
    g.must("path-tricks-are-refused", "sysctl: of a namespace of the container alone", |t| {
        refused(t, "net/../vm/swappiness", "77", true)
    });
}

fn refused(t: &Test, key: &str, value: &str, network: bool) -> Verdict {
    let path = format!("/proc/sys/{}", key.replace('.', "/"));
    let before = fs::read_to_string(&path).ok();
    let mut b = t.bundle()?;
    if network {
        b.namespace("network", None);
    }
    b.config["linux"]["sysctl"] = json!({key: value});
    let verdict = t.refuses(&b);
    if let Some(before) = before {
        let after = fs::read_to_string(&path)?;
        if before != after {
            fs::write(&path, &before)?;
        }
        check_eq!(after, before, "{key} of the host");
    }
    verdict.map(drop)
}
