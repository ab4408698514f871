//! The systemd cgroup manager, on machines whose first process is systemd; elsewhere that it says so.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use support::{Bundle, text, wait_until};

/// A bundle whose container will be `unit` in `slice`, or nothing where there is no systemd; it says so.
fn bundle(name: &str, script: &str) -> Option<Bundle> {
    if !Path::new("/run/systemd/system").is_dir() {
        println!("skipped: systemd is not this machine's first process");
        return None;
    }
    let bundle = Bundle::new(name, false, script)?;
    let path = format!("corten-test.slice:corten:{name}");
    bundle.edit(|spec| spec["linux"]["cgroupsPath"] = path.into());
    Some(bundle)
}

fn scope(name: &str) -> String {
    format!("corten-{name}.scope")
}

fn create(bundle: &Bundle, id: &str) {
    bundle.quiet(&["--systemd-cgroup", "create", "--bundle", bundle.path(), id]);
}

/// The last line of a create that fails.
fn refused(bundle: &Bundle, id: &str) -> String {
    let errors = bundle.file("errors");
    let mut command = bundle.command(&["--systemd-cgroup", "create", "--bundle", bundle.path(), id]);
    let status = command.stdout(Stdio::null()).stderr(fs::File::create(&errors).unwrap()).status().unwrap();
    let errors = fs::read_to_string(errors).unwrap();
    assert!(!status.success(), "{errors}");
    errors.lines().last().unwrap_or_default().replace("\\\"", "\"")
}

fn systemctl(args: &[&str]) -> String {
    text(&Command::new("systemctl").args(args).output().unwrap().stdout)
}

/// What systemd tells of a unit.
fn shown(unit: &str) -> BTreeMap<String, String> {
    let text = systemctl(&["show", unit]);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let mut all = BTreeMap::new();
    for (key, value) in pairs {
        let known: &mut String = all.entry(key.to_owned()).or_default();
        *known = [known.as_str(), value].join(if known.is_empty() { "" } else { " " });
    }
    all
}

fn is_loaded(unit: &str) -> bool {
    shown(unit)["LoadState"] == "loaded"
}

/// The container's directories, in all hierarchies that have one.
fn cgroups(unit: &str) -> Vec<PathBuf> {
    let all = Command::new("find").args(["/sys/fs/cgroup", "-type", "d", "-name", unit]).output().unwrap();
    text(&all.stdout).lines().map(PathBuf::from).collect()
}

/// The content of `file` of the container's cgroup, in whichever hierarchy has it.
fn file(unit: &str, name: &str) -> Option<String> {
    let found = cgroups(unit).iter().find_map(|dir| fs::read_to_string(dir.join(name)).ok());
    found.map(|text| text.trim().to_owned())
}

fn assert_nothing_left(name: &str) {
    wait_until(|| !is_loaded(&scope(name)));
    assert_eq!(cgroups(&scope(name)), Vec::<PathBuf>::new());
}

fn is_unified() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

