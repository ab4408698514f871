//! `corten run`

use super::{Host, births, notify};
use crate::{
    cli::Args,
    failure::Failure,
    foreground::{self, Attended, Signals},
    terminal,
};
use runtime_core::{Console, Container, ErrorKind};

pub(super) fn run(args: &Args, host: &Host) -> Result<u8, Failure> {
    let done = if args.flags.is_on("detach") { detached(args, host) } else { in_foreground(args, host) };
    done.map_err(|failure| failure.of("run"))
}

fn detached(args: &Args, host: &Host) -> Result<u8, Failure> {
    let builder =
        births::builder(args, host, args.id()?)?.console(births::console(&args.flags, Console::None));
    if notify::manager().is_none() {
        builder.run()?;
        return Ok(0);
    }
    let mut container = builder.create()?;
    match notify::start(&mut container) {
        Ok(()) => Ok(0),
        Err(failure) => {
            clean_up(container);
            Err(failure)
        }
    }
}

fn in_foreground(args: &Args, host: &Host) -> Result<u8, Failure> {
    let builder =
        births::builder(args, host, args.id()?)?.console(births::console(&args.flags, Console::Return));
    if !args.flags.is_on("no-subreaper") {
        foreground::become_subreaper()?;
    }
    let signals = Signals::hold()?;
    // A program that asks for its terminal's size at once must not be told 0 by 0: it waits until the size is set.
    let waits = terminal::size().is_some() || notify::manager().is_some();
    let container = if waits { builder.create()? } else { builder.run()? };
    to_its_end(container, &signals, waits, args.flags.is_on("keep"))
}

/// Starts the container if that is left to do, attends it, and removes it unless it is to be kept.
pub(super) fn to_its_end(
    mut container: Container,
    signals: &Signals,
    start: bool,
    keep: bool,
) -> Result<u8, Failure> {
    let status = attend(&mut container, signals, start);
    match (&status, keep) {
        (Ok(_), true) => {}
        (Ok(_), false) => match container.delete(true) {
            // A checkpoint ends and removes it.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            deleted => deleted?,
        },
        (Err(_), _) => clean_up(container),
    }
    status
}

/// What went wrong first is what is told.
fn clean_up(container: Container) {
    if let Err(error) = container.delete(true) {
        log::warn!("clean up after a failed run: {}", error.report());
    }
}

/// Attends the container's process until its end, and answers the status that a shell would.
fn attend(container: &mut Container, signals: &Signals, start: bool) -> Result<u8, Failure> {
    let terminal = container.take_terminal();
    if let Some(master) = &terminal {
        terminal::fit(master);
    }
    let notify = if start { notify::start_heard(container)? } else { None };
    let kill = |signal| container.kill(signal);
    let pid = container.pid();
    let pidfd = container
        .pidfd()
        .ok_or_else(|| Failure::usage("the container's process is not a child of this one"))?;
    foreground::attend(Attended { pid, pidfd, kill: &kill, terminal, notify }, signals)?;
    let status = container.wait()?;
    Ok(u8::try_from(status.shell_code()).unwrap_or(u8::MAX))
}
