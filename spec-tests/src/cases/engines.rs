//! config.json files as engines wrote them: create, start, exec, kill, delete.

use crate::{
    harness::{Bundle, Cgroups, Suite, Test, Verdict, View, check, check_eq, strings},
    payload,
};
use serde_json::{Value, json};

/// Name and text.
const BUNDLES: [(&str, &str); 5] = [
    ("docker", include_str!("../../bundles/docker.json")),
    ("podman", include_str!("../../bundles/podman.json")),
    ("containerd-ctr", include_str!("../../bundles/containerd-ctr.json")),
    ("cri-sandbox", include_str!("../../bundles/cri-sandbox.json")),
    ("cri-container", include_str!("../../bundles/cri-container.json")),
];

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("engines", "config.md");
    for (name, text) in BUNDLES {
        g.must(
            &format!("{name}-life"),
            "a bundle of an engine: create, start, exec, kill, delete",
            move |t| life(t, text),
        );
        g.must(
            &format!("{name}-report"),
            "a bundle of an engine: the process sees what it asks for",
            move |t| {
                let b = bundle(t, text, &["report"])?;
                sees(&b, &t.report(&b)?)
            },
        );
        g.cli(
            &format!("{name}-exec-report"),
            "exec in a bundle of an engine: exec sees the same",
            move |t| {
                let b = bundle(t, text, &["wait"])?;
                let c = t.running_of(&b)?;
                sees(&b, &c.exec_report(&[], &[])?)
            },
        );
    }
    g.must("terminal", "a bundle of an engine with a terminal", |t| {
        let mut b = bundle(t, BUNDLES[0].1, &["report"])?;
        b.config["process"]["terminal"] = json!(true);
        super::terminal::life(t, &b).map(drop)
    });
}

/// The engine's bundle on an image of the suite, less what needs the engine.
fn bundle(t: &Test, text: &str, arguments: &[&str]) -> Verdict<Bundle> {
    let mut b = t.bundle()?;
    let own = std::mem::replace(&mut b.config, serde_json::from_str(text)?);
    b.config["root"]["path"] = json!(b.rootfs());
    b.config["linux"]["cgroupsPath"] = own["linux"]["cgroupsPath"].clone();
    super::process::remove(&mut b.config, "hooks");
    if let Some(mounts) = b.config["mounts"].as_array_mut() {
        mounts.retain(|mount| {
            let options = strings(&mount["options"]);
            let bind = options.contains(&"bind") || options.contains(&"rbind");
            !bind || mount["source"].as_str().is_some_and(|source| std::path::Path::new(source).exists())
        });
    }
    for namespace in b.config["linux"]["namespaces"].as_array_mut().into_iter().flatten() {
        super::process::remove(namespace, "path");
    }
    without_missing_controllers(t, &mut b.config["linux"]["resources"]);
    // A limit above what this machine allows needs CAP_SYS_RESOURCE; a negative oom_score_adj too.
    if !t.machine.has_capability(24) {
        super::process::remove(&mut b.config["process"], "rlimits");
        if b.config["process"]["oomScoreAdj"].as_i64() < Some(0) {
            super::process::remove(&mut b.config["process"], "oomScoreAdj");
        }
    }
    b.config["process"]["terminal"] = json!(false);
    b.payload(arguments);
    Ok(b)
}

/// Drops the limits whose controllers this machine lacks on version 2: they are errors there.
fn without_missing_controllers(t: &Test, resources: &mut Value) {
    let controllers = [
        ("memory", "memory"),
        ("cpu", "cpu"),
        ("cpu", "cpuset"),
        ("pids", "pids"),
        ("blockIO", "io"),
        ("hugepageLimits", "hugetlb"),
        ("network", "net_cls"),
    ];
    for (property, controller) in controllers {
        if t.machine.cgroups == Cgroups::V2 && t.machine.v2(Some(controller)).is_err() {
            super::process::remove(resources, property);
        }
    }
}

fn life(t: &Test, text: &str) -> Verdict {
    let b = bundle(t, text, &["wait"])?;
    let c = t.create(&b)?;
    c.is("created")?;
    c.start_ready()?;
    c.is("running")?;
    check_eq!(c.exec(&[], &["exit", "7"])?.code(), 7, "exit code of exec");
    let done =
        t.call(&["exec", "--env", "A=b", "--cwd", "/tmp", &c.id, payload::PATH, "exit", "0"]).done()?;
    done.ok()?;
    c.kill("TERM")?;
    check_eq!(c.wait()?, 0, "exit code");
    c.is("stopped")?;
    c.delete().map(drop)
}

/// What the bundle asks for is what is seen.
fn sees(b: &Bundle, r: &Value) -> Verdict {
    let process = &b.config["process"];
    let uid = &process["user"]["uid"];
    check_eq!(r["user"]["uid"], json!([uid, uid, uid]), "uid");
    let given = |value: &Value| -> Vec<String> {
        let mut all: Vec<String> = strings(value).into_iter().map(str::to_owned).collect();
        all.sort();
        all
    };
    check_eq!(
        given(&r["capabilities"]["bounding"]),
        given(&process["capabilities"]["bounding"]),
        "bounding set"
    );
    for want in strings(&process["env"]) {
        check!(strings(&r["env"]).contains(&want), "no {want} in {}", r["env"]);
    }
    if let Some(hostname) = b.config["hostname"].as_str() {
        check_eq!(r["uts"]["hostname"], hostname, "hostname");
    }
    for mount in b.config["mounts"].as_array().into_iter().flatten() {
        let at = mount["destination"].as_str().unwrap_or_default();
        r.mount(at)?;
    }
    if b.config["linux"]["seccomp"].is_object() {
        check_eq!(r["status"]["Seccomp"], "2", "Seccomp");
    }
    check_eq!(r["noNewPrivileges"], process["noNewPrivileges"].as_bool().unwrap_or(false), "no_new_privs");
    Ok(())
}