#[test]
fn a_container_is_a_scope_with_its_limits() {
    let Some(bundle) = bundle("life", "sleep 1000") else { return };
    let unit = scope("life");
    bundle.edit(|spec| {
        spec["linux"]["resources"] = serde_json::json!({
            "memory": {"limit": 67_108_864},
            "cpu": {"shares": 512, "quota": 33_333, "period": 100_000, "cpus": "0"},
            "pids": {"limit": 50},
            "devices": [{"allow": false, "access": "rwm"},
                        {"allow": true, "type": "c", "major": 10, "minor": 200, "access": "rw"}],
        });
        spec["annotations"] = serde_json::json!({"org.systemd.property.TimeoutStopSec": "uint64 7"});
    });
    create(&bundle, "x");
    let told = shown(&unit);
    let expected = [
        ("ActiveState", "active"),
        ("Slice", "corten-test.slice"),
        ("Delegate", "yes"),
        ("DefaultDependencies", "no"),
        ("CollectMode", "inactive-or-failed"),
        ("TimeoutStopUSec", "7s"),
        ("TasksMax", "50"),
        ("CPUQuotaPerSecUSec", "333.330ms"),
        ("DevicePolicy", "strict"),
        if is_unified() { ("MemoryMax", "67108864") } else { ("MemoryLimit", "67108864") },
        if is_unified() { ("CPUWeight", "59") } else { ("CPUShares", "512") },
        ("AllowedCPUs", "0"),
    ];
    for (name, value) in expected {
        assert_eq!(told[name], value, "{name}");
    }
    assert!(told["DeviceAllow"].contains("/dev/char/10:200 rw"), "{}", told["DeviceAllow"]);
    let files = if is_unified() {
        [("memory.max", "67108864"), ("cpu.weight", "59"), ("cpu.max", "33333 100000"), ("pids.max", "50")]
    } else {
        [
            ("memory.limit_in_bytes", "67108864"),
            ("cpu.shares", "512"),
            ("cpu.cfs_quota_us", "33333"),
            ("pids.max", "50"),
        ]
    };
    for (name, value) in files {
        assert_eq!(file(&unit, name).as_deref(), Some(value), "{name}");
    }
    // The process is in it in every hierarchy, and so are those that come later.
    bundle.ok(&["start", "x"]);
    let own = |pid: &str| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let all = own(&bundle.state("x")["pid"].to_string());
    let inside = format!("/corten.slice/corten-test.slice/{unit}");
    for line in all.lines() {
        assert!(line.ends_with(&inside) || line.contains(":misc:"), "{line}");
    }
    let file_of_pid = bundle.file("pid");
    bundle.quiet(&["exec", "--detach", "--pid-file", &file_of_pid, "x", "sleep", "1000"]);
    assert_eq!(own(&fs::read_to_string(&file_of_pid).unwrap()), all);
    // Devices are those of the configuration, and stay so when systemd reads everything anew.
    let devices = "echo >/dev/null && ! (mknod /tun c 10 201 && : </tun) 2>/dev/null";
    let devices = || bundle.ok(&["exec", "--cap", "CAP_MKNOD", "x", "sh", "-c", devices]);
    devices();
    systemctl(&["daemon-reload"]);
    devices();
    assert_eq!(file(&unit, "pids.max").as_deref(), Some("50"));

    bundle.ok(&["update", "--memory", "50000000", "--pids-limit", "40", "--cpu-quota", "40000", "x"]);
    let told = shown(&unit);
    assert_eq!((told["TasksMax"].as_str(), told["CPUQuotaPerSecUSec"].as_str()), ("40", "400ms"));
    assert_eq!(file(&unit, "pids.max").as_deref(), Some("40"));
    bundle.ok(&["pause", "x"]);
    assert_eq!(bundle.state("x")["status"], "paused");
    bundle.ok(&["resume", "x"]);
    assert_eq!(bundle.ok(&["ps", "--format", "json", "x"]).matches(',').count(), 1);
    assert!(bundle.ok(&["events", "--stats", "x"]).contains("\"pids\":{\"current\":2,\"limit\":40}"));
    bundle.ok(&["delete", "--force", "x"]);
    assert_nothing_left("life");
}

#[test]
fn each_operation_is_one_call() {
    let Some(bundle) = bundle("calls", "sleep 1000") else { return };
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: this test wants strace");
        return;
    }
    let log = bundle.file("strace");
    let calls = |args: &[&str]| {
        let command = bundle.command(args);
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-s", "4096", "-e", "trace=sendto", "-o", &log]).arg(command.get_program());
        strace.args(command.get_args()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(strace.status().unwrap().success(), "{args:?}");
        let log = fs::read_to_string(&log).unwrap();
        let of_systemd = log.lines().filter(|line| line.contains("/org/freedesktop/systemd1\\0"));
        let methods = ["StartTransientUnit", "SetUnitProperties", "StopUnit", "ResetFailedUnit"];
        let method = |line: &str| methods.iter().find(|method| line.contains(*method)).copied();
        of_systemd.map(|line| method(line).unwrap_or("other")).collect::<Vec<_>>()
    };
    assert_eq!(
        calls(&["--systemd-cgroup", "create", "--bundle", bundle.path(), "x"]),
        ["StartTransientUnit"]
    );
    assert_eq!(calls(&["start", "x"]), [""; 0]);
    assert_eq!(calls(&["update", "--pids-limit", "40", "x"]), ["SetUnitProperties"]);
    assert_eq!(calls(&["exec", "x", "true"]), [""; 0]);
    assert_eq!(calls(&["pause", "x"]), [""; 0]);
    assert_eq!(calls(&["resume", "x"]), [""; 0]);
    assert_eq!(calls(&["kill", "x", "KILL"]), [""; 0]);
    bundle.wait_for("x", "stopped");
    wait_until(|| !is_loaded(&scope("calls")));
    assert_eq!(calls(&["delete", "x"]), ["StopUnit"]);
    assert_nothing_left("calls");
}

