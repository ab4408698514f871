//! Every property is read and written; what is wrong is told with its place.

use super::{Linux, LinuxSeccomp, Mount, Process, Spec, from_slice};
use serde_json::{Value, json};

/// A config.json with every property that the specification has for Linux, none of them at its default.
fn everything() -> Value {
    let ids = json!([{"hostID": 100, "containerID": 1, "size": 2}]);
    let hooks = json!([{"path": "/hook", "args": ["hook", "a"], "env": ["A=b"], "timeout": 5}]);
    let throttles = json!([{"major": 8, "minor": 1, "rate": 1000}]);
    json!({
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs", "readonly": true},
        "mounts": [{"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"],
            "uidMappings": ids, "gidMappings": ids}],
        "process": {
            "terminal": true, "consoleSize": {"height": 25, "width": 80},
            "user": {"uid": 1, "gid": 2, "umask": 63, "additionalGids": [3], "username": "user"},
            "args": ["sh", "-c", "exit"], "commandLine": "sh", "env": ["A=b"], "cwd": "/home",
            "capabilities": {"bounding": ["CAP_CHOWN"], "effective": ["CAP_KILL"], "inheritable": ["CAP_BPF"],
                "permitted": ["CAP_SYSLOG", "CAP_SYS_ADMIN"], "ambient": ["CAP_CHECKPOINT_RESTORE"]},
            "rlimits": [{"type": "RLIMIT_RTTIME", "hard": u64::MAX, "soft": 1}],
            "noNewPrivileges": true, "apparmorProfile": "profile", "oomScoreAdj": -500, "selinuxLabel": "label",
            "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 7},
            "scheduler": {"policy": "SCHED_DEADLINE", "nice": -20, "priority": 1,
                "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN"], "runtime": 1, "deadline": 2, "period": 3},
            "execCPUAffinity": {"initial": "0-3", "final": "7"},
        },
        "hostname": "host", "domainname": "domain",
        "hooks": {"prestart": hooks, "createRuntime": hooks, "createContainer": hooks, "startContainer": hooks,
            "poststart": hooks, "poststop": hooks},
        "annotations": {"a": "b", "c": ""},
        "linux": {
            "netDevices": {"eth0": {"name": "eth1"}, "eth2": {}},
            "uidMappings": ids, "gidMappings": ids,
            "sysctl": {"net.ipv4.ip_forward": "1"},
            "resources": {
                "devices": [{"allow": true, "type": "c", "major": 1, "minor": -1, "access": "rwm"}, {"allow": false}],
                "memory": {"limit": -1, "reservation": 1, "swap": 2, "kernel": 3, "kernelTCP": 4, "swappiness": 5,
                    "disableOOMKiller": false, "useHierarchy": true, "checkBeforeUpdate": true},
                "cpu": {"shares": 1, "quota": -1, "idle": 1, "burst": 2, "period": 3, "realtimeRuntime": 4,
                    "realtimePeriod": 5, "cpus": "0-3", "mems": "0"},
                "pids": {"limit": 0},
                "blockIO": {"weight": 10, "leafWeight": 11,
                    "weightDevice": [{"major": 8, "minor": 0, "weight": 12, "leafWeight": 13}],
                    "throttleReadBpsDevice": throttles, "throttleWriteBpsDevice": throttles,
                    "throttleReadIOPSDevice": throttles, "throttleWriteIOPSDevice": throttles},
                "hugepageLimits": [{"pageSize": "2MB", "limit": u64::MAX}],
                "network": {"classID": u32::MAX, "priorities": [{"name": "eth0", "priority": 1}]},
                "rdma": {"mlx5_1": {"hcaHandles": 1, "hcaObjects": 2}},
                "unified": {"memory.high": "max"},
            },
            "cgroupsPath": "/a/b",
            "namespaces": [{"type": "time", "path": "/proc/1/ns/time"}, {"type": "cgroup"}],
            "devices": [{"path": "/dev/fuse", "type": "p", "major": 10, "minor": 229, "fileMode": 438, "uid": 1, "gid": 2}],
            "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
                "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_SHEB"], "flags": [], "listenerPath": "/run/agent",
                "listenerMetadata": "text",
                "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1,
                    "args": [{"index": 1, "value": u64::MAX, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]}]},
            "rootfsPropagation": "rslave", "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
            "mountLabel": "label",
            "intelRdt": {"closID": "group", "schemata": ["L3:0=f"], "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20",
                "enableCMT": true, "enableMBM": true, "enableMonitoring": true},
            "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
            "personality": {"domain": "LINUX32", "flags": ["FLAG"]},
            "timeOffsets": {"boottime": {"secs": -1, "nanosecs": 2}},
        },
    })
}

#[test]
fn every_property_is_read_and_written_as_it_was() {
    let document = everything();
    let spec: Spec = from_slice(document.to_string().as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&spec).unwrap(), document);
    let again: Spec = serde_json::from_value(document).unwrap();
    assert_eq!(again, spec);
}

