//! Whatever is thrown at load and validate, they answer: no panic, no hang, and every answer is one line of bounded
//! length.

use std::{fs, path::Path, time::Instant};

use proptest::{collection, prelude::*, sample::Index};
use serde_json::{Value, json};

use super::*;
use crate::config::{load_resources, parse};

const BUNDLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../spec-tests/bundles");

/// Long enough for a loaded machine, and far below what anything quadratic over a long list takes.
const SECONDS: u64 = 10;

fn bundles() -> Vec<Vec<u8>> {
    let files = fs::read_dir(BUNDLES).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    files.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Parses and validates, and looks at the answer.
fn throw(bytes: &[u8]) {
    let start = Instant::now();
    let answer = parse(bytes, Path::new("c")).and_then(|spec| validate(&spec));
    if let Err(error) = answer {
        let line = crate::Error::from(error).report();
        assert!(!line.is_empty() && line.len() < 16_000 && !line.contains('\n'), "{line}");
    }
    assert!(start.elapsed().as_secs() < SECONDS);
}

/// Numbers at their limits, empty and long strings, NUL bytes, and things of the wrong type.
fn scalar() -> impl Strategy<Value = Value> {
    let numbers =
        [0, 1, -1, 2, i64::MAX, i64::MIN, u32::MAX.into(), i64::from(u32::MAX) + 1, i32::MIN.into(), 65_536];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(u64::MAX)),
        Just(json!(1.5)),
        prop::sample::select(numbers.to_vec()).prop_map(Value::from),
        prop::sample::select(WORDS).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        (0_usize..5_000).prop_map(|length| Value::from("/a.b=".repeat(length))),
    ]
}

/// Words that lead into the branches of the checks.
const WORDS: &[&str] = &[
    "",
    "\0",
    "/",
    "/a\0b",
    ".",
    "..",
    "/../..",
    "A=b",
    "=",
    "1.0.0",
    "1.0.0-",
    "2.0.0",
    "CAP_KILL",
    "CAP_X",
    "RLIMIT_AS",
    "SCHED_DEADLINE",
    "SCHED_FIFO",
    "SCHED_FLAG_DL_OVERRUN",
    "IOPRIO_CLASS_IDLE",
    "bind",
    "rbind",
    "idmap",
    "ridmap",
    "tmpfs",
    "user",
    "network",
    "time",
    "a",
    "b",
    "c",
    "u",
    "p",
    "rwm",
    "0-3,7",
    "3-1",
    "0-",
    "boottime",
    "net.a",
    "kernel/sem",
    "net.//.x",
    "2MB",
    "MB",
    "memory.high",
    "MPOL_BIND",
    "LINUX32",
    "rslave",
    "SCMP_ACT_ERRNO",
    "eth0",
    "%d",
    "\u{7f}\n\r\u{2028}",
];

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            collection::vec((name(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    let names = [
        "type",
        "path",
        "options",
        "source",
        "destination",
        "uidMappings",
        "gidMappings",
        "containerID",
        "hostID",
        "size",
        "limit",
        "args",
        "env",
        "user",
        "uid",
        "umask",
        "additionalGids",
        "policy",
        "flags",
        "runtime",
        "nodes",
        "mode",
        "name",
        "key.x",
    ];
    prop_oneof![prop::sample::select(names.to_vec()).prop_map(str::to_owned), any::<String>()]
}

/// All places in a document that a value can be put into.
fn places(tree: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match tree {
        Value::Array(elements) => {
            elements
                .iter()
                .enumerate()
                .for_each(|(index, element)| places(element, &format!("{at}/{index}"), found));
        }
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(member, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_put_into_real_bundles(which: Index, changes in collection::vec((any::<Index>(), tree()), 1..5)) {
        let bundles = bundles();
        let mut document: Value = serde_json::from_slice(&bundles[which.index(bundles.len())]).unwrap();
        for (place, value) in changes {
            let mut found = Vec::new();
            places(&document, "", &mut found);
            if let Some(target) = document.pointer_mut(&found[place.index(found.len())]) {
                *target = value;
            }
        }
        throw(document.to_string().as_bytes());
    }

    #[test]
    fn bytes_of_real_bundles_changed(which: Index, changes in collection::vec((any::<Index>(), any::<u8>()), 1..20), cut: Index) {
        let bundles = bundles();
        let mut bytes = bundles[which.index(bundles.len())].clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        throw(&bytes);
        throw(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn any_bytes(bytes in collection::vec(any::<u8>(), 0..500)) {
        throw(&bytes);
    }

    #[test]
    fn any_properties_of_process_and_linux(process in members(PROCESS), linux in members(LINUX), resources in members(RESOURCES)) {
        let _ = load_resources(resources.to_string().as_bytes(), Path::new("r")).map(|these| validate_resources(&these, "r"));
        let mut linux = linux;
        linux["resources"] = resources;
        throw(json!({"ociVersion": "1.0.0", "process": process, "linux": linux}).to_string().as_bytes());
    }
}

const PROCESS: &[&str] = &[
    "args",
    "env",
    "cwd",
    "user",
    "rlimits",
    "capabilities",
    "scheduler",
    "ioPriority",
    "execCPUAffinity",
    "consoleSize",
    "oomScoreAdj",
    "apparmorProfile",
];
const LINUX: &[&str] = &[
    "namespaces",
    "uidMappings",
    "gidMappings",
    "devices",
    "netDevices",
    "sysctl",
    "maskedPaths",
    "timeOffsets",
    "intelRdt",
    "memoryPolicy",
    "personality",
    "rootfsPropagation",
    "seccomp",
];
const RESOURCES: &[&str] =
    &["devices", "memory", "cpu", "pids", "blockIO", "hugepageLimits", "network", "rdma", "unified"];

/// An object with one of `names`, so that one wrong type does not hide all else.
fn members(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    (prop::sample::select(names), tree()).prop_map(|(name, value)| json!({ name: value }))
}

#[test]
fn very_long_lists() {
    let long = 100_000;
    for (name, element) in [
        ("process", json!({"cwd": "/", "user": {}, "args": vec![""; long], "env": vec![""; long]})),
        ("mounts", json!(vec![json!({"destination": ""}); long])),
        ("linux", json!({"namespaces": vec![json!({"type": "pid"}); long]})),
        ("linux", json!({"uidMappings": vec![json!({"size": 1}); long]})),
        ("linux", json!({"devices": vec![json!({"path": "", "type": "a"}); long]})),
        (
            "linux",
            json!({"sysctl": (0..long).map(|n| (n.to_string(), "1")).collect::<std::collections::HashMap<_, _>>()}),
        ),
        (
            "linux",
            json!({"netDevices": (0..long).map(|n| (n.to_string(), json!({}))).collect::<std::collections::HashMap<_, _>>()}),
        ),
        ("linux", json!({"maskedPaths": vec!["a"; long]})),
    ] {
        throw(json!({ name: element }).to_string().as_bytes());
    }
}
