//! A list of many, which several processors make together.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use std::{
    fs,
    process::{Command, Stdio},
};
use support::{Bundle, text};

const COPIES: usize = 200;

/// Copies of the container's state, each under an id of its own: `COPIES` containers of one process.
fn copy(bundle: &Bundle, id: &str) -> Vec<String> {
    let of = |id: &str, name: &str| bundle.file(&format!("state/{id}/{name}"));
    let state = fs::read_to_string(of(id, "state.json")).unwrap();
    let summary = fs::read_to_string(of(id, "init.lock")).unwrap();
    let copies: Vec<_> = (0..COPIES).map(|number| format!("copy-{number:03}")).collect();
    for copy in &copies {
        fs::create_dir(bundle.file(&format!("state/{copy}"))).unwrap();
        let own = state.replace(&format!("\"id\":\"{id}\""), &format!("\"id\":\"{copy}\""));
        fs::write(of(copy, "state.json"), own).unwrap();
        let body = summary[8..].replacen(&format!("\0{id}\0"), &format!("\0{copy}\0"), 1);
        fs::write(of(copy, "init.lock"), format!("{:08}{body}", body.len())).unwrap();
    }
    copies
}

/// What `corten list` prints after the shell command `before`.
fn list_after(bundle: &Bundle, before: &str, format: &str) -> String {
    let list = bundle.command(&["list", "--format", format]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{before} && exec \"$0\" \"$@\"")])
        .arg(list.get_program())
        .args(list.get_args());
    let output = shell.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{before}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "{before}");
    text(&output.stdout)
}

#[test]
fn a_list_of_many_is_the_same_however_many_make_it() {
    let Some(bundle) = Bundle::new("list", false, "sleep 100") else { return };
    bundle.quiet(&["create", "--bundle", bundle.path(), "one"]);
    bundle.ok(&["start", "one"]);
    let copies = copy(&bundle, "one");
    for format in ["table", "json"] {
        let all = list_after(&bundle, "true", format);
        let alone = list_after(&bundle, "taskset -pc 0 $$ >/dev/null", format);
        assert_eq!(all, alone);
        // No other process can be had, or what it found out has no room.
        assert_eq!(all, list_after(&bundle, "trap '' CHLD", format));
        assert_eq!(all, list_after(&bundle, "ulimit -f 1", format));
        let ids: Vec<_> = match format {
            "json" => {
                let all: Vec<serde_json::Value> = serde_json::from_str(&all).unwrap();
                all.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
            }
            _ => all.lines().skip(1).map(|line| line.split(' ').next().unwrap().to_owned()).collect(),
        };
        assert_eq!(ids, [copies.as_slice(), &["one".to_owned()]].concat());
    }
    for copy in copies {
        fs::remove_dir_all(bundle.file(&format!("state/{copy}"))).unwrap();
    }
}
