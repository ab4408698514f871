//! What is wrong is refused: in one line, with a status that is not 0, and with nothing changed.

#[allow(dead_code)]
mod support;

use std::{
    fs,
    os::unix::fs::symlink,
    process::{Command, Output},
    time::{Duration, Instant},
};
use support::{Bundle, text};

const WAITS: &str = "while :; do sleep 0.05; done";

/// One line on standard error that says `words`, nothing on standard output, and soon.
fn refused(output: &Output, began: Instant, what: &str, words: &str) {
    let said = text(&output.stderr);
    assert!(!output.status.success(), "{what}: {said}");
    assert_eq!(text(&output.stdout), "", "{what}");
    assert_eq!(said.lines().count(), 1, "{what}: {said}");
    assert!(said.contains("level=error") && said.contains(words), "{what}: {said}");
    assert!(began.elapsed() < Duration::from_secs(20), "{what}: it hangs");
}

fn refuses(bundle: &Bundle, args: &[&str], words: &str) {
    let began = Instant::now();
    refused(&bundle.corten(args), began, &args.join(" "), words);
}

#[test]
fn values_with_junk_change_nothing() {
    let Some(bundle) = Bundle::new("bad-values", false, WAITS) else { return };
    bundle.start("c");
    let before = bundle.state("c");
    for (args, words) in [
        (&["exec", "-u", "1x", "c", "true"][..], "a user is UID or UID:GID"),
        (&["exec", "-u", "", "c", "true"], "a user is UID or UID:GID"),
        (&["exec", "-u", "root", "c", "true"], "a user is UID or UID:GID"),
        (&["exec", "-u", "1:", "c", "true"], "a user is UID or UID:GID"),
        (&["exec", "-u", "-1", "c", "true"], "a user is UID or UID:GID"),
        (&["exec", "-u", "4294967296", "c", "true"], "a user is UID or UID:GID"),
        (&["exec", "-g", "1,2", "c", "true"], "--additional-gids"),
        (&["exec", "-e", "novalue", "c", "true"], "NAME=VALUE is wanted"),
        (&["exec", "-e", "=x", "c", "true"], "NAME=VALUE is wanted"),
        (&["exec", "--preserve-fds", "-1", "c", "true"], "--preserve-fds"),
        (&["exec", "--preserve-fds", "99999999999", "c", "true"], "--preserve-fds"),
        (&["exec", "--cwd", "relative", "c", "true"], "cwd"),
        (&["exec", "--process", "/nowhere/p.json", "c"], "/nowhere/p.json"),
        (&["exec", "--process", "/dev/zero", "c"], "/dev/zero"),
        (&["exec", "--cgroup", "../..", "c", "true"], ".."),
        (&["exec", "c"], "exec needs a command"),
        (&["exec", "--usr", "1", "c", "true"], "did you mean --user?"),
        (&["kill", "c", "0x"], "unknown signal"),
        (&["kill", "c", "0x9"], "unknown signal"),
        (&["kill", "c", "9x"], "unknown signal"),
        (&["kill", "c", "-9"], "unknown flag"),
        (&["kill", "c", "99"], "unknown signal"),
        (&["kill", "c", "SIGNOTHING"], "unknown signal"),
        (&["kill", "c", ""], "unknown signal"),
        (&["kill", "c", "KILL", "TERM"], "1 to 2 argument(s)"),
        (&["update", "--pids-limit", "abc", "c"], "--pids-limit"),
        (&["update", "--pids-limit", "12 ", "c"], "--pids-limit"),
        (&["update", "--memory", "1e9", "c"], "--memory"),
        (&["update", "--memory", "99999999999999999999", "c"], "--memory"),
        (&["update", "--cpu-quota", "0.5", "c"], "--cpu-quota"),
        (&["update", "--cpu-idle", "2", "c"], "cpu.idle: must be 0 to 1"),
        (&["update", "--blkio-weight", "70000", "c"], "--blkio-weight"),
        (&["update", "--cpuset-cpus", "0-", "c"], "cpu"),
        (&["update", "--resources", "/nowhere/r.json", "c"], "/nowhere/r.json"),
        (&["update", "--memroy", "1m", "c"], "did you mean --memory?"),
        (&["events", "--interval", "0s", "c"], "--interval"),
        (&["events", "--interval", "1x", "c"], "--interval"),
        (&["events"], "requires a container's ID"),
        (&["ps", "--format", "yaml", "c"], "table or json"),
        (&["list", "--format", "yaml"], "table or json"),
        (&["delete", "--regex", "("], "--regex"),
        (&["delete", "c"], "running"),
        (&["start", "c"], "running"),
        (&["resume", "c"], "running"),
        (&["mounts", "add", "c", "/nowhere/m.json"], "/nowhere/m.json"),
    ] {
        refuses(&bundle, args, words);
    }
    assert_eq!(bundle.state("c"), before);
    assert_eq!(bundle.ok(&["exec", "c", "echo", "well"]), "well\n");
}

