//! What was open when the container began, and where that leads.

use super::ground::{Outside, SECRET, settled};
use crate::{
    harness::{Bundle, Call, Suite, Test, Verdict, check, check_eq, parse},
    payload,
};
use serde_json::{Value, json};
use std::fs::File;

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("descriptors", "CVE-2024-21626:");
    let what = "process.cwd leads through a descriptor that the runtime, or its caller, has left open";
    g.attack("cwd-is-a-descriptor-of-the-caller", what, Some("WorkingDirectory,CloseOnExec"), |t| {
        for number in [7, 60] {
            tried(t, &format!("/proc/self/fd/{number}"), Some(number))?;
        }
        Ok(())
    });
    g.attack("cwd-is-a-descriptor-of-the-runtime", what, None, |t| {
        for number in 3..14 {
            tried(t, &format!("/proc/self/fd/{number}"), None)?;
        }
        Ok(())
    });
    g.attack("cwd-is-a-link-to-a-descriptor", what, Some("WorkingDirectory,CloseOnExec"), |t| {
        for number in 3..14 {
            tried(t, &format!("/work/{number}"), Some(7))?;
        }
        Ok(())
    });
    g.attack("cwd-below-a-descriptor", what, Some("WorkingDirectory,CloseOnExec"), |t| {
        for path in ["/proc/self/fd/7/full", "/proc/self/fd/7/..", "/proc/thread-self/fd/7", "/proc/1/fd/7"] {
            tried(t, path, Some(7))?;
        }
        Ok(())
    });
    g.attack(
        "exec-cwd-is-a-descriptor",
        "the same for exec --cwd",
        Some("WorkingDirectory,CloseOnExec"),
        |t| {
            let outside = Outside::new(t)?;
            let c = t.running()?;
            for number in 3..14 {
                let path = format!("/proc/self/fd/{number}");
                let call = t.call(&["exec", "--cwd", &path, &c.id, payload::PATH]);
                let call = PROBES.iter().fold(call.arg("report"), Call::arg);
                let done = call.leave_open(File::open(outside.path(""))?, 7)?.done()?;
                let out = done.stdout();
                if settled(done)? {
                    inside(&parse(&out)?)?;
                }
            }
            Ok(())
        },
    );
    let mut g = suite.group("descriptors", "CVE-2016-9962, CVE-2024-21626:");
    g.attack(
        "leaked-to-the-program",
        "a descriptor that the caller left open is the container's",
        Some("CloseOnExec"),
        |t| {
            let outside = Outside::new(t)?;
            let b = t.bundle()?;
            b.write()?;
            let call = t.call(&["run", "--bundle"]).arg(&b.dir).arg(t.id());
            let done = call
                .leave_open(File::open(outside.path(""))?, 7)?
                .leave_open(File::open("/")?, 200)?
                .done()?;
            let out = done.stdout();
            if settled(done)? {
                let open = parse(&out)?["descriptors"].clone();
                let names: Vec<&String> =
                    open.as_object().into_iter().flatten().map(|(name, _)| name).collect();
                check_eq!(names, vec!["0", "1", "2"], "open descriptors ({open})");
            }
            Ok(())
        },
    );
    g.attack("leaked-to-an-exec", "the same for exec", Some("CloseOnExec"), |t| {
        let c = t.running()?;
        let call = t.call(&["exec", &c.id, payload::PATH, "report"]);
        let done = call.leave_open(File::open("/")?, 7)?.leave_open(File::open("/")?, 200)?.done()?;
        let out = done.stdout();
        if settled(done)? {
            let open = parse(&out)?["descriptors"].clone();
            let names: Vec<&String> = open.as_object().into_iter().flatten().map(|(name, _)| name).collect();
            check_eq!(names, vec!["0", "1", "2"], "open descriptors ({open})");
        }
        Ok(())
    });
}

/// What tells where the working directory is.
const PROBES: [&str; 4] = ["read:secret", "stat:/", "stat:.", "stat:../../../../../../../../../../../../.."];

/// A container whose working directory is `cwd`; the runtime's caller may have left a directory of the host open.
fn tried(t: &Test, cwd: &str, open: Option<i32>) -> Verdict {
    let outside = Outside::new(t)?;
    let mut b: Bundle = t.bundle()?;
    b.directory("/work")?;
    for number in 3..14 {
        b.link(&format!("/work/{number}"), &format!("/proc/self/fd/{number}"))?;
    }
    b.config["process"]["cwd"] = json!(cwd);
    for probe in PROBES {
        b.probe(probe);
    }
    b.write()?;
    let mut call = t.call(&["run", "--bundle"]).arg(&b.dir).arg(t.id());
    if let Some(number) = open {
        call = call.leave_open(File::open(outside.path(""))?, number)?;
    }
    let done = call.done()?;
    let out = done.stdout();
    if settled(done)? { inside(&parse(&out)?) } else { Ok(()) }
}

/// The working directory is beneath the root.
fn inside(report: &Value) -> Verdict {
    let probes = &report["probes"];
    check!(
        probes["read:secret"]["text"] != SECRET,
        "a file of the host can be read through the working directory"
    );
    let place = |probe: &str| (probes[probe]["device"].clone(), probes[probe]["inode"].clone());
    check_eq!(place(PROBES[3]), place("stat:/"), "what is above the working directory ({})", report["cwd"]);
    Ok(())
}