#[test]
fn what_fails_leaves_no_unit() {
    let Some(bundle) = bundle("fails", "sleep 1000") else { return };
    let plain = fs::read(bundle.file("config.json")).unwrap();
    let attempt = |place: &str, value: serde_json::Value| {
        fs::write(bundle.file("config.json"), &plain).unwrap();
        bundle.edit(|spec| *spec.pointer_mut(place).unwrap() = value);
        let error = refused(&bundle, "x");
        assert_nothing_left("fails");
        assert!(!Path::new(&bundle.file("state")).join("x").exists());
        error
    };
    let annotation = |name: &str, value: &str| serde_json::json!({name: value});
    for path in ["/corten-test", "corten-test.slice:x", "corten-test:x:y", "a--b.slice:x:y"] {
        let error = attempt("/linux/cgroupsPath", path.into());
        assert!(error.contains("linux.cgroupsPath: "), "{error}");
    }
    bundle.edit(|spec| spec["annotations"] = serde_json::json!({}));
    let plain_annotations = fs::read(bundle.file("config.json")).unwrap();
    let attempt_annotations = |name: &str, value: &str| {
        fs::write(bundle.file("config.json"), &plain_annotations).unwrap();
        bundle.edit(|spec| spec["linux"]["cgroupsPath"] = "corten-test.slice:corten:fails".into());
        bundle.edit(|spec| spec["annotations"] = annotation(name, value));
        let error = refused(&bundle, "x");
        assert_nothing_left("fails");
        assert!(error.contains(&format!("annotations[\"{name}\"]: ")), "{error}");
    };
    attempt_annotations("org.systemd.property.CollectMode", "inactive");
    attempt_annotations("org.systemd.property.NoSuchThing", "true");
    attempt_annotations("run.oci.systemd.subgroup", "../x");
    // After systemd has made the unit: the program is not there, or a limit is refused.
    attempt("/process/args/0", "/no/such/program".into());
    let error =
        attempt("/linux/resources", serde_json::json!({"hugepageLimits": [{"pageSize": "3MB", "limit": 1}]}));
    assert!(error.contains("linux.resources.hugepageLimits"), "{error}");
    let hook = serde_json::json!([{"path": "/bin/false"}]);
    bundle.edit(|spec| spec["hooks"] = serde_json::json!({"createRuntime": []}));
    fs::write(bundle.file("config.json"), &plain).unwrap();
    bundle.edit(|spec| spec["hooks"] = serde_json::json!({"createRuntime": hook}));
    refused(&bundle, "x");
    assert_nothing_left("fails");
}

#[test]
fn a_name_in_use_is_an_error_and_a_failed_one_is_taken() {
    let Some(bundle) = bundle("taken", "sleep 1000") else { return };
    let unit = scope("taken");
    let run = |args: &[&str]| {
        let status = Command::new("systemd-run").args(["--quiet", "--unit", &unit]).args(args).status();
        status.unwrap()
    };
    // A failed scope keeps its name: its process is killed by a signal of systemd's after it ignored the first one.
    assert!(
        run(&["--scope", "--slice", "corten-test.slice", "-p", "RuntimeMaxSec=1", "sleep", "100"])
            .code()
            .is_none_or(|code| code != 0)
    );
    wait_until(|| shown(&unit)["ActiveState"] != "active");
    println!("left over as {}", shown(&unit)["ActiveState"]);
    create(&bundle, "x");
    assert_eq!(shown(&unit)["ActiveState"], "active");
    let error = refused(&bundle, "y");
    assert!(error.contains("not empty") && error.contains(&unit), "{error}");
    assert_eq!(shown(&unit)["ActiveState"], "active");
    bundle.ok(&["delete", "--force", "x"]);
    assert_nothing_left("taken");

    // One without a cgroup of that place is known by its name alone.
    let mut other = Command::new("systemd-run")
        .args(["--quiet", "--unit", &unit, "--scope", "--slice", "corten-other.slice", "sleep", "100"])
        .spawn()
        .unwrap();
    wait_until(|| shown(&unit)["ActiveState"] == "active");
    let error = refused(&bundle, "x");
    assert!(error.contains(&format!("systemd has a unit {unit} already")), "{error}");
    assert_eq!(shown(&unit)["ActiveState"], "active", "another's unit was touched");
    other.kill().unwrap();
    other.wait().unwrap();
    assert_nothing_left("taken");
}

