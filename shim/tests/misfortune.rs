//! Bad luck: a state that is lost, a start that hangs, containers that share a root. `delete --force` removes everything.
//! Calls that fail and a runtime that is killed half-way are what `spec-tests faults` tries.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};
use support::{Bundle, text, wait_until};

/// The directories of the cgroup of `bundle`'s container, and of the one above it that was made for it.
fn cgroups(name: &str) -> Vec<PathBuf> {
    let own = format!("corten-test-{name}-{}", std::process::id());
    let folders = fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path());
    folders
        .chain([PathBuf::from("/sys/fs/cgroup")])
        .map(|folder| folder.join(&own))
        .filter(|dir| dir.exists())
        .collect()
}

fn assert_nothing_left(bundle: &Bundle, name: &str, why: &str) {
    assert_eq!(cgroups(name), Vec::<PathBuf>::new(), "{why}: cgroups are left");
    let state = bundle.file("state");
    let left: Vec<_> = fs::read_dir(&state).into_iter().flatten().flatten().collect();
    assert!(left.is_empty(), "{why}: {left:?}");
    let root = bundle.file("rootfs");
    let processes = || {
        let all = fs::read_dir("/proc").unwrap().flatten();
        all.filter(|entry| fs::read_link(entry.path().join("root")).is_ok_and(|own| own == Path::new(&root)))
            .count()
    };
    wait_until(|| processes() == 0);
}

#[test]
fn a_container_whose_state_is_lost_is_found_by_its_configuration() {
    let Some(bundle) = Bundle::new("lost", false, "exec sleep 100") else { return };
    for how in ["truncated", "removed", "junk", "of another"] {
        bundle.start("x");
        let file = bundle.file("state/x/state.json");
        let content = fs::read_to_string(&file).unwrap();
        match how {
            "truncated" => fs::write(&file, &content[..100]).unwrap(),
            "removed" => fs::remove_file(&file).unwrap(),
            "junk" => fs::write(&file, b"\xff[[[[").unwrap(),
            _ => fs::write(&file, content.replace("\"id\":\"x\"", "\"id\":\"y\"")).unwrap(),
        }
        assert!(!bundle.corten(&["state", "x"]).status.success(), "{how}");
        bundle.ok(&["delete", "--force", "x"]);
        assert_nothing_left(&bundle, "lost", how);
    }
}

#[test]
fn a_start_that_hangs_in_a_hook_does_not_stop_delete() {
    let Some(bundle) = Bundle::new("hang", false, "exec sleep 100") else { return };
    bundle.edit(|spec| {
        let hook = serde_json::json!({"path": "/bin/sleep", "args": ["sleep", "100"]});
        spec["hooks"] = serde_json::json!({"startContainer": [hook]});
    });
    bundle.quiet(&["create", "--bundle", bundle.path(), "x"]);
    let mut start = bundle.command(&["start", "x"]).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(start.try_wait().unwrap().is_none(), "the start hangs");
    bundle.ok(&["delete", "--force", "x"]);
    assert!(!start.wait().unwrap().success(), "the start fails");
    assert_nothing_left(&bundle, "hang", "deleted");
}

#[test]
fn a_poststart_hook_may_work_on_its_container() {
    let Some(bundle) = Bundle::new("poststart", false, "exec sleep 100") else { return };
    let pause = bundle.command(&["pause", "x"]);
    let words = [pause.get_program()].into_iter().chain(pause.get_args());
    let words: Vec<_> = words.map(|word| word.to_str().unwrap()).collect();
    bundle.edit(|spec| {
        let hook = serde_json::json!({"path": words[0], "args": words, "timeout": 5});
        spec["hooks"] = serde_json::json!({"poststart": [hook]});
    });
    bundle.start("x");
    assert_eq!(bundle.state("x")["status"], "paused");
    bundle.ok(&["delete", "--force", "x"]);
    bundle.quiet(&["create", "--bundle", bundle.path(), "x"]);
    bundle.ok(&["start", "x"]);
    assert_eq!(bundle.state("x")["status"], "paused");
}

#[test]
fn the_cause_is_told_each_time() {
    let Some(bundle) = Bundle::new("cause", false, "true") else { return };
    let proc = bundle.file("rootfs/proc");
    let _ = fs::remove_dir(&proc);
    std::os::unix::fs::symlink("/tmp", &proc).unwrap();
    for _ in 0..30 {
        let output = bundle.corten(&["run", "--bundle", bundle.path(), "x"]);
        let said = text(&output.stderr);
        assert!(said.contains("must be mounted on ordinary directory"), "{said}");
    }
}

#[test]
fn a_file_that_may_not_grow_is_an_error_and_leaves_nothing() {
    let Some(bundle) = Bundle::new("fsize", false, "true") else { return };
    for command in ["run", "create"] {
        let corten = bundle.command(&[command, "--bundle", bundle.path(), "x"]);
        // What it says is read from a pipe: in a file it would not find room either.
        let output = std::process::Command::new("sh")
            .args(["-c", "ulimit -f 0; exec \"$@\"", "sh"])
            .arg(corten.get_program())
            .args(corten.get_args())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{:?}", output.status);
        let said = text(&output.stderr);
        assert!(said.contains("write state.json: File too large"), "{said}");
        assert_nothing_left(&bundle, "fsize", command);
    }
}

#[test]
fn containers_that_share_a_root_make_its_mount_points_at_once() {
    let Some(bundle) = Bundle::new("shared", false, "true") else { return };
    bundle.edit(|spec| {
        let mount = serde_json::json!({"destination": "/a/b/c/d/e/f", "type": "tmpfs", "source": "tmpfs"});
        spec["mounts"].as_array_mut().unwrap().push(mount);
        spec["root"]["readonly"] = false.into();
        spec["linux"].as_object_mut().unwrap().remove("cgroupsPath");
    });
    for _ in 0..10 {
        let _ = fs::remove_dir_all(bundle.file("rootfs/a"));
        let run = |id| bundle.command(&["run", "--bundle", bundle.path(), id]).stderr(Stdio::piped()).spawn();
        let running = ["p", "q", "r", "s"].map(run);
        for child in running {
            let output = child.unwrap().wait_with_output().unwrap();
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
    }
}
