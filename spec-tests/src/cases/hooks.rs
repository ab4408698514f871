//! config.md POSIX-platform Hooks: the six kinds, when each runs, where, and what it is given.

use crate::{
    harness::{Bundle, Suite, Test, Verdict, check, check_eq, fail, strings, within},
    payload,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The kinds in the order in which they run, and whether each runs in the container's namespaces.
const KINDS: [(&str, bool); 6] = [
    ("prestart", false),
    ("createRuntime", false),
    ("createContainer", true),
    ("startContainer", true),
    ("poststart", false),
    ("poststop", false),
];

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("hooks", "config.md");
    for (kind, inside) in KINDS {
        g.must(&format!("{kind}-runs"), &format!("hooks.{kind}"), move |t| runs(t, kind));
        g.must(&format!("{kind}-state"), "hooks: the state is passed on the standard input", move |t| {
            state(t, kind)
        });
        g.must(&format!("{kind}-args-and-env"), "hooks: args as argv, env as environ", move |t| {
            given(t, kind)
        });
        g.must(&format!("{kind}-in-order"), "hooks: called in the listed order", move |t| {
            listed_order(t, kind)
        });
        let place = if inside { "container" } else { "runtime" };
        g.must(
            &format!("{kind}-namespace"),
            &format!("hooks.{kind}: runs in the {place} namespace"),
            move |t| namespace(t, kind, inside),
        );
        g.must(&format!("{kind}-timeout"), "hooks.timeout: the hook is ended", move |t| timeout(t, kind));
        g.must(&format!("{kind}-missing-program"), "hooks.path: what cannot be run is a failure", move |t| {
            let mut b = t.waiting()?;
            b.push(&format!("/hooks/{kind}"), json!({"path": "/no/such/hook"}));
            outcome(t, &b, kind)
        });
        g.must(&format!("{kind}-relative-path-is-refused"), "hooks.path: an absolute path", move |t| {
            let mut b = t.waiting()?;
            b.push(
                &format!("/hooks/{kind}"),
                json!({"path": "bin/payload", "args": ["payload", "exit", "0"]}),
            );
            refused_somewhere(t, &b)
        });
    }
    g.must("timeout-of-zero-is-refused", "hooks.timeout: greater than zero", |t| {
        let mut b = t.waiting()?;
        b.push(
            "/hooks/createRuntime",
            json!({"path": t.host_payload(), "args": ["payload", "exit", "0"], "timeout": 0}),
        );
        refused_somewhere(t, &b)
    });
    let mut g = suite.group("hooks", "runtime.md");
    g.must("order-of-kinds", "Lifecycle: the order of the hooks", order);
    for (kind, _) in KINDS.iter().take(4) {
        g.must(&format!("{kind}-failure"), "Lifecycle: a failing hook stops the container, an error", |t| {
            failure(t, kind)
        });
        g.must(
            &format!("{kind}-failure-keeps-later-ones"),
            "Lifecycle: no later hook but poststop runs",
            |t| later(t, kind),
        );
    }
    g.must("poststop-failure", "Lifecycle 13: a warning, and the others run", poststop_failure);
    g.since(1, 2);
    g.must("poststart-failure", "Lifecycle 10: a failing hook stops the container, an error", |t| {
        failure(t, "poststart")
    });
    g.since(1, 0);
    g.must("poststart-before-start-returns", "Lifecycle 10: after the program is run", |t| {
        let (b, file) = recorded(t, "poststart", "one", &[])?;
        let c = t.create(&b)?;
        check!(!file.exists(), "poststart ran at create");
        c.start()?;
        check!(file.exists(), "start returned before poststart had run");
        Ok(())
    });
    g.must("startContainer-not-at-create", "Lifecycle 7: as part of start", |t| {
        let (b, file) = recorded(t, "startContainer", "one", &[])?;
        let c = t.create(&b)?;
        check!(!file.exists(), "startContainer ran at create");
        c.start()?;
        c.ready()?;
        check!(file.exists(), "the program ran before startContainer");
        Ok(())
    });
    g.must("poststop-at-delete", "Lifecycle 13: after delete", |t| {
        let (b, file) = recorded(t, "poststop", "one", &[])?;
        let c = t.create(&b)?;
        c.start_ready()?;
        c.stop()?;
        check!(!file.exists(), "poststop ran before delete");
        c.delete()?;
        check!(file.exists(), "poststop did not run");
        Ok(())
    });
    g.must("poststop-of-run", "Lifecycle 13: after the container is gone", |t| {
        let (mut b, file) = recorded(t, "poststop", "one", &[])?;
        b.payload(&["exit", "0"]);
        t.run(&b)?;
        check_eq!(records(&file)?.len(), 1, "poststop hooks run");
        Ok(())
    });
    g.must("poststop-at-delete-force", "Lifecycle 13: after delete", |t| {
        let (b, file) = recorded(t, "poststop", "one", &[])?;
        let c = t.create(&b)?;
        t.call(&["delete", "--force", &c.id]).done()?.ok()?;
        check_eq!(records(&file)?.len(), 1, "poststop hooks run");
        Ok(())
    });
    g.must(
        "mounts-of-createRuntime-come-into-the-container",
        "hooks.createRuntime: before pivot_root",
        prepare_mount,
    );
    g.must("hook-reads-no-input", "hooks: a hook need not read the state", |t| {
        let mut b = t.waiting()?;
        for kind in ["prestart", "createRuntime", "poststart", "poststop"] {
            b.push(
                &format!("/hooks/{kind}"),
                json!({"path": t.host_payload(), "args": ["payload", "exit", "0"]}),
            );
        }
        let c = t.create(&b)?;
        c.start_ready()?;
        c.stop()?;
        c.delete().map(drop)
    });
}