#[test]
fn an_id_that_cannot_be_makes_nothing() {
    let Some(bundle) = Bundle::new("bad-ids", false, "true") else { return };
    let long = "x".repeat(2000);
    for id in [
        "",
        ".",
        "..",
        "a/b",
        "/a",
        "../a",
        "a b",
        "a\nb",
        "ä",
        "a\u{0}".trim_end_matches('\0').replace('a', "\u{1}").as_str(),
        &long,
    ] {
        for command in ["create", "run"] {
            refuses(&bundle, &[command, "--bundle", bundle.path(), id], "id");
        }
        for command in ["state", "start", "kill", "delete", "pause", "ps"] {
            refuses(&bundle, &[command, id], "");
        }
    }
    assert_eq!(bundle.ok(&["list", "--quiet"]), "");
    let state = bundle.file("state");
    assert!(fs::read_dir(state).map_or(0, Iterator::count) == 0);
}

#[test]
fn a_second_container_of_an_id_leaves_the_first_alone() {
    let Some(bundle) = Bundle::new("bad-twice", false, WAITS) else { return };
    bundle.start("c");
    let before = bundle.state("c");
    for command in ["create", "run"] {
        refuses(&bundle, &[command, "--bundle", bundle.path(), "c"], "already exists");
    }
    assert_eq!(bundle.state("c"), before);
}

#[test]
fn a_container_that_has_ended_stays_as_it_is() {
    let Some(bundle) = Bundle::new("bad-ended", false, "true") else { return };
    bundle.start("c");
    bundle.wait_for("c", "stopped");
    let before = bundle.state("c");
    for (args, status, words) in [
        (&["exec", "c", "true"][..], 255, "stopped"),
        (&["kill", "c", "TERM"], 1, "container not running"),
        (&["start", "c"], 1, "stopped"),
        (&["pause", "c"], 1, "stopped"),
        (&["resume", "c"], 1, "stopped"),
        (&["update", "--pids-limit", "5", "c"], 1, "stopped"),
        (&["events", "--stats", "c"], 1, "not running"),
        (&["events", "--follow", "c"], 1, "not running"),
        (&["checkpoint", "--image-path", "/nowhere", "c"], 1, ""),
    ] {
        refuses(&bundle, args, words);
        assert_eq!(bundle.corten(args).status.code(), Some(status), "{args:?}");
    }
    assert_eq!(bundle.state("c"), before);
}

#[test]
fn a_paused_container_stays_paused() {
    let Some(bundle) = Bundle::new("bad-paused", false, WAITS) else { return };
    bundle.start("c");
    bundle.quiet(&["pause", "c"]);
    for (args, words) in [
        (&["exec", "c", "true"][..], "paused"),
        (&["pause", "c"], "paused"),
        (&["start", "c"], "paused"),
        (&["delete", "c"], "paused"),
    ] {
        refuses(&bundle, args, words);
    }
    assert_eq!(bundle.state("c")["status"], "paused");
}

