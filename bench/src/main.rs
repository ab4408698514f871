//! `bench`: see docs/performance.md.

use bench::{Result, View, syscalls::Counts};
use lexopt::{Arg, Parser, ValueExt};
use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

fn main() -> ExitCode {
    match command() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Result<()> {
    let mut parser = Parser::from_env();
    match parser.next().map_err(|error| error.to_string())? {
        Some(Arg::Value(verb)) if verb == "syscalls" => {
            system_calls(parser).map_err(|error| error.to_string())
        }
        _ => Err("see docs/performance.md".to_owned()),
    }
}

/// A runtime by its path, or by its name among the programs.
fn find(name: &Path) -> Result<PathBuf> {
    let dirs = env::var_os("PATH").unwrap_or_default();
    let beside = env::split_paths(&dirs).map(|dir| dir.join(name));
    let mut all = beside.filter(|_| name.components().count() == 1).chain([name.to_owned()]);
    all.find_map(|file| file.is_file().then(|| file.canonicalize().ok()).flatten())
        .ok_or_else(|| format!("there is no runtime {}", name.display()))
}

fn system_calls(mut parser: Parser) -> std::result::Result<(), lexopt::Error> {
    let (mut view, mut runtimes) = (View::Host, Vec::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("cgroup") => {
                let name = parser.value()?.string()?;
                view = View::named(&name).ok_or("--cgroup: host, v1 or v2 is wanted")?;
            }
            Arg::Value(name) => runtimes.push(find(Path::new(&name))?),
            other => return Err(other.unexpected()),
        }
    }
    view.enter()?;
    for runtime in runtimes {
        let counts = Counts::measure(&runtime, 3, 0)?;
        println!("{}", runtime.display());
        for operation in ["run", "create", "start", "state", "list", "exec", "kill", "delete"] {
            println!(
                "{operation:10} {:6} {:6}",
                counts.sum(operation, "runtime"),
                counts.sum(operation, "init")
            );
        }
    }
    Ok(())
}