#[test]
fn sub_cgroups_are_those_of_the_annotations() {
    let Some(bundle) = bundle("sub", "sleep 1000").filter(|_| {
        is_unified() || {
            println!("skipped: needs cgroup v2");
            false
        }
    }) else {
        return;
    };
    bundle.edit(|spec| {
        spec["linux"]["resources"] = serde_json::json!({"pids": {"limit": 50}});
        spec["annotations"] = serde_json::json!({
            "run.oci.systemd.subgroup": "container",
            "run.oci.delegate-cgroup": "payload",
        });
    });
    create(&bundle, "x");
    bundle.ok(&["start", "x"]);
    let pid = bundle.state("x")["pid"].to_string();
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert!(own.trim().ends_with("/corten-sub.scope/container/payload"), "{own}");
    assert_eq!(file(&scope("sub"), "container/pids.max").as_deref(), Some("50"));
    assert_eq!(shown(&scope("sub"))["TasksMax"], "50");
    // The namespace begins above what was given away.
    assert_eq!(bundle.ok(&["exec", "x", "cat", "/proc/self/cgroup"]).trim(), "0::/payload");
    bundle.ok(&["update", "--pids-limit", "40", "x"]);
    assert_eq!(file(&scope("sub"), "container/pids.max").as_deref(), Some("40"));
    bundle.ok(&["delete", "--force", "x"]);
    assert_nothing_left("sub");
}

#[test]
fn a_slice_can_be_the_unit() {
    let Some(bundle) = bundle("slice", "sleep 1000") else { return };
    let unit = "corten-test-own.slice";
    bundle.edit(|spec| {
        spec["linux"]["cgroupsPath"] = format!("corten-test.slice::{unit}").into();
        spec["linux"]["resources"] = serde_json::json!({"pids": {"limit": 50}});
    });
    create(&bundle, "x");
    let pid = bundle.state("x")["pid"].to_string();
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert!(
        own.lines().any(|line| line.ends_with(&format!("/corten.slice/corten-test.slice/{unit}"))),
        "{own}"
    );
    assert_eq!(shown(unit)["TasksMax"], "50");
    bundle.ok(&["delete", "--force", "x"]);
    assert_eq!(cgroups(unit), Vec::<PathBuf>::new());
    assert_ne!(shown(unit)["ActiveState"], "active");
}

#[test]
fn systemd_is_found_without_a_bus() {
    let Some(bundle) = bundle("ways", "sleep 1000") else { return };
    for (bus, id) in [("unix:path=/no/such/socket", "x"), ("nonsense", "y")] {
        let mut create = bundle.command(&["--systemd-cgroup", "create", "--bundle", bundle.path(), id]);
        // Beneath a mount namespace whose bus is out of sight only systemd's own socket is left.
        let hidden = "mount -t tmpfs none /run/dbus && exec \"$@\"";
        let mut unshare = Command::new("unshare");
        unshare.args(["-m", "sh", "-c", hidden, "sh"]).arg(create.get_program()).args(create.get_args());
        let quiet = unshare.env("DBUS_SYSTEM_BUS_ADDRESS", bus).stdin(Stdio::null()).stdout(Stdio::null());
        assert!(quiet.stderr(Stdio::null()).status().unwrap().success());
        assert_eq!(shown(&scope("ways"))["ActiveState"], "active");
        let delete = bundle.command(&["delete", "--force", id]).env("DBUS_SYSTEM_BUS_ADDRESS", bus).status();
        assert!(delete.unwrap().success());
        assert_nothing_left("ways");
        create.stdin(Stdio::null());
    }
}

#[test]
fn a_container_whose_record_is_lost_is_removed() {
    let Some(bundle) = bundle("lost", "sleep 1000") else { return };
    create(&bundle, "x");
    fs::write(Path::new(&bundle.file("state")).join("x/state.json"), "{").unwrap();
    bundle.ok(&["delete", "--force", "x"]);
    assert_nothing_left("lost");
}

#[test]
fn without_systemd_its_socket_is_named() {
    if Path::new("/run/systemd/system").is_dir() {
        println!("skipped: this machine has systemd");
        return;
    }
    let Some(bundle) = Bundle::new("without", false, "true") else { return };
    bundle.edit(|spec| spec["linux"]["cgroupsPath"] = "a.slice:b:c".into());
    let error = refused(&bundle, "x");
    assert!(error.contains("/run/systemd/private: No such file or directory"), "{error}");
    assert!(!Path::new(&bundle.file("state")).join("x").exists());
}
