//! Reports of the init program in words: the place in config.json, what was done, and what the kernel answered.

use crate::{
    Error, ErrorKind,
    hooks::{self, Kind},
    plan::{self, Place, Program},
    spec::Spec,
};
use corten_init::{arch, message::Message, step::Step};
use nix::errno::Errno;
use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt, path::Path};

/// A failure of a step of `program`.
pub(crate) fn planned(message: &Message, program: &Program, spec: Option<&Spec>) -> Error {
    let place = program.place(message.step).unwrap_or(Place::Property("process"));
    let step = program.find(message.step);
    match (step, place) {
        (Some(Step::Hook { index, .. }), Place::Item(list, _)) => hook(message, list, index),
        (Some(Step::FindProgram { .. } | Step::Execute { .. }), _) => executable(message),
        (step, place) => ordinary(message, step, &place.describe(spec)),
    }
}

/// A failure of a container that another process made, at its start: the plan is not at hand.
pub(crate) fn at_start(message: &Message) -> Error {
    match call(message) {
        "EXECVE" | "FACCESSAT2" | "OPENAT" => executable(message),
        "CLONE3" | "WAITID" | "PPOLL" => hook(message, Kind::StartContainer.place(), 0),
        "SECCOMP" => ordinary(message, None, "linux.seccomp"),
        _ => ordinary(message, None, "process"),
    }
}

fn call(message: &Message) -> &'static str {
    match message.call {
        0 => "", // read(2) has number 0 on x86_64 and is never reported
        number => usize::try_from(number).map_or("", arch::name),
    }
}

fn answer(message: &Message) -> io::Error {
    io::Error::from_raw_os_error(message.errno)
}

fn said(message: &Message) -> String {
    String::from_utf8_lossy(message.text()).trim().to_owned()
}

fn hook(message: &Message, list: &str, index: u32) -> Error {
    let path = said(message);
    let why = match (message.errno, message.value) {
        (libc::ETIME, _) => format!("{path}: timed out"),
        (0, code) if code > 0 => format!("{path}: exit status {code}"),
        (0, signal) => format!("{path}: killed by signal {}", signal.abs()),
        // It did not come to run: no process more is allowed, say.
        _ => format!("{path}: {}: {}", call(message).to_lowercase(), Errno::from_raw(message.errno).desc()),
    };
    let kind = Kind::of_place(list).unwrap_or(Kind::CreateContainer);
    hooks::failure(kind, usize::try_from(index).unwrap_or(0), &why)
}

/// The words that engines look for to tell exit status 127 from 126.
fn executable(message: &Message) -> Error {
    let name = said(message);
    let searched = message.value == 1;
    let why = match message.errno {
        libc::ENOENT if searched => format!("exec: {name:?}: executable file not found in $PATH"),
        libc::ENOENT => format!("exec: {name:?}: stat {name}: no such file or directory"),
        libc::EACCES => format!("exec: {name:?}: permission denied"),
        errno => format!("exec: {name:?}: {}", Errno::from_raw(errno).desc().to_lowercase()),
    };
    Error::new(ErrorKind::Exec, format!("process.args: unable to start container process: {why}"))
}

fn ordinary(message: &Message, step: Option<Step<'_>>, place: &str) -> Error {
    let call = call(message).to_lowercase();
    if message.errno == libc::EPROTO {
        return Error::new(ErrorKind::Io, format!("{place}: the init program could not read its plan"));
    }
    let mut words = place.to_owned();
    if let Some(step) = step {
        words.push_str(&object(&step, &call));
    }
    if !call.is_empty() {
        words.push_str(": ");
        words.push_str(&call);
    }
    let log = said(message);
    if !log.is_empty() {
        words.push_str(": ");
        words.push_str(&log);
    }
    if let Some(hint) = step.and_then(|step| hint(message, &step)) {
        words.push_str(": ");
        words.push_str(hint);
    }
    Error::io(words, answer(message))
}

/// What a step works on, where its place does not tell.
fn object(step: &Step<'_>, call: &str) -> String {
    let text = |text: &corten_init::wire::Text<'_>| plan::shown(Path::new(OsStr::from_bytes(text.0)));
    match step {
        Step::Bind { path, .. } if call.starts_with("open_tree") => format!(": {}", text(path)),
        Step::Clone { path, .. }
        | Step::CloneWith { path, .. }
        | Step::Root { path, .. }
        | Step::WorkingDirectory { path, .. } => format!(": {}", text(path)),
        Step::Device { target, .. }
        | Step::Symlink { target, .. }
        | Step::MaskedPath { target, .. }
        | Step::ReadOnlyPath { target, .. } => format!(": {}", text(target)),
        Step::ReopenNull { .. } => ": /dev/null".to_owned(),
        Step::Sysctl { path, value } => format!(": {} = {:?}", text(path), text(value)),
        Step::Rlimit { soft, hard, .. } => format!(": soft {soft}, hard {hard}"),
        _ => String::new(),
    }
}

/// What a bare errno does not say.
fn hint(message: &Message, step: &Step<'_>) -> Option<&'static str> {
    match (step, message.errno) {
        (Step::Attach { strictness: 2, .. }, libc::ELOOP | libc::ENOTDIR) => {
            Some("must be mounted on ordinary directory")
        }
        (Step::Device { .. }, libc::EEXIST) => Some("what is there is not this device"),
        (Step::ReopenNull { .. }, libc::ELOOP) => Some("no symlink may lead to it"),
        (Step::WorkingDirectory { .. }, libc::ELOOP) => Some("must not lead out of the container"),
        (Step::Rlimit { .. }, libc::EPERM) => Some("raising a hard limit needs CAP_SYS_RESOURCE"),
        (Step::Listen { .. }, libc::EAGAIN) => {
            Some("SCMP_ACT_NOTIFY needs a second thread for a moment, which a limit forbids")
        }
        (Step::Terminal { .. }, libc::ENOENT | libc::EINVAL) => Some("a terminal needs a devpts at /dev/pts"),
        _ => None,
    }
}
