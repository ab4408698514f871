//! `Exec`, and `Start` of what it describes.

use crate::{
    connection::ReplyTo,
    container::{Phase, Process},
    done::Outcome,
    error::{Error, Result},
    making::Made,
    server::Server,
    streams::{self, Owner, Streams},
};
use corten_ttrpc::{
    Code,
    events::{TaskExecAdded, TaskExecStarted, TaskIo},
    task::{ExecProcessRequest, StartResponse, WaitResponse},
};
use runtime_core::{Console, Container, ProcessBuilder, parse_process};
use std::path::{Path, PathBuf};

impl Server {
    pub(super) fn exec(&mut self, to: ReplyTo, request: ExecProcessRequest) -> Result<()> {
        let ExecProcessRequest { id, exec_id, terminal, stdin, stdout, stderr, spec } = request;
        let container = self.container(&id)?;
        if exec_id.is_empty() {
            return Err(Error::new(Code::InvalidArgument, "exec: an id is wanted"));
        }
        if container.execs.contains_key(&exec_id) {
            return Err(Error::new(Code::AlreadyExists, format!("id {exec_id}: already exists")));
        }
        if container.is_over() {
            return Err(Error::unknown("cannot exec in a stopped state"));
        }
        if container.paused {
            return Err(Error::unknown("cannot exec in a paused state"));
        }
        let spec = spec.map(|any| any.value).unwrap_or_default();
        parse_process(&spec, Path::new("exec"))?;
        let io = TaskIo { stdin, stdout, stderr, terminal };
        container.execs.insert(exec_id.clone(), Process { io, spec, ..Process::default() });
        self.publish(&TaskExecAdded { container_id: id, exec_id });
        self.done(to, Ok(()));
        Ok(())
    }

    pub(super) fn start_exec(&mut self, to: ReplyTo, id: &str, exec: &str) -> Result<()> {
        let namespace = self.identity.namespace.clone();
        let over = self.container(id)?.is_over();
        let process = self.process(id, exec)?;
        match process.phase {
            _ if over => {
                let why = format!("container {id}: its init process is not running");
                return Err(Error::new(Code::FailedPrecondition, why));
            }
            Phase::Created => {}
            Phase::Failed => return Err(Error::unknown(format!("process {exec}: its start has failed"))),
            Phase::Starting | Phase::Running => {
                return Err(Error::unknown("cannot start a running process"));
            }
            Phase::Stopped => return Err(Error::unknown("cannot start a stopped process")),
        }
        process.phase = Phase::Starting;
        let (io, spec) = (process.io.clone(), std::mem::take(&mut process.spec));
        let container = self.container(id)?;
        let starting = Starting {
            id: id.to_owned(),
            root: container.root.clone(),
            ids: container.io_owner,
            namespace,
            io,
            spec,
        };
        let name = exec.to_owned();
        let begun = self.work(id, to, move || Outcome::ExecStarted(name, starting.start()));
        if begun.is_err()
            && let Ok(process) = self.process(id, exec)
        {
            process.phase = Phase::Failed;
        }
        begun
    }

    pub(super) fn exec_started(&mut self, id: &str, exec: &str, to: ReplyTo, result: Result<Made>) {
        let Ok(process) = self.process(id, exec) else {
            // Deleted meanwhile, with its container; the process dies with that.
            return self.answer(to, Err(Error::not_found(format!("container {id}: process {exec}"))));
        };
        match result {
            Ok(made) => {
                process.phase = Phase::Running;
                process.pid = made.pid;
                self.attach(id, Some(exec), made.streams);
                self.publish(&TaskExecStarted {
                    container_id: id.to_owned(),
                    exec_id: exec.to_owned(),
                    pid: made.pid,
                });
                self.reply(to, &StartResponse { pid: made.pid });
                self.ended_already(made.pid);
            }
            Err(error) => {
                process.phase = Phase::Failed;
                for waiter in std::mem::take(&mut process.waiters) {
                    self.reply(waiter, &WaitResponse::default());
                }
                self.answer(to, Err(error));
                self.release_if_alone(id);
            }
        }
    }
}

/// All that an exec is started from.
struct Starting {
    id: String,
    root: PathBuf,
    namespace: String,
    ids: (u32, u32),
    io: TaskIo,
    spec: Vec<u8>,
}

impl Starting {
    fn start(self) -> Result<Made> {
        let runtime = Container::load(&self.root, &self.id)?;
        let mut process = parse_process(&self.spec, Path::new("exec"))?;
        process.terminal = self.io.terminal;
        let owner = Owner { id: &self.id, namespace: &self.namespace, ids: self.ids };
        let mut builder = ProcessBuilder::new(process);
        let mut streams = Streams::default();
        if self.io.terminal {
            builder = builder.console(Console::Return);
        } else {
            let ([stdin, stdout, stderr], opened) = streams::open(&self.io, &owner)?;
            builder = builder.stdio(stdin, stdout, stderr);
            streams = opened;
        }
        let failed = |error| Error::from(error).context("OCI runtime exec failed");
        let mut started = runtime.exec(builder).map_err(failed)?;
        if let Some(master) = started.take_terminal() {
            streams = match streams::open_terminal(&self.io, &owner, master) {
                Ok(streams) => streams,
                Err(error) => {
                    let _ = started.kill(runtime_core::Signal::KILL);
                    return Err(error);
                }
            };
        }
        Ok(Made { pid: started.pid().unsigned_abs(), streams, ..Made::default() })
    }
}
