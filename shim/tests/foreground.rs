//! `run` and `exec` in the foreground: the status, the signals and the terminal are the process' own.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::{
    io::{Read, Write},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use support::{Bundle, Terminal, text, wait_until};

#[test]
fn the_exit_status_is_the_process_own() {
    for (script, status) in
        [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137), ("kill -15 $$", 143)]
    {
        let Some(bundle) = Bundle::new("status", false, script) else { return };
        // The first process of a pid namespace is spared by its own signals.
        bundle.edit(|spec| {
            spec["linux"]["namespaces"]
                .as_array_mut()
                .unwrap()
                .retain(|namespace| namespace["type"] != "pid");
            spec["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "proc");
            spec["linux"]["maskedPaths"].take();
            spec["linux"]["readonlyPaths"].take();
        });
        let output = bundle.corten(&["run", "--bundle", bundle.path(), "c1"]);
        assert_eq!(output.status.code(), Some(status), "{script}: {}", text(&output.stderr));
        assert_eq!(bundle.ok(&["list", "--quiet"]), "", "the container is deleted");
    }
}

#[test]
fn standard_streams_are_the_callers_own() {
    let Some(bundle) = Bundle::new("streams", false, "cat; echo wrong >&2") else { return };
    let mut child = bundle.command(&["run", "-b", bundle.path(), "c1"]);
    let mut child =
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"some input\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((text(&output.stdout).as_str(), text(&output.stderr).as_str()), ("some input\n", "wrong\n"));
}

