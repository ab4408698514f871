use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::*;
use crate::ErrorKind;

const BUNDLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../spec-tests/bundles");

/// A file or directory of the test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("corten-test-config-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, content: &[u8]) -> PathBuf {
        let path = self.0.join("config.json");
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn load(path: &Path) -> Result<Spec, Error> {
    parse(&read(path)?, path)
}

fn fault_of(bytes: &[u8]) -> String {
    let error = parse(bytes, Path::new("c")).unwrap_err();
    let error = crate::Error::from(error);
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    let line = error.report();
    assert!(!line.contains('\n') && line.len() < 4 * MAX_MESSAGE, "{line}");
    line
}

#[test]
fn what_engines_write_is_loaded_and_valid() {
    let mut count = 0;
    for entry in fs::read_dir(BUNDLES).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let spec = load(&path).unwrap_or_else(|error| panic!("{error}"));
            super::super::validate(&spec).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            count += 1;
        }
    }
    assert!(count >= 5);
}

#[test]
fn a_missing_file_is_not_found() {
    let error = crate::Error::from(load(Path::new("/nowhere/config.json")).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.report(), "/nowhere/config.json: open: No such file or directory");
}

#[test]
fn only_regular_files_are_read() {
    let scratch = Scratch::new();
    let fifo = scratch.0.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for path in [&fifo, &scratch.0, Path::new("/dev/zero")] {
        let error = load(path).unwrap_err().to_string();
        assert!(error.ends_with(": must be a regular file"), "{error}");
    }
    let link = scratch.0.join("link");
    std::os::unix::fs::symlink(scratch.file(b"{}"), &link).unwrap();
    assert!(load(&link).is_ok());
}

#[test]
fn a_huge_file_is_refused_before_it_is_read() {
    let scratch = Scratch::new();
    let path = scratch.file(b"");
    File::options().write(true).open(&path).unwrap().set_len(MAX_SIZE + 1).unwrap();
    assert!(matches!(load(&path), Err(Error::TooLarge(_))));
}

#[test]
fn broken_json_has_its_line_and_column() {
    for (bytes, fault) in [
        (&b""[..], "c: EOF while parsing a value at line 1 column 0"),
        (b"{\n  \"ociVersion\": \"1.0.0\"\n  \"root\"", "c: expected `,` or `}` at line 3 column 3"),
        (b"{}\n}", "c: trailing characters at line 2 column 1"),
        (b"{\"hostname\": \"\xff\"}", "c: invalid unicode code point at line 1 column 15"),
        (b"\0", "c: expected value at line 1 column 1"),
        (b"\xef\xbb\xbf{}", "c: expected value at line 1 column 1"),
    ] {
        assert_eq!(fault_of(bytes), fault);
    }
}

