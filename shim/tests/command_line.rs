//! The built `corten`, as people and engines call it, as far as that goes without a container.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

/// A directory of a test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("corten-test-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn corten(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_corten")).args(args).env("RUST_BACKTRACE", "1").output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Nothing on standard output, one line on standard error that says `words`, and the exit status.
fn assert_fails(args: &[&str], status: i32, words: &str) {
    let output = corten(args);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(status), "{args:?}: {text}");
    assert_eq!(stdout(&output), "", "{args:?}");
    assert_eq!(text.lines().count(), 1, "{args:?}: {text}");
    assert!(text.contains("level=error msg=") && text.contains(words), "{args:?}: {text}");
}

#[test]
fn help_is_on_standard_output() {
    for args in [&["--help"][..], &["-h"], &[], &["help"], &["--root", "/nowhere", "--help"]] {
        let output = corten(args);
        assert!(output.status.success(), "{args:?}");
        let text = stdout(&output);
        assert!(
            text.contains("\nThe life of a container\n") && text.contains("--cgroup-manager NAME"),
            "{text}"
        );
        assert!(!text.contains('\x1b'), "no colour where no terminal is");
    }
    for args in [["exec", "--help"], ["help", "exec"], ["exec", "-h"]] {
        let text = stdout(&corten(&args));
        assert!(text.starts_with("corten exec: ") && text.contains("-u, --user UID[:GID]"), "{text}");
    }
}

#[test]
fn the_version_names_that_of_the_specification() {
    for flag in ["--version", "-v"] {
        let text = stdout(&corten(&[flag]));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], concat!("corten version ", env!("CARGO_PKG_VERSION")));
        assert_eq!(lines[lines.len() - 1], "spec: 1.3.0");
    }
}

