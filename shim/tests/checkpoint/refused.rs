//! What cannot be done is told in a line. These need criu to be there, not to work.

use crate::ground::{COUNT, refused, with_script};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
};

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
    fs::write(bundle.file("image/corten.json"), r#"{"mounts":[],"namespaces":[],"files":[]}"#).unwrap();
    fs::write(bundle.file("image/descriptors.json"), "[]").unwrap();
    refused(&bundle, &[&["--criu", "/no/criu"], &restore[..]].concat(), "there is no such program");
    if Command::new("criu").arg("--version").output().is_ok() {
        // The source of a mount is the container's to write in, and somebody else has made the image.
        symlink("/etc", bundle.file("data/link")).unwrap();
        let at_data = |below: &str| json!({ "mount": { "destination": "/data", "below": below } });
        for (key, what, words) in [
            ("corten-0", at_data("../etc"), "its path climbs"),
            ("corten-0", at_data("link"), "is a symlink"),
            ("corten-0", at_data("link/passwd"), "is a symlink"),
            ("corten-0", at_data("none"), "No such file"),
            ("corten-0]:/etc", at_data(""), "is no key of ours"),
            ("corten-", at_data(""), "is no key of ours"),
            ("mnt[x", at_data(""), "is no key of ours"),
            ("corten-0", json!({ "device": "/etc/passwd" }), "linux.devices: there is no /etc/passwd"),
            (
                "corten-0",
                json!({ "mount": { "destination": "/etc", "below": "" } }),
                "none binds anything at /etc",
            ),
        ] {
            let mount = json!({ "key": key, "what": what, "point": "/data" });
            let contents = json!({ "mounts": [mount], "namespaces": [], "files": [] });
            fs::write(bundle.file("image/corten.json"), contents.to_string()).unwrap();
            refused(&bundle, &restore, words);
        }
        fs::write(bundle.file("image/corten.json"), r#"{"mounts":[],"namespaces":[],"files":[]}"#).unwrap();
        refused(&bundle, &restore, "restore.log");
    }
    assert_eq!(bundle.ok(&["list", "--quiet"]), "");
}
