//! Where a terminal's master goes, and the sockets that descriptors are sent over.

use crate::{Error, ErrorKind, Result, fs::socket};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// Where the master of a process' terminal goes.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{Console, ContainerBuilder, Job};
///
/// let job = Job::new("/srv/images/debian", ["bash"]).terminal();
/// let mut shell = ContainerBuilder::new("shell").spec(job).console(Console::Return).run()?;
/// let master = shell.take_terminal().expect("it was asked for");
/// # Ok(()) }
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Console {
    /// Nowhere: the process has no terminal.
    #[default]
    None,
    /// To who listens on this Unix socket, as engines do: one message with the terminal's name and the descriptor.
    Socket(PathBuf),
    /// To the caller, by `take_terminal`.
    Return,
}

/// The two ends of the way of a terminal.
pub(super) struct Ends {
    /// What the init program sends to.
    pub(super) theirs: Option<OwnedFd>,
    ours: Option<OwnedFd>,
}

impl Ends {
    /// Opens the way, if `terminal` says that the process has one.
    ///
    /// # Errors
    /// Nobody listens on the socket; a terminal without a place for its master, or the other way round.
    pub(super) fn open(console: &Console, terminal: bool) -> Result<Self> {
        let invalid =
            |why: &str| Err(Error::new(ErrorKind::InvalidArgument, format!("process.terminal: {why}")));
        match (console, terminal) {
            (Console::None, false) => Ok(Self { theirs: None, ours: None }),
            (Console::None, true) => {
                invalid("cannot allocate tty if runtime will detach without setting console socket")
            }
            (Console::Socket(_), false) => {
                invalid("cannot use console socket if runtime will not detach or allocate tty")
            }
            (Console::Return, false) => Ok(Self { theirs: None, ours: None }),
            (Console::Socket(path), true) => Ok(Self { theirs: Some(connect(path)?), ours: None }),
            (Console::Return, true) => {
                let (ours, theirs) =
                    socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
                        .map_err(|errno| Error::io("socketpair", errno))?;
                Ok(Self { theirs: Some(theirs), ours: Some(ours) })
            }
        }
    }

    /// The master, which the init program has sent by the time the process is ready.
    pub(super) fn receive(self) -> Result<Option<OwnedFd>> {
        let receive =
            |socket| socket::receive_fd(&socket).map_err(|error| Error::io("receive the terminal", error));
        self.ours.map(receive).transpose()
    }
}

fn connect(path: &Path) -> Result<OwnedFd> {
    socket::connect_to(path, SockType::Stream)
        .map_err(|error| Error::io(format!("console socket {}: connect", path.display()), error))
}

/// Sends the descriptor of a process to who listens at `path`.
pub(super) fn send_pidfd(path: &Path, pidfd: &OwnedFd) -> Result<()> {
    socket::connect_to(path, SockType::Stream)
        .and_then(|socket| socket::send_fd(&socket, b"pidfd", pidfd))
        .map_err(|error| Error::io(format!("pidfd socket {}", path.display()), error))
}
