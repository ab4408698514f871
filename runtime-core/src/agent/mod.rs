//! An agent: who is asked about system calls of containers and answers in the kernel's place. seccomp_unotify(2);
//! config-linux.md, "Seccomp", `listenerPath` and "The Container Process State".
//!
//! A profile's rule with SCMP_ACT_NOTIFY makes a call wait. At its start each process of the container sends the descriptor by which
//! its calls are heard of to the profile's `listenerPath`, where an [`Agent`] listens; [`Notifications`] come out of it.
//!
//! ```no_run
//! # fn main() -> runtime_core::Result<()> {
//! use runtime_core::agent::Agent;
//!
//! let agent = Agent::bind("/run/my-agent.sock")?;
//! std::thread::spawn(move || -> runtime_core::Result<()> {
//!     let (process, notifications) = agent.accept()?;
//!     for call in notifications {
//!         let call = call?;
//!         println!("{}: {:?}", process.state.id, call.name());
//!         call.refuse(libc::EPERM)?;
//!     }
//!     Ok(())
//! });
//! # Ok(()) }
//! ```
//!
//! **What a call points to is not to be trusted.** The process waits, but another one that shares its memory may write there
//! between a look and the call. So an agent decides by what it has read and does the work itself, and lets a call go on only where that is
//! harmless whatever its arguments are.

mod notification;

pub use notification::Notification;

use crate::{Error, ErrorKind, Result, State, fs::socket, sys};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        socket::{
            Backlog, MsgFlags, SockFlag, SockType, accept4, listen, setsockopt, sockopt::ReceiveTimeout,
        },
        time::{TimeVal, TimeValLike},
    },
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, Permissions},
    io::{self, Read},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    path::PathBuf,
    sync::Arc,
};

/// How long a runtime may take to send what it has to send.
const SECONDS: i64 = 10;
/// A state is some kilobytes, most of it annotations.
const MAX_STATE: u64 = 16 << 20;

/// Listens at `linux.seccomp.listenerPath`. Dropped, the socket's file is removed.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::agent::Agent;
///
/// let agent = Agent::bind("/run/my-agent.sock")?;
/// let (process, calls) = agent.accept()?;
/// println!("process {} of {} asks", process.pid, process.state.id);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Agent {
    socket: OwnedFd,
    path: PathBuf,
}

/// The document that comes with a listener: config-linux.md, "The Container Process State".
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use runtime_core::{Status, agent::ProcessState};
///
/// let text = r#"{
///     "ociVersion": "1.3.0", "fds": ["seccompFd"], "pid": 4711, "metadata": "tenant 7",
///     "state": {"ociVersion": "1.3.0", "id": "web", "status": "creating", "pid": 4711, "bundle": "/srv/web"}
/// }"#;
/// let process: ProcessState = serde_json::from_str(text)?;
/// assert_eq!((process.metadata.as_str(), process.state.status), ("tenant 7", Status::Creating));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProcessState {
    /// The version of the specification.
    pub oci_version: String,
    /// What the descriptors that came along are called.
    pub fds: Vec<String>,
    /// The process in the runtime's pid namespace.
    pub pid: i32,
    /// `linux.seccomp.listenerMetadata`.
    #[serde(default)]
    pub metadata: String,
    /// Of the container.
    pub state: State,
}