#[test]
fn a_state_that_is_cut_short_or_of_another_is_told_and_kept() {
    let Some(bundle) = Bundle::new("bad-state", false, WAITS) else { return };
    bundle.start("c");
    bundle.edit(|spec| {
        spec["linux"]["cgroupsPath"] = format!("/corten-test-bad-other-{}", std::process::id()).into();
    });
    bundle.start("other");
    let pid = bundle.state("c")["pid"].as_i64().unwrap();
    let file = bundle.file("state/c/state.json");
    let good = fs::read(&file).unwrap();
    let foreign = fs::read(bundle.file("state/other/state.json")).unwrap();
    let deep = vec![b'['; 100_000];
    let runcs = br#"{"id":"c","init_process_pid":1,"init_process_start":1,"created":"2026-01-01T00:00:00Z","config":{}}"#;
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("cut short", &good[..good.len() / 2]),
        ("cut by one", &good[..good.len() - 1]),
        ("of another container", &foreign),
        ("of runc", runcs),
        ("a list", b"[]"),
        ("null", b"null"),
        ("not JSON", b"\x00\xff\xfe"),
        ("deep", &deep),
    ] {
        fs::write(&file, bytes).unwrap();
        for args in [
            &["state", "c"][..],
            &["start", "c"],
            &["kill", "c", "KILL"],
            &["exec", "c", "true"],
            &["pause", "c"],
            &["resume", "c"],
            &["update", "--pids-limit", "5", "c"],
            &["ps", "c"],
            &["delete", "c"],
            &["mounts", "add", "c", "/dev/null"],
        ] {
            let began = Instant::now();
            refused(&bundle.corten(args), began, &format!("{name}: {args:?}"), "state.json");
        }
        assert_eq!(fs::read(&file).unwrap(), bytes, "{name}");
        // The others can still be told.
        assert!(bundle.ok(&["list", "--quiet"]).lines().any(|id| id == "other"), "{name}");
        assert!(text(&bundle.corten(&["list"]).stdout).contains("other"), "{name}");
    }
    // What is no file at all must not hang.
    fs::remove_file(&file).unwrap();
    for make in ["fifo", "directory", "link"] {
        match make {
            "fifo" => assert!(Command::new("mkfifo").arg(&file).status().unwrap().success()),
            "directory" => fs::create_dir(&file).unwrap(),
            _ => symlink("/etc/passwd", &file).unwrap(),
        }
        let began = Instant::now();
        refused(&bundle.corten(&["state", "c"]), began, make, "state.json");
        if make == "directory" { fs::remove_dir(&file) } else { fs::remove_file(&file) }.unwrap();
    }
    // Its process has not been touched by any of it.
    assert!(fs::metadata(format!("/proc/{pid}")).is_ok());
    fs::write(&file, &good).unwrap();
    assert_eq!(bundle.state("c")["status"], "running");
    fs::write(&file, b"{").unwrap();
    bundle.quiet(&["delete", "--force", "c"]);
    support::wait_until(|| fs::metadata(format!("/proc/{pid}")).is_err());
    assert!(fs::metadata(bundle.file("state/c")).is_err());
}

#[test]
fn a_bundle_that_is_none_is_told() {
    let Some(bundle) = Bundle::new("bad-bundle", false, "true") else { return };
    let config = bundle.file("config.json");
    let good = fs::read(&config).unwrap();
    let create = |words: &str| refuses(&bundle, &["create", "--bundle", bundle.path(), "c"], words);
    refuses(&bundle, &["create", "--bundle", "/nowhere", "c"], "/nowhere");
    refuses(
        &bundle,
        &["create", "--bundle", bundle.path(), "--config", "/nowhere/c.json", "c"],
        "/nowhere/c.json",
    );
    for bytes in
        [&b""[..], b"{", b"[]", b"null", b"{}", &good[..good.len() / 2], b"\xff\xfe", &vec![b'['; 100_000]]
    {
        fs::write(&config, bytes).unwrap();
        create("");
    }
    fs::remove_file(&config).unwrap();
    create("config.json");
    assert!(Command::new("mkfifo").arg(&config).status().unwrap().success());
    create("config.json");
    fs::remove_file(&config).unwrap();
    fs::create_dir(&config).unwrap();
    create("config.json");
    assert_eq!(bundle.ok(&["list", "--quiet"]), "");
}

