//! A client of ttrpc that does one thing after another, and also what no client should: frames are put together here byte
//! by byte. A frame is a header of 10 bytes (length and stream, big-endian; type; flags) and a message.

use super::messages::{Code, Request, Response, Status};
use crate::harness::{Verdict, fail};
use prost::Message;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io::{self, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

/// An answer that takes longer does not come.
pub(crate) const LIMIT: Duration = Duration::from_secs(15);

/// The largest message that ttrpc allows.
pub(crate) const LARGEST: usize = 4 << 20;

/// The type of a frame.
pub(crate) const REQUEST: u8 = 1;
pub(crate) const RESPONSE: u8 = 2;
pub(crate) const DATA: u8 = 3;

/// What a service said: a message, or why not.
pub(crate) type Answer<T> = Result<T, Status>;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) length: u32,
    pub(crate) stream: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
}

impl Header {
    /// As it goes over the wire.
    pub(crate) fn bytes(self) -> [u8; 10] {
        let mut out = [0; 10];
        out[..4].copy_from_slice(&self.length.to_be_bytes());
        out[4..8].copy_from_slice(&self.stream.to_be_bytes());
        out[8] = self.kind;
        out[9] = self.flags;
        out
    }

    fn of(bytes: [u8; 10]) -> Self {
        let [a, b, c, d, e, f, g, h, kind, flags] = bytes;
        Self {
            length: u32::from_be_bytes([a, b, c, d]),
            stream: u32::from_be_bytes([e, f, g, h]),
            kind,
            flags,
        }
    }
}

/// A whole frame.
pub(crate) fn frame(stream: u32, kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut out = Header { length, stream, kind, flags: 0 }.bytes().to_vec();
    out.extend(body);
    out
}

/// Reads a frame; none at the end of the connection.
pub(crate) fn read_frame(from: &mut impl Read) -> io::Result<Option<(Header, Vec<u8>)>> {
    let mut head = [0; 10];
    match from.read_exact(&mut head) {
        Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
            return Ok(None);
        }
        other => other?,
    }
    let header = Header::of(head);
    let mut body = vec![0; header.length as usize];
    from.read_exact(&mut body)?;
    Ok(Some((header, body)))
}

/// A connection to a shim.
pub(crate) struct Client {
    stream: UnixStream,
    next: Cell<u32>,
    answers: RefCell<BTreeMap<u32, Response>>,
    /// The service that [`Client::call`] asks.
    service: &'static str,
}

/// The task service, as containerd from 1.3 to 2.x asks for it.
pub(crate) const TASK_V2: &str = "containerd.task.v2.Task";
/// The same of containerd 2.0 and on.
pub(crate) const TASK_V3: &str = "containerd.task.v3.Task";

impl Client {
    /// Connects to `unix://PATH`.
    pub(crate) fn connect(address: &str) -> Verdict<Self> {
        let path = address.strip_prefix("unix://").unwrap_or(address);
        let stream = match UnixStream::connect(path) {
            Ok(stream) => stream,
            Err(error) => return fail(format!("{address}: connect: {error}")),
        };
        stream.set_write_timeout(Some(LIMIT))?;
        let answers = RefCell::new(BTreeMap::new());
        Ok(Self { stream, next: Cell::new(1), answers, service: TASK_V2 })
    }

    /// The same, of another service.
    pub(crate) fn of(mut self, service: &'static str) -> Self {
        self.service = service;
        self
    }

    /// The service that [`Client::call`] asks.
    pub(crate) fn service(&self) -> &'static str {
        self.service
    }

    /// The connection itself.
    pub(crate) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&self, bytes: &[u8]) -> Verdict {
        Ok((&self.stream).write_all(bytes)?)
    }

    /// Sends a request and gives its stream.
    pub(crate) fn begin(&self, method: &str, message: &impl Message) -> Verdict<u32> {
        let request = Request {
            service: self.service.to_owned(),
            method: method.to_owned(),
            payload: message.encode_to_vec(),
            timeout_nano: 0,
        };
        let stream = self.next_stream();
        self.send(&frame(stream, REQUEST, &request.encode_to_vec()))?;
        Ok(stream)
    }

    /// The stream of the next request: odd numbers, one after another.
    pub(crate) fn next_stream(&self) -> u32 {
        self.next.replace(self.next.get() + 2)
    }

    /// Waits for the answer on `stream`, if it comes in time.
    pub(crate) fn within(&self, stream: u32, limit: Duration) -> Verdict<Option<Response>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(response) = self.answers.borrow_mut().remove(&stream) {
                return Ok(Some(response));
            }
            let Some((header, body)) = self.frame(deadline)? else { return Ok(None) };
            if header.kind != RESPONSE {
                return fail(format!("a frame of type {} where an answer was due", header.kind));
            }
            self.answers.borrow_mut().insert(header.stream, Response::decode(&body[..])?);
        }
    }

    /// The next frame, if one comes before `deadline`; that the connection ends is a failure.
    pub(crate) fn frame(&self, deadline: Instant) -> Verdict<Option<(Header, Vec<u8>)>> {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(left))?;
        match read_frame(&mut &self.stream) {
            Ok(Some(frame)) => Ok(Some(frame)),
            Ok(None) => fail("the shim closed the connection"),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
            Err(error) => fail(format!("the connection: {error}")),
        }
    }

    /// Waits for the answer on `stream`; none in time is a failure.
    pub(crate) fn end<T: Message + Default>(&self, stream: u32) -> Verdict<Answer<T>> {
        let Some(response) = self.within(stream, LIMIT)? else {
            return fail(format!("no answer in {} s", LIMIT.as_secs()));
        };
        match response.status {
            Some(status) if status.code != 0 => Ok(Err(status)),
            _ => Ok(Ok(T::decode(&response.payload[..])?)),
        }
    }

    /// A request and its answer.
    pub(crate) fn ask<T: Message + Default>(
        &self,
        method: &str,
        message: &impl Message,
    ) -> Verdict<Answer<T>> {
        match self.begin(method, message).and_then(|stream| self.end(stream)) {
            Err(crate::harness::Stop::Fail(words)) => fail(format!("{method}: {words}")),
            other => other,
        }
    }

    /// A request that is to succeed.
    pub(crate) fn call<T: Message + Default>(&self, method: &str, message: &impl Message) -> Verdict<T> {
        match self.ask(method, message)? {
            Ok(answer) => Ok(answer),
            Err(status) => fail(format!("{method}: {}", words(&status))),
        }
    }

    /// A request that is to fail with this code.
    pub(crate) fn refused(&self, method: &str, message: &impl Message, code: Code) -> Verdict<Status> {
        match self.ask::<super::messages::Any>(method, message)? {
            Ok(_) => fail(format!("{method} succeeded, {code:?} was due")),
            Err(status) if status.code == code as i32 => Ok(status),
            Err(status) => fail(format!("{method}: {} where {code:?} was due", words(&status))),
        }
    }

    /// Whether the shim ends the connection within two seconds; answers that come before that are passed over.
    pub(crate) fn is_closed(&self) -> Verdict<bool> {
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.stream.set_read_timeout(Some(left))?;
            match (&self.stream).read(&mut [0; 4096]) {
                Ok(0) => return Ok(true),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(true),
                Err(error) => return fail(format!("the connection: {error}")),
            }
        }
    }
}

/// A status in words.
pub(crate) fn words(status: &Status) -> String {
    format!("code {}: {}", status.code, status.message)
}
