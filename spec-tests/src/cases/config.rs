//! config.json as a whole: where it is, its version, properties that nobody knows, annotations.

use crate::harness::{Suite, Test, Verdict, View, check, check_eq};
use serde_json::{Value, json};
use std::fs;

pub(super) fn add(suite: &mut Suite) {
    let mut g = suite.group("config", "config.md");
    for version in ["1.0.0", "1.0.2-dev", "1.0.2", "1.1.0", "1.2.1", "1.3.0"] {
        let minor = version.split('.').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        g.since(1, minor);
        g.must(&format!("version-{version}"), "ociVersion: compatible within a major version", move |t| {
            let mut b = t.bundle()?;
            b.config["ociVersion"] = json!(version);
            t.report(&b).map(drop)
        });
    }
    g.since(1, 0);
    for (name, version) in [
        ("2.0.0", json!("2.0.0")),
        ("99.0.0", json!("99.0.0")),
        ("word", json!("steel")),
        ("empty", json!("")),
        ("number", json!(1)),
        ("null", Value::Null),
    ] {
        g.must(
            &format!("version-{name}-is-refused"),
            "ociVersion: SemVer, of a known major version",
            move |t| {
                let mut b = t.bundle()?;
                b.config["ociVersion"] = version.clone();
                t.refuses(&b).map(drop)
            },
        );
    }
    g.must("version-missing-is-refused", "ociVersion: required", |t| {
        let mut b = t.bundle()?;
        super::process::remove(&mut b.config, "ociVersion");
        t.refuses(&b).map(drop)
    });
    for place in [
        "",
        "/process",
        "/process/user",
        "/root",
        "/mounts/0",
        "/linux",
        "/linux/namespaces/0",
        "/linux/resources",
    ] {
        let name = if place.is_empty() { "top" } else { &place[1..] }.replace('/', ".");
        g.must(
            &format!("unknown-property-in-{name}"),
            "Extensibility: unknown properties are ignored",
            move |t| {
                let mut b = t.bundle()?;
                b.config["linux"]["resources"] = json!({});
                if let Some(object) = b.config.pointer_mut(place) {
                    object["ofTheFuture"] = json!({"steel": [1, "two", null], "deep": {"er": true}});
                }
                t.report(&b).map(drop)
            },
        );
    }
    for (platform, section) in [
        ("windows", json!({"layerFolders": ["C:\\\\layer"]})),
        ("solaris", json!({"milestone": "svc:/milestone/container:default"})),
        ("vm", json!({"kernel": {"path": "/kernel"}})),
        ("zos", json!({})),
    ] {
        g.must(
            &format!("section-of-{platform}"),
            "Platform-specific configuration: others are left alone",
            move |t| {
                let mut b = t.bundle()?;
                b.config[platform] = section.clone();
                t.report(&b).map(drop)
            },
        );
    }
    g.must("annotations-unknown", "annotations: an unknown key is no error", |t| {
        let mut b = t.bundle()?;
        b.config["annotations"] = json!({"org.corten.unknown": "x", "run.oci.unknown": "y", "a b": ""});
        t.report(&b).map(drop)
    });
    g.must("annotations-of-another-type-are-refused", "annotations: values are strings", |t| {
        let mut b = t.bundle()?;
        b.config["annotations"] = json!({"key": 7});
        t.refuses(&b).map(drop)
    });
    g.must("annotations-with-an-empty-key-are-refused", "annotations: keys are not empty", |t| {
        let mut b = t.bundle()?;
        b.config["annotations"] = json!({"": "x"});
        t.refuses(&b).map(drop)
    });
    g.must("large", "config.json: any size that a bundle has", |t| {
        let mut b = t.bundle()?;
        let many: serde_json::Map<_, _> =
            (0..2000).map(|n| (format!("key{n}"), json!("v".repeat(200)))).collect();
        b.config["annotations"] = Value::Object(many);
        t.report(&b).map(drop)
    });
    g.must("spread-over-lines", "config.json: JSON", |t| {
        let b = t.bundle()?;
        fs::write(b.dir.join("config.json"), format!("\n\t {:#} \n\n", b.config))?;
        t.call(&["run", "--bundle"]).arg(&b.dir).arg(t.id()).done()?.ok().map(drop)
    });
    g.must("symlinked", "bundle.md: config.json in the bundle's directory", |t| {
        let b = t.bundle()?;
        fs::write(t.dir().join("elsewhere.json"), b.config.to_string())?;
        std::os::unix::fs::symlink(t.dir().join("elsewhere.json"), b.dir.join("config.json"))?;
        t.call(&["run", "--bundle"]).arg(&b.dir).arg(t.id()).done()?.ok().map(drop)
    });
    g.must("is-not-changed", "config.json", |t| {
        let b = t.bundle()?;
        t.report(&b)?;
        let after: Value = serde_json::from_slice(&fs::read(b.dir.join("config.json"))?)?;
        check_eq!(after, b.config, "config.json");
        Ok(())
    });
    g.must("nulls", "config.json: a property that is null is unset", |t| {
        let mut b = t.bundle()?;
        b.config["hooks"] = Value::Null;
        b.config["annotations"] = Value::Null;
        b.config["linux"]["resources"] = Value::Null;
        b.config["linux"]["seccomp"] = Value::Null;
        b.config["process"]["rlimits"] = Value::Null;
        t.report(&b).map(drop)
    });
    g.must("no-linux-section", "linux: optional", |t| {
        t.enter_own_cgroup()?;
        let mut b = t.bundle()?;
        super::process::remove(&mut b.config, "linux");
        match t.try_run(&b)? {
            done if done.code() == 0 => Ok(()),
            // Without a mount namespace of its own a runtime may decline.
            done => done.refused().map(drop),
        }
    });
    g.must("no-mounts", "mounts: optional", |t| {
        let mut b = t.bundle()?;
        super::process::remove(&mut b.config, "mounts");
        b.payload(&["exit", "3"]);
        check_eq!(t.try_run(&b)?.code(), 3, "exit code");
        Ok(())
    });
    g.must("no-capabilities", "process.capabilities: optional", |t| {
        let mut b = t.bundle()?;
        super::process::remove(&mut b.config["process"], "capabilities");
        t.report(&b)?.mount("/proc").map(drop)
    });
    g.must("no-process-cannot-start", "process: required when start is called", |t| {
        let mut b = t.bundle()?;
        super::process::remove(&mut b.config, "process");
        let done = t.try_create(&b)?;
        if done.code() != 0 {
            return done.refused().map(drop);
        }
        let id = t.ids_given().pop().unwrap_or_default();
        t.call(&["start", &id]).done()?.refused().map(drop)
    });
    wrong_types(suite);
}

