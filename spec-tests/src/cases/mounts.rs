//! `mounts`: kinds of file systems, bind mounts, order and places.

use crate::harness::{Bundle, MARK, Suite, Test, Verdict, View, check, check_eq, fail, strings};
use nix::mount::{MsFlags, mount, umount};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::PathBuf,
};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("mounts", "config.md");
    g.must("order", "mounts: in the listed order", |t| {
        let mut b = t.bundle()?;
        b.mount("/a", "tmpfs", "first", &[]).mount("/a/b", "tmpfs", "inner", &[]).mount(
            "/c",
            "tmpfs",
            "one",
            &[],
        );
        b.mount("/c", "tmpfs", "two", &[]);
        let r = t.report(&b)?;
        check_eq!(r.mount("/a/b")?["source"], "inner", "what is mounted at /a/b");
        check_eq!(r.mount("/c")?["source"], "two", "what is on top at /c");
        Ok(())
    });
    g.must("later-over-earlier-hides-it", "mounts: in the listed order", |t| {
        let mut b = t.bundle()?;
        b.mount("/a/b", "tmpfs", "inner", &[]).mount("/a", "tmpfs", "outer", &[]).probe("list:/a");
        check_eq!(t.report(&b)?.probe("list:/a")?["names"], json!([]), "what is in /a");
        Ok(())
    });
    g.must("destination-is-made", "mounts.destination", |t| {
        let mut b = t.bundle()?;
        b.mount("/not/there/yet", "tmpfs", "tmpfs", &[]);
        t.report(&b)?.mount("/not/there/yet").map(drop)
    });
    g.must("destination-odd-names", "mounts.destination", |t| {
        let mut b = t.bundle()?;
        b.mount("/a b/c\\d,e:f/ä", "tmpfs", "tmpfs", &[]).probe("create:/a b/c\\d,e:f/ä/x");
        t.report(&b)?.probe("create:/a b/c\\d,e:f/ä/x")?;
        check!(!b.inside("/a b/c\\d,e:f/ä/x").exists(), "the file is in the image, not on the mount");
        Ok(())
    });
    g.must("destination-with-dots-and-slashes", "mounts.destination", |t| {
        let mut b = t.bundle()?;
        b.mount("//a/./b/../c//", "tmpfs", "tmpfs", &[]);
        t.report(&b)?.mount("/a/c").map(drop)
    });
    g.must(
        "destination-through-a-symlink-stays-inside",
        "mounts.destination: path inside the container",
        |t| {
            let mut b = t.bundle()?;
            let outside = t.dir().join("outside");
            fs::create_dir(&outside)?;
            b.link("/link", &outside.to_string_lossy())?;
            b.mount("/link/deep", "tmpfs", "tmpfs", &[]);
            let done = t.try_run(&b)?;
            check!(fs::read_dir(&outside)?.next().is_none(), "the mount point was made on the host");
            // It may be refused; it must not leave the image.
            if done.code() == 0 { Ok(()) } else { done.refused().map(drop) }
        },
    );
    g.must("destination-through-a-relative-symlink", "mounts.destination", |t| {
        let mut b = t.bundle()?;
        b.directory("/real")?;
        b.link("/link", "real")?;
        b.mount("/link/deep", "tmpfs", "tmpfs", &[]);
        t.report(&b)?.mount("/real/deep").map(drop)
    });
    g.since(1, 1);
    g.must(
        "destination-relative-is-from-the-root",
        "mounts.destination: a relative one is relative to /",
        |t| {
            let mut b = t.bundle()?;
            b.config["process"]["cwd"] = json!("/tmp");
            b.mount("data", "tmpfs", "tmpfs", &[]);
            t.report(&b)?.mount("/data").map(drop)
        },
    );
    g.since(1, 0);
    g.must("unknown-type-is-refused", "mounts.type", |t| {
        let mut b = t.bundle()?;
        b.mount("/data", "steelfs", "none", &[]);
        t.refuses(&b).map(drop)
    });
    g.must(
        "unknown-option-of-tmpfs-is-refused",
        "mounts.options: an error for what the file system refuses",
        |t| {
            let mut b = t.bundle()?;
            b.mount("/data", "tmpfs", "none", &["no-such-option=1"]);
            t.refuses(&b).map(drop)
        },
    );
    g.must("destination-missing-is-refused", "mounts.destination: required", |t| {
        let mut b = t.bundle()?;
        b.push("/mounts", json!({"type": "tmpfs", "source": "tmpfs"}));
        t.refuses(&b).map(drop)
    });
    filesystems(suite);
    binds(suite);
}

