//! Standard streams and terminals.

use crate::{
    ground::{assert_goes_on, bundle_has, checkpoint, counting, criu_works, refused, wait_for_count},
    support::{Bundle, Terminal, text, wait_until},
};
use std::{
    fs,
    io::{Read, Write},
    process::Stdio,
};

#[test]
fn output_goes_to_whoever_restores() {
    let Some(bundle) = counting("output") else { return };
    let mut run = bundle.command(&["run", "--bundle", bundle.path(), "x"]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    bundle_has(&bundle, "x");
    wait_for_count(&bundle, "x", 3);
    checkpoint(&bundle, &[], "x");
    let run = run.wait_with_output().unwrap();
    assert_eq!(run.status.code(), Some(137), "it was ended by SIGKILL");
    let last = text(&run.stdout).lines().last().unwrap().to_owned();
    assert!(last.starts_with("count "), "{last}");
    let image = bundle.file("image");
    let mut restored = bundle.command(&["restore", "--bundle", bundle.path(), "--image-path", &image, "x"]);
    let mut restored = restored.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut heard = [0; 64];
    let length = restored.stdout.as_mut().unwrap().read(&mut heard).unwrap();
    assert!(text(&heard[..length]).contains("count"), "{}", text(&heard[..length]));
    bundle.wait_for("x", "running");
    // A signal is passed on; its status is ours, and nothing is left.
    bundle.ok(&["kill", "x", "KILL"]);
    let _ = restored.stdout.take();
    assert_eq!(restored.wait().unwrap().code(), Some(137));
    assert_eq!(bundle.ok(&["list", "--quiet"]), "");
}

#[test]
fn output_may_be_a_file_of_the_host() {
    let Some(bundle) = counting("file") else { return };
    let log = || fs::OpenOptions::new().append(true).create(true).open(bundle.file("output")).unwrap();
    let mut run = bundle.command(&["run", "--detach", "--bundle", bundle.path(), "x"]);
    assert!(run.stdout(log()).stderr(Stdio::null()).status().unwrap().success());
    wait_for_count(&bundle, "x", 3);
    checkpoint(&bundle, &[], "x");
    let length = || fs::metadata(bundle.file("output")).unwrap().len();
    let before = length();
    let image = bundle.file("image");
    let mut restore =
        bundle.command(&["restore", "-d", "--bundle", bundle.path(), "--image-path", &image, "x"]);
    let errors = fs::File::create(bundle.file("errors")).unwrap();
    let status = restore.stdout(log()).stderr(errors).status().unwrap();
    assert!(status.success(), "{}", fs::read_to_string(bundle.file("errors")).unwrap());
    assert_goes_on(&bundle, "x");
    wait_until(|| length() > before);
    let counted = fs::read_to_string(bundle.file("output")).unwrap();
    let right = (1..).zip(counted.lines()).all(|(count, line)| line == format!("count {count}"));
    assert!(right, "{counted}");
}

#[test]
fn a_terminal_is_given_to_whoever_restores() {
    let script = "while true; do read -r -t 1 word || { echo waits; continue; }; [ $word = end ] && exit; echo heard $word; done";
    let Some(bundle) = Bundle::new("criu-terminal", true, script) else { return };
    if !criu_works() {
        return;
    }
    let command = bundle.command(&["run", "--bundle", bundle.path(), "x"]);
    let mut terminal = Terminal::call(&command, 24, 80);
    terminal.hear("waits");
    terminal.master.write_all(b"one\n").unwrap();
    terminal.hear("heard one");
    checkpoint(&bundle, &[], "x");
    assert_eq!(terminal.end().0, Some(137));
    let image = bundle.file("image");
    let command = bundle.command(&["restore", "--bundle", bundle.path(), "--image-path", &image, "x"]);
    let mut terminal = Terminal::call(&command, 24, 80);
    terminal.hear("waits");
    terminal.master.write_all(b"two\n").unwrap();
    terminal.hear("heard two");
    terminal.master.write_all(b"end\n").unwrap();
    assert_eq!(terminal.end().0, Some(0));
    // The configuration has to want one.
    bundle.edit(|spec| spec["process"]["terminal"] = false.into());
    refused(
        &bundle,
        &["restore", "--detach", "--bundle", bundle.path(), "--image-path", &image, "x"],
        "process.terminal",
    );
    assert_eq!(bundle.ok(&["list", "--quiet"]), "");
}
