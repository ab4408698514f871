//! The agent that answers a filter's notifications: config-linux.md, "Seccomp", `listenerPath` and "The Container Process
//! State".
//!
//! The listener exists once the filter is in, and the filter goes in as late as can be: at the start. That somebody is
//! there to take it is found out at create, without a connection to the agent: it gets one for each container process state.

use super::{State, Status, record::Record};
use crate::{
    Error, ErrorKind, Result, annotations,
    fs::socket,
    seccomp::{self, Listener},
    spec::Spec,
};
use nix::sys::time::{TimeVal, TimeValLike};
use serde::Serialize;
use std::{os::fd::OwnedFd, path::PathBuf};

/// The version of the specification that the document below is of.
const VERSION: &str = "1.3.0";
/// The name that the specification gives to the descriptor.
const DESCRIPTOR: &str = "seccompFd";
/// How long an agent may take to take the state.
const SECONDS: i64 = 10;

/// The document that the agent gets.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessState<'a> {
    oci_version: &'a str,
    fds: [&'a str; 1],
    pid: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a str>,
    state: State,
}

/// What annotations add to the seccomp profile of `spec`.
pub(super) fn options(spec: &Spec) -> seccomp::Options {
    seccomp::Options {
        fail_unknown_syscall: annotations::fails_unknown_syscalls(spec),
        receiver: annotations::find(spec, annotations::SECCOMP_RECEIVER).map(PathBuf::from),
    }
}

/// Refuses a filter whose agent is not there.
pub(super) fn check(record: &Record, listener: Option<&Listener>) -> Result<()> {
    let Some(listener) = listener else { return Ok(()) };
    let path = record.bundle.join(&listener.path);
    socket::is_served(&path).map_err(|error| failed(listener, "find its agent", error))
}

/// Sends `descriptor`, the listener of the process `pid` of the container of `record`, to the agent that `spec` names.
pub(super) fn send(
    record: &Record,
    spec: &Spec,
    status: Status,
    pid: i32,
    descriptor: Option<OwnedFd>,
) -> Result<()> {
    let profile = spec.linux.as_ref().and_then(|linux| linux.seccomp.as_ref());
    let listener = profile.map(|profile| seccomp::listener(profile, &options(spec))).transpose()?.flatten();
    let (Some(listener), Some(descriptor)) = (listener, descriptor) else {
        return Err(Error::new(ErrorKind::Io, "linux.seccomp: the listener came without a descriptor"));
    };
    let document = ProcessState {
        oci_version: VERSION,
        fds: [DESCRIPTOR],
        pid,
        metadata: listener.metadata.as_deref(),
        state: record.state(status),
    };
    let bytes = serde_json::to_vec(&document).map_err(|error| Error::io("encode the state", error))?;
    let path = record.bundle.join(&listener.path);
    socket::deliver(&path, &bytes, &descriptor, TimeVal::seconds(SECONDS))
        .map_err(|error| failed(&listener, "send the container process state", error))
}

fn failed(listener: &Listener, what: &str, error: std::io::Error) -> Error {
    Error::io(format!("linux.seccomp.listenerPath: {}: {what}", listener.path.display()), error)
}