fn filesystems(suite: &mut Suite) {
    let mut g = suite.group("mounts", "config.md");
    g.must("tmpfs-data", "mounts.options: those of the file system", |t| {
        let mut b = t.bundle()?;
        b.mount("/data", "tmpfs", "name", &["size=64k", "mode=0710", "uid=7", "gid=8", "nr_inodes=20"]);
        b.probe("stat:/data").probe("statfs:/data");
        let r = t.report(&b)?;
        let stat = r.probe("stat:/data")?;
        check_eq!(
            (&stat["mode"], &stat["uid"], &stat["gid"]),
            (&json!(0o710), &json!(7), &json!(8)),
            "/data"
        );
        check_eq!(r.probe("statfs:/data")?["bytes"], 65536, "its size");
        check_eq!(r.probe("statfs:/data")?["inodes"], 20, "its inodes");
        check_eq!(r.mount("/data")?["source"], "name", "its source");
        Ok(())
    });
    g.must("sysfs", "mounts.type: sysfs", |t| {
        let mut b = t.bundle()?;
        b.namespace("network", None).mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]);
        check_eq!(t.report(&b)?.mount("/sys")?["type"], "sysfs", "type");
        Ok(())
    });
    g.must("mqueue", "mounts.type: mqueue", |t| {
        t.machine.needs_filesystem("mqueue")?;
        let mut b = t.bundle()?;
        b.mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]);
        check_eq!(t.report(&b)?.mount("/dev/mqueue")?["type"], "mqueue", "type");
        Ok(())
    });
    g.must("devpts-of-its-own", "mounts.type: devpts newinstance", |t| {
        let mut b = t.bundle()?;
        b.probe("list:/dev/pts").probe("stat:/dev/pts/ptmx");
        let r = t.report(&b)?;
        check_eq!(r.probe("list:/dev/pts")?["names"], json!(["ptmx"]), "terminals");
        check_eq!(r.probe("stat:/dev/pts/ptmx")?["mode"], 0o666, "ptmxmode");
        Ok(())
    });
    g.must("proc-shows-the-container", "mounts.type: proc", |t| {
        check_eq!(t.report(&t.bundle()?)?["processes"], json!([1]), "processes in /proc");
        Ok(())
    });
    g.must("proc-data", "mounts.options: those of the file system", |t| {
        let mut b = t.bundle()?;
        b.without_mount("/proc").mount("/proc", "proc", "proc", &["hidepid=2", "nosuid"]);
        let words = t.report(&b)?.mount("/proc")?["super"].to_string();
        check!(words.contains("hidepid"), "options of /proc: {words}");
        Ok(())
    });
    g.must("shm", "mounts.type: tmpfs", |t| {
        let mut b = t.bundle()?;
        b.mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]);
        b.probe("stat:/dev/shm");
        check_eq!(t.report(&b)?.probe("stat:/dev/shm")?["mode"], 0o1777, "mode of /dev/shm");
        Ok(())
    });
    g.must("overlay", "mounts.type: overlay", |t| {
        t.machine.needs_filesystem("overlay")?;
        let mut b = t.bundle()?;
        for name in ["lower", "upper", "work"] {
            fs::create_dir(t.dir().join(name))?;
        }
        fs::write(t.dir().join("lower/below"), "")?;
        let dir = t.dir().to_string_lossy().into_owned();
        b.mount(
            "/data",
            "overlay",
            "overlay",
            &[
                &format!("lowerdir={dir}/lower"),
                &format!("upperdir={dir}/upper"),
                &format!("workdir={dir}/work"),
            ],
        );
        b.probe("stat:/data/below").probe("create:/data/above");
        let r = t.report(&b)?;
        r.probe("stat:/data/below")?;
        r.probe("create:/data/above")?;
        check!(t.dir().join("upper/above").exists(), "the file is not in the upper layer");
        Ok(())
    });
    g.must("cgroup-read-only", "mounts.type: cgroup", |t| {
        let mut b = t.bundle()?;
        b.namespace("network", None).namespace("cgroup", None).mount("/sys", "sysfs", "sysfs", &["ro"]);
        b.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]);
        b.probe("list:/sys/fs/cgroup");
        let r = t.report(&b)?;
        check!(
            !strings(&r.probe("list:/sys/fs/cgroup")?["names"]).is_empty(),
            "nothing is at /sys/fs/cgroup"
        );
        for mount in cgroup_mounts(&r)? {
            check!(strings(&mount["options"]).contains(&"ro"), "{} is writable", mount["at"]);
        }
        Ok(())
    });
    g.must("cgroup-is-the-containers-own", "mounts.type: cgroup", |t| {
        let mut b = t.bundle()?;
        b.namespace("network", None).namespace("cgroup", None).mount("/sys", "sysfs", "sysfs", &["ro"]);
        b.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["ro"]);
        let r = t.report(&b)?;
        for mount in cgroup_mounts(&r)? {
            check_eq!(
                mount["root"],
                "/",
                "the root of {}, seen from the container's cgroup namespace",
                mount["at"]
            );
        }
        Ok(())
    });
}

