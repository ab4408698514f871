//! Containers that this process made: their first process is a child of ours, so that it can be waited for.

use super::{Container, ExitStatus, delete, exit, start, stdio::Pipes};
use crate::Result;
use std::{
    fs::File,
    ops::Deref,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

/// What the maker of a container has beside its name.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) container: Container,
    pub(super) child: OwnedFd,
    pub(super) terminal: Option<OwnedFd>,
    pub(super) pipes: Pipes,
    pub(super) delete_on_drop: bool,
}

impl Made {
    fn delete(mut self, force: bool) -> Result<()> {
        self.remove(force)?;
        self.delete_on_drop = false;
        Ok(())
    }

    fn remove(&mut self, force: bool) -> Result<()> {
        delete::delete(&mut self.container, force)?;
        exit::reap_killed(&self.child);
        Ok(())
    }

    fn detach(mut self) -> Container {
        self.delete_on_drop = false;
        self.container.clone()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if self.delete_on_drop
            && let Err(error) = self.remove(true)
            && error.kind() != crate::ErrorKind::NotFound
        {
            log::warn!("{}", error.report());
        }
    }
}

/// A container that this process made and that waits for its start: nothing of its program has run. All that can be done
/// with a [`Container`] can be done with it.
///
/// Dropped, it stays, unless [`ContainerBuilder::delete_on_drop`](super::ContainerBuilder::delete_on_drop) says otherwise.
#[derive(Debug)]
pub struct Created(pub(super) Made);

impl Created {
    /// Executes the program. runtime.md, "Start".
    ///
    /// # Errors
    /// As [`Container::start`]. The container is stopped then, and still to be deleted: by [`Container::delete_forced`].
    pub fn start(self) -> Result<Running> {
        start::start(&self.0.container)?;
        Ok(Running(self.0))
    }

    /// The descriptor of the first process: readable when it ends, pidfd_open(2).
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.0.child.as_fd()
    }

    /// The master of its terminal, if it was asked for by [`Console::Return`](super::Console::Return); once.
    pub fn take_terminal(&mut self) -> Option<OwnedFd> {
        self.0.terminal.take()
    }

    /// Kills the process that waits, and removes the container.
    ///
    /// # Errors
    /// Something could not be removed.
    pub fn delete(self) -> Result<()> {
        self.0.delete(true)
    }

    /// Its name alone: the container stays, whatever becomes of the value.
    pub fn detach(self) -> Container {
        self.0.detach()
    }
}

impl Deref for Created {
    type Target = Container;

    fn deref(&self) -> &Container {
        &self.0.container
    }
}

/// A container that this process made and started. All that can be done with a [`Container`] can be done with it, and its
/// first process can be waited for.
///
/// Dropped, it runs on, unless [`ContainerBuilder::delete_on_drop`](super::ContainerBuilder::delete_on_drop) says otherwise.
#[derive(Debug)]
pub struct Running(pub(super) Made);

impl Running {
    /// Waits for the end of its first process. Again afterwards, it answers with an error.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidState`](crate::ErrorKind::InvalidState) if something else in this program reaped it: where SIGCHLD
    /// is ignored, the kernel does so.
    pub fn wait(&self) -> Result<ExitStatus> {
        exit::wait(&self.0.child)
    }

    /// As [`Running::wait`], for at most `time`; nothing if it runs longer.
    ///
    /// # Errors
    /// As [`Running::wait`].
    pub fn wait_timeout(&self, time: Duration) -> Result<Option<ExitStatus>> {
        exit::wait_timeout(&self.0.child, time)
    }

    /// The descriptor of the first process: readable when it ends, pidfd_open(2). It does for an event loop, as tokio's
    /// `AsyncFd`; [`Running::wait`] does not block then.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.0.child.as_fd()
    }

    /// The master of its terminal, if it was asked for by [`Console::Return`](super::Console::Return); once.
    pub fn take_terminal(&mut self) -> Option<OwnedFd> {
        self.0.terminal.take()
    }

    /// Where its standard input is written, if that is [`Stdio::Piped`](super::Stdio::Piped); once. Dropped, it ends.
    pub fn take_stdin(&mut self) -> Option<File> {
        self.0.pipes.take(0)
    }

    /// Where its standard output is read, if that is [`Stdio::Piped`](super::Stdio::Piped); once.
    pub fn take_stdout(&mut self) -> Option<File> {
        self.0.pipes.take(1)
    }

    /// Where its standard error is read, if that is [`Stdio::Piped`](super::Stdio::Piped); once.
    pub fn take_stderr(&mut self) -> Option<File> {
        self.0.pipes.take(2)
    }

    /// As [`Container::delete`].
    ///
    /// # Errors
    /// As [`Container::delete`].
    pub fn delete(self, force: bool) -> Result<()> {
        self.0.delete(force)
    }

    /// Its name alone: the container runs on, whatever becomes of the value.
    pub fn detach(self) -> Container {
        self.0.detach()
    }
}

impl Deref for Running {
    type Target = Container;

    fn deref(&self) -> &Container {
        &self.0.container
    }
}