#[test]
fn every_flag_of_runcs_is_known() {
    if Command::new("runc").arg("--version").output().is_err() {
        return println!("skipped: no runc");
    }
    let Some(bundle) = Bundle::new("bad-flags", false, "true") else { return };
    let help = |args: &[&str]| text(&Command::new("runc").args(args).output().unwrap().stdout);
    let flags = |help: &str| -> Vec<String> {
        let options = help.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
        options.map(|line| line.split([' ', ',']).next().unwrap_or_default().to_owned()).collect()
    };
    let known = |command: &[&str], flag: &str| {
        let given = format!("--{flag}");
        // `spec` writes to where it is called.
        let mut command_line = bundle.command(&[command, &[given.as_str()]].concat());
        let output = command_line.current_dir(bundle.path()).output().unwrap();
        let said = text(&output.stderr);
        assert!(!said.contains("unknown"), "{command:?} {flag}: {said}");
    };
    let all = help(&["--help"]);
    flags(&all).iter().filter(|flag| *flag != "root").for_each(|flag| known(&[], flag));
    let commands =
        all.lines().skip_while(|line| *line != "COMMANDS:").skip(1).take_while(|line| !line.is_empty());
    let mut count = 0;
    for command in
        commands.filter_map(|line| line.split_whitespace().next()).map(|name| name.trim_end_matches(','))
    {
        assert!(bundle.corten(&[command, "--help"]).status.success(), "{command}");
        for flag in flags(&help(&[command, "--help"])) {
            known(&[command], &flag);
            count += 1;
        }
    }
    assert!(count > 80, "{count} flags of runc's commands");
}

#[test]
fn events_for_people_are_a_table() {
    let Some(bundle) = Bundle::new("follow", false, WAITS) else { return };
    bundle.start("c");
    let mut child = bundle
        .command(&["events", "--follow", "--interval", "50ms", "c"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    bundle.quiet(&["kill", "c", "KILL"]);
    // It ends with the container.
    support::wait_until(|| child.try_wait().unwrap().is_some());
    let said = text(&child.wait_with_output().unwrap().stdout);
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].starts_with("ID ") && lines[0].contains("MEMORY"), "{said}");
    assert!(lines[1].starts_with("c ") && lines[1].contains("running"), "{said}");
    assert!(lines.iter().any(|line| line.contains(" %")) && !said.contains('\x1b'), "{said}");
}

/// Runs `script` in a mount namespace of its own, with a tmpfs of 64 KiB on $1; $2 is `corten`.
fn on_a_small_disk(bundle: &Bundle, script: &str) -> Output {
    let disk = bundle.file("disk");
    fs::create_dir(&disk).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64k tmpfs \"$1\" && head -c 70000 /dev/zero >\"$1/fill\" 2>/dev/null; {script}"
    );
    Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh", &disk])
        .arg(env!("CARGO_BIN_EXE_corten"))
        .arg(bundle.path())
        .output()
        .unwrap()
}

#[test]
fn a_full_disk_is_told_and_nothing_is_left_on_it() {
    let Some(bundle) = Bundle::new("bad-full", false, "true") else { return };
    let script = "for command in \"spec -b $1\" \"--root $1/root create -b $3 c\" \"--root $3/root run -b $3 --pid-file $1/pid c\"; do \
                  \"$2\" $command && exit 9; done; ls -A \"$1\" \"$1/root\" \"$3/root\"; \"$2\" --root \"$1/root\" list -q";
    let output = on_a_small_disk(&bundle, script);
    let (said, left) = (text(&output.stderr), text(&output.stdout));
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("No space left on device").count(), 3, "{said}");
    assert_eq!(said.lines().count(), 3, "{said}");
    let names = left.lines().filter(|line| !line.is_empty() && !line.ends_with(':'));
    assert_eq!(names.collect::<Vec<_>>(), ["fill", "root"], "{left}");
}

#[test]
fn events_end_when_nobody_reads_them_any_more() {
    let Some(bundle) = Bundle::new("unread", false, WAITS) else { return };
    bundle.start("c");
    for how in ["--follow", "--stats=false"] {
        let mut child = bundle
            .command(&["events", how, "--interval", "20ms", "c"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        support::wait_until(|| child.try_wait().unwrap().is_some());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{how}: {}", text(&output.stderr));
    }
}
