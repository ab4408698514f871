//! Every place that the runtime touches in an image, with everything there that it does not expect.

use super::ground::{Outside, last_json, with_terminal};
use crate::harness::{Bundle, Suite, Test, Verdict, View, check, check_eq};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::json;
use std::{
    fs, io,
    os::unix::{fs::symlink, net::UnixListener},
    path::Path,
};

/// What the runtime mounts upon, makes, opens or reads.
const PLACES: [(&str, &str); 18] = [
    ("proc", "/proc"),
    ("sys", "/sys"),
    ("cgroup", "/sys/fs/cgroup"),
    ("dev", "/dev"),
    ("null", "/dev/null"),
    ("tty", "/dev/tty"),
    ("fd", "/dev/fd"),
    ("ptmx", "/dev/ptmx"),
    ("pts", "/dev/pts"),
    ("shm", "/dev/shm"),
    ("mqueue", "/dev/mqueue"),
    ("console", "/dev/console"),
    ("etc", "/etc"),
    ("hosts", "/etc/hosts"),
    ("cwd", "/work/here"),
    ("target", "/data/volume"),
    ("parent-of-a-target", "/data"),
    ("masked", "/masked"),
];

/// What is there instead.
const KINDS: [&str; 12] = [
    "link-to-the-host",
    "link-above-the-root",
    "link-to-a-missing-file-of-the-host",
    "link-to-itself",
    "link-to-the-root",
    "link-to-proc-self-root",
    "fifo",
    "socket",
    "file",
    "directory",
    "device",
    "nothing",
];

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("places", "of our own:");
    for (name, place) in PLACES {
        for kind in KINDS {
            let shows = matches!(name, "dev" | "shm" | "mqueue" | "target" | "parent-of-a-target" | "etc");
            let guard = (kind == "link-to-the-host" && shows).then_some("InRoot");
            g.attack(
                &format!("{name}-{kind}"),
                "what the image has where the runtime works",
                guard,
                move |t| tried(t, place, kind),
            );
        }
    }
}

fn tried(t: &Test, place: &str, kind: &str) -> Verdict {
    let outside = Outside::new(t)?;
    let b = bundle(t, place)?;
    let at = b.inside(place);
    remove(&at)?;
    if let Some(parent) = at.parent() {
        fs::create_dir_all(parent)?;
    }
    let _socket = make(&at, kind, &outside)?;
    let text = with_terminal(t, &b)?;
    outside.untouched()?;
    let Some(text) = text else { return Ok(()) };
    let r = last_json(&text)?;
    // Whatever the image has there, what the container runs with is what was configured.
    check_eq!(r.mount("/proc")?["type"], "proc", "what is mounted at /proc");
    // A mount that went to the host's tree is not to be seen any more.
    let mounts: Vec<_> = r["mounts"].as_array().into_iter().flatten().collect();
    for (property, end) in [
        ("type", "sysfs"),
        ("type", "devpts"),
        ("type", "mqueue"),
        ("source", "shm"),
        ("root", "/hosts"),
        ("root", "/volume"),
    ] {
        let there =
            mounts.iter().any(|mount| mount[property].as_str().is_some_and(|text| text.ends_with(end)));
        check!(there, "no mount whose {property} is {end}");
    }
    check_eq!(r["terminal"]["stdin"], true, "standard input is a terminal");
    let null = &r["probes"]["stat:/dev/null"];
    check_eq!(
        (&null["type"], &null["major"], &null["minor"]),
        (&json!("c"), &json!(1), &json!(3)),
        "/dev/null"
    );
    check!(r["cwd"].as_str().is_some_and(|cwd| cwd.starts_with('/')), "the working directory: {}", r["cwd"]);
    Ok(())
}

/// A container that uses all the places. Where the place is in /dev, that is the image's own.
fn bundle(t: &Test, place: &str) -> Verdict<Bundle> {
    let mut b = t.bundle()?;
    for dir in ["/work/here", "/data/volume"] {
        b.directory(dir)?;
    }
    b.file("/etc/hosts", "")?.file("/masked", "secret")?;
    if place == "/dev" || place.starts_with("/dev/") {
        b.without_mount("/dev");
        for dir in ["/dev/pts", "/dev/shm", "/dev/mqueue"] {
            b.directory(dir)?;
        }
    }
    let hosts = t.dir().join("hosts");
    fs::write(&hosts, "127.0.0.1 localhost\n")?;
    let volume = t.dir().join("volume");
    fs::create_dir_all(&volume)?;
    b.mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]);
    b.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]);
    b.mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]);
    b.mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]);
    b.mount("/etc/hosts", "bind", &hosts.to_string_lossy(), &["rbind"]);
    b.mount("/data/volume", "bind", &volume.to_string_lossy(), &["rbind"]);
    b.namespace("network", None);
    b.config["process"]["cwd"] = json!("/work/here");
    b.config["process"]["terminal"] = json!(true);
    b.config["linux"]["maskedPaths"] = json!(["/masked", "/proc/kcore", "/proc/acpi"]);
    b.config["linux"]["readonlyPaths"] = json!(["/proc/sys", "/etc"]);
    b.probe("stat:/dev/null");
    Ok(b)
}

fn remove(at: &Path) -> io::Result<()> {
    match fs::symlink_metadata(at) {
        Ok(data) if data.is_dir() => fs::remove_dir_all(at),
        Ok(_) => fs::remove_file(at),
        Err(_) => Ok(()),
    }
}

fn make(at: &Path, kind: &str, outside: &Outside) -> Verdict<Option<UnixListener>> {
    let up = "../../../../../../../../../../../..";
    match kind {
        "link-to-the-host" => symlink(outside.path("full"), at)?,
        "link-above-the-root" => symlink(format!("{up}{}", outside.text("full")), at)?,
        "link-to-a-missing-file-of-the-host" => symlink(outside.path("empty/new"), at)?,
        "link-to-itself" => symlink(at.file_name().unwrap_or_default(), at)?,
        "link-to-the-root" => symlink("/", at)?,
        "link-to-proc-self-root" => symlink("/proc/self/root", at)?,
        "fifo" => nix::unistd::mkfifo(at, Mode::from_bits_truncate(0o666))?,
        "socket" => return Ok(Some(UnixListener::bind(at)?)),
        "file" => fs::write(at, "of the image")?,
        "directory" => fs::create_dir(at)?,
        "device" => mknod(at, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, 5))?,
        _ => {}
    }
    Ok(None)
}
