//! NOTIFY_SOCKET: a service manager that started us is told when the container is ready.

use crate::failure::Failure;
use runtime_core::{Container, NotifySocket};
use std::{env, ffi::OsString};

/// The manager's socket.
pub(super) fn manager() -> Option<OsString> {
    env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty())
}

/// Starts a created container, waits until it says that it is ready or ends, and passes it on.
pub(super) fn start(container: &mut Container) -> Result<(), Failure> {
    if let Some((socket, manager)) = start_heard(container)? {
        socket.pass_on(&manager)?;
    }
    Ok(())
}

/// Starts a created container, with a socket for what it says if there is anybody to tell.
pub(super) fn start_heard(container: &mut Container) -> Result<Option<(NotifySocket, OsString)>, Failure> {
    let socket = match manager() {
        Some(manager) => container.notify_socket()?.map(|socket| (socket, manager)),
        None => None,
    };
    container.start()?;
    Ok(socket)
}
