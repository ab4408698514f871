//! `containerd-shim-corten-v1`: containerd's task service, with the runtime inside.
//!
//! The daemon runs it with the verb `start` for each container; it answers the address of a server, which is a fork of itself or,
//! for a further container of a group, the one that runs already. The server is one thread that waits for everything at once.
//! The runtime is the library, called in the server's own process: no runtime binary is executed.
#![cfg_attr(not(test), no_main)]
#![cfg_attr(test, allow(dead_code, reason = "the test harness has its own main"))]

#[path = "../corten/clock.rs"]
mod calendar;
mod cleanup;
mod clock;
mod connection;
mod container;
mod done;
mod error;
mod flags;
mod group;
mod info;
mod log;
mod making;
mod oom;
mod options;
mod own_cgroup;
mod poll;
mod publisher;
mod rootfs;
mod server;
mod service;
mod start;
mod streams;
mod sys;
mod worker;

use error::{Error, Result};
use flags::{Flags, Verb};
use std::io::{self, Write};

/// The program, once the process is as the standard library expects it. Answers the exit status.
fn shim() -> u8 {
    match Flags::parse(std::env::args_os().skip(1)).and_then(|flags| run(&flags)) {
        Ok(()) => 0,
        Err(error) => {
            // The daemon reads the two streams of `start` together: only of a failure is there anything on this one.
            let _ = io::stderr().write_all(format!("{}: {error}\n", info::NAME).as_bytes());
            1
        }
    }
}

fn run(flags: &Flags) -> Result<()> {
    match flags.verb {
        Some(Verb::Version) => version(),
        Some(Verb::Info) => info::run(),
        Some(_) if flags.namespace.is_empty() => Err(Error::unknown("shim namespace cannot be empty")),
        Some(_) if flags.id.is_empty() => Err(Error::unknown("-id: the container's id is wanted")),
        Some(Verb::Start) => start::run(flags),
        Some(Verb::Delete) => cleanup::run(flags),
        None => start::serve(flags),
    }
}

fn version() -> Result<()> {
    let text = format!(
        "containerd-shim-corten-v1:\n  Version:  {}\n  Revision: {}\n\n",
        env!("CARGO_PKG_VERSION"),
        option_env!("CORTEN_COMMIT").unwrap_or_default()
    );
    print(text.as_bytes())
}

/// Writes to standard output, at once: nothing is flushed at the end of a program that starts as this one does.
fn print(bytes: &[u8]) -> Result<()> {
    let mut output = io::stdout().lock();
    let written = output.write_all(bytes).and_then(|()| output.flush());
    written.map_err(|error| Error::io("write to standard output", error))
}
