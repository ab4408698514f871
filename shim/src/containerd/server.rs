//! The server: one thread that waits for everything at once, and work that may take its time on others.

mod exits;
mod ooms;
mod pumps;

use crate::{
    connection::{Call, Connection, ReplyTo},
    container::{Container, Exit},
    done::Done,
    error::{Error, Result},
    poll::{Poll, Source},
    publisher::{Change, Publisher},
    streams::Copy,
    sys,
    worker::Workers,
};
use corten_ttrpc::{Message, events::Event};
use nix::sys::{
    prctl,
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::ErrorKind,
    os::unix::net::UnixListener,
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long after the last work the heap is trimmed.
const REST: Duration = Duration::from_millis(100);
/// How long events may take to be told when the shim ends.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// The pause after a connection that could not be taken for want of descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// Who this shim is.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The namespace of its containers.
    pub(crate) namespace: String,
    /// The daemon's socket for events.
    pub(crate) events: Option<PathBuf>,
    /// The socket that is served.
    pub(crate) socket: PathBuf,
}

/// Something to be done later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Listen again.
    Listen,
    /// Give up draining the streams of a container, or of one of its execs.
    Drained(String, Option<String>),
    /// Hold the end of a container back no longer.
    Release(String),
    /// End a logger for good.
    KillLogger(u32),
    /// Give memory back.
    Trim,
}

/// The server.
pub(crate) struct Server {
    pub(crate) identity: Identity,
    poll: Poll,
    listener: UnixListener,
    signals: SignalFd,
    connections: BTreeMap<u32, Connection>,
    pub(crate) publisher: Publisher,
    pub(crate) workers: Workers<Done>,
    pub(crate) containers: BTreeMap<String, Container>,
    copies: BTreeMap<u32, Pump>,
    timers: Vec<(Instant, Timer)>,
    /// Ends of processes that nobody knows yet, while work is under way that may have made them.
    strangers: HashMap<i32, Exit>,
    /// Loggers that have been told to end.
    loggers: Vec<u32>,
    /// Until when children may still be those of a thread that has just ended.
    unsettled: Option<Instant>,
    /// The next number of a connection, copy or watch.
    next: u32,
    pub(crate) ending: bool,
    buffer: Box<[u8]>,
}

/// A copy, and whose it is.
#[derive(Debug)]
pub(crate) struct Pump {
    copy: Copy,
    container: String,
    exec: Option<String>,
    writing: bool,
}

/// Serves until the daemon says that it is over, or a signal does.
pub(crate) fn run(identity: Identity, listener: UnixListener) -> Result<()> {
    let mut server = Server::new(identity, listener)?;
    let result = server.serve();
    server.end();
    result
}

impl Server {
    fn new(identity: Identity, listener: UnixListener) -> Result<Self> {
        sys::keep_heap_small();
        prctl::set_child_subreaper(true).map_err(|errno| Error::io("become a subreaper", errno))?;
        let mut held = SigSet::empty();
        held.extend([Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT]);
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = held.thread_block().and_then(|()| SignalFd::with_flags(&held, flags));
        let signals = signals.map_err(|errno| Error::io("hold signals back", errno))?;
        listener.set_nonblocking(true).map_err(|error| Error::io("make the socket not wait", error))?;
        let (poll, workers) = (Poll::new()?, Workers::new()?);
        poll.read(&listener, Source::Listener)?;
        poll.read(&signals, Source::Signals)?;
        poll.read(workers.wake(), Source::Workers)?;
        let publisher = Publisher::new(identity.events.clone(), identity.namespace.clone());
        Ok(Self {
            identity,
            poll,
            listener,
            signals,
            connections: BTreeMap::new(),
            publisher,
            workers,
            containers: BTreeMap::new(),
            copies: BTreeMap::new(),
            timers: Vec::new(),
            strangers: HashMap::new(),
            loggers: Vec::new(),
            unsettled: None,
            next: 0,
            ending: false,
            buffer: vec![0; 16 << 10].into(),
        })
    }

    fn serve(&mut self) -> Result<()> {
        while !self.ending {
            for source in self.poll.wait(self.patience())? {
                self.attend(source);
            }
            self.on_time();
        }
        Ok(())
    }

    /// How long there is nothing to do but wait.
    fn patience(&self) -> Option<Duration> {
        let timers = self.timers.iter().map(|(at, _)| *at);
        let next = timers.chain(self.publisher.wake).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn attend(&mut self, source: Source) {
        match source {
            Source::Listener => self.accept(),
            Source::Signals => self.take_signals(),
            Source::Workers => self.take_work(),
            Source::Publisher => self.hear_daemon(),
            Source::Connection(number) => self.hear(number),
            Source::Copy(number) => self.pump(number),
            Source::Oom(number) => self.hear_oom(number),
        }
    }

    fn on_time(&mut self) {
        let change = self.publisher.on_time();
        self.after_publishing(change);
        let now = Instant::now();
        while let Some(index) = self.timers.iter().position(|(at, _)| *at <= now) {
            let (_, timer) = self.timers.swap_remove(index);
            match timer {
                Timer::Listen => drop(self.poll.read(&self.listener, Source::Listener)),
                Timer::Drained(container, exec) => self.give_up_draining(&container, exec.as_deref()),
                Timer::Release(container) => self.release(&container),
                Timer::KillLogger(pid) => self.kill_logger(pid),
                Timer::Trim => sys::trim_heap(),
            }
        }
    }

    /// Has something done after `time`; once, if the same is to be done already.
    pub(crate) fn later(&mut self, time: Duration, timer: Timer) {
        self.timers.retain(|(_, other)| *other != timer);
        self.timers.push((Instant::now() + time, timer));
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => match Connection::accept(socket).and_then(|connection| {
                    self.next += 1;
                    self.poll.read(connection.socket(), Source::Connection(self.next))?;
                    Ok(connection)
                }) {
                    Ok(connection) => drop(self.connections.insert(self.next, connection)),
                    Err(error) => log::warn!("{error}"),
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                Err(error) => {
                    log::error!("{}", Error::io("take a connection", error));
                    self.poll.forget(&self.listener);
                    return self.later(BREATH, Timer::Listen);
                }
            }
        }
    }

