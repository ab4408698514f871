//! Start: runtime.md, "Lifecycle" steps 7 to 9.

use super::{Container, Status, notify, record::Record, store::Store};
use crate::{
    Error, ErrorKind, Result,
    fs::socket,
    hooks::{self, Kind, Output},
    init::{Birth, Event, Sync, report},
    spec::Spec,
};
use corten_init::message;
use nix::sys::socket::SockType;

/// Starts a created container.
pub(super) fn start(container: &Container) -> Result<()> {
    let lock = container.store.lock()?;
    match container.status()? {
        Status::Created => {}
        Status::Stopped => return Err(invalid("cannot start a container that has stopped")),
        Status::Paused => return Err(invalid("cannot start a paused container")),
        Status::Running | Status::Creating => {
            return Err(invalid("cannot start an already running container"));
        }
    }
    let socket = socket::connect_to(&container.store.start_socket(), SockType::SeqPacket)
        .map_err(|error| Error::io(format!("start container {}: connect to it", container.id()), error))?;
    let sync = Sync::new(socket);
    sync.send(1)?;
    let result = execution(&sync, container);
    // A poststart hook may ask for what needs the lock itself.
    drop(lock);
    container.store.touch();
    match result.and_then(|()| run_poststart(&container.store, &container.record)) {
        Ok(()) => Ok(()),
        Err(error) => {
            // A container whose start failed is stopped: nothing of it may run on.
            let _ = container.record.cgroup.kill_all(libc::SIGKILL);
            Err(error)
        }
    }
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidState, message)
}

/// Waits until the init program has become the container's program.
fn execution(sync: &Sync, container: &Container) -> Result<()> {
    let record = &container.record;
    let mut announced = false;
    while let Some((message, descriptor)) = sync.receive()? {
        match message.kind() {
            Some(message::Kind::Listening) => {
                let pid = record.process.map_or(0, |process| process.pid);
                notify::send(record, &container.spec()?, Status::Created, pid, descriptor)?;
                sync.answer(message::Phase::Listener)?;
                announced = true;
            }
            Some(message::Kind::Executing) => announced = true,
            Some(message::Kind::Failed) => return Err(report::at_start(&message)),
            _ => {}
        }
    }
    if announced { Ok(()) } else { Err(died()) }
}

/// The same for a process of this one's making, in the container of `record`, which is in the state `status`.
pub(super) fn await_execution(birth: &mut Birth, spec: &Spec, record: &Record, status: Status) -> Result<()> {
    let mut announced = false;
    loop {
        let event = if announced { birth.next_or_executed(Some(spec)) } else { birth.next(Some(spec)) };
        match event? {
            Event::Executing => announced = true,
            Event::Listening => {
                let listener = birth.take_listener();
                notify::send(record, spec, status, birth.pid(), listener)?;
                birth.answer(message::Phase::Listener)?;
                announced = true;
            }
            Event::Closed if announced => return Ok(()),
            Event::Closed => return Err(died()),
            Event::Reached(_) | Event::Known => {}
        }
    }
}

fn died() -> Error {
    Error::new(ErrorKind::InvalidState, "the container's process ended before its program was executed")
}

/// Runs the poststart hooks. The specification demands that a failure stops the container.
pub(super) fn run_poststart(store: &Store, record: &Record) -> Result<()> {
    if Kind::Poststart.of(record.hooks.as_ref()).is_empty() {
        return Ok(());
    }
    let (status, _) = super::status::of(store, record)?;
    let state = record.state(status);
    let bytes = serde_json::to_vec(&state).map_err(|error| Error::io("encode the state", error))?;
    let output = Output::open(&record.annotations);
    let run = |output| hooks::run(Kind::Poststart, record.hooks.as_ref(), &bytes, &output);
    output.and_then(run).inspect_err(|_| {
        let _ = record.cgroup.kill_all(libc::SIGKILL);
        if let Some(process) = record.process {
            super::kill::signal_process(process, libc::SIGKILL).ok();
        }
    })
}
