//! A criu that serves one caller, `criu swrk FD`, and the talk with it.

use super::messages::{self, Kind, Options, Response};
use crate::{
    Error, ErrorKind, Result,
    fs::socket,
    hooks,
    sys::{
        self,
        command::{self, PrivateMounts},
        pidfd,
    },
};
use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair},
};
use std::{
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The longest answer; criu's are some hundred bytes.
const LONGEST: usize = 64 << 10;
/// How long a criu that is left alone may take to undo what it did.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a criu is started with.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    /// Its standard streams: those that restored processes inherit. Without them it has none.
    pub(crate) stdio: Option<[OwnedFd; 3]>,
    /// Descriptors that it inherits, under the numbers that they have here.
    pub(crate) keep: Vec<&'a OwnedFd>,
    pub(crate) mounts: Option<PrivateMounts>,
}

/// A criu that runs.
pub(crate) struct Session {
    socket: Option<OwnedFd>,
    child: Child,
    ended: bool,
}

impl Session {
    /// Starts `program`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if there is no such program.
    pub(crate) fn begin(program: &Path, setup: Setup<'_>) -> Result<Self> {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
                .map_err(|errno| Error::io("socketpair", errno))?;
        let mut command = Command::new(program);
        command.arg("swrk").arg(theirs.as_raw_fd().to_string());
        let streams = match setup.stdio {
            Some(streams) => streams.map(Stdio::from),
            None => [(); 3].map(|()| Stdio::null()),
        };
        let [stdin, stdout, stderr] = streams;
        command.stdin(stdin).stdout(stdout).stderr(stderr);
        let private = setup.mounts.is_some();
        command::prepare(&mut command, &setup.keep, &theirs, setup.mounts);
        let child = command.spawn().map_err(|error| cannot_start(program, error))?;
        let mut session = Self { socket: Some(ours), child, ended: false };
        if private {
            // It opens directories by the number that they have in the process at the other end, which is now its own.
            let (_, socket) = session.hear()?;
            session.socket = socket;
        }
        Ok(session)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Asks for `kind`.
    pub(crate) fn ask(&mut self, kind: Kind, options: Option<&Options>) -> Result<()> {
        self.send(&messages::request(kind, options))
    }

    /// Answers a notification.
    pub(crate) fn notified(&mut self, success: bool) -> Result<()> {
        self.send(&messages::notified(success))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(socket) = &self.socket else { return Err(self.gone()) };
        match send(socket.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL) {
            Ok(_) => Ok(()),
            Err(Errno::EPIPE | Errno::ECONNRESET) => Err(self.gone()),
            Err(errno) => Err(Error::io("ask criu", errno)),
        }
    }

    /// What it says next, and the descriptor that came with it.
    pub(crate) fn receive(&mut self) -> Result<(Response, Option<OwnedFd>)> {
        let (bytes, fd) = self.hear()?;
        let malformed = |error| Error::new(ErrorKind::Io, "criu's answer").with_source(error);
        Ok((Response::decode(&bytes).map_err(malformed)?, fd))
    }

    fn hear(&mut self) -> Result<(Vec<u8>, Option<OwnedFd>)> {
        let mut bytes = vec![0; LONGEST];
        let Some(socket) = &self.socket else { return Err(self.gone()) };
        let (length, fd) = loop {
            match socket::receive(socket, &mut bytes, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                Ok((0, _)) | Err(Errno::ECONNRESET) => return Err(self.gone()),
                other => break other.map_err(|errno| Error::io("hear from criu", errno))?,
            }
        };
        bytes.truncate(length);
        Ok((bytes, fd))
    }

    /// Its end, told as an error.
    fn gone(&mut self) -> Error {
        self.socket = None;
        let status = self.wait();
        let how = match status.as_ref().map(|status| (status.signal(), status.code())) {
            Some((Some(signal), _)) => format!("killed by signal {signal}"),
            Some((_, Some(code))) => format!("exit status {code}"),
            _ => "it ended".to_owned(),
        };
        Error::new(ErrorKind::Io, format!("criu has ended without an answer: {how}"))
    }

    /// Waits for its end once nothing more is asked of it, as after its last answer. True if all went well, as far as can be
    /// known.
    pub(crate) fn finish(mut self) -> bool {
        self.socket = None;
        self.wait().is_none_or(|status| status.success())
    }

    /// Nothing where something else in this program has reaped it.
    fn wait(&mut self) -> Option<std::process::ExitStatus> {
        let ended = pidfd::open(self.pid()).map(|fd| hooks::readable_within(&fd, PATIENCE));
        if matches!(ended, Ok(false)) {
            let _ = self.child.kill();
        }
        self.ended = true;
        self.child.wait().ok()
    }
}

impl Drop for Session {
    /// A criu that is no longer listened to undoes what it did by itself: only one that hangs is killed.
    fn drop(&mut self) {
        self.socket = None;
        if !self.ended {
            self.wait();
        }
    }
}

fn cannot_start(program: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            let message = format!(
                "{}: there is no such program, and checkpoint and restore need CRIU",
                program.display()
            );
            Error::new(ErrorKind::Unsupported, message)
        }
        _ => Error::io(format!("{}: execute", program.display()), error),
    }
}

/// Copies of the caller's standard streams.
pub(crate) fn own_streams() -> io::Result<[OwnedFd; 3]> {
    let [stdin, stdout, stderr] = sys::standard_streams().map(|fd| fd.try_clone_to_owned());
    Ok([stdin?, stdout?, stderr?])
}
