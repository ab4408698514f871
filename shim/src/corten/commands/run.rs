//! `corten run`

use super::{
    Host, births,
    notify::{self, Heard},
};
use crate::{
    cli::Args,
    failure::Failure,
    foreground::{self, Attended, Signals},
    terminal,
};
use runtime_core::{Console, Container, Created, ErrorKind, Running};
use std::os::fd::OwnedFd;

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
    notify::start_made(builder.create()?).inspect_err(|_| clean_up(args, host))?;
    Ok(0)
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
    let attended = match waits {
        true => start(builder.create()?, &signals),
        false => attend(builder.run()?, None, None, &signals),
    };
    to_its_end(attended, args, host, args.flags.is_on("keep"))
}

/// Removes a container that has ended, unless it is to be kept, or whose start failed.
pub(super) fn to_its_end(
    attended: Result<(Running, u8), Failure>,
    args: &Args,
    host: &Host,
    keep: bool,
) -> Result<u8, Failure> {
    let (container, status) = attended.inspect_err(|_| clean_up(args, host))?;
    if !keep {
        match container.delete(true) {
            // A checkpoint ends and removes it.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            deleted => deleted?,
        }
    }
    Ok(status)
}

/// What went wrong first is what is told.
fn clean_up(args: &Args, host: &Host) {
    let Ok(id) = args.id() else { return };
    if let Err(error) = Container::delete_forced(&host.root, id) {
        log::warn!("clean up after a failed run: {}", error.report());
    }
}

/// Starts a container with its terminal in place, and attends it.
fn start(mut container: Created, signals: &Signals) -> Result<(Running, u8), Failure> {
    let terminal = container.take_terminal();
    if let Some(master) = &terminal {
        terminal::fit(master);
    }
    let heard = notify::listen(&container)?;
    attend(container.start()?, terminal, heard, signals)
}

/// Attends the container's process until its end, and answers the status that a shell would.
pub(super) fn attend(
    mut container: Running,
    terminal: Option<OwnedFd>,
    notify: Option<Heard>,
    signals: &Signals,
) -> Result<(Running, u8), Failure> {
    let terminal = terminal.or_else(|| container.take_terminal());
    let kill = |signal| container.kill(signal);
    let (pid, pidfd) = (container.pid(), container.pidfd());
    foreground::attend(Attended { pid, pidfd, kill: &kill, terminal, notify }, signals)?;
    let status = container.wait()?;
    Ok((container, u8::try_from(status.shell_code()).unwrap_or(u8::MAX)))
}
