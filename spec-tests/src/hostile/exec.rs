//! What a container can do to a process that joins it, and what an image's own programs can do.

use super::{ground::settled, proc::all_capabilities};
use crate::{
    harness::{Container, Suite, Test, Verdict, check, check_eq, parse, strings},
    payload,
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("exec", "CVE-2016-9962:");
    let what = "the container traces a process that joins it and looks through its descriptors";
    g.attack("traced-while-joining", what, Some("Dumpable"), |t| {
        let mut b = t.bundle()?;
        b.user_namespace(100_000, 65536)?;
        all_capabilities(t, &mut b);
        b.payload(&["hunt", "all"]);
        let c = t.create(&b)?;
        c.start_ready()?;
        let loot = hunted(t, &c, &["exit", "0"], None)?;
        check!(loot.is_empty(), "the container got hold of {loot:?}");
        Ok(())
    });
    let what = "one that may trace all of the host finds nothing of the host's in a process that joins it";
    g.attack("descriptors-while-joining", what, None, |t| {
        let mut b = t.bundle()?;
        all_capabilities(t, &mut b);
        b.payload(&["hunt", "files"]);
        let c = t.create(&b)?;
        c.start_ready()?;
        let loot = hunted(t, &c, &["exit", "0"], Some(7))?;
        check!(loot.is_empty(), "the container got hold of {loot:?}");
        Ok(())
    });
    let mut g = suite.group("exec", "CVE-2019-5736:");
    for (name, program) in [("by-its-link", "/proc/self/exe"), ("by-a-script", "/bin/script")] {
        let what = "the container writes to the runtime's program through /proc/PID/exe";
        g.attack(&format!("runtime-overwritten-{name}"), what, Some("Sealed"), move |t| {
            let mut b = t.bundle()?;
            b.script("/bin/script", "#!/proc/self/exe\n")?;
            all_capabilities(t, &mut b);
            b.payload(&["hunt", "write"]);
            let before = fs::read(t.runtime())?;
            let c = t.create(&b)?;
            c.start_ready()?;
            let loot = hunted(t, &c, &[program], None)?;
            check!(loot.is_empty(), "the container could write to {loot:?}");
            check!(fs::read(t.runtime())? == before, "the runtime's file was changed");
            Ok(())
        });
    }
    g.attack("runtime-as-entry-point", "the entry point is /proc/self/exe", None, |t| {
        let before = fs::read(t.runtime())?;
        for args in [json!(["/proc/self/exe", "--version"]), json!(["/bin/script", "list"])] {
            let mut b = t.bundle()?;
            b.script("/bin/script", "#!/proc/self/exe\n")?;
            b.config["process"]["args"] = args;
            b.write()?;
            // It may run, but only as the container: whatever comes of it must end.
            t.call(&["run", "--bundle"]).arg(&b.dir).arg(t.id()).done()?;
        }
        check!(fs::read(t.runtime())? == before, "the runtime's file was changed");
        Ok(())
    });
    inheritable(suite);
    users(suite);
    programs(suite);
}

/// Many execs while the container hunts for them; what it caught.
fn hunted(t: &Test, c: &Container<'_>, program: &[&str], open: Option<i32>) -> Verdict<Vec<Value>> {
    let start = Instant::now();
    let own = program[0].starts_with('/');
    while start.elapsed() < Duration::from_secs(3) {
        let mut call = t.call(&["exec", &c.id]);
        if !own {
            call = call.arg(payload::PATH);
        }
        for word in program {
            call = call.arg(word);
        }
        if let Some(number) = open {
            call = call.leave_open(File::open("/")?, number)?;
        }
        // Whether the program that it becomes is of any use is not the question here.
        call.done()?;
    }
    c.kill("TERM")?;
    c.wait()?;
    let lines = c.stdout();
    let loot = lines.lines().filter(|line| line.starts_with('{')).map(parse).collect::<Verdict<Vec<_>>>()?;
    check!(lines.contains("hunted"), "the hunter broke down: {lines:?}");
    Ok(loot)
}

