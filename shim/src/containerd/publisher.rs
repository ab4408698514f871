//! Events on their way to the daemon, in their order: one is under way at a time, and is sent again until the daemon has
//! taken it, so that a daemon that is started again hears what happened meanwhile.

use crate::{clock, error::Error};
use corten_ttrpc::{
    Decoder, Kind, Message, Request, Response, encode,
    events::{Envelope, Event, FORWARD, ForwardRequest, SERVICE},
    types::Any,
};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long the daemon may take for one event.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause after a failure, doubled each time up to [`PATIENCE`].
const PAUSE: Duration = Duration::from_millis(50);
/// The most events that are kept; beyond it the oldest is lost.
const MAX_KEPT: usize = 2048;
/// How often an event is sent that the daemon answers with an error.
const TRIES: u32 = 5;

/// Sends events.
#[derive(Debug)]
pub(crate) struct Publisher {
    address: Option<PathBuf>,
    namespace: String,
    /// Requests, encoded.
    queue: VecDeque<Vec<u8>>,
    connection: Option<(UnixStream, Decoder)>,
    /// The stream of the event under way.
    under_way: Option<u32>,
    last_stream: u32,
    /// What of the event under way is not yet sent.
    unsent: Vec<u8>,
    refusals: u32,
    failures: u32,
    /// When to give up what is under way, or to try again.
    pub(crate) wake: Option<Instant>,
}

/// What the caller does about the connection after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// There is a new socket to wait for.
    Connected,
}

impl Publisher {
    /// Sends to the daemon at `address`; without one, events go nowhere.
    pub(crate) fn new(address: Option<PathBuf>, namespace: String) -> Self {
        Self {
            address,
            namespace,
            queue: VecDeque::new(),
            connection: None,
            under_way: None,
            last_stream: 0,
            unsent: Vec::new(),
            refusals: 0,
            failures: 0,
            wake: None,
        }
    }

    /// The socket, to be waited for.
    pub(crate) fn socket(&self) -> Option<&UnixStream> {
        self.connection.as_ref().map(|(socket, _)| socket)
    }

    /// Whether something waits for room in the socket.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Whether all is told.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Tells the daemon of an event, when its turn comes.
    pub(crate) fn publish<E: Event>(&mut self, event: &E) -> Change {
        if self.address.is_none() {
            return Change::None;
        }
        let envelope = Envelope {
            timestamp: Some(clock::now()),
            namespace: self.namespace.clone(),
            topic: E::TOPIC.to_owned(),
            event: Some(Any::new(E::NAME, event)),
        };
        self.push(ForwardRequest { envelope: Some(envelope) }.encode_to_vec());
        self.next()
    }

    fn push(&mut self, payload: Vec<u8>) {
        if self.queue.len() >= MAX_KEPT {
            // The one in front may be under way.
            self.queue.remove(1);
            log::warn!("the daemon takes no events: the oldest is dropped");
        }
        let request = Request {
            service: SERVICE.to_owned(),
            method: FORWARD.to_owned(),
            payload,
            timeout_nano: i64::try_from(PATIENCE.as_nanos()).unwrap_or(0),
            metadata: Vec::new(),
        };
        self.queue.push_back(request.encode_to_vec());
    }

    /// Sends the event in front, if none is under way and it is time.
    pub(crate) fn next(&mut self) -> Change {
        if self.under_way.is_some() || self.wake.is_some_and(|wake| wake > Instant::now()) {
            return Change::None;
        }
        let Some(request) = self.queue.front() else { return Change::None };
        let mut change = Change::None;
        if self.connection.is_none() {
            match self.connect() {
                Ok(socket) => self.connection = Some((socket, Decoder::new())),
                Err(error) => {
                    log::debug!("{error}");
                    self.pause();
                    return Change::None;
                }
            }
            self.last_stream = 0;
            change = Change::Connected;
        }
        let stream = self.last_stream + if self.last_stream == 0 { 1 } else { 2 };
        self.last_stream = stream;
        // An event is far below the limit of a frame.
        let _ = encode(stream, Kind::Request, 0, request, &mut self.unsent);
        self.under_way = Some(stream);
        self.wake = Some(Instant::now() + PATIENCE);
        self.send();
        change
    }

    fn connect(&self) -> Result<UnixStream, Error> {
        let path = self.address.as_deref().unwrap_or(std::path::Path::new(""));
        let failed = |errno| Error::io(format!("events: connect to {}", path.display()), errno);
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(failed)?;
        connect(fd.as_raw_fd(), &UnixAddr::new(path).map_err(failed)?).map_err(failed)?;
        Ok(fd.into())
    }

    /// Sends what there is room for.
    pub(crate) fn send(&mut self) {
        let Some((socket, _)) = &mut self.connection else { return };
        while !self.unsent.is_empty() {
            match socket.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    log::debug!("{}", Error::io("events: write", error));
                    return self.fail();
                }
            }
        }
        self.unsent = Vec::new();
    }

    /// Takes what the daemon answers.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Change {
        let Some((socket, decoder)) = &mut self.connection else { return Change::None };
        let count = match socket.read(buffer) {
            Ok(0) => 0,
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Change::None;
            }
            Err(_) => 0,
        };
        let mut input = &buffer[..count];
        let mut answers = Vec::new();
        let broken = loop {
            match decoder.next(&mut input) {
                Ok(Some(frame)) => answers.push(frame),
                Ok(None) => break count == 0,
                Err(_) => break true,
            }
        };
        for answer in answers {
            if Some(answer.stream) != self.under_way {
                continue;
            }
            self.under_way = None;
            self.wake = None;
            self.failures = 0;
            let result = Response::decode(answer.data.as_slice()).map(Response::into_result);
            match result {
                Ok(Err((_, text))) if self.refusals + 1 < TRIES => {
                    self.refusals += 1;
                    log::debug!("events: the daemon answers: {text}");
                    self.wake = Some(Instant::now() + PAUSE);
                }
                _ => {
                    self.refusals = 0;
                    self.queue.pop_front();
                }
            }
        }
        if broken {
            self.fail();
        }
        self.next()
    }

    /// What is due: an event that the daemon has not taken in time is given up for now; a pause is over.
    pub(crate) fn on_time(&mut self) -> Change {
        if self.wake.is_none_or(|wake| wake > Instant::now()) {
            return Change::None;
        }
        self.wake = None;
        if self.under_way.is_some() {
            self.fail();
        }
        self.next()
    }

    /// The connection is of no more use. What was under way stays in front.
    fn fail(&mut self) {
        self.connection = None;
        self.under_way = None;
        self.unsent = Vec::new();
        if self.queue.is_empty() {
            self.wake = None;
        } else {
            self.pause();
        }
    }

    fn pause(&mut self) {
        let pause = PAUSE.saturating_mul(1 << self.failures.min(7)).min(PATIENCE);
        self.failures += 1;
        self.wake = Some(Instant::now() + pause);
    }
}
