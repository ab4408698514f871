//! The payload as a hook: it puts what it was given on record for the case to read.

use super::look;
use serde_json::{Value, json};
use std::{
    env,
    fs::OpenOptions,
    io::{self, Read, Write},
    process::ExitCode,
};

/// Appends one line of JSON to the file `args[0]`: the label `args[1]`, the state from the input, arguments,
/// environment, working directory and namespaces. What follows, if anything, is what to do next: `fail`, `hang`.
pub(super) fn record(args: &[String]) -> ExitCode {
    let Some(file) = args.first() else { return ExitCode::from(64) };
    let mut input = String::new();
    let read = io::stdin().read_to_string(&mut input);
    let line = json!({
        "label": args.get(1),
        "input": input,
        "state": serde_json::from_str::<Value>(&input).ok(),
        "read": read.is_ok(),
        "args": env::args().collect::<Vec<_>>(),
        "env": env::vars().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(),
        "cwd": env::current_dir().ok(),
        "pid": std::process::id(),
        "namespaces": look::namespaces(),
        "rootfs_is_root": std::path::Path::new("/corten-rootfs-mark").exists(),
    });
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .and_then(|mut out| out.write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = written {
        eprintln!("hook: {file}: {error}");
        return ExitCode::from(73);
    }
    match args.get(2) {
        Some(_) => super::main(&args[2..]),
        None => ExitCode::SUCCESS,
    }
}