fn inheritable(suite: &mut Suite) {
    let mut g = suite.group("exec", "CVE-2022-29162, CVE-2022-27650, CVE-2025-27612:");
    let what = "capabilities are inheritable that nobody configured so";
    g.attack("inheritable-of-run", what, Some("Inheritable"), |t| {
        let r = t.report(&t.bundle()?)?;
        check_eq!(strings(&r["capabilities"]["inheritable"]), Vec::<&str>::new(), "inheritable");
        Ok(())
    });
    g.attack("inheritable-of-exec", what, Some("Inheritable"), |t| {
        let c = t.running()?;
        for options in [&[][..], &["--user", "1000"], &["--cap", "CAP_SYS_CHROOT"]] {
            let r = c.exec_report(options, &[])?;
            check_eq!(
                strings(&r["capabilities"]["inheritable"]),
                Vec::<&str>::new(),
                "inheritable ({options:?})"
            );
            check_eq!(strings(&r["capabilities"]["ambient"]), Vec::<&str>::new(), "ambient ({options:?})");
        }
        Ok(())
    });
}

fn users(suite: &mut Suite) {
    let mut g = suite.group("exec", "CVE-2026-30892:");
    for (name, user) in [
        ("with-junk", "1000x"),
        ("hexadecimal", "0x3e8"),
        ("with-a-blank", "1000 "),
        ("with-a-sign", "+1000"),
        ("negative", "-1"),
        ("minus-one-unsigned", "4294967295"),
        ("too-large", "4294967296"),
        ("much-too-large", "18446744073709551616"),
        ("with-a-comma", "1000,0"),
        ("without-a-group", "1000:"),
        ("with-a-wrong-group", "1000:x"),
        ("with-group-minus-one", "1000:4294967295"),
        ("with-three-parts", "1000:0:0"),
        ("empty", ""),
        ("a-newline", "1000\n0"),
    ] {
        g.attack(&format!("user-{name}"), "exec --user that is no user becomes root", None, move |t| {
            let c = t.running()?;
            let done = c.exec(&["--user", user], &["report"])?;
            let out = done.stdout();
            if settled(done)? {
                let r = parse(&out)?;
                // A name is looked up by nobody here; only a number that is the whole word may be taken.
                check!(false, "{user:?} was taken for {}:{}", r["user"]["uid"], r["user"]["gid"]);
            }
            Ok(())
        });
    }
    g.attack("user-of-a-single-number", "exec --user 1 is user 1", None, |t| {
        let c = t.running()?;
        for (given, uid, gid) in [("1", 1, 0), ("1:0", 1, 0), ("0:1", 0, 1), ("65534:65534", 65534, 65534)] {
            let r = c.exec_report(&["--user", given], &[])?;
            check_eq!(r["user"]["uid"], json!([uid, uid, uid]), "uid for {given}");
            check_eq!(r["user"]["gid"], json!([gid, gid, gid]), "gid for {given}");
        }
        Ok(())
    });
    for (name, place) in [("uid", "uid"), ("gid", "gid"), ("group", "additionalGids")] {
        g.attack(
            &format!("configured-{name}-minus-one"),
            "an id that means `leave as it is`",
            None,
            move |t| {
                let mut b = t.bundle()?;
                let id = u32::MAX;
                b.config["process"]["user"][place] = if name == "group" { json!([id]) } else { json!(id) };
                let done = t.try_run(&b)?;
                let out = done.stdout();
                check!(!settled(done)?, "it runs, as {}", parse(&out)?["user"]);
                Ok(())
            },
        );
    }
}

