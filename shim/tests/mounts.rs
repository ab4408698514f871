//! `corten mounts`: mounts of containers that run.

#[allow(dead_code)]
mod support;

use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, chown, symlink},
    process::{Command, Stdio},
};
use support::{Bundle, text};

const WAITS: &str = "while :; do sleep 0.05; done";

/// `corten mounts CHANGE ID -` with these mounts on standard input: whether it went well, and what it said.
fn mounts(bundle: &Bundle, change: &str, mounts: &Value) -> (bool, String) {
    let mut command = bundle.command(&["mounts", change, "c", "-"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(mounts.to_string().as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.success(), text(&output.stderr))
}

fn add(bundle: &Bundle, list: &Value) {
    let (well, said) = mounts(bundle, "add", list);
    assert!(well, "{list}: {said}");
}

fn remove(bundle: &Bundle, destination: &str) {
    let (well, said) = mounts(bundle, "remove", &json!([{"destination": destination}]));
    assert!(well, "{destination}: {said}");
}

/// It must fail in one line that has all of `words`.
fn fails(bundle: &Bundle, change: &str, list: &Value, words: &[&str]) {
    let (well, said) = mounts(bundle, change, list);
    assert!(!well, "{list}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(words.iter().all(|word| said.contains(word)), "{list}: {said}");
}

/// What a shell in the container says.
fn inside(bundle: &Bundle, script: &str) -> String {
    bundle.ok(&["exec", "c", "sh", "-c", script]).trim().to_owned()
}

/// A bundle with a directory `source` that has a file, and a container of it.
fn running(name: &str, edit: impl FnOnce(&mut Value)) -> Option<Bundle> {
    let bundle = Bundle::new(name, false, WAITS)?;
    bundle.edit(edit);
    fs::create_dir(bundle.file("source")).unwrap();
    fs::write(bundle.file("source/file"), "data").unwrap();
    for applet in ["grep", "stat", "touch", "ls"] {
        symlink("busybox", bundle.file(&format!("rootfs/bin/{applet}"))).unwrap();
    }
    bundle.start("c");
    Some(bundle)
}

fn bind(source: &str, destination: &str, options: &[&str]) -> Value {
    let options = [&["rbind"], options].concat();
    json!({"type": "bind", "source": source, "destination": destination, "options": options})
}

#[test]
fn a_mount_comes_and_goes() {
    let Some(bundle) = running("mounts-life", |spec| spec["root"]["readonly"] = false.into()) else { return };
    // A document that has more than mounts will do, and a source that is relative to the bundle.
    add(&bundle, &json!({"ociVersion": "1.0.0", "mounts": [bind("source", "/a/b/data", &["ro", "nosuid"])]}));
    assert_eq!(inside(&bundle, "cat /a/b/data/file"), "data");
    assert!(inside(&bundle, "grep ' /a/b/data ' /proc/mounts").contains(" ro,nosuid"));
    assert_eq!(inside(&bundle, "touch /a/b/data/new 2>/dev/null || echo refused"), "refused");
    // It is the container's alone.
    assert!(fs::metadata(bundle.file("rootfs/a/b/data")).unwrap().is_dir());
    assert_eq!(fs::read_dir(bundle.file("rootfs/a/b/data")).unwrap().count(), 0);

    let tmpfs = json!({"type": "tmpfs", "source": "tmpfs", "destination": "/t", "options": ["size=4m", "mode=700", "ro"]});
    add(&bundle, &json!([bind(&bundle.file("source/file"), "/one-file", &[]), tmpfs]));
    assert_eq!(inside(&bundle, "cat /one-file; stat -c %a /t"), "data700");
    let line = inside(&bundle, "grep ' /t ' /proc/mounts");
    assert!(line.contains("ro") && line.contains("size=4096k"), "{line}");

    // Over another, which is there again when it is gone.
    add(&bundle, &json!([{"type": "tmpfs", "source": "tmpfs", "destination": "/a/b/data"}]));
    assert_eq!(inside(&bundle, "ls /a/b/data"), "");
    remove(&bundle, "/a/b/data");
    assert_eq!(inside(&bundle, "ls /a/b/data"), "file");
    for destination in ["/a/b/data", "/t", "/one-file"] {
        remove(&bundle, destination);
    }
    assert_eq!(
        inside(
            &bundle,
            "ls -A /a/b/data; cat /one-file; grep -c -e /data -e /one-file -e ' /t ' /proc/mounts || :"
        ),
        "0"
    );
    fails(
        &bundle,
        "remove",
        &json!([{"destination": "/a/b/data"}]),
        &["mounts[0] (/a/b/data)", "nvalid argument"],
    );
    assert_eq!(fs::read_to_string(bundle.file("source/file")).unwrap(), "data");
}

#[test]
fn all_are_added_or_none() {
    let Some(bundle) = running("mounts-none", |spec| spec["root"]["readonly"] = false.into()) else { return };
    let before = inside(&bundle, "cat /proc/mounts");
    let list = json!([
        bind("source", "/first", &[]),
        bind("source", "/second", &[]),
        bind("missing", "/third", &[])
    ]);
    fails(&bundle, "add", &list, &["mounts[2] (/third)", "/missing: open_tree: No such file"]);
    assert_eq!(inside(&bundle, "cat /proc/mounts"), before);
}

#[test]
fn what_cannot_be_is_said() {
    let Some(bundle) = running("mounts-wrong", |_| ()) else { return };
    let proc = json!({"type": "proc", "source": "proc", "destination": "/p"});
    fails(&bundle, "add", &json!([proc]), &["mounts[0]", "bind mounts and tmpfs only"]);
    fails(&bundle, "add", &json!([bind("source", "/", &[])]), &["mounts[0]", "container's root"]);
    fails(&bundle, "remove", &json!([{"destination": "/"}]), &["mounts[0]", "container's root"]);
    fails(
        &bundle,
        "add",
        &json!([bind("source", "/new", &[])]),
        &["mounts[0] (/new)", "Read-only file system"],
    );
    fails(&bundle, "add", &json!([bind("source", "/bin", &["what=ever"])]), &["mounts[0].options[1]"]);
    fails(&bundle, "add", &json!([{"destination": "/bin", "type": "bind"}]), &["mounts[0].source"]);
    fails(&bundle, "add", &json!([]), &["mounts: must not be empty"]);
    fails(&bundle, "add", &json!({"mounts": "x"}), &["mounts"]);
    fails(&bundle, "change", &json!([proc]), &["add or remove is wanted"]);
    // A directory over a file.
    fails(&bundle, "add", &json!([bind("source", "/bin/busybox", &[])]), &["Not a directory"]);
}

#[test]
fn a_link_in_the_container_leads_nowhere_else() {
    let Some(bundle) = running("mounts-link", |spec| spec["root"]["readonly"] = false.into()) else { return };
    let outside = bundle.file("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, bundle.file("rootfs/absolute")).unwrap();
    symlink("../../../../../..", bundle.file("rootfs/relative")).unwrap();
    symlink("/proc/1/root", bundle.file("rootfs/magic")).unwrap();
    for link in ["absolute", "relative", "magic"] {
        let destination = format!("/{link}/deep");
        let list = json!([bind("source", &destination, &[])]);
        // The way of the magic link is refused; the others end in the container's root.
        let (well, said) = mounts(&bundle, "add", &list);
        assert_eq!(well, link != "magic", "{link}: {said}");
        if well {
            assert_eq!(inside(&bundle, &format!("cat {destination}/file")), "data");
            remove(&bundle, &destination);
        }
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(!std::path::Path::new("/deep").exists());
}

#[test]
fn a_container_with_a_user_namespace_has_them_as_its_root() {
    let maps = json!([{"containerID": 0, "hostID": 300_000, "size": 65536}]);
    let edit = |spec: &mut Value| {
        spec["root"]["readonly"] = false.into();
        spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        spec["linux"]["uidMappings"] = maps.clone();
        spec["linux"]["gidMappings"] = maps;
    };
    let Some(bundle) = Bundle::new("mounts-user", false, WAITS) else { return };
    bundle.edit(edit);
    fs::create_dir(bundle.file("source")).unwrap();
    fs::write(bundle.file("source/file"), "data").unwrap();
    symlink("busybox", bundle.file("rootfs/bin/stat")).unwrap();
    fs::create_dir(bundle.file("rootfs/own")).unwrap();
    for directory in ["rootfs", "rootfs/own"] {
        chown(bundle.file(directory), Some(300_000), Some(300_000)).unwrap();
    }
    bundle.start("c");
    let tmpfs = json!({"type": "tmpfs", "source": "tmpfs", "destination": "/own/tmp"});
    add(
        &bundle,
        &json!([bind("source", "/own/data", &[]), tmpfs, bind("source", "/own/mapped", &["idmap"])]),
    );
    // The host's root is nobody there, but for the mount that has the container's own ids.
    assert_eq!(inside(&bundle, "stat -c %u /own/data/file /own/tmp /own/mapped/file | cat"), "65534\n0\n0");
    assert_eq!(fs::metadata(bundle.file("rootfs/own/data")).unwrap().uid(), 300_000);
    for destination in ["/own/data", "/own/tmp", "/own/mapped"] {
        remove(&bundle, destination);
    }
    assert_eq!(inside(&bundle, "cat /own/data/file 2>/dev/null || echo gone"), "gone");
}

#[test]
fn a_container_need_not_run_but_must_not_have_ended() {
    let Some(bundle) = Bundle::new("mounts-states", false, "cat /data/file >/out/said") else { return };
    bundle.edit(|spec| spec["root"]["readonly"] = false.into());
    fs::create_dir(bundle.file("source")).unwrap();
    fs::write(bundle.file("source/file"), "data").unwrap();
    bundle.quiet(&["create", "--bundle", bundle.path(), "c"]);
    add(&bundle, &json!([bind("source", "/data", &[]), bind("source", "/out", &[])]));
    bundle.quiet(&["pause", "c"]);
    add(&bundle, &json!([bind("source", "/more", &[])]));
    bundle.quiet(&["resume", "c"]);
    bundle.quiet(&["start", "c"]);
    bundle.wait_for("c", "stopped");
    assert_eq!(fs::read_to_string(bundle.file("source/said")).unwrap(), "data");
    fails(&bundle, "add", &json!([bind("source", "/data", &[])]), &["stopped"]);

    let Some(bundle) = Bundle::new("mounts-of-the-host", false, WAITS) else { return };
    bundle.edit(|spec| {
        spec["mounts"] = json!([]);
        spec["root"]["readonly"] = false.into();
        spec["linux"]["namespaces"] = json!([{"type": "pid"}, {"type": "uts"}]);
        spec["linux"]["maskedPaths"].take();
        spec["linux"]["readonlyPaths"].take();
    });
    fs::create_dir(bundle.file("rootfs/dev")).unwrap();
    let null = bundle.file("rootfs/dev/null");
    assert!(Command::new("mknod").args([&null, "c", "1", "3"]).status().unwrap().success());
    bundle.start("c");
    fails(&bundle, "add", &json!([bind("/bin", "/data", &[])]), &["no mount namespace of its own"]);
}
