//! Checkpoint and restore by a real CRIU. Where criu itself can save no process, as an old one on a new kernel, the tests say so;
//! what needs no more of it than its name runs everywhere.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};
use support::{Bundle, Terminal, text, wait_until};

/// Counts in a tmpfs of its own and on standard output.
const COUNT: &str = "i=0; while true; do i=$((i+1)); echo $i >/tmp/now; echo count $i; sleep 0.1; done";

/// Whether criu can save a plain process here and bring it back.
fn criu_works() -> bool {
    static WORKS: OnceLock<Result<(), String>> = OnceLock::new();
    let works = WORKS.get_or_init(try_criu);
    if let Err(why) = works {
        println!("skipped: criu cannot save and restore a process here: {why}");
    }
    works.is_ok()
}

fn try_criu() -> Result<(), String> {
    let dir = std::env::temp_dir().join(format!("corten-test-criu-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let result = (|| {
        let mut sleep = Command::new("setsid");
        sleep.args(["sleep", "1000"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut sleep = sleep.spawn().map_err(|error| format!("setsid: {error}"))?;
        thread::sleep(Duration::from_millis(100));
        let criu = |args: &[&str]| {
            let run = Command::new("criu").args(args).arg("-D").arg(&dir).output();
            let run = run.map_err(|error| format!("criu: {error}"))?;
            let said = text(&run.stderr);
            let last =
                || said.lines().rev().find(|line| !line.contains("FAILED")).unwrap_or_default().to_owned();
            if run.status.success() { Ok(()) } else { Err(format!("criu {}: {}", args[0], last())) }
        };
        let dumped = criu(&["dump", "-t", &sleep.id().to_string()]);
        let _ = sleep.kill();
        sleep.wait().unwrap();
        dumped?;
        criu(&["restore", "--restore-detached", "--pidfile", "pid"])?;
        let pid = fs::read_to_string(dir.join("pid")).unwrap();
        assert!(Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
        Ok(())
    })();
    fs::remove_dir_all(&dir).unwrap();
    result
}

/// A bundle whose process counts, with a tmpfs and a bind mount; none where it cannot be saved.
fn counting(name: &str) -> Option<Bundle> {
    with_script(name, COUNT).filter(|_| criu_works())
}

fn with_script(name: &str, script: &str) -> Option<Bundle> {
    let bundle = Bundle::new(&format!("criu-{name}"), false, script)?;
    fs::create_dir(bundle.file("data")).unwrap();
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        mounts.push(serde_json::json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" }));
        let data = bundle.file("data");
        mounts
            .push(serde_json::json!({ "destination": "/data", "source": data, "options": ["rbind", "ro"] }));
    });
    Some(bundle)
}

/// What the container has counted up to.
fn count(bundle: &Bundle, id: &str) -> u32 {
    let mut now = String::new();
    wait_until(|| {
        now = bundle.ok(&["exec", id, "cat", "/tmp/now"]);
        !now.trim().is_empty()
    });
    now.trim().parse().unwrap()
}

fn wait_for_count(bundle: &Bundle, id: &str, least: u32) {
    wait_until(|| count(bundle, id) >= least);
}

fn checkpoint(bundle: &Bundle, flags: &[&str], id: &str) {
    bundle.ok(&[&["checkpoint", "--image-path", &bundle.file("image")], flags, &[id]].concat());
}

fn restore(bundle: &Bundle, flags: &[&str], id: &str) {
    let image = bundle.file("image");
    let command = ["restore", "--detach", "--bundle", bundle.path(), "--image-path", &image];
    bundle.quiet(&[&command[..], flags, &[id]].concat());
}

/// The command must fail with one line, which has `words`.
fn refused(bundle: &Bundle, args: &[&str], words: &str) {
    let output = bundle.corten(args);
    let said = text(&output.stderr);
    assert!(!output.status.success(), "{args:?}");
    assert!(said.contains(words) && said.trim_end().lines().count() == 1, "{args:?}: {said}");
}

/// It runs on as if nothing had been: not even frozen.
fn assert_goes_on(bundle: &Bundle, id: &str) {
    assert_eq!(bundle.state(id)["status"], "running");
    let now = count(bundle, id);
    wait_for_count(bundle, id, now + 2);
}

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
fn memory_is_saved_ahead_and_the_container_runs_on() {
    let Some(bundle) = counting("ahead") else { return };
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    let image = |name: &str| bundle.file(name);
    let first = bundle.corten(&["checkpoint", "--pre-dump", "--image-path", &image("1"), "x"]);
    if text(&first.stderr).contains("tracking of memory") {
        println!("skipped: {}", text(&first.stderr));
        return;
    }
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert_goes_on(&bundle, "x");
    bundle.ok(&["checkpoint", "--pre-dump", "--parent-path", "../1", "--image-path", &image("2"), "x"]);
    assert_goes_on(&bundle, "x");
    checkpoint(&bundle, &["--parent-path=../2", "--leave-running"], "x");
    assert_goes_on(&bundle, "x");
    // What is paused stays so.
    bundle.ok(&["pause", "x"]);
    bundle.ok(&["checkpoint", "--leave-running", "--image-path", &image("3"), "x"]);
    assert_eq!(bundle.state("x")["status"], "paused");
    bundle.ok(&["resume", "x"]);
    for parent in ["../none", "/tmp", "../config.json"] {
        let image = image("4");
        refused(
            &bundle,
            &["checkpoint", "--parent-path", parent, "--image-path", &image, "x"],
            "parent path",
        );
    }
    assert_goes_on(&bundle, "x");
    bundle.ok(&["delete", "--force", "x"]);
    restore(&bundle, &[], "x");
    assert_goes_on(&bundle, "x");
}

#[test]
fn output_goes_to_whoever_restores() {
    let Some(bundle) = counting("output") else { return };
    let mut run = bundle.command(&["run", "--bundle", bundle.path(), "x"]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    bundle_has(&bundle, "x");
    wait_for_count(&bundle, "x", 3);
    checkpoint(&bundle, &[], "x");
    let run = run.wait_with_output().unwrap();
    assert_eq!(run.status.code(), Some(137), "it was ended by SIGKILL");
    let last = text(&run.stdout).lines().last().unwrap().to_owned();
    assert!(last.starts_with("count "), "{last}");
    let image = bundle.file("image");
    let mut restored = bundle.command(&["restore", "--bundle", bundle.path(), "--image-path", &image, "x"]);
    let mut restored = restored.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut heard = [0; 64];
    let length = restored.stdout.as_mut().unwrap().read(&mut heard).unwrap();
    assert!(text(&heard[..length]).contains("count"), "{}", text(&heard[..length]));
    bundle.wait_for("x", "running");
    // A signal is passed on; its status is ours, and nothing is left.
    bundle.ok(&["kill", "x", "KILL"]);
    let _ = restored.stdout.take();
    assert_eq!(restored.wait().unwrap().code(), Some(137));
    assert_eq!(bundle.ok(&["list", "--quiet"]), "");
}

#[test]
fn output_may_be_a_file_of_the_host() {
    let Some(bundle) = counting("file") else { return };
    let log = || fs::OpenOptions::new().append(true).create(true).open(bundle.file("output")).unwrap();
    let mut run = bundle.command(&["run", "--detach", "--bundle", bundle.path(), "x"]);
    assert!(run.stdout(log()).stderr(Stdio::null()).status().unwrap().success());
    wait_for_count(&bundle, "x", 3);
    checkpoint(&bundle, &[], "x");
    let length = || fs::metadata(bundle.file("output")).unwrap().len();
    let before = length();
    let image = bundle.file("image");
    let mut restore =
        bundle.command(&["restore", "-d", "--bundle", bundle.path(), "--image-path", &image, "x"]);
    let errors = fs::File::create(bundle.file("errors")).unwrap();
    let status = restore.stdout(log()).stderr(errors).status().unwrap();
    assert!(status.success(), "{}", fs::read_to_string(bundle.file("errors")).unwrap());
    assert_goes_on(&bundle, "x");
    wait_until(|| length() > before);
    let counted = fs::read_to_string(bundle.file("output")).unwrap();
    let right = (1..).zip(counted.lines()).all(|(count, line)| line == format!("count {count}"));
    assert!(right, "{counted}");
}

#[test]
fn a_terminal_is_given_to_whoever_restores() {
    let script = "while true; do read -r -t 1 word || { echo waits; continue; }; [ $word = end ] && exit; echo heard $word; done";
    let Some(bundle) = Bundle::new("criu-terminal", true, script) else { return };
    if !criu_works() {
        return;
    }
    let command = bundle.command(&["run", "--bundle", bundle.path(), "x"]);
    let mut terminal = Terminal::call(&command, 24, 80);
    terminal.hear("waits");
    terminal.master.write_all(b"one\n").unwrap();
    terminal.hear("heard one");
    checkpoint(&bundle, &[], "x");
    assert_eq!(terminal.end().0, Some(137));
    let image = bundle.file("image");
    let command = bundle.command(&["restore", "--bundle", bundle.path(), "--image-path", &image, "x"]);
    let mut terminal = Terminal::call(&command, 24, 80);
    terminal.hear("waits");
    terminal.master.write_all(b"two\n").unwrap();
    terminal.hear("heard two");
    terminal.master.write_all(b"end\n").unwrap();
    assert_eq!(terminal.end().0, Some(0));
    // The configuration has to want one.
    bundle.edit(|spec| spec["process"]["terminal"] = false.into());
    refused(
        &bundle,
        &["restore", "--detach", "--bundle", bundle.path(), "--image-path", &image, "x"],
        "process.terminal",
    );
    assert_eq!(bundle.ok(&["list", "--quiet"]), "");
}

fn bundle_has(bundle: &Bundle, id: &str) {
    let is_running = |state: &[u8]| text(state).contains("\"status\": \"running\"");
    wait_until(|| is_running(&bundle.corten(&["state", id]).stdout));
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
fn a_network_namespace_that_was_joined_stays_where_it_is() {
    let Some(bundle) = counting("network") else { return };
    let mut holder = Command::new("unshare").args(["--net", "sleep", "1000"]).spawn().unwrap();
    let path = format!("/proc/{}/ns/net", holder.id());
    wait_until(|| fs::read_link(&path).unwrap() != fs::read_link("/proc/self/ns/net").unwrap());
    let set_path = |path: Option<&str>| {
        bundle.edit(|spec| {
            let list = spec["linux"]["namespaces"].as_array_mut().unwrap();
            let entry = list.iter_mut().find(|entry| entry["type"] == "network").unwrap();
            entry["path"] = path.into();
            if path.is_none() {
                entry.as_object_mut().unwrap().remove("path");
            }
        });
    };
    set_path(Some(&path));
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    checkpoint(&bundle, &[], "x");
    restore(&bundle, &[], "x");
    assert_goes_on(&bundle, "x");
    let own = fs::read_link(format!("/proc/{}/ns/net", bundle.state("x")["pid"])).unwrap();
    assert_eq!(own, fs::read_link(&path).unwrap());
    bundle.ok(&["delete", "--force", "x"]);
    set_path(None);
    let image = bundle.file("image");
    let restore = ["restore", "--detach", "--bundle", bundle.path(), "--image-path", &image, "x"];
    refused(&bundle, &restore, "linux.namespaces[");
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn names_of_an_image_stand_for_nothing_else() {
    let Some(bundle) = counting("names") else { return };
    // The image leads the mount to a place whose name would end criu's key early and name another source.
    fs::create_dir_all(bundle.file("rootfs/y]:/etc")).unwrap();
    symlink("/y]:/etc", bundle.file("rootfs/data")).unwrap();
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    let image = bundle.file("image");
    refused(&bundle, &["checkpoint", "--image-path", &image, "x"], "criu cannot be told of a name with");
    assert_goes_on(&bundle, "x");
    assert_eq!(fs::read_dir(&image).unwrap().count(), 0);
    bundle.ok(&["delete", "--force", "x"]);
    // A symlink that is just another place is no trouble, and what it leads to is the configuration's source all the same.
    fs::write(bundle.file("data/file"), "of the configuration").unwrap();
    fs::remove_file(bundle.file("rootfs/data")).unwrap();
    fs::create_dir_all(bundle.file("rootfs/dev/null is not here")).unwrap();
    symlink("/dev/../elsewhere", bundle.file("rootfs/data")).unwrap();
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    checkpoint(&bundle, &[], "x");
    restore(&bundle, &[], "x");
    assert_eq!(bundle.ok(&["exec", "x", "cat", "/elsewhere/file"]), "of the configuration");
    bundle.ok(&["delete", "--force", "x"]);
    // The source is that of the configuration at restore, and must be there.
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        mounts.iter_mut().find(|mount| mount["destination"] == "/data").unwrap()["source"] = "gone".into();
    });
    let restore = ["restore", "--detach", "--bundle", bundle.path(), "--image-path", &image, "x"];
    refused(&bundle, &restore, "No such file or directory");
    bundle
        .edit(|spec| spec["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/data"));
    refused(&bundle, &restore, "mounts: none binds anything at /data, as the image has it");
    assert_eq!(bundle.ok(&["list", "--quiet"]), "");
}

#[test]
fn a_new_root_gets_the_places_of_mounts() {
    let Some(bundle) = counting("new-root") else { return };
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        let hosts = mounts.iter().find(|mount| mount["destination"] == "/data").unwrap()["source"].clone();
        let file = format!("{}/file", hosts.as_str().unwrap());
        mounts
            .push(serde_json::json!({ "destination": "/etc/of/file", "source": file, "options": ["bind"] }));
    });
    fs::write(bundle.file("data/file"), "bound").unwrap();
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    checkpoint(&bundle, &[], "x");
    // As on another host: the image's files and nothing that a runtime has made.
    for made in ["etc", "data", "tmp", "proc", "dev", "sys"] {
        let _ = fs::remove_dir_all(bundle.file("rootfs").to_owned() + "/" + made);
    }
    restore(&bundle, &[], "x");
    assert_goes_on(&bundle, "x");
    assert_eq!(bundle.ok(&["exec", "x", "cat", "/etc/of/file", "/data/file"]), "boundbound");
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

#[test]
fn cgroups_are_managed_as_asked() {
    let Some(bundle) = counting("cgroups") else { return };
    for mode in ["soft", "full", "ignore"] {
        bundle.start("x");
        wait_for_count(&bundle, "x", 1);
        let flag = format!("--manage-cgroups-mode={mode}");
        checkpoint(&bundle, &[&flag], "x");
        restore(&bundle, &[&flag], "x");
        assert_goes_on(&bundle, "x");
        let groups = fs::read_to_string(format!("/proc/{}/cgroup", bundle.state("x")["pid"])).unwrap();
        assert!(groups.contains("corten-test-criu-cgroups"), "{mode}: {groups}");
        bundle.ok(&["delete", "--force", "x"]);
    }
}

/// Needs criu to be there, not to work.
#[test]
fn what_cannot_be_saved_is_told_in_a_line() {
    let Some(bundle) = with_script("refused", COUNT) else { return };
    let image = bundle.file("image");
    let checkpoint = ["checkpoint", "--image-path", &image, "x"];
    refused(&bundle, &checkpoint, "container x does not exist");
    bundle.quiet(&["create", "--bundle", bundle.path(), "x"]);
    refused(&bundle, &checkpoint, "container x cannot be checkpointed: it is created");
    bundle.ok(&["start", "x"]);
    refused(
        &bundle,
        &[&["--criu", "/no/criu"], &checkpoint[..]].concat(),
        "/no/criu: there is no such program",
    );
    refused(
        &bundle,
        &[&["--criu", "/bin/true"], &checkpoint[..]].concat(),
        "criu has ended without an answer: exit status 0",
    );
    let liar = bundle.file("liar");
    fs::write(&liar, "#!/bin/bash\nread -r -N 1 <&$2\nprintf '\\12\\377' | cat >&$2\n").unwrap();
    fs::set_permissions(&liar, fs::Permissions::from_mode(0o755)).unwrap();
    refused(&bundle, &[&["--criu", &liar], &checkpoint[..]].concat(), "criu's answer: not a message");
    fs::write(
        &liar,
        "#!/bin/bash\nread -r -N 1 <&$2\nprintf '\\10\\12\\20\\1\\122\\4\\10\\3\\20\\1' | cat >&$2\n",
    )
    .unwrap();
    refused(&bundle, &[&["--criu", &liar], &checkpoint[..]].concat(), "criu 3.1: 3.15 or later is needed");
    for (flag, value) in [
        ("--manage-cgroups-mode", "some"),
        ("--empty-ns", "mount"),
        ("--page-server", "nowhere"),
        ("--status-fd", "x"),
    ] {
        refused(&bundle, &[&checkpoint[..], &[flag, value]].concat(), flag);
    }
    refused(
        &bundle,
        &[&checkpoint[..], &["--lazy-pages", "--status-fd", "99"]].concat(),
        "--status-fd argument 99",
    );
    bundle.ok(&["kill", "x", "KILL"]);
    bundle.wait_for("x", "stopped");
    refused(&bundle, &checkpoint, "container x cannot be checkpointed: it is stopped");
    assert!(!Path::new(&image).exists());
}

#[test]
fn what_is_no_image_is_told_in_a_line() {
    let Some(bundle) = with_script("no-image", COUNT) else { return };
    let image = bundle.file("image");
    let restore = ["restore", "--detach", "--bundle", bundle.path(), "--image-path", &image, "x"];
    refused(&bundle, &restore, "does not exist");
    fs::write(&image, "").unwrap();
    refused(&bundle, &restore, "it is not a directory");
    fs::remove_file(&image).unwrap();
    fs::create_dir(&image).unwrap();
    refused(&bundle, &restore, "it has no inventory.img");
    fs::write(bundle.file("image/inventory.img"), "").unwrap();
    refused(&bundle, &restore, "it has no corten.json");
    for json in ["", "{}", "[1]", "{\"mounts\":[{\"key\":7}],\"namespaces\":[],\"files\":[]}"] {
        fs::write(bundle.file("image/corten.json"), json).unwrap();
        refused(&bundle, &restore, "corten.json is not valid");
    }
    let climbs = r#"{"mounts":[{"key":"a","what":{"mount":{"destination":"/data","below":"../etc"}},"point":"/data"}],
        "namespaces":[],"files":[]}"#;
    fs::write(bundle.file("image/corten.json"), climbs).unwrap();
    fs::write(bundle.file("image/descriptors.json"), "[]").unwrap();
    refused(&bundle, &[&["--criu", "/no/criu"], &restore[..]].concat(), "there is no such program");
    if Command::new("criu").arg("--version").output().is_ok() {
        refused(&bundle, &restore, "its path climbs");
        fs::write(bundle.file("image/corten.json"), r#"{"mounts":[],"namespaces":[],"files":[]}"#).unwrap();
        refused(&bundle, &restore, "restore.log");
    }
    assert_eq!(bundle.ok(&["list", "--quiet"]), "");
}