#[test]
fn a_wrong_type_has_its_path() {
    for (text, fault) in [
        ("[]", "c: invalid type: sequence, expected struct Spec"),
        (r#"{"linux": []}"#, "c: linux: invalid type: sequence, expected struct Linux"),
        (
            r#"{"root": ["rootfs", true]}"#,
            "c: root: invalid type: sequence, expected struct Root at line 1 column 10",
        ),
        (r#"{"mounts": [["/a"]]}"#, "c: mounts[0]: invalid type: sequence, expected struct Mount"),
        (
            r#"{"process": {"cwd": "/", "user": {}, "capabilities": ["CAP_KILL"]}}"#,
            "c: process.capabilities: invalid type: sequence",
        ),
        (
            r#"{"linux": {"namespaces": [{"type": {"pid": null}}]}}"#,
            "c: linux.namespaces[0].type: invalid type: map, expected a string",
        ),
        ("\"x\"", "c: invalid type: string \"x\", expected struct Spec at line 1 column 3"),
        (
            r#"{"linux": {"resources": {"memory": {"limit": "1g"}}}}"#,
            "c: linux.resources.memory.limit: invalid type: string \"1g\", expected i64 at line 1 column 49",
        ),
        (
            r#"{"linux": {"namespaces": [{"type": "pid"}, {"type": "x"}]}}"#,
            "c: linux.namespaces[1].type: unknown variant `x`, expected one of",
        ),
        (
            r#"{"process": {"args": ["a", 1], "cwd": "/"}}"#,
            "c: process.args[1]: invalid type: integer `1`, expected a string",
        ),
        (
            r#"{"process": {"user": {"uid": -1}, "cwd": "/"}}"#,
            "c: process.user.uid: invalid value: integer `-1`, expected u32",
        ),
        (
            r#"{"process": {"user": {"uid": 4294967296}, "cwd": "/"}}"#,
            "c: process.user.uid: invalid value: integer `4294967296`",
        ),
        (
            r#"{"process": {"user": {"uid": 1e400}, "cwd": "/"}}"#,
            "c: number out of range at line 1 column 34",
        ),
        (
            r#"{"root": {"path": "a"}, "root": {"path": "b"}}"#,
            "c: duplicate field `root` at line 1 column 30",
        ),
        (
            r#"{"process": {"user": {"uid": 1, "uid": 0}, "cwd": "/"}}"#,
            "c: duplicate field `uid` at line 1 column 37",
        ),
        (
            r#"{"linux": {"resources": {"hugepageLimits": [{"pageSize": "2MB", "limit": -2}]}}}"#,
            "c: linux.resources.hugepageLimits[0].limit: invalid value: integer `-2`, expected u64 at line 1 column 75",
        ),
        (r#"{"process": {"cwd": "/"}} x"#, "c: trailing characters at line 1 column 27"),
        (r#"{"process": {}}"#, "c: process: missing field `cwd`"),
        (r#"{"mounts": [{}]}"#, "c: mounts[0]: missing field `destination`"),
    ] {
        let got = fault_of(text.as_bytes());
        assert!(got.starts_with(fault), "{text}:\n got  {got}\n want {fault}");
    }
}

#[test]
fn the_wrong_type_is_named_and_not_what_was_repaired_before_it() {
    let text = r#"{"process": {"cwd": "/", "capabilities": {"bounding": ["CAP_X"]}, "args": 7}}"#;
    assert_eq!(
        fault_of(text.as_bytes()),
        "c: process.args: invalid type: integer `7`, expected a sequence at line 1 column 75"
    );
}

#[test]
fn a_property_given_twice_is_refused_in_a_repaired_document_too() {
    for (text, fault) in [
        (
            r#"{"root": {"path": "a"}, "linux": {"resources": {"pids": {}}}, "root": {}}"#,
            "c: duplicate field `root`",
        ),
        (
            r#"{"process": {"cwd": "/", "user": {}, "capabilities": {"bounding": ["CAP_X"]}, "args": [], "args": ["a"]}}"#,
            "c: duplicate field `args`",
        ),
    ] {
        let got = fault_of(text.as_bytes());
        assert!(got.starts_with(fault), "{got}");
    }
}

#[test]
fn long_values_are_not_repeated_in_full() {
    let text = format!(r#"{{"linux": {{"namespaces": [{{"type": "{}"}}]}}}}"#, "x\\n".repeat(1 << 20));
    let fault = fault_of(text.as_bytes());
    assert!(fault.ends_with("..."), "{fault}");
}

#[test]
fn depth_is_bounded() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{{\"unknown\": {}1{}}}", open.repeat(1_000_000), close.repeat(1_000_000));
        let _ = parse(deep.as_bytes(), Path::new("c"));
        let deep = format!("{{\"annotations\": {}", open.repeat(1_000_000));
        fault_of(deep.as_bytes());
    }
}

#[test]
fn properties_of_later_versions_are_ignored() {
    let spec = parse(br#"{"ociVersion": "1.9.0", "new": {"x": [1]}}"#, Path::new("c")).unwrap();
    assert_eq!(&spec.version, "1.9.0");
}

#[test]
fn process_and_resources_alone() {
    let scratch = Scratch::new();
    let process =
        load_process(&scratch.file(br#"{"args": ["sh"], "cwd": "/", "apparmorProfile": ""}"#)).unwrap();
    assert_eq!((process.user.uid, &process.apparmor_profile), (0, &None));
    let resources = load_resources(br#"{"pids": {"limit": 7}}"#, Path::new("r")).unwrap();
    assert_eq!(resources.pids.unwrap().limit, Some(7));
    let error = load_resources(br#"{"pids": {"limit": "7"}}"#, Path::new("r")).unwrap_err();
    assert!(error.to_string().starts_with("r: pids.limit: invalid type"), "{error}");
}
