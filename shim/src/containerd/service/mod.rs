//! The task service: each call of `containerd.task.v2.Task` and `.v3.Task` in every state.

mod create;
mod delete;
mod exec;
mod operate;
mod query;
mod stats;
mod stats_v1;
mod stats_v2;
mod work;

use crate::{
    connection::ReplyTo,
    container::{Container, Operation, Process},
    error::{Error, Result},
    server::Server,
};
use corten_ttrpc::{
    Code, Message, Request,
    task::{
        CheckpointTaskRequest, CloseIoRequest, ConnectRequest, CreateTaskRequest, DeleteRequest,
        ExecProcessRequest, KillRequest, PauseRequest, PidsRequest, ResizePtyRequest, ResumeRequest,
        SERVICE_V2, SERVICE_V3, ShutdownRequest, StartRequest, StateRequest, StatsRequest, UpdateTaskRequest,
        WaitRequest,
    },
};

/// A request's own message.
fn decode<M: Message + Default>(request: &Request) -> Result<M> {
    M::decode(request.payload.as_slice()).map_err(|error| {
        Error::new(Code::InvalidArgument, format!("{}: the request cannot be read: {error}", request.method))
    })
}

impl Server {
    /// Carries out a call, now or as soon as it may be.
    pub(crate) fn call(&mut self, to: ReplyTo, request: &Request) {
        if let Err(error) = self.dispatch(to, request) {
            self.answer(to, Err(error));
        }
    }

    fn dispatch(&mut self, to: ReplyTo, request: &Request) -> Result<()> {
        if ![SERVICE_V2, SERVICE_V3].contains(&request.service.as_str()) {
            return Err(Error::new(Code::Unimplemented, format!("service {}", request.service)));
        }
        match request.method.as_str() {
            "State" => self.state(to, &decode::<StateRequest>(request)?),
            "Create" => self.create(to, decode::<CreateTaskRequest>(request)?),
            "Start" => self.start(to, &decode::<StartRequest>(request)?),
            "Delete" => self.delete(to, &decode::<DeleteRequest>(request)?),
            "Pids" => self.pids(to, &decode::<PidsRequest>(request)?),
            "Pause" => self.operate(to, &decode::<PauseRequest>(request)?.id, Operation::Pause),
            "Resume" => self.operate(to, &decode::<ResumeRequest>(request)?.id, Operation::Resume),
            "Checkpoint" => {
                let request: CheckpointTaskRequest = decode(request)?;
                self.operate(to, &request.id.clone(), Operation::Checkpoint(Box::new(request)))
            }
            "Kill" => self.kill(to, &decode::<KillRequest>(request)?),
            "Exec" => self.exec(to, decode::<ExecProcessRequest>(request)?),
            "ResizePty" => self.resize_pty(to, &decode::<ResizePtyRequest>(request)?),
            "CloseIO" => self.close_io(to, &decode::<CloseIoRequest>(request)?),
            "Update" => {
                let request: UpdateTaskRequest = decode(request)?;
                let resources = request.resources.map(|any| any.value).unwrap_or_default();
                self.operate(to, &request.id, Operation::Update(resources))
            }
            "Wait" => self.wait(to, &decode::<WaitRequest>(request)?),
            "Stats" => self.stats(to, &decode::<StatsRequest>(request)?),
            "Connect" => self.connect(to, &decode::<ConnectRequest>(request)?),
            "Shutdown" => self.shutdown(to, &decode::<ShutdownRequest>(request)?),
            method => Err(Error::new(Code::Unimplemented, format!("method {method} of {}", request.service))),
        }
    }

    /// A container that exists.
    fn container(&mut self, id: &str) -> Result<&mut Container> {
        let found = self.containers.get_mut(id).filter(|container| !container.creating);
        found.ok_or_else(|| Error::not_found(format!("container {id}: does not exist")))
    }

    /// A process that exists: the container's first where `exec` is empty.
    fn process(&mut self, id: &str, exec: &str) -> Result<&mut Process> {
        let container = self.container(id)?;
        if exec.is_empty() {
            return Ok(&mut container.init);
        }
        let missing = || Error::not_found(format!("container {id}: process {exec} does not exist"));
        container.execs.get_mut(exec).ok_or_else(missing)
    }

    fn shutdown(&mut self, to: ReplyTo, _: &ShutdownRequest) -> Result<()> {
        self.done(to, Ok(()));
        // With containers left the daemon means only one of a group.
        self.ending = self.containers.is_empty();
        Ok(())
    }
}
