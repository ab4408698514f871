//! The program inside the containers: the suite's own binary under another name. It reports what it sees as JSON, or
//! plays the part that a case asks for. It needs nothing in the image but itself.

mod files;
mod hook;
mod hostile;
mod look;
mod probe;
mod sys;

pub(crate) use look::{CAPABILITIES, RLIMITS, capabilities, mount_line, rlimits};
pub(crate) use sys::ARCHITECTURES;

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::signal::{SigSet, Signal},
};
use std::{
    env, fs,
    io::{self, Read, Write},
    os::unix::net::UnixDatagram,
    process::{Command, ExitCode},
    thread,
    time::Duration,
};

/// Where the suite puts the payload in each image.
pub(crate) const PATH: &str = "/bin/payload";

/// What the payload prints once it waits for signals.
pub(crate) const READY: &str = "ready";

/// Does what `args` ask (the verb first) and gives the code to exit with.
pub(crate) fn main(args: &[String]) -> ExitCode {
    let rest = args.get(1..).unwrap_or_default();
    match args.first().map(String::as_str) {
        Some("report") => print(&look::report(rest)),
        Some("report-to") => report_to(rest),
        Some("probe") => print(&probe::all(rest)),
        Some("exit") => ExitCode::from(number(rest)),
        Some("echo") => echo(),
        Some("wait") => wait(false),
        Some("trap") => wait(true),
        Some("apart") => apart(),
        Some("family") => family(usize::from(number(rest))),
        Some("hook") => hook::record(rest),
        Some("notify") => notify(rest),
        Some("notify-badly") => hostile::notify_badly(),
        Some("hunt") => hostile::hunt(rest),
        Some("cover-proc") => hostile::cover_proc(),
        Some("open-descriptors") => hostile::open_descriptors(),
        Some("named") => hostile::named(rest),
        Some("cgroups") => hostile::cgroups(rest),
        Some("hang") => {
            thread::sleep(Duration::from_secs(60));
            ExitCode::SUCCESS
        }
        Some("fail") => {
            eprintln!("the payload fails as it was told");
            ExitCode::from(number(rest))
        }
        Some("killself") => kill_self(i32::from(number(rest))),
        Some("allocate") => allocate(usize::from(number(rest))),
        verb => {
            eprintln!("payload: no verb {verb:?}");
            ExitCode::from(64)
        }
    }
}

fn number(args: &[String]) -> u8 {
    args.first().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Sends each of `messages` to NOTIFY_SOCKET; the word `wait` at the end waits for signals then.
fn notify(messages: &[String]) -> ExitCode {
    let address = env::var("NOTIFY_SOCKET").unwrap_or_default();
    let send = |message: &String| UnixDatagram::unbound()?.send_to(message.as_bytes(), &address);
    for message in messages {
        if message == "wait" {
            return wait(false);
        }
        if let Err(error) = send(message) {
            eprintln!("payload: {message} to {address:?}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn print(value: &serde_json::Value) -> ExitCode {
    match writeln!(io::stdout(), "{value}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(74),
    }
}

fn report_to(args: &[String]) -> ExitCode {
    let Some((file, probes)) = args.split_first() else { return ExitCode::from(64) };
    match fs::write(file, look::report(probes).to_string()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("payload: {file}: {error}");
            ExitCode::from(73)
        }
    }
}

/// Copies its input to its output.
fn echo() -> ExitCode {
    let mut text = Vec::new();
    match io::stdin().read_to_end(&mut text).and_then(|_| io::stdout().write_all(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(74),
    }
}

/// Waits until SIGTERM (exit 0) or SIGUSR2 (exit 42). With `tell`, names every other signal on its output.
fn wait(tell: bool) -> ExitCode {
    let signals = SigSet::all();
    // Blocked signals are kept for `wait` even where this is the first process of a PID namespace.
    if signals.thread_block().is_err() {
        return ExitCode::from(71);
    }
    println!("{READY}");
    loop {
        match signals.wait() {
            Ok(Signal::SIGTERM) => return ExitCode::SUCCESS,
            Ok(Signal::SIGUSR2) => return ExitCode::from(42),
            Ok(signal) if tell && signal != Signal::SIGCHLD => println!("{signal}"),
            Ok(_) => {}
            Err(_) => return ExitCode::from(71),
        }
    }
}

/// Waits in a mount and a network namespace of its own.
fn apart() -> ExitCode {
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    let done = unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
        .and_then(|()| mount(None::<&str>, "/", None::<&str>, private, None::<&str>));
    if done.is_err() { ExitCode::from(71) } else { wait(false) }
}

/// Starts `count` children that wait, then waits itself.
fn family(count: usize) -> ExitCode {
    for _ in 0..count {
        let child = env::current_exe().and_then(|exe| Command::new(exe).arg("wait").arg0_payload().spawn());
        if let Err(error) = child {
            eprintln!("payload: a child: {error}");
            return ExitCode::from(71);
        }
    }
    wait(false)
}

/// Ends by signal `number`, so that a runtime can pass that on.
fn kill_self(number: i32) -> ExitCode {
    let child_like = Signal::try_from(number).map(nix::sys::signal::raise);
    eprintln!("payload: still alive: {child_like:?}");
    ExitCode::from(70)
}

/// Touches `mib` MiB of memory.
fn allocate(mib: usize) -> ExitCode {
    let mut held: Vec<Vec<u8>> = Vec::new();
    for index in 0..mib {
        held.push(vec![u8::try_from(index % 250).unwrap_or(1) + 1; 1 << 20]);
    }
    println!("{}", held.iter().map(Vec::len).sum::<usize>());
    ExitCode::SUCCESS
}

/// Names a command so that the binary knows itself as the payload.
pub(crate) trait Arg0 {
    /// Sets the name under which the suite's binary is the payload.
    fn arg0_payload(&mut self) -> &mut Self;
}

impl Arg0 for Command {
    fn arg0_payload(&mut self) -> &mut Self {
        std::os::unix::process::CommandExt::arg0(self, PATH)
    }
}