#[test]
fn mistakes_are_one_line_and_suggest_the_right_word() {
    assert_fails(&["bogus"], 1, r#"unknown command \"bogus\""#);
    assert_fails(&["strat", "c1"], 1, r#"did you mean \"start\"?"#);
    assert_fails(&["run", "--detatch", "c1"], 1, "did you mean --detach?");
    assert_fails(&["--rot", "/x", "list"], 1, "did you mean --root?");
    assert_fails(&["state"], 1, "requires exactly 1 argument(s)");
    assert_fails(&["state", "a", "b"], 1, "requires exactly 1 argument(s)");
    assert_fails(&["list", "--format", "xml"], 1, "table or json is wanted");
    assert_fails(&["--log-format", "xml", "list"], 1, "text or json is wanted");
    assert_fails(&["--log-level", "loud", "list"], 1, "--log-level");
    assert_fails(&["--cgroup-manager", "mine", "list"], 1, "cgroupfs, systemd or disabled");
    assert_fails(&["--rootless", "perhaps", "list"], 1, "true, false or auto");
    assert_fails(&["help", "bogus"], 1, "unknown command");
}

#[test]
fn numbers_with_junk_are_refused() {
    assert_fails(&["run", "--preserve-fds", "3x", "c1"], 1, r#"invalid value \"3x\" for --preserve-fds"#);
    assert_fails(&["update", "--pids-limit", "abc", "c1"], 1, r#"invalid value \"abc\" for --pids-limit"#);
    assert_fails(&["update", "--memory", "12q", "c1"], 1, "--memory");
    assert_fails(&["kill", "c1", "0x9"], 1, "unknown signal");
    assert_fails(&["events", "--interval", "5", "c1"], 1, "--interval");
}

#[test]
fn only_open_descriptors_can_be_preserved() {
    assert_fails(&["create", "--preserve-fds", "1000", "c1"], 1, "is not open");
    // The log is opened by corten itself; a caller that hands over no descriptor must not hand over this one.
    let scratch = Scratch::new("preserve");
    let output = corten(&["--log", &scratch.path("log"), "create", "--preserve-fds", "1", "c1"]);
    assert!(stderr(&output).contains("descriptor 3 is not open"), "{}", stderr(&output));
}

#[test]
fn a_container_that_is_not_there() {
    let scratch = Scratch::new("missing");
    let root = scratch.path("root");
    for command in ["state", "start", "kill", "delete", "ps", "pause", "resume", "events"] {
        assert_fails(&["--root", &root, command, "c1"], 1, "does not exist");
    }
    assert_fails(&["--root", &root, "exec", "c1", "true"], 255, "does not exist");
    assert!(corten(&["--root", &root, "delete", "--force", "c1"]).status.success());
    assert!(!scratch.0.join("root").exists(), "asking makes nothing");
}

#[test]
fn a_root_that_is_not_there_has_no_containers() {
    let scratch = Scratch::new("noroot");
    let root = scratch.path("root");
    let table = stdout(&corten(&["--root", &root, "list"]));
    assert_eq!(table, "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
    assert_eq!(stdout(&corten(&["--root", &root, "list", "--format=json"])), "[]\n");
    assert_eq!(stdout(&corten(&["list", "-q", "--root", &root])), "");
    assert!(!scratch.0.join("root").exists(), "a listing makes nothing");
}

#[test]
fn the_log_file_gets_the_error_and_standard_error_too() {
    let scratch = Scratch::new("log");
    let (root, log) = (scratch.path("root"), scratch.path("log"));
    let output = corten(&["--root", &root, "--log", &log, "--log-format", "json", "state", "c1"]);
    let message = stderr(&output);
    assert!(message.starts_with("error: ") && message.contains("does not exist"), "{message}");
    let text = fs::read_to_string(&log).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(line["level"], "error");
    assert!(line["msg"].as_str().unwrap().contains("does not exist"));
    assert!(line["time"].as_str().unwrap().ends_with('Z'));

    corten(&["--root", &root, "--log", &log, "state", "--bogus"]);
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!(text.lines().count(), 2, "it is appended to");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("time=\"") && last.contains("level=error msg=\"unknown flag --bogus"), "{last}");
}

#[test]
fn debug_lines_are_logged_when_asked_for() {
    let scratch = Scratch::new("debug");
    let root = scratch.path("root");
    for flags in [&["--debug"][..], &["--log-level", "debug"], &["--log-level=DEBUG"]] {
        let output = corten(&[&["--root", &root], flags, &["list"]].concat());
        assert!(stderr(&output).contains("level=debug"), "{flags:?}: {}", stderr(&output));
    }
    assert_eq!(stderr(&corten(&["--root", &root, "list"])), "");
}

#[test]
fn a_log_that_cannot_be_opened_is_an_error() {
    assert_fails(&["--log", "/nonexistent/log", "list"], 1, "/nonexistent/log: No such file or directory");
}

#[test]
fn a_fifo_as_the_log_never_blocks() {
    let scratch = Scratch::new("fifo");
    let fifo = scratch.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let output = corten(&["--log", &fifo, "--root", &scratch.path("root"), "state", "c1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: "));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let script = format!("{} --help | true; echo ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_corten"));
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!((stdout(&output).trim(), stderr(&output).as_str()), ("0", ""));
}

#[test]
fn spec_writes_a_bundle_once() {
    let scratch = Scratch::new("spec");
    let bundle = scratch.path("");
    assert!(corten(&["spec", "--bundle", &bundle]).status.success());
    let first = fs::read(scratch.path("config.json")).unwrap();
    let spec: serde_json::Value = serde_json::from_slice(&first).unwrap();
    assert_eq!((&spec["ociVersion"], &spec["process"]["args"][0]), (&"1.3.0".into(), &"sh".into()));
    assert_fails(&["spec", "-b", &bundle, "--rootless"], 1, "exists. Remove it first");
    assert_eq!(fs::read(scratch.path("config.json")).unwrap(), first);
}

/// What we write and what runc writes differ in the version and the host name only. Before 1.2 runc had ambient capabilities that
/// no process can have, as it has none of them inheritable.
#[test]
fn spec_has_the_properties_of_runcs() {
    if Command::new("runc").arg("--version").output().is_err() {
        println!("skipped: there is no runc to compare with");
        return;
    }
    for rootless in [&[][..], &["--rootless"]] {
        let (ours, theirs) = (Scratch::new("ours"), Scratch::new("theirs"));
        assert!(corten(&[&["spec", "--bundle", &ours.path("")], rootless].concat()).status.success());
        let runc = Command::new("runc").args(["spec", "--bundle", &theirs.path("")]).args(rootless).status();
        assert!(runc.unwrap().success());
        let [ours, theirs] = [ours, theirs].map(|scratch| {
            let text = fs::read(scratch.path("config.json")).unwrap();
            let mut spec: serde_json::Value = serde_json::from_slice(&text).unwrap();
            for own in ["ociVersion", "hostname"] {
                spec[own].take();
            }
            let capabilities = spec["process"]["capabilities"].as_object_mut().unwrap();
            assert_eq!(capabilities.get("inheritable"), None);
            capabilities.remove("ambient");
            spec
        });
        assert_eq!(ours, theirs);
    }
}

#[test]
fn check_tells_what_the_host_can_do() {
    let output = corten(&["check"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for title in ["kernel", "cgroups", "user namespaces", "seccomp", "AppArmor", "CRIU"] {
        assert!(text.lines().any(|line| line[8..].starts_with(title)), "{title}: {text}");
    }
}