/// Properties of a wrong type: what they are instead, JSON pointer and value.
const WRONG: [(&str, &str, &str); 22] = [
    ("a-list", "/process", "[]"),
    ("a-text", "/process/args", "\"/bin/payload\""),
    ("a-list-of-numbers", "/process/args", "[7]"),
    ("an-object", "/process/env", "{\"A\": \"1\"}"),
    ("a-number", "/process/cwd", "7"),
    ("a-text", "/process/user", "\"root\""),
    ("a-text", "/process/user/uid", "\"0\""),
    ("a-list-of-texts", "/process/user/additionalGids", "[\"wheel\"]"),
    ("a-text", "/process/terminal", "\"yes\""),
    ("a-number", "/process/noNewPrivileges", "1"),
    ("a-text", "/process/oomScoreAdj", "\"low\""),
    ("an-object", "/process/rlimits", "{}"),
    ("a-text", "/process/capabilities", "\"all\""),
    ("a-text", "/root", "\"rootfs\""),
    ("a-text", "/root/readonly", "\"true\""),
    ("a-list-of-texts", "/hostname", "[\"a\"]"),
    ("an-object", "/mounts", "{}"),
    ("a-text", "/mounts/0/options", "\"ro\""),
    ("a-list-of-texts", "/linux/namespaces", "[\"pid\"]"),
    ("a-text", "/linux/maskedPaths", "\"/proc/kcore\""),
    ("a-list", "/linux/sysctl", "[]"),
    ("a-list", "/hooks", "[]"),
];

fn wrong_types(suite: &mut Suite) {
    let mut g = suite.group("config", "config.md");
    for (kind, place, value) in WRONG {
        let name = place[1..].replace('/', ".");
        g.must(
            &format!("{name}-as-{kind}-is-refused"),
            "Valid values: an error for an invalid one",
            move |t| wrong(t, place, value),
        );
    }
}

fn wrong(t: &Test, place: &str, value: &str) -> Verdict {
    let mut b = t.bundle()?;
    let (parent, key) = place.rsplit_once('/').unwrap_or_default();
    match b.config.pointer_mut(parent) {
        Some(object) => object[key] = serde_json::from_str(value)?,
        None => return crate::harness::fail("the suite itself: no such place"),
    }
    let done = t.refuses(&b)?;
    check!(done.code() != 0, "exit code 0");
    Ok(())
}
