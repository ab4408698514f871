//! `mounts.options`: each of the options that the specification lists for Linux, on bind mounts and on a tmpfs.

use crate::harness::{Group, Level, Suite, Test, Verdict, View, check, check_eq, fail, strings};
use nix::mount::{MsFlags, mount, umount};
use serde_json::json;
use std::fs;

/// An option, how binding it is, and the words that mountinfo then has, or has not where `-` leads, on a tmpfs.
const ON_TMPFS: [(&str, Level, &str); 34] = [
    ("defaults", Level::Must, "rw"),
    ("rw", Level::Must, "rw"),
    ("ro", Level::Must, "ro"),
    ("nosuid", Level::Must, "nosuid"),
    ("suid", Level::Must, "-nosuid"),
    ("nodev", Level::Must, "nodev"),
    ("dev", Level::Must, "-nodev"),
    ("noexec", Level::Must, "noexec"),
    ("exec", Level::Must, "-noexec"),
    ("noatime", Level::Must, "noatime"),
    ("atime", Level::Must, "-noatime"),
    ("nodiratime", Level::Must, "nodiratime"),
    ("diratime", Level::Must, "-nodiratime"),
    ("relatime", Level::Must, "relatime"),
    ("norelatime", Level::Must, ""),
    ("strictatime", Level::Must, "-relatime"),
    ("nostrictatime", Level::Must, ""),
    ("sync", Level::Must, "sync"),
    ("async", Level::Must, "-sync"),
    ("dirsync", Level::Must, "dirsync"),
    ("lazytime", Level::Must, "lazytime"),
    ("nolazytime", Level::Must, "-lazytime"),
    ("iversion", Level::Must, ""),
    ("noiversion", Level::Must, ""),
    ("silent", Level::Must, ""),
    ("loud", Level::Must, ""),
    ("mand", Level::May, ""),
    ("nomand", Level::May, ""),
    ("nosymfollow", Level::Should, "nosymfollow"),
    ("symfollow", Level::Should, "-nosymfollow"),
    ("private", Level::Must, "-shared:"),
    ("shared", Level::Must, "shared:"),
    ("unbindable", Level::Must, "unbindable"),
    ("slave", Level::Must, "-shared:"),
];

/// The same of a bind mount: the option beside `bind`.
const ON_BIND: [(&str, Level, &str); 17] = [
    ("ro", Level::Must, "ro"),
    ("rw", Level::Must, "rw"),
    ("nosuid", Level::Must, "nosuid"),
    ("nodev", Level::Must, "nodev"),
    ("noexec", Level::Must, "noexec"),
    ("noatime", Level::Must, "noatime"),
    ("nodiratime", Level::Must, "nodiratime"),
    ("strictatime", Level::Must, "-relatime"),
    ("nosymfollow", Level::Should, "nosymfollow"),
    ("private", Level::Must, "-shared:"),
    ("rprivate", Level::Must, "-shared:"),
    ("shared", Level::Must, "shared:"),
    ("rshared", Level::Must, "shared:"),
    ("slave", Level::Must, "-shared:"),
    ("rslave", Level::Must, "-shared:"),
    ("unbindable", Level::Must, "unbindable"),
    ("runbindable", Level::Must, "unbindable"),
];

