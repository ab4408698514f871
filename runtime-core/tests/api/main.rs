//! What programs rely on of the public types, and that the library's face is the one that was looked at.

mod documented;

use std::{
    collections::BTreeSet,
    env,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// What needs no example of its own, and why.
const WITHOUT_EXAMPLE: [(&str, &str); 0] = [];

/// Whoever looks something up finds what to copy, what goes wrong, and a type that goes to other threads and can be printed.
#[test]
fn every_item_is_shown_by_an_example_and_tells_its_errors() {
    let Some(items) = documented::items(description()) else { return };
    let allowed = |path: &str| WITHOUT_EXAMPLE.iter().any(|(allowed, _)| path.starts_with(allowed));
    let missing = |item: &documented::Item| {
        let lacks = [
            (!item.has_example && !allowed(&item.path)).then_some("no example that is compiled"),
            (item.is_fallible && !item.tells_errors).then_some("a Result, and no section `# Errors`"),
            item.tells_panics.then_some("a section `# Panics`: nothing here may panic"),
            (!item.is_shared).then_some("not Send, Sync and Debug"),
        ];
        let words: Vec<_> = lacks.into_iter().flatten().collect();
        (!words.is_empty()).then(|| format!("{}: {}\n", item.path, words.join("; ")))
    };
    let missing: String = items.iter().filter_map(missing).collect();
    assert!(items.len() > 200, "only {} items were looked at", items.len());
    assert!(missing.is_empty(), "{missing}");
    for (allowed, why) in WITHOUT_EXAMPLE {
        let is_used = items.iter().any(|item| item.path.starts_with(allowed) && !item.has_example);
        assert!(is_used, "{allowed} is allowed to have no example ({why}), and needs it no more");
    }
    println!("{} items", items.len());
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

/// Has rustdoc describe the library with all its features, once: the description's file.
fn description() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(describe)
}

fn describe() -> PathBuf {
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
    scratch.parent().unwrap().join("doc/runtime_core.json")
}

/// Nothing where this toolchain's description is another one than can be read.
fn face() -> Option<String> {
    let api = public_api::Builder::from_rustdoc_json(description())
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