#[test]
fn a_kept_container_is_there_after_its_end() {
    let Some(bundle) = Bundle::new("keep", false, "exit 3") else { return };
    let output = bundle.corten(&["run", "--keep", "--bundle", bundle.path(), "c1"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert_eq!(bundle.state("c1")["status"], "stopped");
    bundle.ok(&["delete", "c1"]);
}

#[test]
fn signals_go_to_the_process() {
    let script = "for s in HUP INT TERM USR1 USR2 WINCH; do trap \"echo $s\" $s; done; trap 'exit 9' QUIT; echo ready; \
                  while :; do sleep 0.01; done";
    let Some(bundle) = Bundle::new("signals", false, script) else { return };
    let mut child =
        bundle.command(&["run", "-b", bundle.path(), "c1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut hear = |words: &str| {
        let mut said = vec![0; words.len()];
        out.read_exact(&mut said).unwrap();
        assert_eq!(text(&said), words);
    };
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    hear("ready\n");
    for (signal, words) in [
        (Signal::SIGHUP, "HUP\n"),
        (Signal::SIGINT, "INT\n"),
        (Signal::SIGTERM, "TERM\n"),
        (Signal::SIGUSR1, "USR1\n"),
        (Signal::SIGUSR2, "USR2\n"),
        (Signal::SIGWINCH, "WINCH\n"),
    ] {
        kill(pid, signal).unwrap();
        hear(words);
    }
    kill(pid, Signal::SIGQUIT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[test]
fn a_terminal_is_shown_as_it_is() {
    let Some(bundle) =
        Bundle::new("terminal", true, "stty size; echo two; read word; echo \"<$word>\"; exit 4")
    else {
        return;
    };
    let mut terminal = Terminal::call(&bundle.command(&["run", "-b", bundle.path(), "c1"]), 33, 77);
    terminal.hear("33 77\r\ntwo\r\n");
    assert!(!terminal.is_cooked());
    terminal.master.write_all(b"word\r").unwrap();
    terminal.hear("word\r\n");
    assert_eq!(terminal.end(), (Some(4), "<word>\r\n".to_owned()));
}

#[test]
fn a_terminal_need_not_be_the_controlling_one() {
    let Some(bundle) = Bundle::new("nosession", true, "echo one; read word; echo \"<$word>\"") else {
        return;
    };
    let mut terminal = Terminal::call_without_session(&bundle.command(&["run", "-b", bundle.path(), "c1"]));
    terminal.hear("one\r\n");
    terminal.master.write_all(b"word\r").unwrap();
    terminal.hear("word\r\n");
    assert_eq!(terminal.end(), (Some(0), "<word>\r\n".to_owned()));
}

#[test]
fn keys_that_make_signals_make_them_in_the_container() {
    let script = "trap 'echo interrupted; exit 6' INT; echo ready; while :; do sleep 0.01; done";
    let Some(bundle) = Bundle::new("keys", true, script) else { return };
    let mut terminal = Terminal::call(&bundle.command(&["run", "-b", bundle.path(), "c1"]), 24, 80);
    terminal.hear("ready\r\n");
    terminal.master.write_all(b"\x03").unwrap();
    terminal.hear("interrupted\r\n");
    assert_eq!(terminal.end().0, Some(6));
}

#[test]
fn the_terminals_size_follows() {
    let script = "trap 'stty size' WINCH; trap 'exit 3' INT; echo ready; while :; do sleep 0.01; done";
    let Some(bundle) = Bundle::new("resize", true, script) else { return };
    let mut terminal = Terminal::call(&bundle.command(&["run", "-b", bundle.path(), "c1"]), 24, 80);
    terminal.hear("ready\r\n");
    let master = terminal.master.try_clone().unwrap();
    let resized = Command::new("stty").args(["rows", "11", "cols", "22"]).stdin(master).status().unwrap();
    assert!(resized.success());
    terminal.hear("11 22\r\n");
    terminal.master.write_all(b"\x03").unwrap();
    assert_eq!(terminal.end().0, Some(3));
}

#[test]
fn a_terminals_output_to_a_file_is_whole_and_has_no_carriage_returns() {
    let Some(bundle) = Bundle::new("pipe", true, "seq 1 20000; echo -n end") else { return };
    let output = bundle.corten(&["run", "-b", bundle.path(), "c1"]);
    let expected: String =
        (1..=20000).map(|number| format!("{number}\n")).chain(["end".to_owned()]).collect();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).len(), expected.len());
    assert_eq!(text(&output.stdout), expected);
}

#[test]
fn an_execs_output_to_a_file_has_no_carriage_returns_from_its_first_line_on() {
    let Some(bundle) = Bundle::new("execpipe", false, "sleep 100") else { return };
    bundle.start("c1");
    for _ in 0..10 {
        assert_eq!(bundle.ok(&["exec", "-t", "c1", "echo", "one line"]), "one line\n");
    }
}

#[test]
fn an_exec_has_its_own_terminal_status_user_and_environment() {
    let Some(bundle) = Bundle::new("exec", false, "sleep 100") else { return };
    bundle.start("c1");
    let output = bundle.corten(&["exec", "c1", "sh", "-c", "exit 7"]);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert_eq!(bundle.corten(&["exec", "c1", "sh", "-c", "kill -9 $$"]).status.code(), Some(137));
    let said = bundle.ok(&[
        "exec",
        "--user",
        "5:6",
        "-g",
        "7",
        "--cwd",
        "/bin",
        "-e",
        "A=b",
        "c1",
        "sh",
        "-c",
        "id; pwd; echo $A",
    ]);
    assert!(said.starts_with("uid=5 gid=6 groups=7") && said.ends_with("\n/bin\nb\n"), "{said}");
    let mut terminal =
        Terminal::call(&bundle.command(&["exec", "-t", "c1", "sh", "-c", "stty size; exit 5"]), 12, 34);
    terminal.hear("12 34\r\n");
    assert_eq!(terminal.end(), (Some(5), String::new()));
}

#[test]
fn the_last_variable_of_a_name_counts() {
    let Some(bundle) = Bundle::new("twice", false, "env; sleep 100") else { return };
    bundle.edit(|spec| {
        spec["process"]["env"] = ["PATH=/nowhere", "A=1", "HOME=", "A=2", "PATH=/bin"].as_slice().into();
    });
    bundle.start("c1");
    let with = |variables: &[&str], command: &[&str]| {
        let given: Vec<_> = variables.iter().flat_map(|variable| ["--env", variable]).collect();
        bundle.ok(&[&["exec"], &given[..], &["c1"], command].concat())
    };
    let said = with(&["A=3", "B=1", "A=4"], &["env"]);
    let mut lines: Vec<_> = said.lines().filter(|line| !line.starts_with("HOME=/")).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["A=4", "B=1", "PATH=/bin"], "{said}");
    assert!(said.contains("HOME=/"), "an empty HOME is none: {said}");
    // The program is looked for where the flag says.
    let output = bundle.corten(&["exec", "--env", "PATH=/nowhere", "c1", "env"]);
    assert_eq!(output.status.code(), Some(255), "{}", text(&output.stderr));
}

#[test]
fn an_exec_does_not_wait_for_what_it_left_behind() {
    let Some(bundle) = Bundle::new("behind", false, "sleep 100") else { return };
    bundle.start("c1");
    let begin = Instant::now();
    let mut terminal =
        Terminal::call(&bundle.command(&["exec", "-t", "c1", "sh", "-c", "sleep 50 & echo done"]), 24, 80);
    terminal.hear("done\r\n");
    assert_eq!(terminal.end().0, Some(0));
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_exec_that_comes_to_nothing_exits_with_255() {
    let Some(bundle) = Bundle::new("nothing", false, "sleep 100") else { return };
    bundle.start("c1");
    let fails = |args: &[&str], words: &str| {
        let output = bundle.corten(args);
        let line = text(&output.stderr);
        assert_eq!(output.status.code(), Some(255), "{args:?}: {line}");
        assert!(
            line.lines().count() == 1 && line.contains("error") && line.contains(words),
            "{args:?}: {line}"
        );
    };
    fails(&["exec", "c1", "nosuch"], "nosuch");
    fails(&["exec", "c1"], "command");
    fails(&["exec", "--user", "1x", "c1", "id"], "UID:GID");
    fails(&["exec", "--process", "/nonexistent", "c1"], "/nonexistent");
    bundle.ok(&["pause", "c1"]);
    fails(&["exec", "c1", "id"], "paused");
    bundle.ok(&["resume", "c1"]);
    bundle.ok(&["kill", "c1", "KILL"]);
    bundle.wait_for("c1", "stopped");
    fails(&["exec", "c1", "id"], "stopped");
}

#[test]
fn a_run_that_ends_at_once_never_hangs() {
    let Some(bundle) = Bundle::new("atonce", true, "echo -n last words") else { return };
    for _ in 0..20 {
        assert_eq!(bundle.ok(&["run", "-b", bundle.path(), "c1"]), "last words");
    }
}

#[test]
fn a_life_as_engines_lead_it() {
    let Some(bundle) = Bundle::new("life", false, "sleep 100") else { return };
    let pid_file = bundle.file("pid");
    bundle.quiet(&["create", "--bundle", bundle.path(), "--pid-file", &pid_file, "c1"]);
    let state = bundle.state("c1");
    let pid = state["pid"].to_string();
    assert_eq!(
        (&state["status"], &state["id"], &state["bundle"]),
        (&"created".into(), &"c1".into(), &bundle.path().into())
    );
    assert_eq!(std::fs::read_to_string(pid_file).unwrap().trim(), pid);
    let again = bundle.corten(&["create", "--bundle", bundle.path(), "c1"]);
    assert!(!again.status.success() && text(&again.stderr).contains("exist"), "{}", text(&again.stderr));
    bundle.ok(&["start", "c1"]);
    bundle.wait_for("c1", "running");
    assert!(!bundle.corten(&["start", "c1"]).status.success());
    assert!(!bundle.corten(&["delete", "c1"]).status.success());
    let list: serde_json::Value = serde_json::from_str(&bundle.ok(&["list", "-f", "json"])).unwrap();
    assert_eq!(
        (&list[0]["id"], &list[0]["status"], &list[0]["owner"]),
        (&"c1".into(), &"running".into(), &"root".into())
    );
    assert_eq!(bundle.ok(&["ps", "c1", "--format", "json"]), format!("[{pid}]\n"));
    let table = bundle.ok(&["ps", "c1"]);
    assert!(table.lines().count() == 2 && table.contains("sleep 100"), "{table}");
    bundle.ok(&["kill", "c1", "SIGKILL"]);
    bundle.wait_for("c1", "stopped");
    assert_eq!(bundle.state("c1")["pid"], 0);
    let late = bundle.corten(&["kill", "c1"]);
    assert!(
        !late.status.success() && text(&late.stderr).contains("container not running"),
        "{}",
        text(&late.stderr)
    );
    bundle.ok(&["delete", "c1"]);
    wait_until(|| bundle.ok(&["list", "-q"]).is_empty());
}

#[test]
fn containers_are_chosen_by_a_regular_expression() {
    let Some(bundle) = Bundle::new("regex", false, "sleep 100") else { return };
    for id in ["web-1", "web-2", "db"] {
        bundle.edit(|spec| {
            spec["linux"]["cgroupsPath"] = format!("/corten-test-regex-{id}-{}", std::process::id()).into();
        });
        bundle.start(id);
    }
    bundle.ok(&["delete", "--force", "--regex", "^web-"]);
    assert_eq!(bundle.ok(&["list", "-q"]), "db\n");
    assert!(!bundle.corten(&["delete", "--regex", "("]).status.success());
}
