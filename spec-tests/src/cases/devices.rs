//! `linux.devices` and the default devices.

use crate::harness::{Bundle, Suite, Test, Verdict, View, check_eq, skip};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, makedev, mknod};
use serde_json::{Value, json};

/// Path, major and minor of what each container has.
const DEFAULTS: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("devices", "config-linux.md");
    for (path, major, minor) in DEFAULTS {
        let name = path.trim_start_matches("/dev/");
        g.must(&format!("default-{name}"), &format!("Default Devices: {path}"), move |t| {
            let mut b = t.bundle()?;
            b.probe(format!("stat:{path}"));
            let r = t.report(&b)?;
            let stat = r.probe(&format!("stat:{path}"))?;
            check_eq!(
                (&stat["type"], &stat["major"], &stat["minor"]),
                (&json!("c"), &json!(major), &json!(minor)),
                "{path}"
            );
            check_eq!(stat["mode"], 0o666, "mode of {path}");
            Ok(())
        });
    }
    g.must("default-ptmx", "Default Devices: /dev/ptmx of the container's own devpts", |t| {
        let mut b = t.bundle()?;
        b.probe("stat:/dev/ptmx").probe("stat:/dev/pts/ptmx").probe("open:/dev/ptmx");
        let r = t.report(&b)?;
        let (outer, inner) = (r.probe("stat:/dev/ptmx")?, r.probe("stat:/dev/pts/ptmx")?);
        check_eq!((&outer["inode"], &outer["device"]), (&inner["inode"], &inner["device"]), "/dev/ptmx");
        r.probe("open:/dev/ptmx").map(drop)
    });
    g.must("no-console-without-terminal", "Default Devices: /dev/console with a terminal", |t| {
        let mut b = t.bundle()?;
        b.probe("stat:/dev/console");
        check_eq!(t.report(&b)?.error("stat:/dev/console"), Some("ENOENT"), "/dev/console");
        Ok(())
    });
    g.must("defaults-work", "Default Devices", |t| {
        let mut b = t.bundle()?;
        b.probe("peek:/dev/zero")
            .probe("peek:/dev/urandom")
            .probe("peek:/dev/null")
            .probe("write:/dev/full=x");
        let r = t.report(&b)?;
        check_eq!(
            r.probe("peek:/dev/zero")?["bytes"],
            json!([0, 0, 0, 0, 0, 0, 0, 0]),
            "what /dev/zero gives"
        );
        check_eq!(r.probe("peek:/dev/null")?["count"], 0, "what /dev/null gives");
        r.probe("peek:/dev/urandom")?;
        check_eq!(r.error("write:/dev/full=x"), Some("ENOSPC"), "a write to /dev/full");
        Ok(())
    });
    g.must("character-device", "devices: available in the container", |t| {
        let device = json!({"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229});
        one(t, &device, "c", Some((10, 229))).map(drop)
    });
    g.must("block-device", "devices: available in the container", |t| {
        let device = json!({"path": "/dev/disk", "type": "b", "major": 7, "minor": 1});
        one(t, &device, "b", Some((7, 1))).map(drop)
    });
    g.must("fifo", "devices.type: p", |t| {
        one(t, &json!({"path": "/run/fifo", "type": "p"}), "p", None).map(drop)
    });
    g.must("unbuffered", "devices.type: u", |t| {
        let device = json!({"path": "/dev/u", "type": "u", "major": 1, "minor": 3});
        one(t, &device, "c", Some((1, 3))).map(drop)
    });
    g.must("mode-and-owner", "devices.fileMode, uid, gid", |t| {
        let device = json!({"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 7, "gid": 8});
        let stat = one(t, &device, "c", Some((10, 229)))?;
        check_eq!((&stat["mode"], &stat["uid"], &stat["gid"]), (&json!(0o640), &json!(7), &json!(8)), "/dev/fuse");
        Ok(())
    });
    g.must("mode-whatever-the-mask", "devices.fileMode", |t| {
        let mut b = t.bundle()?;
        b.config["process"]["user"]["umask"] = json!(0o077);
        b.push(
            "/linux/devices",
            json!({"path": "/dev/x", "type": "c", "major": 1, "minor": 5, "fileMode": 0o666}),
        );
        b.probe("stat:/dev/x");
        check_eq!(t.report(&b)?.probe("stat:/dev/x")?["mode"], 0o666, "mode");
        Ok(())
    });
    g.must("outside-of-dev", "devices.path: anywhere in the container", |t| {
        let device = json!({"path": "/srv/deep/null", "type": "c", "major": 1, "minor": 3});
        one(t, &device, "c", Some((1, 3))).map(drop)
    });
    g.must("of-a-default-path", "devices: available in the container", |t| {
        let device = json!({"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600});
        one(t, &device, "c", Some((1, 3))).map(drop)
    });
    g.must("existing-mismatch-is-refused", "devices.path: an error for a file that does not match", |t| {
        let mut b = t.bundle()?;
        b.file("/srv/null", "a regular file")?;
        b.push("/linux/devices", json!({"path": "/srv/null", "type": "c", "major": 1, "minor": 3}));
        t.refuses(&b).map(drop)
    });
    g.must(
        "default-over-an-empty-file",
        "Default Devices: /dev of the image, after a user namespace's binds",
        |t| {
            let mut b = t.bundle()?;
            let mounts = b.config["mounts"].as_array().cloned().unwrap_or_default();
            let elsewhere =
                |mount: &Value| !mount["destination"].as_str().unwrap_or_default().starts_with("/dev");
            b.config["mounts"] = mounts.into_iter().filter(elsewhere).collect();
            b.file("/dev/null", "")?;
            b.probe("stat:/dev/null");
            let stat = t.report(&b)?.probe("stat:/dev/null")?.clone();
            check_eq!(
                (&stat["type"], &stat["major"], &stat["minor"]),
                (&json!("c"), &json!(1), &json!(3)),
                "/dev/null"
            );
            Ok(())
        },
    );
    g.must("unknown-type-is-refused", "devices.type: c, b, u or p", |t| {
        let mut b = t.bundle()?;
        b.push("/linux/devices", json!({"path": "/dev/x", "type": "x", "major": 1, "minor": 3}));
        t.refuses(&b).map(drop)
    });
    g.must("usable", "devices: available in the container", |t| {
        let mut b = t.bundle()?;
        b.push("/linux/devices", json!({"path": "/dev/other", "type": "c", "major": 1, "minor": 5}));
        b.config["linux"]["resources"] = json!({"devices": [
            {"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 5, "access": "rw"},
        ]});
        b.probe("peek:/dev/other");
        t.report(&b)?.probe("peek:/dev/other").map(drop)
    });
    allowed(suite);
}

fn one(t: &Test, device: &Value, kind: &str, numbers: Option<(u32, u32)>) -> Verdict<Value> {
    let mut b = t.bundle()?;
    let path = device["path"].as_str().unwrap_or_default().to_owned();
    b.push("/linux/devices", device.clone()).probe(format!("stat:{path}"));
    let r = t.report(&b)?;
    let stat = r.probe(&format!("stat:{path}"))?;
    check_eq!(stat["type"], kind, "type of {path}");
    if let Some((major, minor)) = numbers {
        check_eq!((&stat["major"], &stat["minor"]), (&json!(major), &json!(minor)), "numbers of {path}");
    }
    Ok(stat.clone())
}

/// A device that no rule of the runtime's own allows: /dev/fuse. Its driver lets anyone open it.
const FUSE: &str = "/srv/fuse";

/// `linux.resources.devices`: the payload opens nodes that the image has already.
fn allowed(suite: &mut Suite) {
    let mut g = suite.group("devices", "config-linux.md");
    let deny = json!({"allow": false, "access": "rwm"});
    let fuse = |allow: bool, access: &str| json!({"allow": allow, "type": "c", "major": 10, "minor": 229, "access": access});
    // Name, entries, and whether the device may be read, written, both.
    let cases: [(&str, Value, [bool; 3]); 10] = [
        ("deny-all", json!([deny]), [false; 3]),
        ("one", json!([deny, fuse(true, "rwm")]), [true; 3]),
        ("reading", json!([deny, fuse(true, "r")]), [true, false, false]),
        ("writing", json!([deny, fuse(true, "w")]), [false, true, false]),
        ("making-alone", json!([deny, fuse(true, "m")]), [false; 3]),
        ("all-minors", json!([deny, {"allow": true, "type": "c", "major": 10, "access": "rw"}]), [true; 3]),
        ("of-the-other-kind", json!([deny, {"allow": true, "type": "b", "access": "rwm"}]), [false; 3]),
        ("then-denied", json!([deny, fuse(true, "rw"), fuse(false, "rw")]), [false; 3]),
        ("denied-then-allowed", json!([deny, fuse(false, "rw"), fuse(true, "rw")]), [true; 3]),
        ("allow-all", json!([{"allow": true, "access": "rwm"}]), [true; 3]),
    ];
    for (name, entries, want) in cases {
        g.must(&format!("allowed-{name}"), "resources.devices: applied in the listed order", move |t| {
            let mut b = fuse_bundle(t)?;
            b.config["linux"]["resources"] = json!({"devices": entries});
            opened(&t.report(&b)?, want)
        });
    }
    g.must(
        "allowed-hole-in-a-wildcard",
        "resources.devices: applied in the listed order, or an error",
        move |t| {
            let mut b = fuse_bundle(t)?;
            b.config["linux"]["resources"] = json!({"devices": [
                deny, {"allow": true, "type": "c", "major": 10, "access": "rwm"}, fuse(false, "rwm"),
            ]});
            // Version 1 cannot express it.
            match t.try_run(&b)? {
                done if done.code() == 0 => opened(&crate::harness::parse(&done.stdout())?, [false; 3]),
                done => done.refused().map(drop),
            }
        },
    );
    g.must("allowed-defaults-stay", "Default Devices: usable whatever the list says", |t| {
        let mut b = t.bundle()?;
        b.config["linux"]["resources"] = json!({"devices": [{"allow": false, "access": "rwm"}]});
        for device in ["null", "zero", "full", "random", "urandom", "ptmx"] {
            b.probe(format!("open:/dev/{device}"));
        }
        let r = t.report(&b)?;
        for device in ["null", "zero", "full", "random", "urandom", "ptmx"] {
            r.probe(&format!("open:/dev/{device}"))?;
        }
        Ok(())
    });
}

fn fuse_bundle(t: &Test) -> Verdict<Bundle> {
    t.machine.needs_device_control()?;
    let misc = std::fs::read_to_string("/proc/misc")?;
    if !misc.lines().any(|line| line.trim() == "229 fuse") {
        return skip("this kernel has no /dev/fuse to try");
    }
    let mut b = t.bundle()?;
    b.directory("/srv")?;
    mknod(&b.inside(FUSE), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(10, 229))?;
    nix::sys::stat::fchmodat(
        nix::fcntl::AT_FDCWD,
        &b.inside(FUSE),
        Mode::from_bits_truncate(0o666),
        FchmodatFlags::FollowSymlink,
    )?;
    b.probe(format!("open-to-read:{FUSE}"))
        .probe(format!("open-to-write:{FUSE}"))
        .probe(format!("open:{FUSE}"));
    Ok(b)
}

fn opened(report: &Value, want: [bool; 3]) -> Verdict {
    for (probe, want) in ["open-to-read", "open-to-write", "open"].iter().zip(want) {
        let error = report.error(&format!("{probe}:{FUSE}"));
        check_eq!(error, if want { None } else { Some("EPERM") }, "{probe} of the device");
    }
    Ok(())
}
