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

use crate::{Error, ErrorKind, Result, State, fs::socket, seccomp, sys};
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
    ffi::CString,
    fs::{self, File, Permissions},
    io::{self, Read},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::{FileExt, PermissionsExt},
    },
    path::PathBuf,
    sync::Arc,
};

/// How long a runtime may take to send what it has to send.
const SECONDS: i64 = 10;
/// A state is some kilobytes, most of it annotations.
const MAX_STATE: u64 = 16 << 20;
/// The largest errno of the kernel.
const MAX_ERRNO: i32 = 4095;
/// The longest text that is read of a process, PATH_MAX.
const MAX_TEXT: usize = 4096;

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
            Ok(call) => {
                Ok(Some(Notification { listener: Arc::clone(&self.listener), call, answered: false }))
            }
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

/// A system call that waits for its answer. Dropped without one, it fails with ENOSYS.
///
/// ```no_run
/// use runtime_core::agent::Notification;
///
/// /// Some calls are made in the container's place, the others are refused.
/// fn answer(call: Notification) -> runtime_core::Result<()> {
///     match call.name() {
///         Some("sethostname") => call.succeed(0),
///         _ => call.refuse(libc::EPERM),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Notification {
    listener: Arc<OwnedFd>,
    call: sys::notify::Call,
    answered: bool,
}

