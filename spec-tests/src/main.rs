//! `spec-tests conformance --runtime PATH`: black-box cases over the command line of any OCI runtime, each of which
//! names the clause of the runtime specification that it checks. docs/conformance.md tells how to run and to extend it.
//!
//! The same binary, under the name `payload`, is the program inside the containers.

mod cases;
mod command_line;
mod cri;
mod engines;
mod faults;
mod harness;
mod hostile;
mod payload;
mod shim;
mod soak;

use std::{env, process::ExitCode};

/// The cases of all suites, for a worker to find its own.
fn every_case() -> harness::Suite {
    let mut suite = cases::all();
    suite.cases.extend(shim::all().cases);
    suite.cases.extend(hostile::all().cases);
    suite
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let rest = args.get(1..).unwrap_or_default();
    if args.first().is_some_and(|name| harness::is_payload(name)) {
        return payload::main(rest);
    }
    match rest.split_first() {
        Some((verb, rest)) if verb == "payload" => payload::main(rest),
        Some((verb, [order])) if verb == "worker" => harness::worker(&every_case(), order),
        Some((verb, rest)) if verb == "cri" => cri::main(rest).unwrap_or_else(|error| {
            eprintln!("cri: {error}");
            ExitCode::FAILURE
        }),
        Some((verb, [order])) if verb == "engines-worker" => match engines::worker(order) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("spec-tests: {error}");
                ExitCode::FAILURE
            }
        },
        Some((verb, [order])) if verb == "faults-worker" => match faults::worker(order) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        Some((verb, [order])) if verb == "soak-worker" => match soak::worker(order) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        _ => match command_line::main() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("spec-tests: {error}");
                ExitCode::from(2)
            }
        },
    }
}
