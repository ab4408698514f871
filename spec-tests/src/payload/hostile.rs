//! The payload as an attacker: what a container tries on the processes that join it and on what it shares with the host.

use super::{PATH, READY, files::names, sys, wait};
use nix::{
    mount::{MsFlags, mount},
    sys::{
        ptrace::{self, Options},
        signal::{SigSet, Signal},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use serde_json::json;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, MetadataExt, symlink},
    },
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Looks for processes that are not the payload until SIGTERM, and prints a line of JSON for all that it gets hold of:
/// with `files` what they have open, with `all` what it can trace too, with `write` programs that it can write to.
pub(super) fn hunt(args: &[String]) -> ExitCode {
    let signals: SigSet = [Signal::SIGTERM].into_iter().collect();
    if signals.thread_block().is_err() {
        return ExitCode::from(71);
    }
    let over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&over);
    thread::spawn(move || {
        let _ = signals.wait();
        told.store(true, Ordering::Relaxed);
    });
    println!("{READY}");
    let mode = args.first().map_or("all", String::as_str);
    let own = std::process::id().to_string();
    let mut held = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let others = names("/proc").unwrap_or_default();
        for pid in others.iter().filter(|name| **name != own && name.parse::<u32>().is_ok()) {
            match mode {
                "write" => hold(pid, &mut held),
                "files" => look_through(pid),
                _ => {
                    look_through(pid);
                    trace(pid);
                }
            }
        }
        held.retain(|program| !overwrite(program));
    }
    println!("hunted");
    ExitCode::SUCCESS
}

fn tell(what: &str, of: &str, found: impl serde::Serialize) {
    let _ = writeln!(io::stdout(), "{}", json!({"what": what, "of": of, "found": found}));
}

/// Whether the process has become the payload: then it is the container's own.
fn is_ours(pid: &str) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.as_os_str() == PATH)
}

/// Files and directories that a process has open, and where its root and its working directory are.
fn look_through(pid: &str) {
    let mut found = Vec::new();
    let place = |path: &str| fs::metadata(path).ok().map(|data| (data.dev(), data.ino()));
    let proc = place("/proc").map(|(dev, _)| dev);
    for fd in names(format!("/proc/{pid}/fd")).unwrap_or_default() {
        let link = fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap_or_default();
        let harmless = matches!(fd.as_str(), "0" | "1" | "2") || link.starts_with("/dev/pts");
        // The init program's own file, which no path leads to.
        let nameless = link.to_string_lossy().starts_with("/memfd:");
        // What is at the same path here is the container's own. The files of a process in /proc get other numbers while it ends.
        let there = place(&format!("/proc/{pid}/fd/{fd}"));
        let own_proc = link.starts_with(format!("/proc/{pid}")) && there.map(|(dev, _)| dev) == proc;
        let own = there.is_none() || own_proc || there == place(&link.to_string_lossy());
        if link.is_absolute() && !harmless && !nameless && !own {
            found.push(format!("{fd} -> {}", link.display()));
        }
    }
    let root = place("/");
    for (name, path) in [("root", "root"), ("cwd", "cwd/../../../../../../../../../..")] {
        if place(&format!("/proc/{pid}/{path}")).is_some_and(|place| Some(place) != root) {
            found.push(name.to_owned());
        }
    }
    // Its program has its own files open, which are the container's.
    if !found.is_empty() && !is_ours(pid) {
        tell("files", pid, found);
    }
}

fn trace(number: &str) {
    let Ok(pid) = number.parse().map(Pid::from_raw) else { return };
    if is_ours(number) || ptrace::seize(pid, Options::empty()).is_err() {
        return;
    }
    let stopped = ptrace::interrupt(pid).and_then(|()| waitpid(pid, Some(WaitPidFlag::__WALL)));
    if matches!(stopped, Ok(WaitStatus::PtraceEvent(..) | WaitStatus::Stopped(..))) {
        let exe = fs::read_link(format!("/proc/{number}/exe")).unwrap_or_default();
        if exe.as_os_str() != PATH {
            tell("traced", number, exe);
        }
        let _ = ptrace::detach(pid, None);
    }
}

/// Opens the program of a process for reading, so that it can be tried later.
fn hold(pid: &str, held: &mut Vec<File>) {
    if held.len() < 64
        && !is_ours(pid)
        && let Ok(program) = File::open(format!("/proc/{pid}/exe"))
    {
        held.push(program);
    }
}