    fn hear(&mut self, number: u32) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let waited = connection.is_waiting();
        if waited && connection.send().is_err() {
            return self.hang_up(number);
        }
        if waited && !connection.is_waiting() {
            self.poll.change(connection.socket(), Source::Connection(number), false);
        }
        match connection.receive(&mut self.buffer) {
            Ok(calls) => {
                for Call { stream, request } in calls {
                    let to = ReplyTo { connection: number, stream };
                    match request {
                        Ok(request) => self.call(to, &request),
                        Err(error) => self.answer(to, Err(error)),
                    }
                }
            }
            Err(error) => {
                log::debug!("connection {number}: {error}");
                self.hang_up(number);
            }
        }
        self.rest();
    }

    fn hang_up(&mut self, number: u32) {
        if let Some(connection) = self.connections.remove(&number) {
            self.poll.forget(connection.socket());
        }
        let gone = |to: &ReplyTo| to.connection != number;
        for container in self.containers.values_mut() {
            for process in container.execs.values_mut().chain([&mut container.init]) {
                process.waiters.retain(gone);
            }
        }
    }

    /// Answers a call. A caller that has gone is no error.
    pub(crate) fn answer(&mut self, to: ReplyTo, result: Result<Vec<u8>>) {
        let Some(connection) = self.connections.get_mut(&to.connection) else { return };
        if let Err(error) = connection.answer(to.stream, result) {
            log::debug!("connection {}: {error}", to.connection);
            return self.hang_up(to.connection);
        }
        if connection.is_waiting() {
            self.poll.change(connection.socket(), Source::Connection(to.connection), true);
        }
    }

    /// Answers a call with a message.
    pub(crate) fn reply(&mut self, to: ReplyTo, message: &impl Message) {
        self.answer(to, Ok(message.encode_to_vec()));
    }

    /// Answers a call that has nothing to tell.
    pub(crate) fn done(&mut self, to: ReplyTo, result: Result<()>) {
        self.answer(to, result.map(|()| Vec::new()));
    }

    /// Tells the daemon of an event.
    pub(crate) fn publish(&mut self, event: &impl Event) {
        let change = self.publisher.publish(event);
        self.after_publishing(change);
    }

    fn hear_daemon(&mut self) {
        if self.publisher.is_waiting() {
            self.publisher.send();
        }
        let change = self.publisher.receive(&mut self.buffer);
        self.after_publishing(change);
    }

    fn after_publishing(&mut self, change: Change) {
        let Some(socket) = self.publisher.socket() else { return };
        if change == Change::Connected
            && let Err(error) = self.poll.read(socket, Source::Publisher)
        {
            log::error!("events: {error}");
        }
        self.poll.change(socket, Source::Publisher, self.publisher.is_waiting());
    }

    fn take_work(&mut self) {
        for done in self.workers.take() {
            self.unsettled = Some(Instant::now() + Duration::from_secs(1));
            self.finish(done);
        }
        self.reap();
        if self.workers.count() == 0 {
            self.strangers = HashMap::new();
        }
        self.rest();
    }

    fn take_signals(&mut self) {
        let mut children = false;
        while let Ok(Some(info)) = self.signals.read_signal() {
            match i32::try_from(info.ssi_signo) {
                Ok(libc::SIGCHLD) => children = true,
                _ => self.ending = true,
            }
        }
        if children {
            self.reap();
            self.rest();
        }
    }

    /// Gives memory back when there is nothing to do for a while.
    fn rest(&mut self) {
        self.later(REST, Timer::Trim);
    }

    /// Tells what is left to tell, and leaves nothing behind.
    fn end(&mut self) {
        let _ = fs::remove_file(&self.identity.socket);
        for (_, mut connection) in std::mem::take(&mut self.connections) {
            let _ = connection.finish();
        }
        // Only the daemon's answers are of interest now.
        self.poll.forget(&self.listener);
        self.poll.forget(&self.signals);
        self.poll.forget(self.workers.wake());
        for pump in self.copies.values() {
            self.poll.forget(pump.copy.source());
        }
        self.timers.clear();
        let end = Instant::now() + LAST_WORDS;
        while !self.publisher.is_idle() && Instant::now() < end {
            let time = self.patience().unwrap_or(LAST_WORDS).min(LAST_WORDS);
            let Ok(ready) = self.poll.wait(Some(time)) else { return };
            if ready.contains(&Source::Publisher) {
                self.hear_daemon();
            }
            let change = self.publisher.on_time();
            self.after_publishing(change);
        }
    }
}
