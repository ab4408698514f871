//! A program that takes both outputs of a process: `binary://`. It gets them as descriptors 3 and 4, and closes 5 or
//! writes to it when it is ready.

use super::Owner;
use crate::error::{Error, Result};
use nix::{
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::pipe2,
};
use std::{
    fs::File,
    io::Read,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    process::{Command, Stdio},
};

/// How long it may take to be ready, in milliseconds.
const PATIENCE: u16 = 10_000;

/// A logger that is ready.
pub(super) struct Logger {
    /// Its process.
    pub(super) pid: u32,
    /// What the process writes to.
    pub(super) stdout: OwnedFd,
    /// The same for errors.
    pub(super) stderr: OwnedFd,
}

/// Starts the logger and waits until it is ready.
pub(super) fn spawn(path: &Path, arguments: &[String], owner: &Owner<'_>) -> Result<Logger> {
    let failed = |doing: &str| {
        let name = path.display().to_string();
        let doing = doing.to_owned();
        move |error: std::io::Error| Error::io(format!("logger {name}: {doing}"), error)
    };
    let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(|errno| Error::io("pipe", errno));
    let (out_read, out_write) = pipe()?;
    let (error_read, error_write) = pipe()?;
    let (ready_read, ready_write) = pipe()?;
    let child = crate::sys::spawn_with(
        Command::new(path)
            .args(arguments)
            .env("CONTAINER_ID", owner.id)
            .env("CONTAINER_NAMESPACE", owner.namespace)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
        &[out_read, error_read, ready_write],
    );
    let mut child = child.map_err(failed("execute"))?;
    let pid = child.id();
    let mut wanted = [PollFd::new(ready_read.as_fd(), PollFlags::POLLIN)];
    match poll(&mut wanted, PollTimeout::from(PATIENCE)) {
        Ok(0) => {
            let _ = child.kill().and_then(|()| child.wait());
            return Err(Error::unknown(format!("logger {}: it is not ready after 10 s", path.display())));
        }
        Ok(_) => {}
        Err(errno) => return Err(Error::io("poll", errno)),
    }
    // A byte or the end: both mean that it is ready, or has ended.
    File::from(ready_read).read(&mut [0]).map_err(failed("wait for it"))?;
    Ok(Logger { pid, stdout: out_write, stderr: error_write })
}
