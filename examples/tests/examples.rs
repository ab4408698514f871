//! Runs the examples and looks at what they print. `cargo test` builds them before.

use nix::{
    pty::{OpenptyResult, openpty},
    sys::termios::{Termios, tcgetattr},
    unistd::geteuid,
};
use rustix::termios::{Winsize, tcsetwinsize};
use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

/// A hang, not slowness.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the examples can run here; tells why not.
fn ready() -> bool {
    let missing = match () {
        () if !geteuid().is_root() => "the examples want root",
        () if !Path::new("/bin/busybox").exists() => "there is no /bin/busybox",
        () => return true,
    };
    println!("skipped: {missing}");
    false
}

fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(program.exists(), "{} is not built: cargo build -p examples --examples", program.display());
    program
}

fn run(name: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program(name)).args(arguments).stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    println!("{name}: {}", errors.lines().take(5).collect::<Vec<_>>().join("\n"));
    output
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn a_job_is_captured_and_its_end_passed_on() {
    if !ready() {
        return;
    }
    let output = run("job", &[]);
    let said = lines(&output);
    assert_eq!(said[..2], ["hello from process 1", "0"], "{said:?}");
    assert!(said[2].starts_with("-- exit status 0 after "), "{said:?}");
    assert!(said[3].contains("of a processor") || said[3].contains("counts nothing"), "{said:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("proc"), "{output:?}");
    assert!(output.status.success());

    let failed = run("job", &["sh", "-c", "exit 7"]);
    assert_eq!(failed.status.code(), Some(7));
    let much = run("job", &["sh", "-c", "yes | head -c 300000; yes | head -c 200000 >&2"]);
    assert!(much.stdout.len() > 300_000 && much.stderr.len() == 200_000, "both pipes at once");
    let missing = run("job", &["/no/program"]);
    let error = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(error.contains("/no/program") && error.contains("no such file"), "{error}");
}

#[test]
fn a_sandbox_keeps_the_program_from_all_but_its_work() {
    if !ready() {
        return;
    }
    let text = lines(&run("sandbox", &[])).join("\n");
    for (wish, outcome) in [
        ("compute", "42"),
        ("write to the root", "Read-only file system"),
        ("make a folder", "Operation not permitted"),
        ("take memory", "killed by signal 9"),
        ("run for ever", "stopped after 2"),
    ] {
        let line =
            text.lines().find(|line| line.starts_with(wish)).unwrap_or_else(|| panic!("{wish}: {text}"));
        assert!(line.contains(outcome), "{wish}: {text}");
    }
    assert_eq!(text.matches("permission denied").count(), 2, "network and mount: {text}");
}

#[test]
fn an_agent_mounts_what_it_allows_and_refuses_the_rest() {
    if !ready() {
        return;
    }
    let output = run("agent", &[]);
    let mut said = lines(&output);
    said.sort(); // two processes write
    let expected = [
        "data",
        "exit status 0",
        "mount of proc at /mnt: no",
        "mount of tmpfs at /etc: no",
        "mount of tmpfs at /mnt: yes",
        "refused",
        "refused",
    ];
    assert_eq!(said, expected);
}

#[test]
fn an_async_program_runs_containers_beside_each_other() {
    if !ready() {
        return;
    }
    let begin = Instant::now();
    let said = lines(&run("tokio", &["60"])).join("\n");
    assert!(said.starts_with("60 containers in "), "{said}");
    assert!(said.ends_with("the sum of their exit codes is 60"), "{said}");
    println!("{said}, {:?} in all", begin.elapsed());
}

#[test]
fn a_shell_at_a_terminal() {
    if !ready() {
        return;
    }
    let mut shell = Typist::start("terminal");
    let before = shell.settings();
    shell.wait_for("terminal:/# ");
    assert_ne!(shell.settings().local_flags, before.local_flags, "ours passes on each key");
    shell.types("echo $((40 + 2)); hostname\n");
    shell.wait_for("42\r\nterminal\r\n");
    // The size that it was started with, and the one that it gets.
    shell.types("stty size\n");
    shell.wait_for("24 80\r\n");
    shell.resize(50, 132);
    shell.types("sleep 0.2; stty size\n");
    shell.wait_for("50 132\r\n");
    // ^C is the container's.
    shell.types("sleep 100\n");
    thread::sleep(Duration::from_millis(200));
    shell.types("\x03");
    shell.types("echo still $((1 + 1))\n");
    shell.wait_for("still 2\r\n");
    shell.types("exit 3\n");
    shell.wait_for("The shell has ended: exit status 3");
    assert_eq!(shell.end(), Some(0));
    assert_eq!(shell.settings(), before, "as it was");
}

/// Who sits at a terminal that a program is called from.
struct Typist {
    master: File,
    slave: OwnedFd,
    child: Child,
    written: Receiver<Vec<u8>>,
    seen: String,
}

impl Typist {
    fn start(name: &str) -> Self {
        let OpenptyResult { master, slave } = openpty(None, None).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        // A session of its own, and this as its terminal: whoever resizes it is heard of there.
        let child = Command::new("setsid")
            .arg("--ctty")
            .arg(program(name))
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let master = File::from(master);
        let mut reader = master.try_clone().unwrap();
        let (sender, written) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { master, slave, child, written, seen: String::new() }
    }

    fn settings(&self) -> Termios {
        tcgetattr(&self.slave).unwrap()
    }

    fn types(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).unwrap();
    }

    /// Reads until `text` was written, and forgets all up to there.
    fn wait_for(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.written.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("{text:?} is not in {:?}: {error}", self.seen),
            }
        }
    }

    fn end(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Typist {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