#[test]
fn what_says_nothing_is_not_written() {
    for (spec, text) in
        [(Spec::default(), r#"{"ociVersion":""}"#), (Spec::new("1.3.0"), r#"{"ociVersion":"1.3.0"}"#)]
    {
        assert_eq!(serde_json::to_string(&spec).unwrap(), text);
    }
    let process = serde_json::to_string(&Process::new(["sh"])).unwrap();
    assert_eq!(process, r#"{"user":{"uid":0,"gid":0},"args":["sh"],"cwd":"/"}"#);
    assert_eq!(serde_json::to_string(&Mount::new("/a")).unwrap(), r#"{"destination":"/a"}"#);
}

#[test]
fn words_are_those_of_the_specification() {
    let error = serde_json::from_str::<Linux>(r#"{"devices": [{"path": "/a", "type": "x"}]}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "devices[0].type: unknown variant `x`, expected one of `a`, `b`, `c`, `u`, `p`"
    );
    let error = serde_json::from_str::<Linux>(r#"{"personality": {"domain": ""}}"#).unwrap_err().to_string();
    assert!(
        error.starts_with("personality.domain: unknown variant ``, expected `LINUX` or `LINUX32`"),
        "{error}"
    );
    for action in super::LinuxSeccompAction::ALL {
        let profile: LinuxSeccomp =
            from_slice(format!(r#"{{"defaultAction": "{action}"}}"#).as_bytes()).unwrap();
        assert_eq!(profile.default_action, *action);
    }
}

#[test]
fn a_place_has_its_line_and_column() {
    for (text, place) in [
        (
            "{\n \"a\": [1, {\"b\": \"}\\\"]\"}],\n \"hostname\":\n  7}",
            "hostname: invalid type: integer `7`, expected a string at line 4 column 3",
        ),
        (
            "{\"mounts\": [{\"destination\": \"/\"},\n\n{ } ]}",
            "mounts[1]: missing field `destination` at line 3 column 3",
        ),
        ("{\"root\":\n\"x\"}", "root: invalid type: string \"x\", expected struct Root at line 2 column 3"),
        (
            "{\"root\": {\"readonly\": 1.5e0 }}",
            "root.readonly: invalid type: floating point `1.5`, expected a boolean at line 1 column 27",
        ),
        ("{\"mounts\": {\"a\": []}}", "mounts: invalid type: map, expected a sequence at line 1 column 12"),
        (
            "{\"process\": {\"cwd\": \"/\", \"rlimits\": [{\"soft\": 1}]}}",
            "process.rlimits[0]: missing field `type` at line 1 column 48",
        ),
        (
            "{\"annotations\": {\"a\": \"b\", \"c\": null}}",
            "annotations.c: invalid type: null, expected a string at line 1 column 36",
        ),
        (
            "{\"process\": {\"cwd\": \"/\", \"args\": [null]}}",
            "process.args[0]: invalid type: null, expected a string at line 1 column 38",
        ),
        ("null", "invalid type: null, expected struct Spec at line 1 column 4"),
    ] {
        assert_eq!(from_slice::<Spec>(text.as_bytes()).unwrap_err(), place, "{text}");
    }
}

#[test]
fn a_name_given_twice_is_refused_in_large_objects_too() {
    let many: Vec<_> = (0..100).map(|number| format!(r#""{number}": "x""#)).collect();
    let twice = |name: &str| format!(r#"{{"annotations": {{{}, "{name}": "y"}}}}"#, many.join(", "));
    assert_eq!(from_slice::<Spec>(twice("100").as_bytes()).unwrap().annotations.len(), 101);
    for name in ["0", "50", "99"] {
        let error = from_slice::<Spec>(twice(name).as_bytes()).unwrap_err();
        assert!(error.starts_with(&format!("duplicate field `{name}` at line 1")), "{error}");
    }
}

#[test]
fn minus_zero_is_an_integer_and_no_other_fraction_is() {
    let read = |number: &str| {
        let text = format!(r#"{{"process": {{"cwd": "/", "oomScoreAdj": {number}}}}}"#);
        from_slice::<Spec>(text.as_bytes()).map(|spec| spec.process.unwrap().oom_score_adj)
    };
    assert_eq!(read("-0").unwrap(), Some(0));
    for number in ["0.5", "1e2", "1.0", "-1e0"] {
        assert!(
            read(number).unwrap_err().starts_with("process.oomScoreAdj: invalid type: floating point"),
            "{number}"
        );
    }
}

#[test]
fn texts_with_escapes_are_read() {
    let spec: Spec = from_slice(br#"{"hostn\u0061me": "a\n\u00e4", "annotations": {"\"": "\\"}}"#).unwrap();
    assert_eq!(spec.hostname.as_deref(), Some("a\nä"));
    assert_eq!(spec.annotations["\""], "\\");
}

#[test]
fn depth_is_that_of_the_parser() {
    let nested = |depth: usize| format!("{{\"x\": {}1{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(from_slice::<Spec>(nested(126).as_bytes()).is_ok());
    let error = from_slice::<Spec>(nested(127).as_bytes()).unwrap_err();
    assert!(error.starts_with("recursion limit exceeded"), "{error}");
}
