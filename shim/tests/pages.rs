//! The manual pages and completions that packages install: in step with `corten --help`, and understood by their readers.

#[allow(dead_code)]
#[path = "../examples/pages/pages.rs"]
mod pages;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn all() -> BTreeMap<String, String> {
    pages::all().into_iter().collect()
}

fn corten(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_corten")).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The first words of the lines of the help that are indented by two: `--flag`s, or commands.
fn listed(help: &str) -> (Vec<String>, Vec<String>) {
    let lines = help.lines().take_while(|line| *line != "Examples");
    let entries = lines.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with("   "));
    let (flags, words): (Vec<_>, Vec<_>) = entries.partition(|line| line.trim_start().starts_with('-'));
    let first = |line: &str, prefix: &str| {
        let mut words = line.split([' ', ',']).filter(|word| word.starts_with(prefix));
        words.next().map(str::to_owned)
    };
    let flags = help
        .lines()
        .filter(|line| line.starts_with("  "))
        .filter_map(|line| {
            let shown = line.trim_start();
            shown.starts_with('-').then(|| first(shown, "--")).flatten()
        })
        .chain(flags.iter().filter_map(|line| first(line, "--")))
        .collect();
    (flags, words.iter().filter_map(|line| first(line, "")).collect())
}

/// The program is there, or the test says that it is skipped.
fn program(name: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {name}")]).output().unwrap().status.success();
    if !found {
        println!("skipped: no {name}");
    }
    found
}

fn fed(program: &str, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(program);
    let mut child = command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn every_command_and_flag_of_the_program_is_in_all_of_them() {
    let pages = all();
    let (globals, commands) = listed(&corten(&["--help"]));
    assert!(globals.contains(&"--root".to_owned()) && commands.contains(&"run".to_owned()));
    let man = |name: &str| pages[&format!("man/{name}.8")].replace("\\-", "-");
    let scripts =
        ["corten.bash", "_corten", "corten.fish"].map(|name| &pages[&format!("completions/{name}")]);
    for flag in &globals {
        assert!(man("corten").contains(&format!("\\fB{flag}\\fR")), "{flag}");
        let name = flag.trim_start_matches('-');
        assert!(
            scripts.iter().all(|script| script.contains(flag) || script.contains(&format!(" -l {name} ")))
        );
    }
    for command in &commands {
        let page = man(&format!("corten-{command}"));
        assert!(man("corten").contains(&format!("corten-{command}\\fR(8)")), "{command}");
        for flag in listed(&corten(&[command, "--help"])).0 {
            assert!(page.contains(&format!("\\fB{flag}\\fR")), "{command} {flag}");
            let fish = format!("__fish_seen_subcommand_from {command}' -l {} ", flag.trim_start_matches('-'));
            assert!(scripts[2].contains(&fish), "{command} {flag}");
            assert!(scripts[0].contains(&flag) && scripts[1].contains(&flag), "{command} {flag}");
        }
    }
    assert_eq!(pages.keys().filter(|name| name.starts_with("man/")).count(), commands.len() + 1);
}

#[test]
fn groff_has_nothing_to_complain_of() {
    if !program("groff") {
        return;
    }
    for (name, page) in all().iter().filter(|(name, _)| name.starts_with("man/")) {
        let output = fed("groff", &["-man", "-Tascii", "-P-cbou", "-ww"], page);
        assert!(output.status.success(), "{name}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("SYNOPSIS"), "{name}");
    }
}

#[test]
fn zsh_and_fish_can_read_theirs() {
    let pages = all();
    for (shell, flag, name) in [("zsh", "-n", "_corten"), ("fish", "--no-execute", "corten.fish")] {
        if program(shell) {
            let output = fed(shell, &[flag], &pages[&format!("completions/{name}")]);
            assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// A folder with the script and a `corten` that only lists containers.
struct Bash(PathBuf);

impl Bash {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("corten-test-pages-{}", std::process::id()));
        fs::create_dir_all(folder.join("below")).unwrap();
        fs::write(folder.join("corten.bash"), &all()["completions/corten.bash"]).unwrap();
        fs::write(
            folder.join("corten"),
            "#!/bin/sh\n[ \"$1\" = --root ] && echo in-$2 || echo web-1 web-2\n",
        )
        .unwrap();
        assert!(Command::new("chmod").arg("+x").arg(folder.join("corten")).status().unwrap().success());
        Self(folder)
    }

    /// What bash offers after these words, the last of which is begun.
    fn offers(&self, words: &[&str]) -> String {
        let script = "PATH=$PWD:$PATH; . ./corten.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _corten; echo \"${COMPREPLY[*]}\"";
        let output = Command::new("bash")
            .args(["-euc", script, "bash"])
            .args(words)
            .current_dir(Path::new(&self.0))
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Bash {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn bash_offers_what_fits() {
    let bash = Bash::new();
    for (words, offered) in [
        (&["corten", "sta"][..], "start state"),
        (&["corten", "--log-format", "j"], "json"),
        (&["corten", "--log-format", "=", "j"], "json"),
        (&["corten", "--root", "/x", "del"], "delete"),
        (&["corten", "--root", "run", "del"], "delete"),
        (&["corten", "kill", "we"], "web-1 web-2"),
        (&["corten", "--root", "/x", "kill", "i"], "in-/x"),
        (&["corten", "kill", "web-1", "US"], "USR1 USR2"),
        (&["corten", "kill", "--all", "web-1", "T"], "TERM"),
        (&["corten", "mounts", "a"], "add"),
        (&["corten", "mounts", "add", "web"], "web-1 web-2"),
        (&["corten", "mounts", "add", "web-1", "b"], "below"),
        (&["corten", "run", "--bundle", "b"], "below"),
        (&["corten", "run", "--det"], "--detach"),
        (&["corten", "run", "new"], ""),
        (&["corten", "list", "-f", "t"], "table"),
        (&["corten", "delete", "-f", "web"], "web-1 web-2"),
        (&["corten", "ps", "-f", "json", "web"], "web-1 web-2"),
        (&["corten", "update", "-r", "x", "web"], "web-1 web-2"),
        (&["corten", "kill", "-r", "we"], "web-1 web-2"),
        (&["corten", "--rootless", "true", "del"], "delete"),
        (&["corten", "--rootless", "tr"], "true"),
        (&["corten", "exec", "-u", "1", "web"], "web-1 web-2"),
        (&["corten", "help", "ru"], "run"),
        (&["corten", "--no-such"], ""),
    ] {
        assert_eq!(bash.offers(words), offered, "{words:?}");
    }
}
