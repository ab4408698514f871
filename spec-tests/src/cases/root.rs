//! `root` and `linux.rootfsPropagation`.

use crate::harness::{MARK, Suite, Test, Verdict, View, check, check_eq, strings};
use nix::mount::{MsFlags, mount};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("root", "config.md");
    g.must("is-the-image", "root.path: the root filesystem", |t| {
        let mut b = t.bundle()?;
        b.probe(format!("stat:/{MARK}")).probe("list:/");
        let r = t.report(&b)?;
        r.probe(&format!("stat:/{MARK}"))?;
        check!(!strings(&r.probe("list:/")?["names"]).contains(&"work"), "the host's root shows");
        Ok(())
    });
    g.must("absolute-path", "root.path: absolute or relative to the bundle", |t| {
        let mut b = t.bundle()?;
        b.config["root"]["path"] = json!(b.rootfs());
        t.report(&b).map(drop)
    });
    g.must("relative-path-from-elsewhere", "root.path: absolute or relative to the bundle", |t| {
        let mut b = t.bundle()?;
        fs::rename(b.rootfs(), b.dir.join("image"))?;
        b.config["root"]["path"] = json!("./image");
        b.write()?;
        t.call(&["run", "--bundle"]).arg(&b.dir).arg(t.id()).in_dir("/").done()?.ok().map(drop)
    });
    g.must("another-name", "root.path: SHOULD be rootfs, another is allowed", |t| {
        let mut b = t.bundle()?;
        let image = t.dir().join("an image: with [odd] näme");
        fs::rename(b.rootfs(), &image)?;
        b.config["root"]["path"] = json!(image);
        t.report(&b).map(drop)
    });
    g.must("path-through-a-symlink", "root.path", |t| {
        let mut b = t.bundle()?;
        symlink("rootfs", b.dir.join("link"))?;
        b.config["root"]["path"] = json!("link");
        t.report(&b).map(drop)
    });
    g.must("missing-is-refused", "root.path: a directory MUST exist", |t| {
        let mut b = t.bundle()?;
        b.config["root"]["path"] = json!("nowhere");
        t.refuses(&b)?.says(&["nowhere"]).map(drop)
    });
    g.must("file-is-refused", "root.path: a directory MUST exist", |t| {
        let mut b = t.bundle()?;
        b.config["root"]["path"] = json!("config.json");
        t.refuses(&b).map(drop)
    });
    g.must("unset-is-refused", "root: required", |t| {
        let mut b = t.bundle()?;
        super::process::remove(&mut b.config, "root");
        t.refuses(&b).map(drop)
    });
    g.must("writable", "root.readonly: false by default", |t| {
        let mut b = t.bundle()?;
        b.probe("create:/new");
        t.report(&b)?.probe("create:/new")?;
        check!(b.inside("/new").exists(), "the file is not in the image");
        Ok(())
    });
    g.must("readonly", "root.readonly: read-only inside the container", |t| {
        let mut b = t.bundle()?;
        b.config["root"]["readonly"] = json!(true);
        b.probe("create:/new").probe("create:/tmp/new").probe("create:/dev/shm-new");
        let r = t.report(&b)?;
        check_eq!(r.error("create:/new"), Some("EROFS"), "a new file in /");
        check_eq!(r.error("create:/tmp/new"), Some("EROFS"), "a new file in /tmp");
        check!(strings(&r.mount("/")?["options"]).contains(&"ro"), "the mount's options");
        // Its mounts are not.
        r.probe("create:/dev/shm-new").map(drop)
    });
    g.must("readonly-leaves-the-image-writable-outside", "root.readonly: inside the container", |t| {
        let mut b = t.bundle()?;
        b.config["root"]["readonly"] = json!(true);
        t.report(&b)?;
        fs::write(b.inside("/outside"), "")?;
        Ok(())
    });
    g.must("readonly-with-mount-points-to-make", "root.readonly", |t| {
        let mut b = t.bundle()?;
        b.config["root"]["readonly"] = json!(true);
        b.mount("/new/place", "tmpfs", "tmpfs", &[]);
        t.report(&b)?.mount("/new/place").map(drop)
    });
    g.must("dot-dot-stays-inside", "root.path: the root filesystem", |t| {
        let mut b = t.bundle()?;
        b.probe(format!("stat:/../../../{MARK}")).probe(format!("stat:/proc/1/root/../{MARK}"));
        let r = t.report(&b)?;
        r.probe(&format!("stat:/../../../{MARK}"))?;
        r.probe(&format!("stat:/proc/1/root/../{MARK}")).map(drop)
    });
    g.must("no-mount-of-the-host", "root.path: the container sees its own mounts alone", |t| {
        let r = t.report(&t.bundle()?)?;
        let places: Vec<&str> =
            r["mounts"].as_array().into_iter().flatten().filter_map(|m| m["at"].as_str()).collect();
        let inside = |at: &&&str| ["/", "/proc", "/dev"].contains(*at) || at.starts_with("/dev/");
        check_eq!(
            places.iter().filter(inside).count(),
            places.len(),
            "mounts of the container alone: {places:?}"
        );
        Ok(())
    });
    g.must("on-a-mount-of-its-own", "root.path", |t| {
        let b = t.bundle()?;
        let root = b.rootfs();
        mount(Some(&root), &root, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        let got = t.report(&b);
        nix::mount::umount(&root)?;
        got.map(drop)
    });
    g.must("on-overlay", "root.path", |t| {
        t.machine.needs_filesystem("overlay")?;
        let mut b = t.bundle()?;
        for name in ["upper", "work", "merged"] {
            fs::create_dir(t.dir().join(name))?;
        }
        let dir = t.dir().to_string_lossy().into_owned();
        let data = format!("lowerdir={},upperdir={dir}/upper,workdir={dir}/work", b.rootfs().display());
        let merged = t.dir().join("merged");
        mount(Some("overlay"), &merged, Some("overlay"), MsFlags::empty(), Some(data.as_str()))?;
        b.config["root"]["path"] = json!(merged);
        b.probe("create:/new");
        let got = t.report(&b);
        nix::mount::umount(&merged)?;
        got?.probe("create:/new")?;
        check!(t.dir().join("upper/new").exists(), "the file is not in the upper layer");
        Ok(())
    });
    let mut g = suite.group("root", "config-linux.md");
    g.must("propagation-by-default", "rootfsPropagation: mounts stay inside", |t| {
        let r = propagation(t, None)?;
        let words = strings(&r.mount("/")?["propagation"]).join(" ");
        check!(!words.contains("shared:"), "the root is {words}");
        Ok(())
    });
    for (name, want) in [("private", ""), ("slave", ""), ("unbindable", "unbindable"), ("shared", "shared:")]
    {
        g.must(&format!("propagation-{name}"), "rootfsPropagation", move |t| {
            let r = propagation(t, Some(name))?;
            let words = strings(&r.mount("/")?["propagation"]).join(" ");
            check!(
                if want.is_empty() { !words.contains("shared:") } else { words.contains(want) },
                "the root is {words:?}"
            );
            Ok(())
        });
    }
    g.must(
        "propagation-slave-of-a-shared-mount",
        "rootfsPropagation: slave receives the host's mounts",
        |t| {
            let r = on_shared(t, Some("slave"))?;
            let words = strings(&r.mount("/")?["propagation"]).join(" ");
            check!(words.contains("master:"), "the root is {words:?}");
            Ok(())
        },
    );
    for value in [None, Some("private"), Some("slave"), Some("shared"), Some("unbindable")] {
        let name = value.unwrap_or("default");
        let clause = "rootfsPropagation: mounts stay inside";
        g.must(&format!("no-mount-comes-to-the-host-{name}"), clause, move |t| on_shared(t, value).map(drop));
    }
    g.must("propagation-unknown-is-refused", "rootfsPropagation: Valid values", |t| {
        let mut b = t.bundle()?;
        b.config["linux"]["rootfsPropagation"] = json!("everywhere");
        t.refuses(&b).map(drop)
    });
}

fn propagation(t: &Test, value: Option<&str>) -> Verdict<Value> {
    let mut b = t.bundle()?;
    if let Some(value) = value {
        b.config["linux"]["rootfsPropagation"] = json!(value);
    }
    t.report(&b)
}

/// A report from an image on a shared mount, as it is on most machines. The container's mounts must not come out.
fn on_shared(t: &Test, value: Option<&str>) -> Verdict<Value> {
    let mut b = t.bundle()?;
    let root = b.rootfs();
    mount(Some(&root), &root, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    mount(None::<&str>, &root, None::<&str>, MsFlags::MS_SHARED, None::<&str>)?;
    if let Some(value) = value {
        b.config["linux"]["rootfsPropagation"] = json!(value);
    }
    b.mount("/data", "tmpfs", "of-the-container", &[]);
    let got = t.report(&b);
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let here = root.to_string_lossy();
    let out: Vec<&str> = table.lines().filter(|line| line.contains(&*here)).skip(1).collect();
    nix::mount::umount2(&root, nix::mount::MntFlags::MNT_DETACH)?;
    check!(out.is_empty(), "mounts of the container came to the host: {out:?}");
    got
}
