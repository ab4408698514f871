use serde_json::Value;
use serde_json::json;

use super::*;

#[test]
fn namespaces_and_mappings() {
    let linux = |members: Value| json!({ "linux": members });
    let range = |container: u32, host: u32, size: u32| json!({"containerID": container, "hostID": host, "size": size});
    let uids = |list: Value| json!({"linux": {"uidMappings": list}});
    told(&[
        (
            and(
                without_namespaces(),
                &linux(json!({"namespaces": [{"type": "network"}, {"type": "network", "path": "/x"}]})),
            ),
            "linux.namespaces[1].type: must not be there twice: \"network\"",
        ),
        (
            and(without_namespaces(), &linux(json!({"namespaces": [{"type": "pid", "path": "x"}]}))),
            "linux.namespaces[0].path: must be an absolute path and not \"x\"",
        ),
        (linux(json!({"gidMappings": null})), "linux.gidMappings: must be given for a new user namespace"),
        (
            linux(json!({"namespaces": [], "gidMappings": null})),
            "linux.uidMappings: needs a user namespace in linux.namespaces",
        ),
        (uids(json!([range(0, 0, 0)])), "linux.uidMappings[0].size: must not be 0"),
        (
            uids(json!([range(1, 0, u32::MAX)])),
            "linux.uidMappings[0].containerID: 1 and a size of 4294967295 go past the last id",
        ),
        (
            uids(json!([range(0, 5, 2), range(1, 9, 1)])),
            "linux.uidMappings[1].containerID: must not overlap with that of element 0",
        ),
        (
            uids(json!([range(0, 5, 2), range(7, 4, 2)])),
            "linux.uidMappings[1].hostID: must not overlap with that of element 0",
        ),
        (
            uids(json!((0..341).map(|id| range(id, id, 1)).collect::<Vec<_>>())),
            "linux.uidMappings: must have at most 340 ranges and not 341",
        ),
    ]);
    accepted(&[
        uids(json!([range(0, 0, u32::MAX)])),
        uids(json!((0..340).map(|id| range(id, id, 1)).collect::<Vec<_>>())),
        linux(json!({"namespaces": [{"type": "user", "path": "/proc/1/ns/user"}]})),
        linux(
            json!({"namespaces": [{"type": "user", "path": "/x"}], "uidMappings": null, "gidMappings": null}),
        ),
        linux(json!({"namespaces": [{"type": "user", "path": ""}]})),
    ]);
}

#[test]
fn sysctls() {
    let sysctl = |key: &str| json!({"linux": {"sysctl": {key: "1"}}});
    for key in [
        "kernel.sem",
        "kernel/shmmax",
        "fs.mqueue.msg_max",
        "net.ipv4.conf.eth0/1.forwarding",
        "net/core/x.y",
        "kernel.domainname",
    ] {
        accepted(&[sysctl(key)]);
    }
    for (key, fault) in [
        ("kernel.hostname", "must be set by the property hostname"),
        ("kernel.panic", "must be a parameter that belongs to a namespace"),
        ("kernel.sem.x", "must be a parameter that belongs to a namespace"),
        ("vm.swappiness", "must be a parameter that belongs to a namespace"),
        ("net", "must be a parameter that belongs to a namespace"),
        ("netx.a", "must be a parameter that belongs to a namespace"),
        ("fs.mqueue", "must be a parameter that belongs to a namespace"),
        ("net.//.kernel.panic", "must be the name of a kernel parameter"),
        ("net/../kernel/panic", "must be the name of a kernel parameter"),
        ("net..x", "must be the name of a kernel parameter"),
        ("", "must be the name of a kernel parameter"),
        ("/kernel/sem", "must be the name of a kernel parameter"),
    ] {
        told(&[(sysctl(key), &format!("linux.sysctl[{key:?}]: {fault}"))]);
    }
    for (key, kind) in [
        ("kernel.sem", "an IPC"),
        ("fs.mqueue.a", "an IPC"),
        ("net.a", "a network"),
        ("kernel.domainname", "a UTS"),
    ] {
        let fault = format!("linux.sysctl[{key:?}]: needs {kind} namespace in linux.namespaces");
        told(&[(and(without_namespaces(), &sysctl(key)), &fault)]);
    }
    for (key, path) in [
        ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("x", "x"),
    ] {
        assert_eq!(sysctl_path(key), path);
    }
}