/// Writes the first byte of a program over itself; true if there is nothing more to be tried.
fn overwrite(program: &File) -> bool {
    let link = format!("/proc/self/fd/{}", program.as_raw_fd());
    let name = fs::read_link(&link).unwrap_or_default();
    if name.as_os_str() == PATH {
        return true;
    }
    let mut byte = [0];
    let Ok(writer) = OpenOptions::new().write(true).open(&link) else { return false };
    let written = program.read_at(&mut byte, 0).and_then(|_| writer.write_at(&byte, 0));
    if written.is_ok_and(|count| count == 1) {
        tell("written", &link, name);
        return true;
    }
    false
}

/// Mounts a /proc of its own making over the real one, and waits.
pub(super) fn cover_proc() -> ExitCode {
    let none = None::<&str>;
    let cover = || -> io::Result<()> {
        mount(Some("none"), "/proc", Some("tmpfs"), MsFlags::empty(), none)?;
        for dir in ["self/fd", "self/attr", "self/ns", "sys/kernel", "1/ns"] {
            fs::create_dir_all(format!("/proc/{dir}"))?;
        }
        for number in 0..32 {
            symlink("/", format!("/proc/self/fd/{number}"))?;
        }
        for file in
            ["self/attr/exec", "self/oom_score_adj", "self/stat", "self/mountinfo", "sys/kernel/cap_last_cap"]
        {
            fs::write(format!("/proc/{file}"), "0\n")?;
        }
        Ok(())
    };
    match cover() {
        Ok(()) => wait(false),
        Err(error) => {
            eprintln!("payload: cover /proc: {error}");
            ExitCode::from(71)
        }
    }
}

/// Prints which descriptors are open, without a look at /proc.
pub(super) fn open_descriptors() -> ExitCode {
    let open: Vec<i32> = (0..4096).filter(|fd| sys::is_open(*fd)).collect();
    println!("{}", json!({"descriptors": open}));
    ExitCode::SUCCESS
}

/// Takes the name `args[0]`, as ps(1) shows it, and waits.
pub(super) fn named(args: &[String]) -> ExitCode {
    let name = args.first().map_or("", String::as_str);
    match fs::write("/proc/self/comm", name) {
        Ok(()) => wait(false),
        Err(_) => ExitCode::from(71),
    }
}

/// Makes cgroups below its own as badly as it may, then waits: odd names, deep ones, many, threaded ones.
pub(super) fn cgroups(args: &[String]) -> ExitCode {
    let top = args.first().map_or("/sys/fs/cgroup", String::as_str);
    let mut made = 0;
    for odd in ["a\nb", "a b", "\\040", "]:", "-rf", "\u{1b}[2J", "memory.max ", &"x".repeat(255)] {
        made += usize::from(fs::create_dir(format!("{top}/{odd}")).is_ok());
    }
    for number in 0..200 {
        made += usize::from(fs::create_dir(format!("{top}/many{number}")).is_ok());
    }
    let _ = fs::write(format!("{top}/many0/cgroup.type"), "threaded");
    let mut deep = top.to_owned();
    for _ in 0..30 {
        deep.push_str("/d");
        made += usize::from(fs::create_dir(&deep).is_ok());
    }
    // A child far down, which the runtime has to find.
    let _ = std::process::Command::new("/proc/self/exe")
        .args(["payload", "hang"])
        .spawn()
        .and_then(|child| fs::write(format!("{deep}/cgroup.procs"), child.id().to_string()));
    println!("made {made}");
    wait(false)
}

/// Sends what no service manager would want to NOTIFY_SOCKET, and READY in the midst of it.
pub(super) fn notify_badly() -> ExitCode {
    let address = std::env::var("NOTIFY_SOCKET").unwrap_or_default();
    let send = || -> io::Result<()> {
        let socket = std::os::unix::net::UnixDatagram::unbound()?;
        socket.connect(&address)?;
        let long = vec![b'x'; 100_000];
        for message in [
            &b""[..],
            b"MAINPID=1",
            b"MAINPID=1\nERRNO=5\nFDSTORE=1",
            b"\0\0\0\0",
            b"\xff\xfeREADY=1",
            b" READY=1",
            b"XREADY=1",
            b"READY",
            &long,
            b"BARRIER=1",
            b"STATUS=a\r\n\x1b[2J",
        ] {
            let _ = socket.send(message);
        }
        sys::send_descriptors(&socket, b"FDSTORE=1\nFDNAME=evil", 64)?;
        sys::send_descriptors(&socket, b"BARRIER=1", 1)?;
        socket.send(b"MAINPID=1\nREADY=1\nMAINPID=1\nSTATUS=forged")?;
        Ok(())
    };
    match send() {
        Ok(()) => wait(false),
        Err(error) => {
            eprintln!("payload: {address:?}: {error}");
            ExitCode::from(71)
        }
    }
}
