//! `bench`: see docs/performance.md.

mod command_line;

use std::{env, ffi::OsString, process::ExitCode};

fn main() -> ExitCode {
    // The floor is this program; it does nothing beside.
    let mut words = env::args_os().skip(1);
    if words.next().is_some_and(|verb| verb == bench::floor::VERB) {
        let words: Vec<OsString> = words.collect();
        return done(bench::floor::main(&words).and_then(|code| match code {
            0 => Ok(()),
            step => Err(format!("the floor: step {step} failed")),
        }));
    }
    done(command_line::main())
}

fn done(result: bench::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
