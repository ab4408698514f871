//! `corten events`

use super::{Host, select};
use crate::{
    cli::{Args, values},
    failure::Failure,
    output,
};
use runtime_core::{Container, Status};
use serde::Serialize;
use std::{thread, time::Duration};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    let interval = args.flags.read("interval", values::duration)?.unwrap_or(DEFAULT_INTERVAL);
    let container = select::one(args, host)?;
    if container.status()? == Status::Stopped {
        return Err(Failure::usage(format!("container with id {} is not running", container.id())));
    }
    loop {
        print(&container)?;
        if args.flags.is_on("stats") {
            return Ok(());
        }
        thread::sleep(interval);
        match container.status() {
            Ok(Status::Stopped) => return Ok(()),
            Err(error) if error.kind() == runtime_core::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
    }
}

/// A line of output, as runc prints it.
#[derive(Debug, Serialize)]
struct Event<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    data: T,
}

fn print(container: &Container) -> Result<(), Failure> {
    output::print_json(&Event { kind: "stats", id: container.id(), data: container.stats()? })
}