fn programs(suite: &mut Suite) {
    let mut g = suite.group("exec", "of our own:");
    g.attack("setuid-program", "noNewPrivileges and a setuid program of the image", None, |t| {
        let mut b = t.bundle()?;
        fs::copy(t.host_payload(), b.inside("/bin/setuid"))?;
        fs::set_permissions(b.inside("/bin/setuid"), fs::Permissions::from_mode(0o6755))?;
        b.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        b.config["process"]["noNewPrivileges"] = json!(true);
        b.config["process"]["args"] = json!(["/bin/setuid", "payload", "report"]);
        let done = t.try_run(&b)?;
        let out = done.stdout();
        if settled(done)? {
            let r = parse(&out)?;
            check_eq!(r["user"]["uid"], json!([1000, 1000, 1000]), "uid");
            check_eq!(r["user"]["gid"], json!([1000, 1000, 1000]), "gid");
            check_eq!(strings(&r["capabilities"]["effective"]), Vec::<&str>::new(), "effective");
        }
        Ok(())
    });
    g.attack(
        "programs-of-the-image-are-not-run",
        "the image has programs that a runtime may call",
        None,
        |t| {
            let mut b = t.bundle()?;
            for name in [
                "newuidmap",
                "newgidmap",
                "ldconfig",
                "mount",
                "umount",
                "sh",
                "ip",
                "criu",
                "modprobe",
                "runc",
            ] {
                for dir in ["/bin", "/sbin", "/usr/bin", "/usr/sbin"] {
                    b.script(&format!("{dir}/{name}"), "#!/bin/payload exit 77\n")?;
                }
            }
            b.config["process"]["env"] = json!(["PATH=/bin:/usr/bin:/sbin:.", "LD_PRELOAD=/bin/evil.so"]);
            b.probe("stat:/tmp");
            t.report(&b).map(drop)
        },
    );
    g.attack(
        "environment-of-the-container",
        "variables that would change what the runtime itself does",
        None,
        |t| {
            let mut b = t.bundle()?;
            let hostile = [
                "PATH=.:bin::relative/dir:/bin",
                "LD_PRELOAD=/evil.so",
                "LD_LIBRARY_PATH=/evil",
                "LD_AUDIT=/evil.so",
                "GLIBC_TUNABLES=glibc.malloc.check=3",
                "GCONV_PATH=.",
                "MALLOC_PERTURB_=7",
                "GODEBUG=inittrace=1",
                "GOTRACEBACK=crash",
                "RUST_BACKTRACE=full",
                "RUST_LOG=trace",
                "TMPDIR=/evil",
                "HOME=/\u{1b}[2J",
                "_LIBCONTAINER_INITPIPE=3",
                "_LIBCONTAINER_LOGLEVEL=5",
                "LISTEN_FDS=99",
                "LISTEN_PID=1",
                "NOTIFY_SOCKET=/evil",
                "XDG_RUNTIME_DIR=/evil",
                "=x",
                "novalue",
                "CORTEN_UNGUARDED=InRoot",
            ];
            b.config["process"]["env"] = json!(hostile);
            let done = t.try_run(&b)?;
            let (out, errors) = (done.stdout(), done.stderr());
            if settled(done)? {
                let r = parse(&out)?;
                let got = strings(&r["env"]);
                for variable in
                    hostile.iter().filter(|v| v.contains('=') && !v.starts_with(['=', 'N', 'L', '_', 'H']))
                {
                    check!(got.contains(variable), "{variable} did not come through: {got:?}");
                }
                check!(
                    !errors.contains("inittrace") && !errors.contains("init "),
                    "the runtime heard it: {errors}"
                );
            }
            Ok(())
        },
    );
    for (name, kind) in
        [("fifo", "fifo"), ("directory", "dir"), ("link-to-itself", "loop"), ("not-executable", "file")]
    {
        g.attack(&format!("program-is-a-{name}"), "what PATH leads to is no program", None, move |t| {
            let mut b = t.bundle()?;
            b.directory("/first")?;
            match kind {
                "fifo" => nix::unistd::mkfifo(
                    &b.inside("/first/payload"),
                    nix::sys::stat::Mode::from_bits_truncate(0o777),
                )?,
                "dir" => drop(b.directory("/first/payload")?),
                "loop" => drop(b.link("/first/payload", "payload")?),
                _ => drop(b.file("/first/payload", "")?),
            }
            b.config["process"]["env"] = json!(["PATH=/first:/bin"]);
            b.config["process"]["args"] = json!(["payload", "exit", "0"]);
            settled(t.try_run(&b)?)?;
            b.config["process"]["args"] = json!(["/first/payload"]);
            check!(!settled(t.try_run(&b)?)?, "it ran");
            Ok(())
        });
    }
}