impl Agent {
    /// Makes the socket, for this user alone.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if there is a file of that path; [`ErrorKind::Unsupported`] on a kernel that says more than is
    /// known here; the system's answer.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{ErrorKind, agent::Agent};
    ///
    /// // What an agent that was killed has left would be in the way.
    /// std::fs::remove_file("/run/my-agent.sock").ok();
    /// let agent = Agent::bind("/run/my-agent.sock")?;
    /// # Ok(()) }
    /// ```
    pub fn bind(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let failed = |error: io::Error| {
            let message = format!("agent's socket {}: make it", path.display());
            match error.kind() {
                io::ErrorKind::AddrInUse => Error::new(ErrorKind::AlreadyExists, message).with_source(error),
                _ => Error::io(message, error),
            }
        };
        if !sys::notify::is_known().map_err(|error| Error::io("seccomp notifications", error))? {
            let message = "seccomp notifications: this kernel's are larger than any that are known";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let socket = socket::bind_at(&path, SockType::Stream).map_err(failed)?;
        let agent = Self { socket, path: path.clone() };
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
        let backlog = Backlog::new(64).map_err(|errno| failed(errno.into()))?;
        listen(&agent.socket, backlog).map_err(|errno| failed(errno.into()))?;
        Ok(agent)
    }

    /// Waits for the next process that has a filter: who it is, and its calls. Its program does not run before this is taken.
    ///
    /// # Errors
    /// The system's answer; [`ErrorKind::Io`] if it sends what is no container process state. The next one can be waited for then.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// let agent = runtime_core::agent::Agent::bind("/run/my-agent.sock")?;
    /// loop {
    ///     let (process, calls) = agent.accept()?;
    ///     std::thread::spawn(move || {
    ///         for call in calls.flatten() {
    ///             println!("{}: {:?}", process.state.id, call.name());
    ///         }
    ///     });
    /// }
    /// # Ok(()) }
    /// ```
    pub fn accept(&self) -> Result<(ProcessState, Notifications)> {
        let connection = loop {
            match accept4(self.socket.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
                Ok(raw) => break sys::owned(raw),
                Err(Errno::EINTR | Errno::ECONNABORTED) => {}
                Err(errno) => return Err(Error::io("accept a listener", errno)),
            }
        };
        let failed = |error: io::Error| Error::io("receive a listener", error);
        setsockopt(&connection, ReceiveTimeout, &TimeVal::seconds(SECONDS))
            .map_err(|errno| failed(errno.into()))?;
        let mut bytes = vec![0; 16384];
        let (count, listener) = socket::receive(&connection, &mut bytes, MsgFlags::empty())
            .map_err(|errno| failed(errno.into()))?;
        bytes.truncate(count);
        File::from(connection).take(MAX_STATE).read_to_end(&mut bytes).map_err(failed)?;
        let state: ProcessState = serde_json::from_slice(&bytes)
            .map_err(|error| Error::new(ErrorKind::Io, "container process state").with_source(error))?;
        let missing = || Error::new(ErrorKind::Io, "container process state: without a seccompFd");
        let listener = listener.filter(|_| state.fds.first().is_some_and(|name| name == "seccompFd"));
        Ok((state, Notifications::from(listener.ok_or_else(missing)?)))
    }
}

impl AsFd for Agent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The calls of processes with one filter. Dropped, together with all notifications that came of it, calls that wait fail with ENOSYS, as do
/// those that follow.
///
/// For an event loop: the descriptor is readable when there may be something to [`Notifications::read`]. For a thread: it is
/// an iterator that waits, and ends when no process has the filter any more, or after an error.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let agent = runtime_core::agent::Agent::bind("/run/my-agent.sock")?;
/// let (_, calls) = agent.accept()?;
/// for call in calls {
///     call?.refuse(libc::EPERM)?;
/// }
/// println!("no process has the filter any more");
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "it tells nothing if nobody reads it"]
pub struct Notifications {
    listener: Arc<OwnedFd>,
    over: bool,
}

/// A listener that came some other way, as by seccomp(2).
impl From<OwnedFd> for Notifications {
    fn from(listener: OwnedFd) -> Self {
        Self { listener: Arc::new(listener), over: false }
    }
}

impl Notifications {
    /// The next call that waits, if one does; does not wait for one.
    ///
    /// # Errors
    /// The system's answer.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let agent = runtime_core::agent::Agent::bind("/run/my-agent.sock")?;
    /// # let (_, mut calls) = agent.accept()?;
    /// // The event loop says that the descriptor of `calls` is readable.
    /// while let Some(call) = calls.read()? {
    ///     println!("{} of thread {}", call.name().unwrap_or("?"), call.pid());
    ///     call.go_on()?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn read(&mut self) -> Result<Option<Notification>> {
        while self.poll(PollTimeout::ZERO)? {
            if let Some(call) = self.receive()? {
                return Ok(Some(call));
            }
        }
        Ok(None)
    }

    /// Whether there is a call. It is over when no process has the filter.
    fn poll(&mut self, time: PollTimeout) -> Result<bool> {
        let mut polled = [PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, time) {
            Err(Errno::EINTR) => return Ok(false),
            Err(errno) => return Err(Error::io("wait for notifications", errno)),
            Ok(_) => {}
        }
        let [polled] = polled;
        let flags = polled.revents().unwrap_or(PollFlags::POLLERR);
        let readable = flags.contains(PollFlags::POLLIN);
        self.over |= !readable && flags.intersects(PollFlags::POLLHUP | PollFlags::POLLERR);
        Ok(readable)
    }

    /// Nothing where the call was given up meanwhile.
    fn receive(&self) -> Result<Option<Notification>> {
        match sys::notify::receive(self.listener.as_fd()) {
            Ok(call) => Ok(Some(Notification::new(Arc::clone(&self.listener), call))),
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOENT | libc::EINTR) => Ok(None),
                _ => Err(Error::io("receive a notification", error)),
            },
        }
    }
}

impl AsFd for Notifications {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Iterator for Notifications {
    type Item = Result<Notification>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            match self.poll(PollTimeout::NONE).and_then(|is_there| match is_there {
                true => self.receive(),
                false => Ok(None),
            }) {
                Ok(None) => {}
                Ok(Some(call)) => return Some(Ok(call)),
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}
