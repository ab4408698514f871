use std::path::Path;

use crate::{
    config::{load_resources, parse},
    spec::{Capability, IOPriorityClass, LinuxDeviceType, LinuxSchedulerFlag, Spec},
};

fn spec(text: &str) -> Spec {
    parse(text.as_bytes(), Path::new("c")).unwrap_or_else(|error| panic!("{error}"))
}

fn process(members: &str) -> crate::spec::Process {
    spec(&format!(r#"{{"process": {{"cwd": "/", "user": {{}}, {members}}}}}"#)).process.unwrap()
}

#[test]
fn unknown_capabilities_are_dropped_and_known_ones_kept() {
    let process =
        process(r#""capabilities": {"bounding": ["CAP_KILL", "CAP_NEXT_YEAR", ""], "ambient": ["CAP_X"]}"#);
    let sets = process.capabilities.as_ref().unwrap();
    let bounding = sets.bounding.clone();
    assert_eq!(bounding, [Capability::Kill]);
    assert!(sets.ambient.is_empty());
}

#[test]
fn scheduler_flags_have_the_names_of_the_specification() {
    let all = r#""scheduler": {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM",
        "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_KEEP_POLICY", "SCHED_FLAG_KEEP_PARAMS", "SCHED_FLAG_UTIL_CLAMP_MIN",
        "SCHED_FLAG_UTIL_CLAMP_MAX"]}"#;
    let process = process(all);
    let flags = process.scheduler.as_ref().unwrap().flags.clone();
    assert_eq!(flags.len(), 7);
    assert_eq!(
        [flags[0], flags[2]],
        [LinuxSchedulerFlag::SchedResetOnFork, LinuxSchedulerFlag::SchedFlagDLOverrun]
    );
}

#[test]
fn a_process_without_a_user_is_roots() {
    let spec = spec(r#"{"process": {"cwd": "/"}}"#);
    assert_eq!(spec.process.as_ref().unwrap().user.uid, 0);
}

#[test]
fn an_empty_affinity_is_none() {
    let process = process(r#""execCPUAffinity": {"initial": "", "final": "1"}"#);
    let affinity = process.exec_cpu_affinity.as_ref().unwrap();
    assert_eq!((&affinity.initial, affinity.cpu_affinity_final.as_deref()), (&None, Some("1")));
}

#[test]
fn an_io_priority_needs_its_class() {
    let process = process(r#""ioPriority": {"class": "IOPRIO_CLASS_RT", "priority": 1}"#);
    assert_eq!(process.io_priority.unwrap().class, IOPriorityClass::IoprioClassRt);
    let text = r#"{"process": {"cwd": "/", "user": {}, "ioPriority": {"priority": 1}}}"#;
    let error = parse(text.as_bytes(), Path::new("c")).unwrap_err().to_string();
    assert!(error.starts_with("c: process.ioPriority: missing field `class` at line 1 column 66"), "{error}");
}

#[test]
fn pids_without_a_limit_are_not_a_limit_of_none() {
    let limit = |text: &str| {
        load_resources(text.as_bytes(), Path::new("r")).unwrap().pids.and_then(|pids| pids.limit)
    };
    assert_eq!(limit(r#"{"pids": {}}"#), None);
    assert_eq!(limit(r#"{"pids": {"limit": null}}"#), None);
    assert_eq!(limit(r#"{"pids": {"limit": 0}}"#), Some(0));
    assert_eq!(limit(r#"{"pids": {"limit": -1}}"#), Some(-1));
    let limit = |text: &str| {
        let spec = spec(text);
        spec.linux.as_ref().unwrap().resources.as_ref().unwrap().pids.and_then(|pids| pids.limit)
    };
    assert_eq!(limit(r#"{"linux": {"resources": {"pids": {}}}}"#), None);
    // Before 1.3 of the specification a limit of 0 was none.
    for (version, expected) in [("1.0.2", None), ("1.2.1", None), ("1.3.0", Some(0)), ("1.3.0-rc.1", Some(0))]
    {
        let text =
            format!(r#"{{"ociVersion": "{version}", "linux": {{"resources": {{"pids": {{"limit": 0}}}}}}}}"#);
        assert_eq!(limit(&text), expected, "{version}");
    }
}

#[test]
fn huge_page_limits_are_unsigned() {
    let text = r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 18446744073709551615}, {"pageSize": "1GB", "limit": 5}]}"#;
    let resources = load_resources(text.as_bytes(), Path::new("r")).unwrap();
    let limits: Vec<_> = resources.hugepage_limits.iter().map(|limit| limit.limit).collect();
    assert_eq!(limits, [u64::MAX, 5]);
}

#[test]
fn a_device_rule_without_a_type_is_for_all() {
    let text =
        r#"{"devices": [{"allow": false, "type": "", "access": "rwm"}, {"type": "c", "access": "r"}]}"#;
    let resources = load_resources(text.as_bytes(), Path::new("r")).unwrap();
    let types: Vec<_> = resources.devices.iter().flatten().map(|rule| rule.typ).collect();
    assert_eq!(types, [None, Some(LinuxDeviceType::C)]);
}

#[test]
fn the_monitoring_switches_of_older_versions_are_kept() {
    let spec = spec(r#"{"linux": {"intelRdt": {"enableCMT": true, "enableMBM": false, "closID": "a"}}}"#);
    let rdt = spec.linux.as_ref().unwrap().intel_rdt.clone().unwrap();
    assert_eq!((rdt.enable_cmt, rdt.enable_mbm), (true, false));
    assert_eq!(rdt.clos_id.as_deref(), Some("a"));
}

#[test]
fn null_is_not_there() {
    let spec = spec(
        r#"{"process": {"user": null, "cwd": "/", "rlimits": [{"type": "RLIMIT_CPU", "hard": null}]}, "root": {"path": null},
            "linux": {"uidMappings": null, "devices": [{"path": "/dev/x", "type": "c", "major": null}]}}"#,
    );
    assert_eq!(spec.process.as_ref().unwrap().user.uid, 0);
    let text = r#"{"annotations": {"a": null}}"#;
    assert!(parse(text.as_bytes(), Path::new("c")).is_err());
}

#[test]
fn other_platforms_do_not_matter() {
    let spec = spec(
        r#"{"vm": {"hwConfig": 1}, "windows": 2, "solaris": [], "zos": "", "freebsd": {}, "hostname": "h"}"#,
    );
    assert_eq!(spec.hostname.as_deref(), Some("h"));
}

#[test]
fn empty_strings_that_mean_nothing_are_none() {
    let spec = spec(
        r#"{"hostname": "", "domainname": "",
            "mounts": [{"destination": "/a", "type": "", "source": "", "options": ["remount"]}],
            "process": {"cwd": "/", "user": {}, "apparmorProfile": "", "selinuxLabel": ""},
            "linux": {"cgroupsPath": "", "mountLabel": "", "rootfsPropagation": "",
                      "intelRdt": {"closID": ""}, "namespaces": [{"type": "pid", "path": ""}]}}"#,
    );
    let (linux, process) = (spec.linux.clone().unwrap(), spec.process.unwrap());
    let mount = &spec.mounts[0];
    let texts = [&spec.hostname, &spec.domainname, &process.apparmor_profile, &process.selinux_label];
    let rdt = linux.intel_rdt.clone().unwrap();
    let more = [&linux.mount_label, &linux.rootfs_propagation, &mount.typ, &rdt.clos_id];
    assert!(texts.into_iter().chain(more).all(Option::is_none));
    let namespace = &linux.namespaces[0];
    assert!([&linux.cgroups_path, &namespace.path, &mount.source].into_iter().all(Option::is_none));
}