impl Notification {
    /// The thread that makes the call, in this process' pid namespace; 0 where it is not to be seen from there.
    ///
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// fn program(call: &Notification) -> std::io::Result<std::path::PathBuf> {
    ///     std::fs::read_link(format!("/proc/{}/exe", call.pid()))
    /// }
    /// ```
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.call.pid
    }

    /// The call's number, in the [`architecture`](Self::architecture) that it is made in.
    ///
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// Calls that this library has no name for, as they are newer than it.
    /// fn is_unknown(call: &Notification) -> bool {
    ///     if call.name().is_none() {
    ///         println!("call {} of architecture {:#x}", call.number(), call.architecture());
    ///     }
    ///     call.name().is_none()
    /// }
    /// ```
    #[must_use]
    pub fn number(&self) -> i32 {
        self.call.number
    }

    /// The architecture, AUDIT_ARCH_* of <linux/audit.h>.
    ///
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// Programs of 32 bits have other numbers, and arguments that mean something else.
    /// fn is_native(call: &Notification) -> bool {
    ///     const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
    ///     call.architecture() == AUDIT_ARCH_X86_64
    /// }
    /// ```
    #[must_use]
    pub fn architecture(&self) -> u32 {
        self.call.architecture
    }

    /// The call's name; nothing for one that is newer than this library.
    ///
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// fn is_mount(call: &Notification) -> bool {
    ///     matches!(call.name(), Some("mount" | "fsopen" | "open_tree" | "move_mount"))
    /// }
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        seccomp::syscall_name(self.call.architecture, self.call.number.cast_unsigned())
    }

    /// Its six arguments; what the call takes fewer of is whatever the registers had.
    ///
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// The mode that chmod(2) asks for.
    /// fn mode(call: &Notification) -> Option<u64> {
    ///     let [_, mode, ..] = call.arguments();
    ///     (call.name() == Some("chmod")).then_some(mode)
    /// }
    /// ```
    #[must_use]
    pub fn arguments(&self) -> [u64; 6] {
        self.call.arguments
    }

    /// Whether it still waits: the process may have been killed, or have got a signal.
    ///
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// What was looked up by the thread's number is only right if the thread was still there afterwards.
    /// fn user(call: &Notification) -> Option<String> {
    ///     let status = std::fs::read_to_string(format!("/proc/{}/status", call.pid())).ok()?;
    ///     call.is_waiting().then_some(status)
    /// }
    /// ```
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        sys::notify::is_valid(self.listener.as_fd(), self.call.id)
    }

    /// Reads the memory of the process at `address`; as much as is there, at most all of `bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the call does not wait any more; [`ErrorKind::Permission`] without the right to trace the process;
    /// [`ErrorKind::Io`] where there is no memory.
    ///
    /// # Example
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// The file handle's size, of name_to_handle_at(2).
    /// fn size(call: &Notification) -> runtime_core::Result<u32> {
    ///     let [_, _, handle, ..] = call.arguments();
    ///     let mut size = [0; 4];
    ///     call.read_memory(handle, &mut size)?;
    ///     Ok(u32::from_ne_bytes(size))
    /// }
    /// ```
    pub fn read_memory(&self, address: u64, bytes: &mut [u8]) -> Result<usize> {
        let path = format!("/proc/{}/mem", self.call.pid);
        let failed = |what: &str, error| Error::io(format!("{what} {path}"), error);
        let memory = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.gone(),
            _ => failed("open", error),
        })?;
        // Only now is it known to be the memory of that process, and of none that got its number.
        if !self.is_waiting() {
            return Err(self.gone());
        }
        memory.read_at(bytes, address).map_err(|error| failed("read", error))
    }

    /// Reads a text that ends with NUL at `address`, as a path, of at most 4095 bytes.
    ///
    /// # Errors
    /// As [`read_memory`](Self::read_memory); [`ErrorKind::Io`] if it is longer.
    ///
    /// # Example
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// What mount(2) is to mount, and where.
    /// fn mount(call: &Notification) -> runtime_core::Result<()> {
    ///     let [source, target, ..] = call.arguments();
    ///     println!("mount {:?} at {:?}", call.read_text(source)?, call.read_text(target)?);
    ///     Ok(())
    /// }
    /// ```
    pub fn read_text(&self, address: u64) -> Result<CString> {
        let mut text = Vec::new();
        while text.len() < MAX_TEXT {
            // Page by page: behind the text there may be no memory.
            let mut page = [0; 4096];
            let at = address.wrapping_add(text.len() as u64);
            let left = 4096 - usize::try_from(at % 4096).unwrap_or_default();
            let count = self.read_memory(at, &mut page[..left])?;
            let part = &page[..count];
            match part.iter().position(|byte| *byte == 0) {
                Some(end) => {
                    text.extend_from_slice(&part[..end]);
                    // It has no NUL.
                    return Ok(CString::new(text).unwrap_or_default());
                }
                None if count == 0 => break,
                None => text.extend_from_slice(part),
            }
        }
        Err(Error::new(ErrorKind::Io, "a text in the memory of a process does not end"))
    }

    /// Lets the kernel make the call after all. What it points to may have changed: see the [module](self).
    ///
    /// # Errors
    /// The system's answer. That nobody waits any more is none.
    ///
    /// # Example
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// What a process may ask of itself is harmless.
    /// fn answer(call: Notification) -> runtime_core::Result<()> {
    ///     match call.name() {
    ///         Some("getpid" | "getuid") => call.go_on(),
    ///         _ => call.refuse(libc::ENOSYS),
    ///     }
    /// }
    /// ```
    pub fn go_on(mut self) -> Result<()> {
        self.send(0, 0, true)
    }

    /// The call returns `value`.
    ///
    /// # Errors
    /// As [`go_on`](Self::go_on).
    ///
    /// # Example
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// /// A chown that changes nothing: for an image that was unpacked by somebody who is not root.
    /// fn answer(call: Notification) -> runtime_core::Result<()> {
    ///     match call.name() {
    ///         Some("chown" | "fchown" | "lchown" | "fchownat") => call.succeed(0),
    ///         _ => call.go_on(),
    ///     }
    /// }
    /// ```
    pub fn succeed(mut self, value: i64) -> Result<()> {
        self.send(value, 0, false)
    }

    /// The call fails with `errno`, as `libc::EPERM`.
    ///
    /// # Errors
    /// As [`go_on`](Self::go_on); [`ErrorKind::InvalidArgument`] for what is no errno, 1 to 4095: the call then fails with ENOSYS.
    ///
    /// # Example
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// fn answer(call: Notification) -> runtime_core::Result<()> {
    ///     call.refuse(libc::EPERM)
    /// }
    /// ```
    pub fn refuse(mut self, errno: i32) -> Result<()> {
        // To the kernel 0 would be a success.
        if !(1..=MAX_ERRNO).contains(&errno) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("refuse a call: {errno} is no errno"),
            ));
        }
        self.send(0, errno, false)
    }

    /// The call returns a new descriptor of the process, a copy of `fd`: as openat(2) does.
    ///
    /// # Errors
    /// As [`go_on`](Self::go_on). The call then fails.
    ///
    /// # Example
    /// ```no_run
    /// use runtime_core::agent::Notification;
    ///
    /// use std::{fs::File, os::fd::AsFd};
    ///
    /// /// open(2) of anything gives the process one file of ours.
    /// fn answer(call: Notification) -> Result<(), Box<dyn std::error::Error>> {
    ///     let file = File::open("/srv/web/only-this")?;
    ///     Ok(call.return_descriptor(file.as_fd(), true)?)
    /// }
    /// ```
    pub fn return_descriptor(mut self, fd: BorrowedFd<'_>, close_on_exec: bool) -> Result<()> {
        let sent = sys::notify::send_fd(self.listener.as_fd(), self.call.id, fd, close_on_exec);
        self.answered = sent.is_ok();
        Self::over(sent)
    }

    fn send(&mut self, value: i64, errno: i32, go_on: bool) -> Result<()> {
        self.answered = true;
        Self::over(sys::notify::send(self.listener.as_fd(), self.call.id, value, errno, go_on))
    }

    /// Who does not wait any more needs no answer.
    fn over(result: io::Result<()>) -> Result<()> {
        match result {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other.map_err(|error| Error::io("answer a notification", error)),
        }
    }

    fn gone(&self) -> Error {
        Error::new(ErrorKind::NotFound, format!("the call of process {} waits no more", self.call.pid))
    }
}

impl Drop for Notification {
    fn drop(&mut self) {
        if !self.answered {
            let _ = self.send(0, libc::ENOSYS, false);
        }
    }
}
