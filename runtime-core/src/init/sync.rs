//! The parent's end of the sync socket.

use crate::{Error, ErrorKind, Result, fs::socket, hooks};
use corten_init::message::{Message, Phase};
use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair},
};
use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::Duration,
};

/// What the init program says, and the descriptor that it may pass.
pub(crate) type Said = (Message, Option<OwnedFd>);

/// A socket to the init program, and who is at its other end.
pub(crate) struct Sync {
    socket: OwnedFd,
    peer: i32,
}

impl AsFd for Sync {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Sync {
    /// A pair: ours, and the init program's.
    pub(crate) fn pair() -> Result<(Self, OwnedFd)> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)
            .map_err(|errno| Error::io("socketpair", errno))?;
        Ok((Self::new(ours), theirs))
    }

    /// A socket that was connected to the init program by other means.
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket, peer: 0 }
    }

    pub(crate) fn set_peer(&mut self, pid: i32) {
        self.peer = pid;
    }

    pub(crate) fn peer(&self) -> i32 {
        self.peer
    }

    /// The next message; nothing if the socket is closed.
    pub(crate) fn receive(&self) -> Result<Option<Said>> {
        self.receive_with(MsgFlags::empty())
    }

    /// Whether there is a message, or the end of all of them, within `time`.
    pub(crate) fn has_more_within(&self, time: Duration) -> bool {
        hooks::readable_within(&self.socket, time)
    }

    /// The next message if it is there already.
    pub(crate) fn poll(&self) -> Option<Message> {
        self.receive_with(MsgFlags::MSG_DONTWAIT).unwrap_or_default().map(|(message, _)| message)
    }

    fn receive_with(&self, flags: MsgFlags) -> Result<Option<Said>> {
        let mut buffer = [0_u8; size_of::<Message>() + 1];
        let (length, descriptor) = loop {
            match socket::receive(&self.socket, &mut buffer, flags) {
                // The init program is gone with something of ours unread. That is told once, before what it said at last.
                Err(Errno::EINTR | Errno::ECONNRESET) => {}
                other => break other.map_err(|errno| Error::io("hear from the init program", errno))?,
            }
        };
        if length == 0 {
            return Ok(None);
        }
        let message = buffer.get(..length).and_then(Message::from_bytes);
        message
            .map(|message| Some((message, descriptor)))
            .ok_or_else(|| Error::new(ErrorKind::Io, "the init program sent what is no message"))
    }

    /// Says that `phase` is done.
    pub(crate) fn answer(&self, phase: Phase) -> Result<()> {
        self.send(phase as u8)
    }

    /// Says so, and passes `descriptors` with it, [`corten_init::message::MOST_FILES`] at most.
    pub(crate) fn answer_with(&self, phase: Phase, descriptors: &[BorrowedFd<'_>]) -> Result<()> {
        if descriptors.is_empty() {
            return self.answer(phase);
        }
        match socket::send_fds(&self.socket, &[phase as u8], descriptors) {
            Err(error) if !matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET)) => {
                Err(Error::io("answer the init program", error))
            }
            _ => Ok(()),
        }
    }

    /// Sends one byte.
    pub(crate) fn send(&self, byte: u8) -> Result<()> {
        match send(self.socket.as_raw_fd(), &[byte], MsgFlags::MSG_NOSIGNAL) {
            // Why it is gone is in the socket: the next receive tells.
            Ok(_) | Err(Errno::EPIPE | Errno::ECONNRESET) => Ok(()),
            Err(errno) => Err(Error::io("answer the init program", errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corten_init::message::Kind;

    #[test]
    fn last_words_are_heard_though_an_answer_was_never_read() {
        let (ours, theirs) = Sync::pair().unwrap();
        assert!(ours.poll().is_none());
        ours.answer(Phase::Cgroup).unwrap();
        let failed = Message::new(Kind::Failed).to_bytes();
        send(theirs.as_raw_fd(), &failed, MsgFlags::empty()).unwrap();
        drop(theirs);
        assert_eq!(ours.receive().unwrap().and_then(|(message, _)| message.kind()), Some(Kind::Failed));
        assert!(ours.receive().unwrap().is_none());
        assert!(ours.poll().is_none());
    }
}
