//! /dev: symlinks and volumes in place of what the runtime makes, masks with and opens there.

use super::ground::{Outside, SECRET, last_json, settled, with_terminal};
use crate::harness::{Bundle, Suite, Test, Verdict, View, check, check_eq, parse};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("devices", "CVE-2026-41579, CVE-2026-47766:");
    for (name, to) in
        [("to-the-host", "@"), ("above-the-root", "../../../../../../../../@"), ("to-a-missing-one", "@/new")]
    {
        let what = "the image's /dev is a symlink: devices and links are made on the host";
        let guard = (to != "@/new").then_some("InRoot");
        g.attack(&format!("dev-link-{name}"), what, guard, move |t| {
            let outside = Outside::new(t)?;
            let mut b = t.bundle()?;
            fs::remove_dir(b.inside("/dev"))?;
            b.link("/dev", &to.replace('@', &outside.text("")))?;
            b.without_mount("/dev").without_mount("/dev/pts");
            settled(t.try_run(&b)?)?;
            outside.untouched()
        });
    }
    g.attack("dev-link-with-mounts", "the same with a tmpfs and a devpts there", Some("InRoot"), |t| {
        let outside = Outside::new(t)?;
        let b = t.bundle()?;
        fs::remove_dir(b.inside("/dev"))?;
        b.link("/dev", &b.inside("/victim").to_string_lossy())?.directory("/victim")?;
        let out = piped(t, &b)?;
        outside.untouched()?;
        if let Some(out) = out {
            let r = parse(&out)?;
            let at: Vec<_> = r["mounts"].as_array().into_iter().flatten().map(|m| &m["at"]).collect();
            check!(!at.iter().any(|at| **at == "/victim"), "mounted at the host's path: {at:?}");
        }
        Ok(())
    });
    let mut g = suite.group("devices", "CVE-2025-31133, CVE-2025-62161:");
    g.attack(
        "null-link-masks",
        "a file is masked with what the image's /dev/null leads to",
        Some("NullMask"),
        |t| {
            let (mut b, volume) = volume(t)?;
            b.file("/secret", SECRET)?.file("/etc/masked", "hidden")?;
            symlink("/secret", volume.join("null"))?;
            b.config["linux"]["maskedPaths"] = json!(["/etc/masked"]);
            b.payload(&["probe", "read:/etc/masked", "write:/etc/masked=x"]);
            let out = piped(t, &b)?;
            if let Some(out) = out {
                check_eq!(parse(&out)?["read:/etc/masked"]["text"], "", "what the masked file holds");
            }
            check_eq!(fs::read_to_string(b.inside("/secret"))?, SECRET, "what the link leads to");
            Ok(())
        },
    );
    g.attack(
        "null-of-another-kind-masks",
        "a file is masked with a /dev/null that is none",
        Some("NullMask"),
        |t| {
            let (mut b, volume) = volume(t)?;
            b.file("/etc/masked", "hidden")?;
            fs::write(volume.join("null"), "of the volume")?;
            b.config["linux"]["maskedPaths"] = json!(["/etc/masked"]);
            b.payload(&["probe", "read:/etc/masked"]);
            if let Some(out) = piped(t, &b)? {
                check_eq!(parse(&out)?["read:/etc/masked"]["text"], "", "what the masked file holds");
            }
            Ok(())
        },
    );
    let mut g = suite.group("devices", "CVE-2026-88265:");
    for kind in ["link", "file", "fifo"] {
        let what = "standard streams are opened through a /dev/null of the image";
        let guard = if kind == "fifo" { None } else { Some("NullStream") };
        g.attack(&format!("null-{kind}-becomes-a-stream"), what, guard, move |t| {
            let (mut b, volume) = volume(t)?;
            b.file("/victim", "victim")?;
            match kind {
                "link" => symlink("/victim", volume.join("null"))?,
                "file" => fs::write(volume.join("null"), "victim")?,
                _ => nix::unistd::mkfifo(&volume.join("null"), Mode::from_bits_truncate(0o666))?,
            }
            b.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
            let done = t.try_run(&b)?;
            let out = done.stdout();
            if settled(done)? {
                let r = parse(&out)?;
                let stdin = r["descriptors"]["0"].as_str().unwrap_or_default();
                check!(!stdin.contains("victim"), "standard input is {stdin}");
                if kind != "link" {
                    check!(!stdin.ends_with("/null"), "standard input is the volume's /dev/null, a {kind}");
                }
            }
            use std::os::unix::fs::MetadataExt;
            check_eq!(fs::metadata(b.inside("/victim"))?.uid(), 0, "owner of what the link leads to");
            Ok(())
        });
    }
    console(suite);
    nodes(suite);
}