/// The mounts of cgroups, of which there is one at least.
fn cgroup_mounts(report: &Value) -> Verdict<Vec<&Value>> {
    let mounts = report["mounts"].as_array().into_iter().flatten();
    let found: Vec<&Value> =
        mounts.filter(|m| m["type"].as_str().is_some_and(|kind| kind.starts_with("cgroup"))).collect();
    check!(!found.is_empty(), "no cgroup is mounted");
    Ok(found)
}

/// A directory on the host with a file, `name`.
fn volume(t: &Test, name: &str) -> Verdict<PathBuf> {
    let dir = t.dir().join(name);
    fs::create_dir(&dir)?;
    fs::write(dir.join("file"), name)?;
    Ok(dir)
}

fn bind(b: &mut Bundle, at: &str, source: &std::path::Path, options: &[&str]) {
    b.mount(at, "none", &source.to_string_lossy(), options);
}

fn binds(suite: &mut Suite) {
    let mut g = suite.group("mounts", "config.md");
    for (name, kind) in [("none", "none"), ("bind", "bind"), ("empty", "")] {
        g.must(&format!("bind-of-type-{name}"), "mounts.type: a dummy for a bind mount", move |t| {
            let mut b = t.bundle()?;
            b.mount("/data", kind, &volume(t, "volume")?.to_string_lossy(), &["bind"])
                .probe("read:/data/file");
            check_eq!(t.report(&b)?.probe("read:/data/file")?["text"], "volume", "the volume's file");
            Ok(())
        });
    }
    g.must("bind-without-type", "mounts.type: optional", |t| {
        let mut b = t.bundle()?;
        let source = volume(t, "volume")?;
        b.push("/mounts", json!({"destination": "/data", "source": source, "options": ["rbind"]}))
            .probe("read:/data/file");
        t.report(&b)?.probe("read:/data/file").map(drop)
    });
    g.must("bind-writes-through", "mounts: bind", |t| {
        let mut b = t.bundle()?;
        let source = volume(t, "volume")?;
        bind(&mut b, "/data", &source, &["bind"]);
        b.probe("create:/data/new");
        t.report(&b)?.probe("create:/data/new")?;
        check!(source.join("new").exists(), "the new file is not on the host");
        Ok(())
    });
    g.must("bind-of-a-file", "mounts: bind", |t| {
        let mut b = t.bundle()?;
        bind(&mut b, "/etc/hosts", &volume(t, "volume")?.join("file"), &["bind", "ro"]);
        b.probe("read:/etc/hosts").probe("write:/etc/hosts=x");
        let r = t.report(&b)?;
        check_eq!(r.probe("read:/etc/hosts")?["text"], "volume", "the file");
        check_eq!(r.error("write:/etc/hosts=x"), Some("EROFS"), "a write to it");
        Ok(())
    });
    g.must("bind-of-a-file-over-a-file", "mounts: bind", |t| {
        let mut b = t.bundle()?;
        b.file("/etc/hosts", "of the image")?;
        bind(&mut b, "/etc/hosts", &volume(t, "volume")?.join("file"), &["rbind"]);
        b.probe("read:/etc/hosts");
        check_eq!(t.report(&b)?.probe("read:/etc/hosts")?["text"], "volume", "the file");
        check_eq!(fs::read_to_string(b.inside("/etc/hosts"))?, "of the image", "the image's own file");
        Ok(())
    });
    g.may("bind-over-a-sysctl-of-the-network", "mounts: bind", |t| {
        // Each network namespace has such files of its own: the one that the container sees is meant.
        let at = "/proc/sys/net/ipv4/ip_forward";
        t.machine.needs_file(at, "a sysctl")?;
        let mut b = t.bundle()?;
        b.without_namespace("network").namespace("network", None);
        bind(&mut b, at, &volume(t, "volume")?.join("file"), &["bind"]);
        b.probe(format!("read:{at}"));
        check_eq!(t.report(&b)?.probe(&format!("read:{at}"))?["text"], "volume", "the file");
        Ok(())
    });
    g.must("bind-of-a-socket", "mounts: bind", |t| {
        let mut b = t.bundle()?;
        let path = t.dir().join("socket");
        let listener = UnixListener::bind(&path)?;
        bind(&mut b, "/run/socket", &path, &["bind"]);
        b.probe("connect:/run/socket");
        let r = t.report(&b)?;
        drop(listener);
        r.probe("connect:/run/socket").map(drop)
    });
    g.must("bind-of-a-fifo", "mounts: bind", |t| {
        let mut b = t.bundle()?;
        let path = t.dir().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU)?;
        bind(&mut b, "/run/fifo", &path, &["bind"]);
        b.probe("stat:/run/fifo");
        check_eq!(t.report(&b)?.probe("stat:/run/fifo")?["type"], "p", "what is at /run/fifo");
        Ok(())
    });
    g.must("bind-of-a-device", "mounts: bind", |t| {
        let mut b = t.bundle()?;
        bind(&mut b, "/dev/other-null", std::path::Path::new("/dev/null"), &["bind"]);
        b.probe("stat:/dev/other-null").probe("open:/dev/other-null");
        let r = t.report(&b)?;
        r.probe("open:/dev/other-null")?;
        check_eq!(r.probe("stat:/dev/other-null")?["minor"], 3, "minor");
        Ok(())
    });
    g.must("bind-source-relative-to-the-bundle", "mounts.source: absolute or relative to the bundle", |t| {
        let mut b = t.bundle()?;
        fs::create_dir(b.dir.join("volume"))?;
        fs::write(b.dir.join("volume/file"), "")?;
        b.mount("/data", "none", "volume", &["bind"]).probe("stat:/data/file").write()?;
        let done = t.call(&["run", "--bundle"]).arg(&b.dir).arg(t.id()).in_dir("/").done()?.ok()?;
        crate::harness::parse(&done.stdout())?.probe("stat:/data/file").map(drop)
    });
    g.must("bind-source-symlink", "mounts.source", |t| {
        let mut b = t.bundle()?;
        let link = t.dir().join("link");
        std::os::unix::fs::symlink(volume(t, "volume")?, &link)?;
        bind(&mut b, "/data", &link, &["bind"]);
        b.probe("read:/data/file");
        t.report(&b)?.probe("read:/data/file").map(drop)
    });
    g.must("beside-each-other", "mounts: in the listed order", |t| {
        let mut b = t.bundle()?;
        let volume = volume(t, "volume")?;
        // Directories and a file, none of which is there.
        bind(&mut b, "/data/a", &volume, &["rbind", "ro"]);
        bind(&mut b, "/data/file", &volume.join("file"), &["bind"]);
        bind(&mut b, "/data/b", &volume, &["rbind"]);
        b.probe("read:/data/a/file")
            .probe("read:/data/file")
            .probe("read:/data/b/file")
            .probe("create:/data/a/x");
        let r = t.report(&b)?;
        r.probe("read:/data/a/file")?;
        r.probe("read:/data/file")?;
        r.probe("read:/data/b/file")?;
        check_eq!(r.error("create:/data/a/x"), Some("EROFS"), "a new file on the read-only one");
        Ok(())
    });
    g.must("over-their-directory", "mounts: in the listed order", |t| {
        let mut b = t.bundle()?;
        let volume = volume(t, "volume")?;
        bind(&mut b, "/data/a", &volume, &["bind"]);
        b.mount("/data", "tmpfs", "tmpfs", &[]);
        bind(&mut b, "/data/b", &volume, &["bind"]);
        b.probe("stat:/data/a").probe("read:/data/b/file");
        let r = t.report(&b)?;
        check_eq!(r.error("stat:/data/a"), Some("ENOENT"), "what is beneath the second");
        r.probe("read:/data/b/file").map(drop)
    });
    g.must("bind-source-missing-is-refused", "mounts.source", |t| {
        let mut b = t.bundle()?;
        b.mount("/data", "none", "/no/such/source", &["bind"]);
        t.refuses(&b)?.says(&["/no/such/source"]).map(drop)
    });
    g.must("bind-not-recursive", "mounts.options: bind takes one mount", |t| recursion(t, "bind", false));
    g.must("rbind-recursive", "mounts.options: rbind takes those below too", |t| recursion(t, "rbind", true));
    g.must("rbind-read-only-below", "mounts.options: ro is of the top mount", |t| {
        let mut b = t.bundle()?;
        let source = nested(t)?;
        bind(&mut b, "/data", &source, &["rbind", "ro"]);
        b.probe("create:/data/x").probe("create:/data/below/x");
        let got = t.report(&b);
        umount(&source.join("below"))?;
        let r = got?;
        check_eq!(r.error("create:/data/x"), Some("EROFS"), "a new file on the top mount");
        r.probe("create:/data/below/x").map(drop)
    });
    g.must("bind-keeps-locked-flags", "mounts: a bind keeps what its source has", |t| {
        let mut b = t.bundle()?;
        let source = volume(t, "volume")?;
        mount(Some("t"), &source, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, None::<&str>)?;
        bind(&mut b, "/data", &source, &["bind", "ro"]);
        let got = t.report(&b);
        umount(&source)?;
        let r = got?;
        let options = strings(&r.mount("/data")?["options"]);
        check!(options.contains(&"ro"), "options of /data: {options:?}");
        Ok(())
    });
    g.must("bind-into-the-image-is-not-seen-outside", "mounts: in the container's namespace", |t| {
        let mut b = t.waiting()?;
        bind(&mut b, "/data", &volume(t, "volume")?, &["bind"]);
        let c = t.running_of(&b)?;
        check!(!b.inside("/data/file").exists(), "the mount shows on the host");
        c.stop()
    });
    g.must("bind-of-the-image-itself", "mounts: bind", |t| {
        let mut b = t.bundle()?;
        let image = b.rootfs();
        bind(&mut b, "/again", &image, &["rbind", "ro"]);
        b.probe(format!("stat:/again/{MARK}"));
        t.report(&b)?.probe(&format!("stat:/again/{MARK}")).map(drop)
    });
    g.must("bind-of-the-hosts-root", "mounts: bind", |t| {
        let mut b = t.bundle()?;
        b.mount("/host", "none", "/", &["bind", "ro"]).probe("list:/host");
        let r = t.report(&b)?;
        check!(strings(&r.probe("list:/host")?["names"]).contains(&"usr"), "the host's root does not show");
        Ok(())
    });
    g.must("bind-into-a-read-only-tmpfs", "mounts: in the listed order", |t| {
        let mut b = t.bundle()?;
        b.file("/seed/keep", "")?;
        let seed = b.inside("/seed");
        bind(&mut b, "/ro", &seed, &["bind", "ro"]);
        bind(&mut b, "/ro/keep", &volume(t, "volume")?.join("file"), &["bind"]);
        b.probe("read:/ro/keep");
        check_eq!(t.report(&b)?.probe("read:/ro/keep")?["text"], "volume", "the file on the read-only mount");
        Ok(())
    });
    g.must("bind-source-unreadable-for-others", "mounts.source", |t| {
        let mut b = t.bundle()?;
        let source = volume(t, "volume")?;
        fs::set_permissions(&source, fs::Permissions::from_mode(0o700))?;
        bind(&mut b, "/data", &source, &["bind"]);
        b.probe("read:/data/file");
        t.report(&b)?.probe("read:/data/file").map(drop)
    });
}

/// A volume with a mount at `below`, to be unmounted by the caller.
fn nested(t: &Test) -> Verdict<PathBuf> {
    let source = volume(t, "volume")?;
    let below = source.join("below");
    fs::create_dir(&below)?;
    mount(Some("below"), &below, Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
    fs::write(below.join("inner"), "")?;
    Ok(source)
}

fn recursion(t: &Test, option: &str, recursive: bool) -> Verdict {
    let mut b = t.bundle()?;
    let source = nested(t)?;
    bind(&mut b, "/data", &source, &[option]);
    b.probe("stat:/data/below/inner");
    let got = t.report(&b);
    umount(&source.join("below"))?;
    let seen = got?.probe("stat:/data/below/inner").is_ok();
    if seen == recursive { Ok(()) } else { fail(format!("the mount below is seen: {seen}")) }
}
