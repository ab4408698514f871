//! What programs rely on of the public types, and that the library's face is the one that was looked at.

use runtime_core::*;
use std::{
    collections::BTreeSet,
    env,
    fmt::Debug,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

/// All may go to other threads, be shared with them, and be printed while one looks for a mistake.
#[test]
fn all_types_are_send_sync_and_debug() {
    fn fits<T: Send + Sync + Debug>() {}
    fits::<CgroupManager>();
    fits::<Console>();
    fits::<Container>();
    fits::<ContainerBuilder>();
    fits::<Created>();
    fits::<Error>();
    fits::<ErrorKind>();
    fits::<Event>();
    fits::<Events>();
    fits::<ExitStatus>();
    fits::<Job>();
    fits::<NotifySocket>();
    fits::<OomEvents>();
    fits::<Output>();
    fits::<Plan>();
    fits::<Process>();
    fits::<ProcessBuilder>();
    fits::<Running>();
    fits::<Signal>();
    fits::<State>();
    fits::<Stats>();
    fits::<Status>();
    fits::<Stdio>();
    fits::<seccomp::Filter>();
    #[cfg(feature = "checkpoint")]
    {
        fits::<CheckpointOptions>();
        fits::<Criu>();
        fits::<CriuOptions>();
        fits::<RestoreOptions>();
    }
    #[cfg(feature = "notify")]
    {
        fits::<agent::Agent>();
        fits::<agent::Notification>();
        fits::<agent::Notifications>();
        fits::<agent::ProcessState>();
    }
}

/// The public face, a line for each thing, as it was last looked at. A change is renewed by
/// `CORTEN_RENEW=1 cargo test -p runtime-core --test api`, and seen by whoever reviews it.
#[test]
fn the_face_is_the_one_of_api_txt() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("api.txt");
    let Some(face) = face() else { return };
    if env::var_os("CORTEN_RENEW").is_some() {
        fs::write(&file, face).unwrap();
        return;
    }
    let before = fs::read_to_string(&file).unwrap_or_default();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (before, now) = (lines(&before), lines(&face));
    let gone = before.difference(&now).map(|line| format!("- {line}\n"));
    let new = now.difference(&before).map(|line| format!("+ {line}\n"));
    let change: String = gone.chain(new).collect();
    assert!(
        change.is_empty(),
        "the public face has changed. If that is meant: CORTEN_RENEW=1 cargo test -p runtime-core --test api\n{change}"
    );
}

/// Has rustdoc describe the library with all its features. Nothing where this toolchain's description is another one than can be read.
fn face() -> Option<String> {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let target = scratch.join("api");
    fs::create_dir_all(&target).unwrap();
    // JSON is rustdoc's privilege of nightly versions. Only rustdoc is told so: what else is built is built as ever.
    let rustdoc = target.join("rustdoc");
    fs::write(&rustdoc, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n").unwrap();
    fs::set_permissions(&rustdoc, Permissions::from_mode(0o755)).unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["rustdoc", "--quiet", "--locked", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .args(["--lib", "--features", "checkpoint,notify,systemd", "--target-dir"])
        .arg(scratch.parent().unwrap())
        .args(["--", "-Z", "unstable-options", "--output-format", "json", "--cap-lints", "allow"])
        .env("RUSTDOC", &rustdoc)
        .env_remove("RUSTDOCFLAGS")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let json = scratch.parent().unwrap().join("doc/runtime_core.json");
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(false)
        .sorted(true)
        .build();
    match api {
        Ok(api) => Some(api.to_string()),
        Err(error) => {
            println!("skipped: this toolchain's rustdoc says what cannot be read: {error}");
            None
        }
    }
}
