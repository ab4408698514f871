//! `corten events`

use super::{Host, select};
use crate::{
    cli::{Args, values},
    failure::Failure,
    output,
};
use runtime_core::{Container, Status};
use serde_json::json;
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

/// The statistics as runc prints them.
fn print(container: &Container) -> Result<(), Failure> {
    container.stats()?;
    output::print_json(&json!({ "type": "stats", "id": container.id(), "data": () }))
}