/// A bundle that waits, with one hook of this kind that records into the file.
fn recorded(t: &Test, kind: &str, label: &str, then: &[&str]) -> Verdict<(Bundle, PathBuf)> {
    let mut b = t.waiting()?;
    let file = record_hook(t, &mut b, kind, label, then);
    Ok((b, file))
}

/// Adds a recording hook; gives the file as the host sees it.
fn record_hook(t: &Test, b: &mut Bundle, kind: &str, label: &str, then: &[&str]) -> PathBuf {
    if kind == "startContainer" {
        b.hook(kind, Path::new(payload::PATH), Path::new("/tmp/record"), label, then);
        return b.inside("/tmp/record");
    }
    let file = t.dir().join("record");
    b.hook(kind, t.host_payload(), &file, label, then);
    file
}

fn records(file: &Path) -> Verdict<Vec<Value>> {
    let Ok(text) = fs::read_to_string(file) else { return fail("the hook did not run") };
    text.lines().map(crate::harness::parse).collect()
}

/// create, start, kill, delete.
fn whole_life(t: &Test, b: &Bundle) -> Verdict<(String, i32)> {
    let c = t.create(b)?;
    c.start_ready()?;
    c.stop()?;
    c.delete()?;
    Ok((c.id.clone(), c.pid))
}

fn runs(t: &Test, kind: &str) -> Verdict {
    let (b, file) = recorded(t, kind, "one", &[])?;
    whole_life(t, &b)?;
    check_eq!(records(&file)?.len(), 1, "how often the hook ran");
    Ok(())
}

