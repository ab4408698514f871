mod linux;
mod resources;

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::config::parse;

/// A configuration with nothing wrong, all namespaces new.
fn good() -> Value {
    let namespaces = ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"];
    let namespaces: Vec<_> = namespaces.iter().map(|kind| json!({ "type": kind })).collect();
    let mapping = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
    json!({
        "ociVersion": "1.3.0",
        "process": {"cwd": "/", "args": ["sh"], "user": {"uid": 0, "gid": 0}},
        "root": {"path": "rootfs"},
        "linux": {"namespaces": namespaces, "uidMappings": mapping, "gidMappings": mapping},
    })
}

/// Merges `patch` into `tree`: a null removes.
fn merge(tree: &mut Value, patch: &Value) {
    match (tree, patch) {
        (Value::Object(tree), Value::Object(patch)) => {
            for (name, patch) in patch {
                if patch.is_null() {
                    tree.remove(name);
                } else {
                    merge(tree.entry(name).or_insert(Value::Null), patch);
                }
            }
        }
        (tree, patch) => *tree = patch.clone(),
    }
}

/// What is wrong in the good configuration once `patch` is merged in.
fn faults(patch: &Value) -> String {
    let mut tree = good();
    merge(&mut tree, patch);
    let spec = parse(tree.to_string().as_bytes(), Path::new("c")).unwrap_or_else(|error| panic!("{error}"));
    match validate(&spec) {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn told(table: &[(Value, &str)]) {
    for (patch, expected) in table {
        assert_eq!(faults(patch), *expected, "{patch}");
    }
}

#[track_caller]
fn accepted(patches: &[Value]) {
    for patch in patches {
        assert_eq!(faults(patch), "", "{patch}");
    }
}

fn without_namespaces() -> Value {
    json!({"linux": {"namespaces": [], "uidMappings": null, "gidMappings": null}})
}

fn and(mut patch: Value, more: &Value) -> Value {
    merge(&mut patch, more);
    patch
}

#[test]
fn versions() {
    let versions =
        ["1.0.0", "1.0.2-dev", "1.0.0-rc5", "1.2.1", "1.3.0", "1.99.0", "1.0.0+b.1", "1.0.0-a-b.1+c-d"];
    accepted(&versions.map(|version| json!({ "ociVersion": version })));
    let versions = [
        "1", "1.0", "1.0.0.0", "1.0.x", "01.0.0", "1..0", "v1.0.0", " 1.0.0", "1.0.0-", "1.0.0-ä", "1.0.0+",
        "a\n",
    ];
    for version in versions {
        let fault = format!("ociVersion: must be a version as \"1.3.0\" and not {version:?}");
        told(&[(json!({ "ociVersion": version }), &fault)]);
    }
    told(&[
        (json!({"ociVersion": null}), "ociVersion: must be given, as \"1.3.0\""),
        (json!({"ociVersion": "2.0.0"}), "ociVersion: must have the major version 1 and not \"2\""),
        (json!({"ociVersion": "0.6.0-dev"}), "ociVersion: must have the major version 1 and not \"0\""),
        (json!({"ociVersion": "11.0.0"}), "ociVersion: must have the major version 1 and not \"11\""),
    ]);
}

#[test]
fn the_good_one_and_several_faults_together() {
    accepted(&[json!({}), without_namespaces()]);
    told(&[(
        json!({"root": null, "process": {"cwd": "x", "args": null}, "mounts": [{"destination": "/a"}, {"destination": ""}]}),
        "root: must be given; process.args: must not be empty; process.cwd: must be an absolute path and not \"x\"; \
         mounts[0].type: must be given, as this is no bind mount; mounts[1].destination: must not be empty; \
         mounts[1].type: must be given, as this is no bind mount",
    )]);
}

#[test]
fn the_top_level() {
    told(&[
        (json!({"process": null}), "process: must be given"),
        (json!({"root": {"path": ""}}), "root.path: must not be empty"),
        (json!({"root": {"path": "a\0"}}), "root.path: must not hold a NUL byte"),
        (json!({"hostname": "h".repeat(65)}), "hostname: must have at most 64 bytes and not 65"),
        (json!({"domainname": "a\0"}), "domainname: must not hold a NUL byte"),
        (
            and(without_namespaces(), &json!({"hostname": "h"})),
            "hostname: needs a UTS namespace in linux.namespaces",
        ),
        (json!({"linux": null, "domainname": "h"}), "domainname: needs a UTS namespace in linux.namespaces"),
        (json!({"annotations": {"": "x"}}), "annotations[\"\"]: a key must not be empty"),
    ]);
    accepted(&[
        json!({"hostname": "h".repeat(64), "domainname": "d", "annotations": {"a": ""}}),
        json!({"hostname": ""}),
    ]);
}

#[test]
fn process_basics() {
    let process = |members: Value| json!({ "process": members });
    told(&[
        (process(json!({"args": []})), "process.args: must not be empty"),
        (process(json!({"args": [""]})), "process.args[0]: must not be empty"),
        (process(json!({"args": ["a", "b\0"]})), "process.args[1]: must not hold a NUL byte"),
        (process(json!({"cwd": ""})), "process.cwd: must be an absolute path and not \"\""),
        (process(json!({"cwd": "/a\0"})), "process.cwd: must not hold a NUL byte"),
        (process(json!({"env": ["A=b", "secret"]})), "process.env[1]: must have the form NAME=VALUE"),
        (process(json!({"env": ["=b"]})), "process.env[0]: must have the form NAME=VALUE"),
        (process(json!({"env": ["A=\0"]})), "process.env[0]: must not hold a NUL byte"),
        (process(json!({"user": {"uid": u32::MAX}})), "process.user.uid: must be an id and not 4294967295"),
        (
            process(json!({"user": {"additionalGids": [1, u32::MAX]}})),
            "process.user.additionalGids[1]: must be an id and not 4294967295",
        ),
        (
            process(json!({"user": {"additionalGids": vec![1; 65_537]}})),
            "process.user.additionalGids: must have at most 65536 groups and not 65537",
        ),
        (
            process(json!({"user": {"umask": 512}})),
            "process.user.umask: must be at most 511 (octal 777) and not 512",
        ),
        (process(json!({"apparmorProfile": "\0"})), "process.apparmorProfile: must not hold a NUL byte"),
        (process(json!({"selinuxLabel": "\0"})), "process.selinuxLabel: must not hold a NUL byte"),
        (process(json!({"oomScoreAdj": 1001})), "process.oomScoreAdj: must be -1000 to 1000 and not 1001"),
        (
            process(json!({"terminal": true, "consoleSize": {"height": 65_536, "width": 1}})),
            "process.consoleSize.height: must be at most 65535 and not 65536",
        ),
        (
            process(json!({"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 8}})),
            "process.ioPriority.priority: must be 0 to 7 and not 8",
        ),
        (
            process(json!({"execCPUAffinity": {"final": "3-1"}})),
            "process.execCPUAffinity.final: must be a list as \"0-3,7\" and not \"3-1\"",
        ),
        (
            process(json!({"execCPUAffinity": {"initial": "65536"}})),
            "process.execCPUAffinity.initial: must be a list as \"0-3,7\" and not \"65536\"",
        ),
    ]);
    accepted(&[
        process(
            json!({"env": ["A=", "A.b=c=d"], "oomScoreAdj": -1000, "user": {"umask": 0o777, "additionalGids": [0]}}),
        ),
        process(json!({"consoleSize": {"height": u64::MAX, "width": 1}})),
        process(json!({"terminal": true, "consoleSize": {"height": 0, "width": 65_535}})),
        process(json!({"execCPUAffinity": {"initial": "0-3,7", "final": "0"}})),
    ]);
}

#[test]
fn rlimits() {
    let rlimits = |list: Value| json!({"process": {"rlimits": list}});
    told(&[
        (
            rlimits(json!([{"type": "RLIMIT_CPU", "hard": 1, "soft": 2}])),
            "process.rlimits[0].soft: must be at most the hard limit 1 and not 2",
        ),
        (
            rlimits(json!([{"type": "RLIMIT_CPU"}, {"type": "RLIMIT_AS"}, {"type": "RLIMIT_CPU"}])),
            "process.rlimits[2].type: must not be there twice: \"RLIMIT_CPU\"",
        ),
    ]);
    accepted(&[rlimits(json!([{"type": "RLIMIT_RTTIME", "hard": u64::MAX, "soft": u64::MAX}]))]);
}

#[test]
fn schedulers() {
    let scheduler = |members: Value| json!({"process": {"scheduler": members}});
    told(&[
        (
            scheduler(json!({"policy": "SCHED_OTHER", "nice": 20})),
            "process.scheduler.nice: must be -20 to 19 and not 20",
        ),
        (
            scheduler(json!({"policy": "SCHED_BATCH", "priority": 1})),
            "process.scheduler.priority: needs the policy SCHED_FIFO or SCHED_RR",
        ),
        (scheduler(json!({"policy": "SCHED_FIFO"})), "process.scheduler.priority: must be 1 to 99 and not 0"),
        (
            scheduler(json!({"policy": "SCHED_RR", "priority": 100})),
            "process.scheduler.priority: must be 1 to 99 and not 100",
        ),
        (
            scheduler(json!({"policy": "SCHED_IDLE", "runtime": 1})),
            "process.scheduler.runtime: needs the policy SCHED_DEADLINE",
        ),
        (
            scheduler(json!({"policy": "SCHED_DEADLINE", "runtime": 5000, "deadline": 4000})),
            "process.scheduler.runtime: must be 1024 ns to the deadline of 4000 ns and not 5000",
        ),
        (
            scheduler(json!({"policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 4000, "period": 3000})),
            "process.scheduler.period: must be 0 or at least the deadline 4000 and not 3000",
        ),
        (
            scheduler(
                json!({"policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 4000, "period": u64::MAX}),
            ),
            "process.scheduler.period: must be less than 2^63 ns",
        ),
    ]);
    accepted(&[
        scheduler(json!({"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 1024})),
        scheduler(json!({"policy": "SCHED_FIFO", "priority": 99, "flags": ["SCHED_FLAG_RESET_ON_FORK"]})),
        scheduler(json!({"policy": "SCHED_OTHER", "nice": -20, "priority": 0})),
    ]);
}

#[test]
fn mounts() {
    let mount = |members: Value| json!({"mounts": [members]});
    let mapping = json!([{"containerID": 0, "hostID": 1, "size": 1}]);
    told(&[
        (mount(json!({"destination": "", "type": "proc"})), "mounts[0].destination: must not be empty"),
        (
            mount(json!({"destination": "/a\0", "type": "proc"})),
            "mounts[0].destination: must not hold a NUL byte",
        ),
        (mount(json!({"destination": "/a", "type": "p\0"})), "mounts[0].type: must not hold a NUL byte"),
        (
            mount(json!({"destination": "/a", "type": "proc", "source": "\0"})),
            "mounts[0].source: must not hold a NUL byte",
        ),
        (
            mount(json!({"destination": "/a", "type": "proc", "options": ["a", "\0"]})),
            "mounts[0].options[1]: must not hold a NUL byte",
        ),
        (
            mount(json!({"destination": "/a", "source": "x"})),
            "mounts[0].type: must be given, as this is no bind mount",
        ),
        (
            mount(json!({"destination": "/a", "options": ["rbind"]})),
            "mounts[0].source: must be given for a bind mount",
        ),
        (
            mount(json!({"destination": "/a", "source": "x", "options": ["bind"], "uidMappings": mapping})),
            "mounts[0].gidMappings: must be given with uidMappings",
        ),
        (
            mount(
                json!({"destination": "/a", "type": "tmpfs", "uidMappings": mapping, "gidMappings": mapping}),
            ),
            "mounts[0].uidMappings: needs a bind mount",
        ),
        (
            and(
                without_namespaces(),
                &mount(json!({"destination": "/a", "source": "x", "options": ["bind", "ridmap"]})),
            ),
            "mounts[0].options[1]: needs uidMappings and gidMappings, or a user namespace in linux.namespaces",
        ),
    ]);
    accepted(&[
        mount(json!({"destination": "a/b", "type": "proc"})),
        mount(json!({"destination": "/a", "type": "bind", "source": "x"})),
        mount(json!({"destination": "/a", "options": ["remount", "bind", "ro"]})),
        mount(json!({"destination": "/a", "source": "x", "options": ["bind", "idmap"]})),
        and(
            without_namespaces(),
            &mount(
                json!({"destination": "/a", "source": "x", "options": ["bind"], "uidMappings": mapping, "gidMappings": mapping}),
            ),
        ),
    ]);
}

#[test]
fn hooks() {
    let hook = |members: Value| json!({"hooks": {"poststop": [{"path": "/a"}, members]}});
    told(&[
        (hook(json!({"path": "a"})), "hooks.poststop[1].path: must be an absolute path and not \"a\""),
        (
            hook(json!({"path": "/a", "timeout": 0})),
            "hooks.poststop[1].timeout: must be greater than 0 and not 0",
        ),
        (
            hook(json!({"path": "/a", "timeout": -5})),
            "hooks.poststop[1].timeout: must be greater than 0 and not -5",
        ),
        (hook(json!({"path": "/a", "args": ["\0"]})), "hooks.poststop[1].args[0]: must not hold a NUL byte"),
        (hook(json!({"path": "/a", "env": ["\0"]})), "hooks.poststop[1].env[0]: must not hold a NUL byte"),
    ]);
    for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
        let fault = format!("hooks.{kind}[0].path: must be an absolute path and not \"\"");
        told(&[(json!({"hooks": {kind: [{"path": ""}]}}), &fault)]);
    }
    accepted(&[hook(json!({"path": "/a", "timeout": 1, "args": [], "env": ["A"]}))]);
}

#[test]
fn process_and_resources_have_the_place_that_they_are_given() {
    let process = serde_json::from_value(json!({"cwd": "x", "args": ["a"], "user": {}})).unwrap();
    let told = |at| validate_process(&process, at).unwrap_err().to_string();
    assert_eq!(told(""), "cwd: must be an absolute path and not \"x\"");
    assert_eq!(told("process"), "process.cwd: must be an absolute path and not \"x\"");
    let resources = serde_json::from_value(json!({"cpu": {"idle": -1}})).unwrap();
    assert_eq!(
        validate_resources(&resources, "").unwrap_err().to_string(),
        "cpu.idle: must be 0 to 1 and not -1"
    );
}
