//! Containers that this process made: their first process is a child of ours, so that it can be waited for.

use super::{Container, ExitStatus, Output, child, delete, exit, start, stdio::Pipes};
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
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// let created = runtime_core::ContainerBuilder::new("web-1").bundle("/srv/web").create()?;
/// println!("/proc/{}/ns/net is there, and nothing runs in it yet", created.pid().unwrap_or_default());
/// let container = created.start()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Created(pub(super) Made);

impl Created {
    /// Executes the program. runtime.md, "Start".
    ///
    /// # Errors
    /// As [`Container::start`]. The container is stopped then, and still to be deleted: by [`Container::delete_forced`].
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let created = runtime_core::ContainerBuilder::new("web").bundle("/srv/web").create()?;
    /// let container = created.start()?;
    /// println!("process {:?} runs", container.pid());
    /// # Ok(()) }
    /// ```
    pub fn start(self) -> Result<Running> {
        start::start(&self.0.container)?;
        Ok(Running(self.0))
    }

    /// The descriptor of the first process: readable when it ends, pidfd_open(2).
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let created = runtime_core::ContainerBuilder::new("web").bundle("/srv/web").create()?;
    /// use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    ///
    /// // It waits for its start; should something kill it meanwhile, this is heard of.
    /// let is_gone = poll(&mut [PollFd::new(created.pidfd(), PollFlags::POLLIN)], PollTimeout::ZERO) == Ok(1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.0.child.as_fd()
    }

    /// The master of its terminal, if it was asked for by [`Console::Return`](super::Console::Return); once.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{Console, ContainerBuilder, Job};
    ///
    /// let job = Job::new("/srv/images/debian", ["bash"]).terminal();
    /// let mut created = ContainerBuilder::new("shell").spec(job).console(Console::Return).create()?;
    /// let master = created.take_terminal().map(std::fs::File::from);
    /// let container = created.start()?;
    /// # Ok(()) }
    /// ```
    pub fn take_terminal(&mut self) -> Option<OwnedFd> {
        self.0.terminal.take()
    }

    /// Kills the process that waits, and removes the container.
    ///
    /// # Errors
    /// Something could not be removed.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let created = runtime_core::ContainerBuilder::new("web").bundle("/srv/web").create()?;
    /// # fn connect_network() -> Result<(), ()> { Err(()) }
    /// match connect_network() {
    ///     Ok(()) => drop(created.start()?),
    ///     Err(_) => created.delete()?,
    /// }
    /// # Ok(()) }
    /// ```
    pub fn delete(self) -> Result<()> {
        self.0.delete(true)
    }

    /// Its name alone: the container stays, whatever becomes of the value.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let created = runtime_core::ContainerBuilder::new("web").bundle("/srv/web").create()?;
    /// // Another program will start it, by `Container::load`.
    /// println!("{} waits", created.detach().id());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn detach(self) -> Container {
        self.0.detach()
    }
}

/// As [`Created::pidfd`].
impl AsFd for Created {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd()
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
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{ContainerBuilder, Signal};
/// use std::time::Duration;
///
/// let container = ContainerBuilder::new("web-1").bundle("/srv/web").run()?;
/// container.kill(Signal::TERM)?;
/// if container.wait_timeout(Duration::from_secs(10))?.is_none() {
///     container.kill(Signal::KILL)?;
///     println!("it did not want to: {}", container.wait()?);
/// }
/// container.delete(false)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Running(pub(super) Made);

impl Running {
    /// As [`Container::delete`].
    ///
    /// # Errors
    /// As [`Container::delete`].
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::ContainerBuilder::new("web").bundle("/srv/web").run()?;
    /// container.wait()?;
    /// container.delete(false)?;
    /// # Ok(()) }
    /// ```
    pub fn delete(self, force: bool) -> Result<()> {
        self.0.delete(force)
    }

    /// Its name alone: the container runs on, whatever becomes of the value.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::ContainerBuilder::new("web").bundle("/srv/web").run()?;
    /// // It runs on when this program has ended; `corten kill` and `delete` are for the rest.
    /// println!("{} runs", container.detach().id());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn detach(self) -> Container {
        self.0.detach()
    }
}

child::methods!(
    Running,
    r#"ContainerBuilder::new("job-1").bundle("/srv/job").stdin(Stdio::Piped).stdout(Stdio::Piped).run()?"#,
    0
);

impl Deref for Running {
    type Target = Container;

    fn deref(&self) -> &Container {
        &self.0.container
    }
}