fn state(t: &Test, kind: &str) -> Verdict {
    let (mut b, file) = recorded(t, kind, "one", &[])?;
    b.config["annotations"] = json!({"org.corten": "yes"});
    let (id, pid) = whole_life(t, &b)?;
    let state = &records(&file)?[0]["state"];
    check!(state.is_object(), "the input is no state: {}", records(&file)?[0]["input"]);
    check_eq!(state["id"], id, "id");
    check_eq!(state["bundle"], b.dir.to_string_lossy().as_ref(), "bundle");
    check!(state["ociVersion"].is_string(), "ociVersion: {state}");
    check_eq!(state["annotations"], json!({"org.corten": "yes"}), "annotations");
    let want: &[&str] = match kind {
        "prestart" | "createRuntime" | "createContainer" => &["creating"],
        "startContainer" => &["created"],
        "poststart" => &["running"],
        _ => &["stopped"],
    };
    check!(
        want.contains(&state["status"].as_str().unwrap_or_default()),
        "status {} in {kind}",
        state["status"]
    );
    // The container's own hooks may see the process by its number in there.
    if !matches!(kind, "poststop" | "createContainer" | "startContainer") {
        check_eq!(state["pid"], pid, "pid");
    }
    Ok(())
}

fn given(t: &Test, kind: &str) -> Verdict {
    let (mut b, file) = recorded(t, kind, "two words", &[])?;
    b.config["hooks"][kind][0]["env"] = json!(["HOOK=of steel", "EMPTY="]);
    whole_life(t, &b)?;
    let record = &records(&file)?[0];
    check_eq!(strings(&record["args"])[3..], ["two words"], "argv after the file");
    let mut env = strings(&record["env"]);
    env.sort_unstable();
    check_eq!(env, vec!["EMPTY=", "HOOK=of steel"], "the environment");
    Ok(())
}

fn listed_order(t: &Test, kind: &str) -> Verdict {
    let (mut b, file) = recorded(t, kind, "one", &[])?;
    for label in ["two", "three"] {
        record_hook(t, &mut b, kind, label, &[]);
    }
    whole_life(t, &b)?;
    let got: Vec<Value> = records(&file)?.iter().map(|record| record["label"].clone()).collect();
    check_eq!(got, vec![json!("one"), json!("two"), json!("three")], "the order of the hooks");
    Ok(())
}

fn namespace(t: &Test, kind: &str, inside: bool) -> Verdict {
    let (b, file) = recorded(t, kind, "one", &[])?;
    let c = t.create(&b)?;
    let of_container = |name: &str| c.namespace(name);
    let mut own = Vec::new();
    for name in ["mnt", "uts", "ipc"] {
        own.push((name, of_container(name)?, fs::read_link(format!("/proc/self/ns/{name}"))?));
    }
    c.start_ready()?;
    c.stop()?;
    c.delete()?;
    let record = &records(&file)?[0];
    for (name, container, host) in own {
        let host = host.to_string_lossy().into_owned();
        let got = record["namespaces"][name].as_str().unwrap_or_default();
        check_eq!(got, if inside { container } else { host }, "the {name} namespace of the hook");
    }
    check_eq!(record["rootfs_is_root"], kind == "startContainer", "whether the image is the hook's root");
    Ok(())
}

/// A hook that is not to succeed: create or start fails for the first five kinds, delete succeeds.
fn outcome(t: &Test, b: &Bundle, kind: &str) -> Verdict {
    match kind {
        "poststop" => whole_life(t, b).map(drop),
        "poststart" => {
            let c = t.create(b)?;
            // Since 1.2 an error, before that a warning.
            let done = t.call(&["start", &c.id]).done()?;
            if done.code() == 0 { Ok(()) } else { done.refused().map(drop) }
        }
        "startContainer" => match t.try_create(b)? {
            done if done.code() != 0 => done.refused().map(drop),
            _ => {
                let id = t.ids_given().pop().unwrap_or_default();
                t.call(&["start", &id]).done()?.refused().map(drop)
            }
        },
        _ => t.refuses(b).map(drop),
    }
}

fn timeout(t: &Test, kind: &str) -> Verdict {
    let (mut b, _) = recorded(t, kind, "one", &["hang"])?;
    b.config["hooks"][kind][0]["timeout"] = json!(1);
    outcome(t, &b, kind)
}

fn refused_somewhere(t: &Test, b: &Bundle) -> Verdict {
    t.refuses(b).map(drop)
}

