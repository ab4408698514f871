//! Names and paths as an image, or whoever names things, may choose them.

use super::ground::{Outside, settled};
use crate::harness::{Suite, Test, Verdict, View, check, check_eq, fail, parse, skip};
use serde_json::json;
use std::{fs, os::unix::fs::symlink, process::Command};

/// What separates, ends or escapes something somewhere.
const ODD: [(&str, &str); 10] = [
    ("newline", "a\nb"),
    ("bracket-and-colon", "mnt[1]:x]:"),
    ("blank", "a b"),
    ("octal-escape", "a\\040b"),
    ("comma", "a,rw,suid"),
    ("colon", "a:b"),
    ("equals", "a=b"),
    ("terminal-escape", "\u{1b}[2J\u{7}"),
    ("option", "-rf"),
    ("percent", "%s%n"),
];

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("names", "of our own:");
    for (name, odd) in ODD {
        g.attack(&format!("bundle-{name}"), "odd letters in the path of the bundle", None, move |t| {
            bundle(t, odd)
        });
        g.attack(&format!("mount-{name}"), "odd letters in a mount's source and target", None, move |t| {
            mount(t, odd)
        });
    }
    g.attack("deep-target", "a mount target of very many directories", None, |t| {
        for depth in [100, 900, 2000] {
            let mut b = t.bundle()?;
            let at = "/d".repeat(depth);
            b.mount(&at, "tmpfs", "x", &[]);
            settled(t.try_run(&b)?)?;
        }
        Ok(())
    });
    g.attack("long-names", "names and paths at and past what the kernel takes", None, |t| {
        for length in [255, 256, 4095, 4096, 70_000] {
            let mut b = t.bundle()?;
            b.mount(&format!("/{}", "n".repeat(length)), "tmpfs", "x", &[]);
            b.config["process"]["cwd"] = json!(format!("/{}", "c".repeat(length)));
            b.config["linux"]["maskedPaths"] = json!([format!("/{}", "m".repeat(length))]);
            check!(!settled(t.try_run(&b)?)? || length < 256, "a name of {length} bytes was taken");
        }
        Ok(())
    });
    g.attack("links-without-end", "symlinks that lead to more symlinks", None, |t| {
        let outside = Outside::new(t)?;
        let mut b = t.bundle()?;
        for number in 0..64 {
            let next = format!("l{}/../l{}", number + 1, number + 1);
            symlink(next, b.inside(&format!("/l{number}")))?;
        }
        b.link("/l64", &outside.text(""))?;
        b.mount("/l0/x", "tmpfs", "x", &[]).mount("/l40/y", "tmpfs", "y", &[]);
        settled(t.try_run(&b)?)?;
        outside.untouched()
    });
    g.attack("huge-directories", "tens of thousands of names where the runtime works", None, |t| {
        let mut b = t.bundle()?;
        b.without_mount("/dev").without_mount("/dev/pts").directory("/srv")?;
        for dir in ["/dev", "/etc", "/srv", "/tmp"] {
            for number in 0..10_000 {
                fs::write(b.inside(&format!("{dir}/{number}")), "")?;
            }
        }
        b.mount("/srv/new/one", "tmpfs", "x", &[]);
        b.config["linux"]["maskedPaths"] = json!(["/etc", "/srv/7"]);
        t.report(&b).map(drop)
    });
    g.attack("process-names", "a process whose name reads like a line of /proc/PID/stat", None, |t| {
        for name in ["a) Z 1 (b", ") Z 0 0 0", "x\ny: 1", "\u{1b}[2J", "(((("] {
            let mut b = t.bundle()?;
            b.payload(&["named", name]);
            let c = t.running_of(&b)?;
            c.is("running")?;
            let done = t.call(&["ps", "--format", "json", &c.id]).done()?;
            if done.code() == 0 {
                check_eq!(parse(&done.stdout())?, json!([c.pid]), "processes of one named {name:?}");
            }
            c.stop()?;
            c.is("stopped")?;
        }
        Ok(())
    });
    let mut g = suite.group("names", "CVE-2026-119101, CVE-2026-115520:");
    g.attack(
        "checkpoint-keys",
        "names in the image forge the keys of CRIU's external mounts",
        Some("CheckpointKeys"),
        keys,
    );
}

fn bundle(t: &Test, odd: &str) -> Verdict {
    let mut b = t.waiting()?;
    b.config["root"]["path"] = json!("rootfs");
    b.config["linux"]["maskedPaths"] = json!([format!("/{}", crate::harness::MARK)]);
    b.config["linux"]["rootfsPropagation"] = json!("shared");
    let dir = t.dir().join(odd);
    fs::rename(&b.dir, &dir)?;
    b.dir = dir;
    let c = t.running_of(&b)?;
    check_eq!(c.state()?["bundle"], b.dir.to_string_lossy().into_owned(), "bundle");
    c.exec_report(&[], &[])?;
    c.stop()?;
    c.delete().map(drop)
}

fn mount(t: &Test, odd: &str) -> Verdict {
    let mut b = t.bundle()?;
    let source = t.dir().join(format!("source {odd}"));
    fs::create_dir_all(source.join(odd))?;
    fs::write(source.join(odd).join("file"), "text")?;
    let at = format!("/data/{odd}");
    b.mount(&at, "bind", &source.to_string_lossy(), &["rbind", "ro"]);
    b.config["linux"]["maskedPaths"] = json!([format!("{at}/{odd}")]);
    b.probe(format!("list:{at}/{odd}")).probe(format!("create:{at}/new"));
    let done = t.try_run(&b)?;
    let out = done.stdout();
    if settled(done)? {
        let r = parse(&out)?;
        check_eq!(
            r.probe(&format!("list:{at}/{odd}"))?["names"],
            json!([]),
            "what is in the masked directory"
        );
        check_eq!(r.error(&format!("create:{at}/new")), Some("EROFS"), "a file in the read-only one");
    }
    Ok(())
}

/// The keys that name external mounts to CRIU must be told apart whatever the image's paths are. What CRIU is told can be
/// seen in the calls that the runtime makes.
fn keys(t: &Test) -> Verdict {
    let has = |program: &str| {
        Command::new(program).arg("--version").output().is_ok_and(|done| done.status.success())
    };
    if !has("criu") || !has("strace") {
        return skip("criu and strace are needed");
    }
    let mut b = t.waiting()?;
    let source = t.dir().join("source");
    fs::create_dir_all(&source)?;
    let evil = "/data]:/etc,mnt[x";
    b.mount("/data", "bind", &source.to_string_lossy(), &["rbind"]);
    b.mount(evil, "bind", &source.to_string_lossy(), &["rbind"]);
    let c = t.running_of(&b)?;
    let trace = t.dir().join("trace");
    let images = t.dir().join("images");
    let name = trace.to_string_lossy().into_owned();
    let strace =
        ["strace", "-f", "-qq", "-s", "65536", "-e", "trace=execve,sendmsg,sendto,write", "-o", &name];
    let done = t
        .call(&["checkpoint", "--leave-running", "--image-path"])
        .arg(&images)
        .arg(&c.id)
        .through(&strace)
        .done()?;
    let text = fs::read_to_string(&trace)?;
    if !text.contains("criu")
        || done.stderr().contains("unknown command")
        || done.stderr().contains("not supported")
    {
        return skip("the runtime has no checkpoint");
    }
    match text.contains("mnt[/data]:/etc") {
        true => fail(format!("a mount at {evil:?} forges the key of one at /data")),
        false => Ok(()),
    }
}
