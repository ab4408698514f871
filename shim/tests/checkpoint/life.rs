//! A container is saved and goes on.

use crate::{
    ground::{assert_goes_on, checkpoint, count, counting, refused, restore, wait_for_count},
    support::{Bundle, text},
};
use std::{fs, os::unix::fs::PermissionsExt, process::Stdio};

#[test]
fn a_container_goes_on_where_it_was() {
    let Some(bundle) = counting("goes-on") else { return };
    bundle.edit(|spec| {
        spec["linux"]["resources"]["pids"]["limit"] = 77.into();
        spec["root"]["readonly"] = true.into();
        spec["hostname"] = "saved".into();
    });
    fs::write(bundle.file("data/file"), "of the host").unwrap();
    bundle.start("x");
    wait_for_count(&bundle, "x", 5);
    let limited = has_pids_limit(&bundle, "x");
    checkpoint(&bundle, &[], "x");
    refused(&bundle, &["state", "x"], "container x does not exist");
    let pid_file = bundle.file("pid");
    restore(&bundle, &["--pid-file", &pid_file], "x");
    assert_eq!(fs::read_to_string(pid_file).unwrap(), bundle.state("x")["pid"].to_string());
    assert!(count(&bundle, "x") >= 5);
    assert_goes_on(&bundle, "x");
    let inside = |script: &str| bundle.ok(&["exec", "x", "sh", "-c", script]);
    assert_eq!(inside("cat /proc/sys/kernel/hostname"), "saved\n");
    assert_eq!(inside("cat /data/file"), "of the host");
    assert_eq!(
        inside("echo 2>&1 >/data/new || echo >/new || echo both are read-only").lines().last(),
        Some("both are read-only")
    );
    assert_eq!(inside("cat /proc/keys /proc/timer_list"), "", "they are masked");
    assert_eq!(has_pids_limit(&bundle, "x"), limited);
    assert!(bundle.ok(&["ps", "x"]).contains("sh -c i=0"));
    // It can be saved and restored again, under another name.
    let now = count(&bundle, "x");
    checkpoint(&bundle, &[], "x");
    restore(&bundle, &[], "y");
    assert!(count(&bundle, "y") >= now);
    bundle.ok(&["pause", "y"]);
    bundle.ok(&["resume", "y"]);
    bundle.ok(&["kill", "y", "KILL"]);
    bundle.wait_for("y", "stopped");
    bundle.ok(&["delete", "y"]);
}

/// Whether the limit of the configuration is in force; the host may lack the controller.
fn has_pids_limit(bundle: &Bundle, id: &str) -> bool {
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", bundle.state(id)["pid"])).unwrap();
    let mut files = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (name, path) = (parts.next()?, parts.next()?);
        Some(format!("/sys/fs/cgroup/{name}{path}/pids.max"))
    });
    files.any(|file| fs::read_to_string(file).is_ok_and(|limit| limit == "77\n"))
}

#[test]
fn a_restore_runs_hooks_and_fails_with_them() {
    let Some(bundle) = counting("hooks") else { return };
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    checkpoint(&bundle, &[], "x");
    let told = bundle.file("told");
    let hook = |name: &str| {
        let script = format!("{{ echo {name}; cat; echo; }} >>{told}");
        serde_json::json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }])
    };
    bundle.edit(|spec| {
        for kind in ["prestart", "createRuntime", "poststart", "poststop"] {
            spec["hooks"][kind] = hook(kind);
        }
    });
    restore(&bundle, &[], "x");
    bundle.ok(&["delete", "--force", "x"]);
    let told = fs::read_to_string(&told).unwrap();
    let names: Vec<_> = told.lines().filter(|line| !line.is_empty() && !line.starts_with('{')).collect();
    assert_eq!(names, ["prestart", "createRuntime", "poststart", "poststop"]);
    let states: Vec<_> = told.lines().filter(|line| line.starts_with('{')).collect();
    assert!(states[0].contains("\"creating\"") && states[2].contains("\"running\""), "{told}");
    bundle.edit(|spec| spec["hooks"] = serde_json::json!({ "createRuntime": [{ "path": "/bin/false" }] }));
    let image = bundle.file("image");
    let restore = ["restore", "--detach", "--bundle", bundle.path(), "--image-path", &image, "x"];
    refused(&bundle, &restore, "error running createRuntime hook #0");
    assert_eq!(bundle.ok(&["list", "--quiet"]), "");
}

#[test]
fn a_criu_that_fails_or_is_killed_leaves_the_container_running() {
    let Some(bundle) = counting("killed") else { return };
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    let image = bundle.file("image");
    // A criu that is killed as soon as it has the container's processes stopped. It is asked for its version first.
    let killer = bundle.file("killer");
    let asked = bundle.file("asked");
    let script = format!(
        "#!/bin/bash\n[ -e {asked} ] || {{ touch {asked}; exec criu \"$@\"; }}\ncriu \"$@\" &\n\
         until grep -q 'Seized task' {image}/dump.log; do kill -0 $! || exit 1; done\nkill -9 $!; wait $!\n"
    );
    fs::write(&killer, script).unwrap();
    fs::set_permissions(&killer, fs::Permissions::from_mode(0o755)).unwrap();
    let output = bundle.corten(&["--criu", &killer, "checkpoint", "--image-path", &image, "x"]);
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains("criu has ended without an answer"), "{said}");
    assert_goes_on(&bundle, "x");
    let left: Vec<_> = fs::read_dir(&image).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "dump.log"), "{left:?}");
    // One that fails by itself tells the cause.
    bundle.ok(&["delete", "--force", "x"]);
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut run = bundle.command(&["run", "--detach", "--bundle", bundle.path(), "x"]);
    assert!(run.stdout(terminal.slave).stderr(Stdio::null()).status().unwrap().success());
    wait_for_count(&bundle, "x", 1);
    refused(&bundle, &["checkpoint", "--image-path", &image, "x"], "path=/dev/pts/");
    refused(&bundle, &["checkpoint", "--image-path", &image, "x"], "dump.log)");
    assert_goes_on(&bundle, "x");
}
