//! NOTIFY_SOCKET, sd_notify(3): a process tells its service manager that it is ready. A container's process says so over a
//! socket of its own, in a directory of the state directory that is bound into the container, and the runtime passes
//! it on: so a container reaches nothing of the manager but that one message.

use super::{record::ProcessId, store::Store};
use crate::{
    Error, ErrorKind, Result,
    fs::socket,
    hooks,
    spec::{Mount, Spec},
    sys::pidfd,
};
use nix::{
    errno::Errno,
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{MsgFlags, SockType, recv, send},
    unistd::pipe2,
};
use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, Permissions},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    path::Path,
    time::Duration,
};

/// The directory in the container.
pub(super) const INSIDE: &str = "/run/notify";
/// The socket in it.
const NAME: &str = "notify.sock";
/// How long a service manager may take to say that it has read all, as sd_notify_barrier(3).
const PATIENCE: Duration = Duration::from_secs(30);

/// The variable that tells the container's process of the socket.
pub(super) fn variable() -> String {
    format!("NOTIFY_SOCKET={INSIDE}/{NAME}")
}

/// Adds the mount of `directory` to the configuration. Others may cover it, as a tmpfs at /run would if it came later.
pub(super) fn add_mount(spec: &mut Spec, directory: &Path) -> Result<()> {
    let directory =
        std::path::absolute(directory).map_err(|error| Error::io("find the state directory", error))?;
    let options = ["bind", "nosuid", "noexec", "nodev", "ro"];
    spec.mounts.push(Mount::new(INSIDE).of_type("bind").from_source(directory).with_options(options));
    Ok(())
}

/// Makes the directory. All may enter it: who can is decided by the mount.
pub(super) fn make(directory: &Path) -> Result<()> {
    DirBuilder::new()
        .create(directory)
        .and_then(|()| fs::set_permissions(directory, Permissions::from_mode(0o755)))
        .map_err(|error| Error::io(format!("make {}", directory.display()), error))
}

/// The socket over which a container's process says that it is ready.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::ContainerBuilder;
/// use std::{env, time::Duration};
///
/// let created = ContainerBuilder::new("web-1").bundle("/srv/web").notify(true).create()?;
/// let socket = created.notify_socket()?;
/// let container = created.start()?;
/// if let (Some(socket), Some(manager)) = (socket, env::var_os("NOTIFY_SOCKET")) {
///     socket.pass_on(&manager)?; // waits until it is ready
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct NotifySocket {
    socket: OwnedFd,
    pid: i32,
    pidfd: OwnedFd,
}

impl NotifySocket {
    /// Makes the socket, if the container has a directory for it.
    pub(super) fn bind(store: &Store, process: Option<ProcessId>) -> Result<Option<Self>> {
        let directory = store.notify_directory();
        let (true, Some(ProcessId { pid, .. })) = (directory.is_dir(), process) else { return Ok(None) };
        let path = directory.join(NAME);
        let make = || {
            // An earlier start that failed has left it.
            let _ = fs::remove_file(&path);
            let socket = socket::bind_at(&path, SockType::Datagram)?;
            fs::set_permissions(&path, Permissions::from_mode(0o777))?;
            Ok(Self { socket, pid, pidfd: pidfd::open(pid)? })
        };
        make().map(Some).map_err(|error: std::io::Error| Error::io(format!("make {}", path.display()), error))
    }

    /// Waits until the container's process says that it is ready, and tells the service manager at `manager` so, with the
    /// process' id as that of the service: an address as NOTIFY_SOCKET has it. It returns when the manager has read all:
    /// it knows who has sent a message only as long as the sender lives. False if the process ends before.
    ///
    /// # Errors
    /// The manager cannot be told.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let created = runtime_core::ContainerBuilder::new("web").bundle("/srv/web").notify(true).create()?;
    /// # let Some(socket) = created.notify_socket()? else { return Ok(()) };
    /// let container = created.start()?;
    /// if let Some(manager) = std::env::var_os("NOTIFY_SOCKET") {
    ///     match socket.pass_on(&manager)? {
    ///         true => println!("it is ready"),
    ///         false => println!("it ended without a word"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn pass_on(&self, manager: &OsStr) -> Result<bool> {
        let Some(ready) = self.ready()? else { return Ok(false) };
        self.tell(manager, &ready, true).map(|()| true)
    }

    /// The same for who lives on and has other things to do: to be called when the socket is readable. It never waits;
    /// false if this is not yet it.
    ///
    /// # Errors
    /// As [`NotifySocket::pass_on`].
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let created = runtime_core::ContainerBuilder::new("web").bundle("/srv/web").notify(true).create()?;
    /// # let Some(socket) = created.notify_socket()? else { return Ok(()) };
    /// use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    /// use std::os::fd::AsFd;
    ///
    /// let container = created.start()?;
    /// let manager = std::env::var_os("NOTIFY_SOCKET").unwrap_or_default();
    /// let mut is_ready = false;
    /// while !is_ready {
    ///     // An event loop would have this among its descriptors.
    ///     let _ = poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE);
    ///     is_ready = socket.try_pass_on(&manager)?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn try_pass_on(&self, manager: &OsStr) -> Result<bool> {
        match self.receive()? {
            Some(ready) => self.tell(manager, &ready, false).map(|()| true),
            None => Ok(false),
        }
    }

    fn tell(&self, manager: &OsStr, ready: &[u8], wait: bool) -> Result<()> {
        let tell = || -> std::io::Result<()> {
            let manager = socket::connect_to(Path::new(manager), SockType::Datagram)?;
            for message in [ready, format!("MAINPID={}\n", self.pid).as_bytes()] {
                send(manager.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL)?;
            }
            if wait {
                let (ours, theirs) = pipe2(OFlag::O_CLOEXEC)?;
                socket::send_fd(&manager, b"BARRIER=1", &theirs)?;
                drop(theirs);
                hooks::readable_within(&ours, PATIENCE);
            }
            Ok(())
        };
        tell().map_err(|error| {
            Error::io(format!("NOTIFY_SOCKET ({}): tell of the container", manager.display()), error)
        })
    }

    /// Waits for the line that says so.
    fn ready(&self) -> Result<Option<Vec<u8>>> {
        loop {
            let wait = |fd| PollFd::new(fd, PollFlags::POLLIN);
            let mut polled = [wait(self.socket.as_fd()), wait(self.pidfd.as_fd())];
            match poll(&mut polled, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                other => other.map_err(failed)?,
            };
            let [said, ended] = polled.map(|one| one.any().unwrap_or(true));
            match self.receive()? {
                Some(ready) => return Ok(Some(ready)),
                // What it said before its end counts.
                None if ended && !said => return Ok(None),
                None => {}
            }
        }
    }

    /// The line that says so, if it is in the next message.
    fn receive(&self) -> Result<Option<Vec<u8>>> {
        let mut message = [0_u8; 4096];
        let length = match recv(self.socket.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT) {
            Err(Errno::EAGAIN | Errno::EINTR) => 0,
            other => other.map_err(failed)?,
        };
        let mut lines = message[..length].split(|byte| *byte == b'\n');
        Ok(lines.find(|line| line.starts_with(b"READY=")).map(|line| [line, b"\n"].concat()))
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn failed(errno: Errno) -> Error {
    Error::new(ErrorKind::Io, "wait for the container's READY").with_source(errno)
}
