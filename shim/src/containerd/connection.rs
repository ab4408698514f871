//! A connection of the daemon: frames come in as calls, and answers go out as frames. Neither way is ever waited for.

use crate::error::{Error, Result};
use corten_ttrpc::{Code, Decoder, Kind, Message, Request, Response, encode};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::{
    io::{self, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
};

/// The most that waits to be read by a client: one that asks and never reads is cut off.
const MAX_WAITING: usize = 8 << 20;
/// A flag of a frame: the client will send more on the stream.
const REMOTE_OPEN: u8 = 2;

/// Where an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplyTo {
    /// The connection.
    pub(crate) connection: u32,
    /// The stream of the call.
    pub(crate) stream: u32,
}

impl ReplyTo {
    /// For what nobody asked for: connections are counted from 1.
    pub(crate) const NOBODY: Self = Self { connection: 0, stream: 0 };
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: UnixStream,
    decoder: Decoder,
    /// What is not yet sent, from `sent` on.
    waiting: Vec<u8>,
    sent: usize,
    last_stream: u32,
}

/// A call that came in.
#[derive(Debug)]
pub(crate) struct Call {
    /// The stream to answer on.
    pub(crate) stream: u32,
    /// The call, or why it is none.
    pub(crate) request: Result<Request>,
}

impl Connection {
    /// A connection of the same user; another's is refused.
    pub(crate) fn accept(socket: UnixStream) -> Result<Self> {
        let peer = getsockopt(&socket, PeerCredentials).map_err(|errno| Error::io("SO_PEERCRED", errno))?;
        if peer.uid() != nix::unistd::geteuid().as_raw() {
            return Err(Error::new(
                Code::PermissionDenied,
                format!("connection of user {} refused", peer.uid()),
            ));
        }
        socket.set_nonblocking(true).map_err(|error| Error::io("make a connection not wait", error))?;
        Ok(Self { socket, decoder: Decoder::new(), waiting: Vec::new(), sent: 0, last_stream: 0 })
    }

    /// The socket, to be waited for.
    pub(crate) fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// Takes what has come, once: the calls that are whole.
    ///
    /// # Errors
    /// The connection is at its end, or what came is no frame.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Result<Vec<Call>> {
        let count = match self.socket.read(buffer) {
            Ok(0) => return Err(Error::new(Code::Cancelled, "the connection is closed")),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(error) => return Err(Error::io("read from a connection", error)),
        };
        let mut input = &buffer[..count];
        let mut calls = Vec::new();
        while let Some(frame) = self
            .decoder
            .next(&mut input)
            .map_err(|error| Error::new(Code::InvalidArgument, error.to_string()))?
        {
            let request = self.check(frame.stream, frame.kind, frame.flags);
            let request = request.and_then(|()| {
                Request::decode(frame.data.as_slice())
                    .map_err(|error| Error::new(Code::InvalidArgument, format!("request: {error}")))
            });
            calls.push(Call { stream: frame.stream, request });
        }
        Ok(calls)
    }

    /// Streams of a client are odd and go up; calls of this service are single frames.
    fn check(&mut self, stream: u32, kind: Kind, flags: u8) -> Result<()> {
        let refused = |why: &str| Err(Error::new(Code::InvalidArgument, format!("stream {stream}: {why}")));
        if kind != Kind::Request {
            return refused("a frame that opens no call");
        }
        if stream.is_multiple_of(2) {
            return refused("the number of a client's stream must be odd");
        }
        if stream <= self.last_stream {
            return refused("the number of a new stream must be above those before");
        }
        self.last_stream = stream;
        if flags & REMOTE_OPEN != 0 {
            return refused("calls of this service have no stream of data");
        }
        Ok(())
    }

    /// Sends an answer, or keeps it until there is room.
    ///
    /// # Errors
    /// The connection is of no more use.
    pub(crate) fn answer(&mut self, stream: u32, result: Result<Vec<u8>>) -> Result<()> {
        let response = match result {
            Ok(payload) => Response::ok(payload),
            Err(error) => Response::error(error.code, error.message),
        };
        if encode(stream, Kind::Response, 0, &response.encode_to_vec(), &mut self.waiting).is_err() {
            let response = Response::error(Code::ResourceExhausted, "the answer is too long for a frame");
            // A short text fits.
            let _ = encode(stream, Kind::Response, 0, &response.encode_to_vec(), &mut self.waiting);
        }
        if self.waiting.len() - self.sent > MAX_WAITING {
            return Err(Error::new(Code::ResourceExhausted, "a client asks and does not read"));
        }
        self.send()
    }

    /// Sends what there is room for.
    ///
    /// # Errors
    /// As [`Connection::answer`].
    pub(crate) fn send(&mut self) -> Result<()> {
        while self.sent < self.waiting.len() {
            match self.socket.write(&self.waiting[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(Error::io("write to a connection", error)),
            }
        }
        self.waiting = Vec::new();
        self.sent = 0;
        Ok(())
    }

    /// Whether something waits to be sent.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Sends the rest at the end of the program.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.socket.set_nonblocking(false)?;
        self.socket.set_write_timeout(Some(std::time::Duration::from_secs(1)))?;
        self.socket.write_all(&self.waiting[self.sent..])
    }
}