fn order(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.payload(&["hook", "/shared/record", "program"]);
    let shared = t.dir().join("shared");
    fs::create_dir(&shared)?;
    b.mount("/shared", "none", &shared.to_string_lossy(), &["bind"]);
    let file = shared.join("record");
    for (kind, _) in KINDS {
        if kind == "startContainer" {
            b.hook(kind, Path::new(payload::PATH), Path::new("/shared/record"), kind, &[]);
        } else {
            b.hook(kind, t.host_payload(), &file, kind, &[]);
        }
    }
    let c = t.create(&b)?;
    c.start()?;
    c.wait()?;
    c.delete()?;
    let labels: Vec<String> =
        records(&file)?.iter().filter_map(|record| record["label"].as_str().map(str::to_owned)).collect();
    // The program and poststart run side by side.
    let without: Vec<&str> = labels.iter().map(String::as_str).filter(|label| *label != "program").collect();
    check_eq!(without, KINDS.map(|(kind, _)| kind).to_vec(), "the order of the hooks");
    let at = |label: &str| labels.iter().position(|other| other == label);
    check!(at("program") > at("startContainer"), "the program ran before startContainer: {labels:?}");
    Ok(())
}

/// The hook of `kind` fails: an error, and the container is stopped or gone.
fn failure(t: &Test, kind: &str) -> Verdict {
    let (b, file) = recorded(t, kind, "one", &["fail", "3"])?;
    if !matches!(kind, "startContainer" | "poststart") {
        t.refuses(&b)?;
        check_eq!(records(&file)?.len(), 1, "how often the hook ran");
        return Ok(());
    }
    let c = t.create(&b)?;
    t.call(&["start", &c.id]).done()?.refused()?;
    check_eq!(records(&file)?.len(), 1, "how often the hook ran");
    let gone = within(Duration::from_secs(3), || {
        let state = t.call(&["state", &c.id]).done().ok()?;
        let stopped = crate::harness::parse(&state.stdout()).is_ok_and(|s| s["status"] == "stopped");
        (state.code() != 0 || stopped).then_some(())
    });
    check!(gone.is_some(), "the container lives on");
    Ok(())
}

fn later(t: &Test, kind: &str) -> Verdict {
    let mut b = t.waiting()?;
    record_hook(t, &mut b, kind, "fails", &["fail", "3"]);
    let file = t.dir().join("later");
    for (other, _) in KINDS.iter().skip_while(|(other, _)| *other != kind) {
        if matches!(*other, "startContainer" | "poststop") {
            continue;
        }
        b.hook(other, t.host_payload(), &file, other, &[]);
    }
    let done = t.try_create(&b)?;
    if done.code() == 0 {
        let id = t.ids_given().pop().unwrap_or_default();
        t.call(&["start", &id]).done()?.refused()?;
    }
    check!(!file.exists(), "later hooks ran: {:?}", fs::read_to_string(&file));
    Ok(())
}

fn poststop_failure(t: &Test) -> Verdict {
    let (mut b, file) = recorded(t, "poststop", "one", &["fail", "3"])?;
    record_hook(t, &mut b, "poststop", "two", &[]);
    let c = t.create(&b)?;
    c.start_ready()?;
    c.stop()?;
    c.delete()?;
    let labels: Vec<Value> = records(&file)?.iter().map(|record| record["label"].clone()).collect();
    check_eq!(labels, vec![json!("one"), json!("two")], "the hooks that ran");
    Ok(())
}

/// As a network or device engine does it: the hook has until pivot_root to change the image.
fn prepare_mount(t: &Test) -> Verdict {
    let mut b = t.bundle()?;
    b.probe("read:/tmp/made-by-hook");
    let file = b.inside("/tmp/made-by-hook");
    b.hook("createRuntime", t.host_payload(), &file, "one", &[]);
    let r = t.report(&b)?;
    check!(
        r["probes"]["read:/tmp/made-by-hook"]["text"].is_string(),
        "the hook's file is not in the container"
    );
    Ok(())
}
