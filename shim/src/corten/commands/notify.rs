//! NOTIFY_SOCKET: a service manager that started us is told when the container is ready.

use crate::failure::Failure;
use runtime_core::{Container, Created, NotifySocket};
use std::{env, ffi::OsString};

/// The manager's socket.
pub(super) fn manager() -> Option<OsString> {
    env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty())
}

/// Starts a created container, waits until it says that it is ready or ends, and passes it on.
pub(super) fn start(container: &Container) -> Result<(), Failure> {
    let heard = listen(container)?;
    container.start()?;
    pass_on(heard)
}

/// The same with one that was just made.
pub(super) fn start_made(container: Created) -> Result<(), Failure> {
    let heard = listen(&container)?;
    container.start()?;
    pass_on(heard)
}

fn pass_on(heard: Option<Heard>) -> Result<(), Failure> {
    if let Some((socket, manager)) = heard {
        socket.pass_on(&manager)?;
    }
    Ok(())
}

/// What a container says, and whom to tell.
pub(super) type Heard = (NotifySocket, OsString);

/// A socket for what the container says once it is started, if there is anybody to tell.
pub(super) fn listen(container: &Container) -> Result<Option<Heard>, Failure> {
    let Some(manager) = manager() else { return Ok(None) };
    Ok(container.notify_socket()?.map(|socket| (socket, manager)))
}
