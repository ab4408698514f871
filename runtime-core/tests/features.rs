//! What `features()` says is what the library does: a property that it tells as absent is refused by name, one that it
//! tells as present is not.

use nix::unistd::geteuid;
use runtime_core::{
    ContainerBuilder, ErrorKind, features,
    spec::{Features, Spec},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, process::Command};

/// The document as a reader of `corten features` sees it.
fn document() -> Value {
    serde_json::to_value(features()).unwrap()
}

fn config() -> Value {
    json!({
        "ociVersion": "1.3.0",
        "process": {"cwd": "/", "args": ["true"], "user": {"uid": 0, "gid": 0}},
        "root": {"path": "/"},
        "mounts": [],
        "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "network"}]},
    })
}

/// Whether the library refuses `config` as something that it does not do at all.
fn is_unsupported(config: &Value) -> bool {
    let spec: Spec = serde_json::from_value(config.clone()).unwrap();
    let manager = runtime_core::CgroupManager::Disabled;
    let plan = ContainerBuilder::new("features").bundle("/").spec(spec).cgroup_manager(manager).plan();
    match plan {
        Err(error) if error.kind() == ErrorKind::InvalidConfig => panic!("{}", error.report()),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            // What this host lacks is not what the library lacks.
            error.report().contains("not supported yet")
        }
        _ => false,
    }
}

#[test]
fn what_is_told_as_absent_is_refused() {
    if !geteuid().is_root() {
        println!("skipped: a plan of namespaces wants root");
        return;
    }
    assert!(!is_unsupported(&config()), "the configuration to start from");
    let told = document();
    let cases = [
        ("/linux/netDevices/enabled", "/linux/netDevices", json!({"corten-none0": {}})),
        ("/linux/intelRdt/enabled", "/linux/intelRdt", json!({"closID": "corten-test"})),
        (
            "/linux/mountExtensions/idmap/enabled",
            "/mounts",
            json!([{
                "destination": "/mnt", "source": "/", "options": ["bind", "idmap"],
                "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}],
                "gidMappings": [{"containerID": 0, "hostID": 0, "size": 1}],
            }]),
        ),
    ];
    for (name, place, value) in cases {
        let told = told.pointer(name).and_then(Value::as_bool).unwrap_or_else(|| panic!("no {name}"));
        let (parent, key) = place.rsplit_once('/').unwrap();
        let mut config = config();
        config.pointer_mut(parent).unwrap()[key] = value;
        assert_eq!(is_unsupported(&config), !told, "{name} is told as {told}");
    }
    let actions = told["linux"]["seccomp"]["actions"].as_array().unwrap();
    let mut config = config();
    config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/corten-test-none",
        "syscalls": [{"names": ["getcwd"], "action": "SCMP_ACT_NOTIFY"}],
    });
    assert_eq!(is_unsupported(&config), !actions.contains(&json!("SCMP_ACT_NOTIFY")), "SCMP_ACT_NOTIFY");
}

/// What an embedder pays for who chooses nothing: names of crates, those that only compile among them.
#[test]
fn a_build_without_features_has_few_crates() {
    let crates = |features: &[&str]| -> BTreeSet<String> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "tree",
            "--offline",
            "--package",
            "runtime-core",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ]);
        let output =
            cargo.args(["--format", "{p}", "--no-default-features"]).args(features).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    };
    let bare = crates(&[]);
    assert!((10..30).contains(&bare.len()), "{}: {bare:?}", bare.len());
    assert_eq!(crates(&["--features", "checkpoint,notify,systemd"]), bare);
    assert!(crates(&["--features", "oci-spec"]).contains("oci-spec") && !bare.contains("oci-spec"));
}

#[test]
fn the_document_can_be_read_back() {
    let told = features();
    let again: Features = serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
    assert_eq!(again, told);
}

#[test]
fn the_document_is_complete() {
    let told = document();
    let nothing = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    fn leaves<'a>(name: String, value: &'a Value, all: &mut Vec<(String, &'a Value)>) {
        match value {
            Value::Object(map) => {
                map.iter().for_each(|(key, value)| leaves(format!("{name}.{key}"), value, all));
            }
            value => all.push((name, value)),
        }
    }
    let mut all = Vec::new();
    leaves(String::new(), &told, &mut all);
    let missing: Vec<_> = all.iter().filter(|(_, value)| nothing(value)).map(|(name, _)| name).collect();
    assert!(missing.is_empty(), "unknown: {missing:?}");
    assert_eq!(told["linux"]["capabilities"].as_array().unwrap().len(), 41);
    assert_eq!(told["linux"]["memoryPolicy"]["modes"][6], "MPOL_WEIGHTED_INTERLEAVE");
}

#[test]
fn mount_options_that_are_told_are_known() {
    for option in &features().mount_options {
        let mut config = config();
        // "remount" changes what is there; for the others an option that a bind mount does not know is an error.
        let kind = if option == "tmpcopyup" { ("tmpfs", "tmpfs") } else { ("none", "bind") };
        let options = if kind.1 == "bind" { json!(["bind", option]) } else { json!([option]) };
        config["mounts"] =
            json!([{"destination": "/mnt", "type": kind.0, "source": "/", "options": options}]);
        let spec: Spec = serde_json::from_value(config).unwrap();
        let builder = ContainerBuilder::new("features").bundle("/").spec(spec);
        if let Err(error) = builder.cgroup_manager(runtime_core::CgroupManager::Disabled).plan() {
            assert!(!error.report().contains("unknown option"), "{option}: {}", error.report());
        }
    }
}