/// A bundle with a volume at /dev, which nothing of the runtime's has made, and the volume.
fn volume(t: &Test) -> Verdict<(Bundle, PathBuf)> {
    let mut b = t.bundle()?;
    let volume = t.dir().join("volume");
    fs::create_dir_all(volume.join("pts"))?;
    b.without_mount("/dev").without_mount("/dev/pts");
    b.mount("/dev", "bind", &volume.to_string_lossy(), &["rbind"]);
    Ok((b, volume))
}

/// Runs `b` with a pipe for standard input, so that no /dev/null has to be opened.
fn piped(t: &Test, b: &Bundle) -> Verdict<Option<String>> {
    b.write()?;
    let done = t.call(&["run", "--bundle"]).arg(&b.dir).arg(t.id()).input("x").done()?;
    let out = done.stdout();
    Ok(settled(done)?.then_some(out))
}

fn console(suite: &mut Suite) {
    let mut g = suite.group("devices", "CVE-2026-88264:");
    for (name, to) in [("to-the-host", "@"), ("to-a-missing-file", "/made"), ("to-a-file", "/victim")] {
        let what = "the image's /dev/console is a symlink: what it leads to is made or mounted upon";
        let guard = if name == "to-the-host" { None } else { Some("ConsoleLink") };
        g.attack(&format!("console-link-{name}"), what, guard, move |t| {
            let outside = Outside::new(t)?;
            let (mut b, volume) = volume(t)?;
            b.file("/victim", "victim")?;
            symlink("pts/ptmx", volume.join("ptmx"))?;
            symlink(to.replace('@', &outside.text("made")), volume.join("console"))?;
            b.mount("/dev/pts", "devpts", "devpts", &["newinstance", "ptmxmode=0666"]);
            b.config["process"]["terminal"] = json!(true);
            let text = with_terminal(t, &b)?;
            outside.untouched()?;
            check!(!b.inside("/made").exists(), "the file that the link names was made");
            if let Some(text) = text {
                let r = last_json(&text)?;
                check!(r.mount("/victim").is_err(), "the terminal is mounted where the link leads to");
            }
            Ok(())
        });
    }
    let mut g = suite.group("devices", "CVE-2025-52565:");
    g.attack(
        "terminal-path-is-a-link",
        "/dev/pts/0 is a symlink: its target is bound to /dev/console",
        Some("TerminalPeer"),
        |t| {
            let (mut b, volume) = volume(t)?;
            b.file("/secret", SECRET)?;
            fs::create_dir(volume.join("real"))?;
            symlink("pts/ptmx", volume.join("ptmx"))?;
            symlink("../real/ptmx", volume.join("pts/ptmx"))?;
            for number in 0..64 {
                symlink("/secret", volume.join(format!("pts/{number}")))?;
            }
            b.mount("/dev/real", "devpts", "devpts", &["newinstance", "ptmxmode=0666"]);
            b.config["process"]["terminal"] = json!(true);
            b.probe("stat:/dev/console");
            if let Some(text) = with_terminal(t, &b)? {
                let r = last_json(&text)?;
                check!(
                    r.probe("stat:/dev/console").is_ok_and(|stat| stat["type"] == "c"),
                    "/dev/console is no terminal: {r}"
                );
            }
            Ok(())
        },
    );
}

fn nodes(suite: &mut Suite) {
    let mut g = suite.group("devices", "of our own:");
    for (name, kind, number) in [
        ("the-kernels-memory", SFlag::S_IFCHR, (1, 1)),
        ("another-device", SFlag::S_IFCHR, (1, 5)),
        ("a-disk", SFlag::S_IFBLK, (1, 3)),
        ("a-fifo", SFlag::S_IFIFO, (0, 0)),
    ] {
        g.attack(&format!("null-is-{name}"), "a node of the image in place of /dev/null", None, move |t| {
            let mut b = t.bundle()?;
            b.without_mount("/dev").without_mount("/dev/pts");
            let device = makedev(number.0, number.1);
            mknod(&b.inside("/dev/null"), kind, Mode::from_bits_truncate(0o666), device)?;
            b.config["linux"]["maskedPaths"] = json!([format!("/{}", crate::harness::MARK)]);
            b.probe("stat:/dev/null");
            let done = t.try_run(&b)?;
            let out = done.stdout();
            if settled(done)? {
                let stat = parse(&out)?["probes"]["stat:/dev/null"].clone();
                check_eq!(
                    (&stat["type"], &stat["major"], &stat["minor"]),
                    (&json!("c"), &json!(1), &json!(3)),
                    "/dev/null"
                );
            }
            Ok(())
        });
    }
    g.attack("ptmx-is-a-directory", "a directory of the image in place of /dev/ptmx", None, |t| {
        let mut b = t.bundle()?;
        b.without_mount("/dev").directory("/dev/pts")?.file("/dev/ptmx/kept", "")?;
        settled(t.try_run(&b)?)?;
        check!(Path::new(&b.inside("/dev/ptmx/kept")).exists(), "a directory of the image was removed");
        Ok(())
    });
}