/// The recursive ones: what the mount below a `rbind` then has.
const RECURSIVE: [(&str, &str); 16] = [
    ("rro", "ro"),
    ("rrw", "rw"),
    ("rnosuid", "nosuid"),
    ("rsuid", "-nosuid"),
    ("rnodev", "nodev"),
    ("rdev", "-nodev"),
    ("rnoexec", "noexec"),
    ("rexec", "-noexec"),
    ("rnoatime", "noatime"),
    ("ratime", "-noatime"),
    ("rnodiratime", "nodiratime"),
    ("rdiratime", "-nodiratime"),
    ("rrelatime", "relatime"),
    ("rstrictatime", "-relatime"),
    ("rnosymfollow", "nosymfollow"),
    ("rsymfollow", "-nosymfollow"),
];

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("mount-options", "config.md");
    g.since(1, 1);
    for (option, level, want) in ON_TMPFS {
        at_level(&mut g, level, &format!("tmpfs-{option}"), option, move |t| {
            let mut b = t.bundle()?;
            b.mount("/data", "tmpfs", "tmpfs", &[option]);
            shows(&t.report(&b)?, "/data", want)
        });
    }
    for (option, level, want) in ON_BIND {
        at_level(&mut g, level, &format!("bind-{option}"), option, move |t| {
            let mut b = t.bundle()?;
            let source = t.dir().join("volume");
            fs::create_dir(&source)?;
            b.mount("/data", "none", &source.to_string_lossy(), &["rbind", option]);
            shows(&t.report(&b)?, "/data", want)
        });
    }
    for (option, want) in RECURSIVE {
        g.should(&format!("recursive-{option}"), &format!("Linux mount options: {option}"), move |t| {
            recursive(t, option, want)
        });
    }
    g.must("several", "Linux mount options", |t| {
        let mut b = t.bundle()?;
        b.mount("/data", "tmpfs", "x", &["nosuid", "nodev", "noexec", "ro", "noatime", "size=8k", "private"]);
        let r = t.report(&b)?;
        for want in ["nosuid", "nodev", "noexec", "ro", "noatime", "size=8k", "-shared:"] {
            shows(&r, "/data", want)?;
        }
        Ok(())
    });
    g.must("last-of-two-counts", "Linux mount options", |t| {
        let mut b = t.bundle()?;
        b.mount("/data", "tmpfs", "x", &["nosuid", "suid", "exec", "noexec"]);
        let r = t.report(&b)?;
        shows(&r, "/data", "-nosuid")?;
        shows(&r, "/data", "noexec")
    });
    g.must("noexec-is-enforced", "Linux mount options: noexec", |t| {
        let mut b = t.bundle()?;
        let source = t.dir().join("volume");
        fs::create_dir(&source)?;
        fs::hard_link(t.host_payload(), source.join("payload"))?;
        b.mount("/data", "none", &source.to_string_lossy(), &["bind", "noexec"]).probe("exec:/data/payload");
        check_eq!(t.report(&b)?.error("exec:/data/payload"), Some("EACCES"), "a program on it");
        Ok(())
    });
    g.must("nodev-is-enforced", "Linux mount options: nodev", |t| {
        let mut b = t.bundle()?;
        b.config["process"]["capabilities"] =
            json!({"bounding": ["CAP_MKNOD"], "effective": ["CAP_MKNOD"], "permitted": ["CAP_MKNOD"]});
        b.mount("/data", "tmpfs", "x", &["nodev"]).probe("mknod:c:1:3:/data/null");
        let r = t.report(&b)?;
        let opened = &r.probe("mknod:c:1:3:/data/null")?["opened"];
        check_eq!(opened["Err"], "EACCES", "a device on it: {opened}");
        Ok(())
    });
    g.may("tmpcopyup", "Linux mount options: tmpcopyup copies what the mount hides", |t| {
        let mut b = t.bundle()?;
        b.file("/data/deep/file", "of the image")?;
        b.mount("/data", "tmpfs", "x", &["tmpcopyup"])
            .probe("read:/data/deep/file")
            .probe("create:/data/new");
        let r = t.report(&b)?;
        check_eq!(r.probe("read:/data/deep/file")?["text"], "of the image", "the copied file");
        r.probe("create:/data/new")?;
        check!(!b.inside("/data/new").exists(), "the new file is in the image");
        Ok(())
    });
    for option in ["idmap", "ridmap"] {
        g.should(
            &format!("{option}-with-mappings"),
            "Linux mount options: idmap; mounts.uidMappings",
            move |t| idmap(t, option),
        );
    }
    for (name, layers) in [("layers-longer-than-255-bytes", 8), ("layers-longer-than-a-page", 60)] {
        g.must(name, "Linux mount options: file system specific", move |t| {
            // Before overlay came to the new mount API no program could do it.
            if layers > 8 {
                t.machine.needs_kernel(6, 5, "takes overlay's options one by one")?;
            }
            overlay(t, layers)
        });
    }
    g.must("uid-mappings-alone-are-not-ignored", "mounts.uidMappings: an error if not supported", |t| {
        idmap(t, "bind")
    });
    g.must("uid-without-gid-mappings-is-refused", "mounts.gidMappings: with uidMappings", |t| {
        let mut b = t.bundle()?;
        b.mount("/data", "none", "/usr", &["bind"]);
        if let Some(list) = b.config["mounts"].as_array_mut() {
            for mount in list.iter_mut().filter(|m| m["destination"] == "/data") {
                mount["uidMappings"] = json!([{"containerID": 0, "hostID": 1, "size": 1}]);
            }
        }
        t.refuses(&b).map(drop)
    });
}

