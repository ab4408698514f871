//! A small D-Bus client: it blocks, and each connection is used for one errand that has to be done by a deadline. It speaks to a
//! message bus, or to a service at the other end of a socket of its own. The D-Bus specification, dbus.freedesktop.org.

mod address;
mod message;
mod signature;
#[cfg(test)]
mod tests;
mod value;

pub(super) use address::Address;
pub(super) use message::Method;
pub(super) use signature::{DEPTH, split};
pub(super) use value::Value;

use message::{ERROR, FIXED, Message, RETURN, SIGNAL};
use nix::{
    errno::Errno,
    sys::{
        socket::{
            AddressFamily, MsgFlags, SockFlag, SockType, connect, getsockopt, recv, send, setsockopt, socket,
            sockopt::{PeerCredentials, ReceiveTimeout, SendTimeout},
        },
        time::TimeVal,
    },
};
use std::{
    collections::VecDeque,
    fmt, io,
    os::fd::{AsRawFd, OwnedFd},
    time::{Duration, Instant},
};

/// A message, a signature or a value that does not follow the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Why something did not come about.
#[derive(Debug)]
pub(super) enum Failure {
    /// The system's answer.
    Io(io::Error),
    /// The service's answer: the error's name, and its words.
    Answer { name: String, words: String },
    /// The deadline is over.
    Late,
    /// The other end is gone.
    Closed,
    /// What was said is not D-Bus, or nothing that was asked for.
    Malformed,
    /// Refused at the door.
    Rejected(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Answer { name, words } if words.is_empty() => f.write_str(name),
            Self::Answer { words, .. } => f.write_str(words),
            Self::Late => f.write_str("no answer in time"),
            Self::Closed => f.write_str("it closed the connection"),
            Self::Malformed => f.write_str("its answer makes no sense"),
            Self::Rejected(line) => write!(f, "it refused the connection: {line}"),
        }
    }
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::EAGAIN => Self::Late,
            Errno::EPIPE | Errno::ECONNRESET => Self::Closed,
            errno => Self::Io(errno.into()),
        }
    }
}

/// A connection for one errand.
pub(super) struct Connection {
    socket: OwnedFd,
    deadline: Instant,
    serial: u32,
    /// What has been received and is not read yet.
    received: Vec<u8>,
    /// The name of the signal that is listened to.
    listens_to: &'static str,
    /// Those that came before they were asked for.
    signals: VecDeque<Vec<Value>>,
}

impl Connection {
    /// Connects to `address` and says who we are. `time` is what the whole errand may take; of all signals only those called
    /// `listens_to` are kept.
    pub(super) fn open(address: &Address, time: Duration, listens_to: &'static str) -> Result<Self, Failure> {
        let deadline = Instant::now() + time;
        let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        let (received, signals) = (Vec::new(), VecDeque::new());
        let mut connection = Self { socket, deadline, serial: 0, received, listens_to, signals };
        setsockopt(&connection.socket, SendTimeout, &connection.left()?)?;
        connect(connection.socket.as_raw_fd(), &address.of_socket()?)?;
        connection.authenticate()?;
        Ok(connection)
    }

    /// The process that listens at `address`, unix(7) "SO_PEERCRED"; nothing is said to it.
    pub(super) fn peer(address: &Address) -> Result<i32, Failure> {
        let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&socket, SendTimeout, &TimeVal::new(5, 0))?;
        connect(socket.as_raw_fd(), &address.of_socket()?)?;
        Ok(getsockopt(&socket, PeerCredentials)?.pid())
    }

    /// The mechanism EXTERNAL, without an identity: the other end takes that from the socket, which is right in every user
    /// namespace, while a number could be another's. All is said at once: systemd reads ahead, and would leave a message that
    /// comes together with BEGIN lying until the next one comes.
    fn authenticate(&mut self) -> Result<(), Failure> {
        self.send(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")?;
        let first = self.line()?;
        if first != "DATA" && !first.starts_with("OK ") {
            return Err(Failure::Rejected(first));
        }
        let second = self.line()?;
        if second.starts_with("OK ") { Ok(()) } else { Err(Failure::Rejected(second)) }
    }

    /// One line of the conversation before the first message.
    fn line(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.received.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<_> = self.received.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(|_| Failure::Malformed);
            }
            if self.received.len() > 4096 {
                return Err(Failure::Malformed);
            }
            self.receive()?;
        }
    }

    /// What is left until the deadline.
    fn left(&self) -> Result<TimeVal, Failure> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        // Nothing would mean for ever.
        if left < Duration::from_micros(1) {
            return Err(Failure::Late);
        }
        let seconds = libc::time_t::try_from(left.as_secs()).map_err(|_| Failure::Malformed)?;
        Ok(TimeVal::new(seconds, left.subsec_micros().into()))
    }

    fn send(&self, mut bytes: &[u8]) -> Result<(), Failure> {
        setsockopt(&self.socket, SendTimeout, &self.left()?)?;
        while !bytes.is_empty() {
            match send(self.socket.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// Receives at least one byte.
    fn receive(&mut self) -> Result<(), Failure> {
        let mut part = [0; 8192];
        loop {
            setsockopt(&self.socket, ReceiveTimeout, &self.left()?)?;
            match recv(self.socket.as_raw_fd(), &mut part, MsgFlags::empty()) {
                Ok(0) => return Err(Failure::Closed),
                Ok(count) => {
                    self.received.extend_from_slice(&part[..count]);
                    return Ok(());
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn message(&mut self) -> Result<Message, Failure> {
        loop {
            if let Some(fixed) = self.received.first_chunk::<FIXED>() {
                let length = Message::length(fixed)?;
                if self.received.len() >= length {
                    let message = Message::read(&self.received[..length])?;
                    self.received.drain(..length);
                    return Ok(message);
                }
            }
            self.receive()?;
        }
    }

    /// Sends the call of a method and does not wait for its answer; gives what the answer is known by.
    pub(super) fn begin(&mut self, method: Method, arguments: &[Value]) -> Result<u32, Failure> {
        self.serial += 1;
        self.send(&message::call(method, self.serial, arguments))?;
        Ok(self.serial)
    }

    /// Waits for the answer to what was begun as `serial`.
    pub(super) fn finish(&mut self, serial: u32) -> Result<Vec<Value>, Failure> {
        loop {
            let message = self.message()?;
            match (message.kind, message.reply_to) {
                (RETURN, Some(number)) if number == serial => return Ok(message.values()?),
                (ERROR, Some(number)) if number == serial => {
                    let words = match message.values()?.first() {
                        Some(Value::Text(words)) => words.clone(),
                        _ => String::new(),
                    };
                    return Err(Failure::Answer { name: message.error_name, words });
                }
                _ => self.keep(&message)?,
            }
        }
    }

    /// Calls a method and waits for its answer.
    pub(super) fn call(&mut self, method: Method, arguments: &[Value]) -> Result<Vec<Value>, Failure> {
        let serial = self.begin(method, arguments)?;
        self.finish(serial)
    }

    /// What the next signal says; it may have come before the answer to the last call.
    pub(super) fn signal(&mut self) -> Result<Vec<Value>, Failure> {
        loop {
            if let Some(signal) = self.signals.pop_front() {
                return Ok(signal);
            }
            let message = self.message()?;
            self.keep(&message)?;
        }
    }

    fn keep(&mut self, message: &Message) -> Result<(), Failure> {
        if message.kind == SIGNAL && message.member == self.listens_to {
            self.signals.push_back(message.values()?);
        }
        Ok(())
    }
}
