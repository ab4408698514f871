//! What is asked about processes, and what is done to them at once: `State`, `Wait`, `Pids`, `Kill`, `ResizePty`,
//! `CloseIO`, `Connect`.

use crate::{
    connection::ReplyTo,
    container::{Container, Phase},
    done::Outcome,
    error::{Error, Result},
    server::Server,
    sys,
};
use corten_ttrpc::{
    Code,
    options::{PROCESS_DETAILS, ProcessDetails},
    task::{
        CloseIoRequest, ConnectRequest, ConnectResponse, KillRequest, PidsRequest, PidsResponse,
        ResizePtyRequest, StateRequest, StateResponse, WaitRequest, WaitResponse,
    },
    types::{Any, ProcessInfo},
};
use runtime_core::{Container as Runtime, ErrorKind, Signal};
use std::path::Path;

impl Server {
    pub(super) fn state(&mut self, to: ReplyTo, request: &StateRequest) -> Result<()> {
        let StateRequest { id, exec_id } = request;
        let container = self.container(id)?;
        let (bundle, paused) = (container.bundle.display().to_string(), container.paused);
        let process = self.process(id, exec_id)?;
        let io = process.io.clone();
        let response = StateResponse {
            id: if exec_id.is_empty() { id.clone() } else { exec_id.clone() },
            bundle,
            pid: process.pid,
            status: process.status(paused).into(),
            stdin: io.stdin,
            stdout: io.stdout,
            stderr: io.stderr,
            terminal: io.terminal,
            exit_status: process.exit.map_or(0, |exit| exit.status),
            exited_at: process.exit.map(|exit| exit.at),
            exec_id: exec_id.clone(),
        };
        self.reply(to, &response);
        Ok(())
    }

    pub(super) fn wait(&mut self, to: ReplyTo, request: &WaitRequest) -> Result<()> {
        let process = self.process(&request.id, &request.exec_id)?;
        let response = match (process.phase, process.exit) {
            (Phase::Failed, _) => WaitResponse::default(),
            (_, Some(exit)) => WaitResponse { exit_status: exit.status, exited_at: Some(exit.at) },
            (_, None) => {
                process.waiters.push(to);
                return Ok(());
            }
        };
        self.reply(to, &response);
        Ok(())
    }

    pub(super) fn pids(&mut self, to: ReplyTo, request: &PidsRequest) -> Result<()> {
        let container = self.container(&request.id)?;
        let mut pids = container.runtime()?.pids()?;
        // A daemon from 1.7 on that is started again ends a shim whose answer is empty, and its exit status is lost.
        if pids.is_empty() && container.is_over() {
            pids.extend(i32::try_from(container.init.pid));
        }
        let processes = pids.into_iter().map(|pid| process_info(container, pid.unsigned_abs())).collect();
        self.reply(to, &PidsResponse { processes });
        Ok(())
    }

    pub(super) fn kill(&mut self, to: ReplyTo, request: &KillRequest) -> Result<()> {
        let number = i32::try_from(request.signal).unwrap_or(-1);
        match request.exec_id.as_str() {
            "" => return self.kill_container(to, &request.id, number, request.all),
            exec => {
                let process = self.process(&request.id, exec)?;
                match process.phase {
                    Phase::Running => kill_process(process.pid, number)?,
                    Phase::Stopped => return Err(finished()),
                    Phase::Created | Phase::Starting | Phase::Failed => {
                        return Err(Error::new(Code::FailedPrecondition, "process not created"));
                    }
                }
            }
        }
        self.done(to, Ok(()));
        Ok(())
    }

    fn kill_container(&mut self, to: ReplyTo, id: &str, number: i32, all: bool) -> Result<()> {
        let container = self.container(id)?;
        let over = container.is_over() || container.init.early.is_some();
        if over && !all {
            return Err(finished());
        }
        if number == 0 {
            // It asks whether the process is there.
            self.done(to, Ok(()));
            return Ok(());
        }
        let signal = Signal::from_raw(number);
        let signal = signal.ok_or_else(|| Error::unknown(format!("unknown signal {number}")))?;
        // All are held still meanwhile, or waited for until they are dead; what is frozen is thawed. That may take its time.
        let quick = !all && !container.paused && (signal != Signal::KILL || container.ends_with_first);
        let (root, name) = (container.root.clone(), id.to_owned());
        if quick {
            signal_container(&root, &name, signal, all)?;
            self.done(to, Ok(()));
            return Ok(());
        }
        self.work(id, to, move || Outcome::Killed(signal_container(&root, &name, signal, all)))
    }

    pub(super) fn resize_pty(&mut self, to: ReplyTo, request: &ResizePtyRequest) -> Result<()> {
        let process = self.process(&request.id, &request.exec_id)?;
        let cells = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        let (columns, rows) = (cells(request.width), cells(request.height));
        match &process.terminal {
            Some(terminal) => {
                sys::resize(terminal, columns, rows)
                    .map_err(|error| Error::io("resize the terminal", error))?;
            }
            None => process.size = Some((columns, rows)),
        }
        self.done(to, Ok(()));
        Ok(())
    }

    pub(super) fn close_io(&mut self, to: ReplyTo, request: &CloseIoRequest) -> Result<()> {
        let process = self.process(&request.id, &request.exec_id)?;
        if request.stdin {
            process.stdin_writer = None;
            process.stdin_closed = true;
        }
        self.done(to, Ok(()));
        Ok(())
    }

    pub(super) fn connect(&mut self, to: ReplyTo, request: &ConnectRequest) -> Result<()> {
        let task_pid = self.container(&request.id).map_or(0, |container| container.init.pid);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.reply(to, &ConnectResponse { shim_pid: std::process::id(), task_pid, version });
        Ok(())
    }
}

fn process_info(container: &Container, pid: u32) -> ProcessInfo {
    let exec = container.execs.iter().find(|(_, process)| process.pid == pid && process.exit.is_none());
    let details = exec.map(|(exec, _)| ProcessDetails { exec_id: exec.clone() });
    ProcessInfo { pid, info: details.map(|details| Any::new(PROCESS_DETAILS, &details)) }
}

/// Signals the first process, or all. The runtime proves that the number still stands for the process.
fn signal_container(root: &Path, id: &str, signal: Signal, all: bool) -> Result<()> {
    let runtime = Runtime::load(root, id)?;
    let sent = if all { runtime.kill_all(signal) } else { runtime.kill(signal) };
    sent.map_err(|error| match error.kind() {
        ErrorKind::InvalidState => finished(),
        _ => error.into(),
    })
}

fn finished() -> Error {
    Error::not_found("process already finished")
}

/// Signals a child that has not been reaped: its number stands for it.
fn kill_process(pid: u32, number: i32) -> Result<()> {
    if number != 0 && Signal::from_raw(number).is_none() {
        return Err(Error::unknown(format!("unknown signal {number}")));
    }
    let pid = i32::try_from(pid).unwrap_or(0);
    sys::kill(pid, number).map_err(|error| match error.raw_os_error() {
        Some(libc::ESRCH) => finished(),
        _ => Error::io(format!("send signal {number} to process {pid}"), error),
    })
}
