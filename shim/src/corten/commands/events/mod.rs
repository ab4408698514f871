//! `corten events`

mod follow;

use super::{Host, select};
use crate::{
    cli::{Args, values},
    failure::Failure,
    output,
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use runtime_core::{Container, ErrorKind, OomEvents, Stats, Status};
use serde::Serialize;
use std::{
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    let interval = args.flags.read("interval", values::duration)?;
    if args.flags.is_on("follow") {
        return follow::run(args, host, interval);
    }
    if args.words.is_empty() {
        return Err(Failure::usage(
            "\"events\" requires a container's ID, or --follow; see corten events --help",
        ));
    }
    let interval = interval.unwrap_or(DEFAULT_INTERVAL);
    let container = select::one(args, host)?;
    let stopped = || Failure::usage(format!("container with id {} is not running", container.id()));
    if container.status()? == Status::Stopped {
        return Err(stopped());
    }
    if args.flags.is_on("stats") {
        return print_stats(&container);
    }
    let process = container.open_pidfd()?.ok_or_else(stopped)?;
    let mut ooms = match container.oom_events() {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            log::warn!("{}", error.report());
            None
        }
        other => Some(other?),
    };
    let mut next = Instant::now() + interval;
    loop {
        let what = wait(ooms.as_ref(), &process, next)?;
        if !print_ooms(&container, &mut ooms)? || what == Woken::Ended {
            return Ok(());
        }
        if Instant::now() >= next {
            match print_stats(&container) {
                Err(_) if container.status().ok().is_none_or(|status| status == Status::Stopped) => {
                    return Ok(());
                }
                printed => printed?,
            }
            next += interval;
        }
    }
}

/// What has ended a wait.
#[derive(PartialEq, Eq)]
enum Woken {
    /// The container's first process is gone.
    Ended,
    /// Out-of-memory events, or the time.
    Other,
}

/// Waits until `next`, for an event or for the end of the container.
fn wait(ooms: Option<&OomEvents>, process: &OwnedFd, next: Instant) -> Result<Woken, Failure> {
    let mut polled = vec![PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    polled.extend(ooms.map(|ooms| PollFd::new(ooms.as_fd(), PollFlags::POLLIN)));
    let left = next.saturating_duration_since(Instant::now());
    // Whole milliseconds, rounded up, or the last one would be spent asking again and again.
    let timeout = PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
    match poll(&mut polled, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(Failure::io("poll", errno)),
    }
    let ended = polled[0].revents().is_some_and(|events| !events.is_empty());
    Ok(if ended { Woken::Ended } else { Woken::Other })
}

/// Prints that memory has run out, once for all that came together, as runc does. False when nothing more can come.
fn print_ooms(container: &Container, ooms: &mut Option<OomEvents>) -> Result<bool, Failure> {
    let Some(events) = ooms else { return Ok(true) };
    match events.read()? {
        None => return Ok(false),
        Some(0) => {}
        Some(_) => output::print_json(&Event::<()> { kind: "oom", id: container.id(), data: None })?,
    }
    Ok(true)
}

/// A line of output, as runc prints it.
#[derive(Debug, Serialize)]
struct Event<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
}

fn print_stats(container: &Container) -> Result<(), Failure> {
    output::print_json(&Event::<Stats> { kind: "stats", id: container.id(), data: Some(container.stats()?) })
}
