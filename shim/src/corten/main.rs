//! `corten`: runc's command line over runtime-core.
//!
//! It starts without the standard library's own start, which looks for the stack's end in /proc/self/maps and installs
//! a handler for its overflow: see `sys::main`. It takes a tenth of the whole time of a short command.
#![cfg_attr(not(test), no_main)]

mod cli;
mod clock;
mod commands;
mod failure;
mod foreground;
mod logging;
mod output;
mod sys;
mod terminal;
mod worker;

use cli::{Given, Request};
use failure::Failure;
use std::io;

/// The program, once the process is as the standard library expects it. Answers the exit status.
#[cfg_attr(test, expect(dead_code))]
fn corten() -> u8 {
    tell_of_panics_in_a_line();
    #[cfg(feature = "unguarded")]
    if let Err(name) = runtime_core::switch_off_by_environment() {
        logging::report(&Failure::usage(format!("CORTEN_UNGUARDED: no guard {name}")));
        return 1;
    }
    let mut globals = Given::default();
    let request = cli::parse(std::env::args_os().skip(1), &mut globals);
    match logging::start(&globals).and_then(|()| run(request?, &globals)) {
        Ok(status) => status,
        Err(failure) => {
            logging::report(&failure);
            failure.status()
        }
    }
}

/// Does what is asked, and answers the status to exit with.
fn run(request: Request, globals: &Given) -> Result<u8, Failure> {
    let colour = || output::colour(&io::stdout());
    let text = match request {
        Request::Command(args) => return commands::run(&args, globals),
        Request::Help(None) => cli::help_of_all(colour()),
        Request::Help(Some(command)) => cli::help_of_command(command, colour()),
        Request::Version => version(),
    };
    output::print(&text).map(|()| 0)
}

/// What `--version` prints, in the lines that engines read.
fn version() -> String {
    let commit = option_env!("CORTEN_COMMIT").map(|commit| format!("commit: {commit}\n")).unwrap_or_default();
    format!("corten version {}\n{commit}spec: {}\n", env!("CARGO_PKG_VERSION"), commands::SPEC_VERSION)
}

/// A panic is a mistake of ours. It is one line in the log, as any other failure.
fn tell_of_panics_in_a_line() {
    std::panic::set_hook(Box::new(|info| {
        terminal::restore_after_panic();
        let place =
            info.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        let payload = info.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let what = text.or_else(|| payload.downcast_ref().copied()).unwrap_or("unknown");
        logging::report(&Failure::usage(format!("internal error{place}: {what}")));
    }));
}