#[test]
fn devices_and_paths() {
    let device = |members: Value| json!({"linux": {"devices": [members]}});
    told(&[
        (
            device(json!({"path": "dev/x", "type": "c"})),
            "linux.devices[0].path: must be an absolute path and not \"dev/x\"",
        ),
        (
            device(json!({"path": "/dev/x", "type": "a"})),
            "linux.devices[0].type: must be \"c\", \"u\", \"b\" or \"p\" and not \"a\"",
        ),
        (
            device(json!({"path": "/dev/x", "type": "c", "major": -1})),
            "linux.devices[0].major: must be 0 to 4095 and not -1",
        ),
        (
            device(json!({"path": "/dev/x", "type": "b", "minor": 1 << 20})),
            "linux.devices[0].minor: must be 0 to 1048575 and not 1048576",
        ),
        (
            device(json!({"path": "/dev/x", "type": "u", "fileMode": 65_536})),
            "linux.devices[0].fileMode: must be a file's mode and not 65536",
        ),
        (
            device(json!({"path": "/dev/x", "type": "p", "gid": u32::MAX})),
            "linux.devices[0].gid: must be an id and not 4294967295",
        ),
        (
            json!({"linux": {"maskedPaths": ["/a", "b"]}}),
            "linux.maskedPaths[1]: must be an absolute path and not \"b\"",
        ),
        (json!({"linux": {"readonlyPaths": ["/a\0"]}}), "linux.readonlyPaths[0]: must not hold a NUL byte"),
        (
            and(without_namespaces(), &json!({"linux": {"maskedPaths": ["/a"]}})),
            "linux.maskedPaths: needs a mount namespace in linux.namespaces",
        ),
        (
            json!({"linux": {"rootfsPropagation": "x"}}),
            "linux.rootfsPropagation: must be (r)private, (r)slave, (r)shared or (r)unbindable and not \"x\"",
        ),
        (json!({"linux": {"cgroupsPath": "\0"}}), "linux.cgroupsPath: must not hold a NUL byte"),
        (json!({"linux": {"mountLabel": "\0"}}), "linux.mountLabel: must not hold a NUL byte"),
    ]);
    accepted(&[
        device(json!({"path": "/dev/x", "type": "p", "major": -1, "minor": -1})),
        device(
            json!({"path": "/dev/x", "type": "c", "major": 4095, "minor": 0xf_ffff, "fileMode": 0o20_666}),
        ),
        json!({"linux": {"rootfsPropagation": "rslave", "maskedPaths": [], "cgroupsPath": "system.slice:a:b"}}),
    ]);
}

#[test]
fn the_rest_of_linux() {
    let linux = |members: Value| json!({ "linux": members });
    told(&[
        (
            linux(json!({"timeOffsets": {"realtime": {}}})),
            "linux.timeOffsets[\"realtime\"]: must be \"boottime\" or \"monotonic\"",
        ),
        (
            linux(json!({"timeOffsets": {"boottime": {"nanosecs": 1_000_000_000}}})),
            "linux.timeOffsets[\"boottime\"].nanosecs: must be less than 1000000000 and not 1000000000",
        ),
        (
            and(without_namespaces(), &linux(json!({"timeOffsets": {"boottime": {"secs": 1}}}))),
            "linux.timeOffsets: needs a new time namespace in linux.namespaces",
        ),
        (
            linux(json!({"personality": {"domain": "LINUX", "flags": ["x"]}})),
            "linux.personality.flags: must be empty: there are no flags yet",
        ),
        (
            linux(json!({"intelRdt": {"closID": "a/b"}})),
            "linux.intelRdt.closID: must be the name of a directory and not \"a/b\"",
        ),
        (
            linux(json!({"intelRdt": {"closID": ".."}})),
            "linux.intelRdt.closID: must be the name of a directory and not \"..\"",
        ),
        (
            linux(json!({"intelRdt": {"schemata": ["L3:0=f", "a\nb"]}})),
            "linux.intelRdt.schemata[1]: must be one line of text",
        ),
        (
            linux(json!({"memoryPolicy": {"mode": "MPOL_BIND"}})),
            "linux.memoryPolicy.nodes: must be given for this mode",
        ),
        (
            linux(json!({"memoryPolicy": {"mode": "MPOL_LOCAL", "nodes": "0"}})),
            "linux.memoryPolicy.nodes: must be empty for this mode",
        ),
        (
            linux(json!({"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "x"}})),
            "linux.memoryPolicy.nodes: must be a list as \"0-3,7\" and not \"x\"",
        ),
        (
            linux(
                json!({"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]}}),
            ),
            "linux.memoryPolicy.flags: must not have both MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES",
        ),
        (
            and(without_namespaces(), &linux(json!({"netDevices": {"eth0": {}}}))),
            "linux.netDevices: needs a network namespace in linux.namespaces",
        ),
        (
            linux(json!({"netDevices": {"eth0": {"name": "a/b"}}})),
            "linux.netDevices[\"eth0\"].name: must be a network device's name (1 to 15 bytes, no space, \"/\", \":\" or \"%\") and not \"a/b\"",
        ),
        (
            linux(json!({"netDevices": {"eth0": {"name": "x"}, "x": {}}})),
            "linux.netDevices[\"x\"].name: must not be that of \"eth0\" too",
        ),
        (
            linux(json!({"netDevices": {"eth0": {"name": "%d"}, "eth1": {"name": "a%s"}}})),
            "linux.netDevices[\"eth1\"].name: must be a network device's name (1 to 15 bytes, no space, \"/\", \":\" or \"%\") and not \"a%s\"",
        ),
    ]);
    for name in ["", ".", "..", "a b", "a:b", "a%d", "sixteen_letters_", "a\0"] {
        assert!(
            faults(&linux(json!({"netDevices": {name: {}}}))).contains("must be a network device's name"),
            "{name}"
        );
    }
    accepted(&[
        linux(
            json!({"timeOffsets": {"boottime": {"secs": i64::MIN, "nanosecs": 999_999_999}, "monotonic": {}}}),
        ),
        linux(json!({"netDevices": {"fifteen_letters": {"name": "eth0"}, "eth0": {"name": "eth1"}}})),
        linux(json!({"netDevices": {"a": {"name": "eth%d"}, "b": {"name": "eth%d"}}})),
        linux(json!({"memoryPolicy": {"mode": "MPOL_PREFERRED"}})),
        linux(
            json!({"intelRdt": {"closID": "/"}, "memoryPolicy": {"mode": "MPOL_DEFAULT", "flags": ["MPOL_F_STATIC_NODES"]}}),
        ),
        linux(json!({"intelRdt": {"closID": "a", "schemata": ["L3:0=f"], "l3CacheSchema": "L3:0=f\n"}})),
    ]);
}