fn at_level(
    g: &mut Group<'_>,
    level: Level,
    name: &str,
    option: &str,
    body: impl Fn(&Test) -> Verdict + Send + Sync + 'static,
) {
    let clause = format!("Linux mount options: {option}");
    match level {
        Level::Must => g.must(name, &clause, body),
        Level::Should => g.should(name, &clause, body),
        _ => g.may(name, &clause, body),
    }
}

/// The mount has this word, or has it not where `-` leads; nothing is asked where there is none.
fn shows(report: &serde_json::Value, at: &str, want: &str) -> Verdict {
    let mount = report.mount(at)?;
    let words: Vec<&str> =
        ["options", "super", "propagation"].iter().flat_map(|key| strings(&mount[*key])).collect();
    let has = |word: &str| match word {
        // Read-only of the mount, not of its file system alone.
        "rw" | "ro" => strings(&mount["options"]).contains(&word),
        word if word.ends_with(':') => words.iter().any(|other| other.starts_with(word)),
        word => words.contains(&word),
    };
    match want.strip_prefix('-') {
        Some(word) if has(word) => fail(format!("{at} has {word}: {words:?}")),
        None if !want.is_empty() && !has(want) => fail(format!("{at} has no {want}: {words:?}")),
        _ => Ok(()),
    }
}

fn recursive(t: &Test, option: &str, want: &str) -> Verdict {
    let mut b = t.bundle()?;
    let source = t.dir().join("volume");
    let below = source.join("below");
    fs::create_dir_all(&below)?;
    // What the option is to clear is set before.
    let set = match want {
        "rw" => MsFlags::MS_RDONLY,
        "-nosuid" => MsFlags::MS_NOSUID,
        "-nodev" => MsFlags::MS_NODEV,
        "-noexec" => MsFlags::MS_NOEXEC,
        "-noatime" | "relatime" => MsFlags::MS_NOATIME,
        "-nodiratime" => MsFlags::MS_NODIRATIME,
        "-nosymfollow" => MsFlags::from_bits_retain(256),
        _ => MsFlags::empty(),
    };
    mount(Some("below"), &below, Some("tmpfs"), set, None::<&str>)?;
    b.mount("/data", "none", &source.to_string_lossy(), &["rbind", option]);
    let got = t.report(&b);
    umount(&below)?;
    let r = got?;
    if want != "-noatime" {
        shows(&r, "/data", want)?;
    }
    shows(&r, "/data/below", want)
}

/// So many layers, each with a path of some 100 bytes and a file of its own.
fn overlay(t: &Test, layers: usize) -> Verdict {
    let mut b = t.bundle()?;
    let mut lower = Vec::new();
    for layer in 0..layers {
        let path = t.dir().join(format!("{layer:0>90}"));
        fs::create_dir(&path)?;
        fs::write(path.join(layer.to_string()), "")?;
        lower.push(path.to_string_lossy().into_owned());
    }
    let option = format!("lowerdir={}", lower.join(":"));
    let last = format!("stat:/layers/{}", layers - 1);
    b.mount("/layers", "overlay", "overlay", &[&option, "nosuid"])
        .probe("stat:/layers/0")
        .probe(last.as_str());
    let r = t.report(&b)?;
    r.probe("stat:/layers/0")?;
    r.probe(&last)?;
    shows(&r, "/layers", "nosuid")
}

/// Files of id 5 on the host are of id 105 in the mount.
fn idmap(t: &Test, option: &str) -> Verdict {
    let mut b = t.bundle()?;
    let source = t.dir().join("volume");
    fs::create_dir(&source)?;
    fs::write(source.join("file"), "")?;
    std::os::unix::fs::chown(source.join("file"), Some(5), Some(6))?;
    let options = if option == "ridmap" { vec!["rbind", option] } else { vec!["bind", option] };
    b.push(
        "/mounts",
        json!({
            "destination": "/data", "type": "none", "source": source, "options": options,
            "uidMappings": [{"containerID": 0, "hostID": 100, "size": 50}],
            "gidMappings": [{"containerID": 0, "hostID": 200, "size": 50}],
        }),
    );
    b.probe("stat:/data/file");
    let done = t.try_run(&b)?;
    if option == "bind" && done.code() != 0 {
        return done.refused().map(drop);
    }
    let r = crate::harness::parse(&done.ok()?.stdout())?;
    let stat = r.probe("stat:/data/file")?;
    check_eq!((&stat["uid"], &stat["gid"]), (&json!(105), &json!(206)), "the owner of the file");
    Ok(())
}
