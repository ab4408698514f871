//! `Start` of a container, `Pause`, `Resume`, `Update`, `Checkpoint` and its deletion: one after the other for each
//! container, beside those of all others.

use super::work::Outcome;
use crate::{
    connection::ReplyTo,
    container::{Container, Operation, Phase},
    error::{Error, Result},
    rootfs,
    server::Server,
};
use corten_ttrpc::{
    Code,
    events::{TaskCheckpointed, TaskPaused, TaskResumed, TaskStart},
    task::{StartRequest, StartResponse},
};
use runtime_core::{Container as Runtime, ErrorKind, load_resources};
use std::path::Path;

impl Server {
    pub(super) fn start(&mut self, to: ReplyTo, request: &StartRequest) -> Result<()> {
        match request.exec_id.as_str() {
            "" => self.operate(to, &request.id, Operation::Start),
            exec => self.start_exec(to, &request.id, exec),
        }
    }

    /// Does `operation` when those before it are done.
    pub(super) fn operate(&mut self, to: ReplyTo, id: &str, operation: Operation) -> Result<()> {
        let container = self.container(id)?;
        if container.busy {
            container.queue.push_back((operation, to));
            return Ok(());
        }
        self.begin(to, id, operation)
    }

    fn begin(&mut self, to: ReplyTo, id: &str, operation: Operation) -> Result<()> {
        let container = self.container(id)?;
        allowed(&operation, container)?;
        if matches!(operation, Operation::Start) {
            container.init.phase = Phase::Starting;
        }
        container.busy = true;
        let (root, name, bundle) = (container.root.clone(), id.to_owned(), container.bundle.clone());
        let begun = self.work(id, to, move || {
            let result = carry_out(&operation, &root, &name, &bundle);
            Outcome::Operated(operation, result)
        });
        if begun.is_err()
            && let Ok(container) = self.container(id)
        {
            container.busy = false;
            if container.init.phase == Phase::Starting {
                container.init.phase = Phase::Created;
            }
        }
        begun
    }

    pub(super) fn operated(&mut self, id: &str, operation: &Operation, to: ReplyTo, result: Result<()>) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.busy = false;
        match operation {
            Operation::Start => self.started(id, to, result),
            Operation::Delete => self.deleted(id, to, result),
            Operation::Pause => {
                if result.is_ok() {
                    container.paused = true;
                    self.publish(&TaskPaused { container_id: id.to_owned() });
                }
                self.done(to, result);
            }
            Operation::Resume => {
                if result.is_ok() {
                    container.paused = false;
                    self.publish(&TaskResumed { container_id: id.to_owned() });
                }
                self.done(to, result);
            }
            Operation::Checkpoint(request) => {
                if result.is_ok() {
                    let (container_id, checkpoint) = (id.to_owned(), request.path.clone());
                    self.publish(&TaskCheckpointed { container_id, checkpoint });
                }
                self.done(to, result);
            }
            Operation::Update(_) => self.done(to, result),
        }
        self.go_on(id);
    }

    /// Begins what waits for its turn.
    pub(super) fn go_on(&mut self, id: &str) {
        while let Ok(container) = self.container(id)
            && !container.busy
            && let Some((operation, to)) = container.queue.pop_front()
        {
            if let Err(error) = self.begin(to, id, operation) {
                self.answer(to, Err(error));
            }
        }
    }

    fn started(&mut self, id: &str, to: ReplyTo, result: Result<()>) {
        let Ok(container) = self.container(id) else { return };
        let pid = container.init.pid;
        match result {
            Ok(()) => {
                container.init.phase = Phase::Running;
                self.publish(&TaskStart { container_id: id.to_owned(), pid });
                self.reply(to, &StartResponse { pid });
            }
            Err(error) => {
                // Its process ends, or has ended; that is told as any other end.
                container.init.phase = Phase::Created;
                self.answer(to, Err(error.context("OCI runtime start failed")));
            }
        }
        self.tell_early_end(id, None);
    }
}

/// Whether the state of the container allows the operation.
fn allowed(operation: &Operation, container: &Container) -> Result<()> {
    let state = match container.init.phase {
        _ if container.is_over() => "stopped",
        Phase::Created | Phase::Starting | Phase::Failed => "created",
        Phase::Running if container.paused => "paused",
        Phase::Running => "running",
        Phase::Stopped => "stopped",
    };
    let may = match operation {
        Operation::Start => state == "created",
        Operation::Pause => state == "running",
        Operation::Resume => state == "paused",
        Operation::Update(_) => state != "stopped",
        Operation::Checkpoint(_) => matches!(state, "running" | "paused"),
        Operation::Delete => matches!(state, "created" | "stopped"),
    };
    let what = match operation {
        Operation::Start => "start",
        Operation::Pause => "pause",
        Operation::Resume => "resume",
        Operation::Update(_) => "update",
        Operation::Checkpoint(_) => "checkpoint",
        Operation::Delete => "delete",
    };
    match may {
        true => Ok(()),
        false => Err(Error::unknown(format!("cannot {what} a {state} process"))),
    }
}

fn carry_out(operation: &Operation, root: &Path, id: &str, bundle: &Path) -> Result<()> {
    let load = || Runtime::load(root, id);
    match operation {
        Operation::Start => Ok(load()?.start()?),
        Operation::Pause => Ok(load()?.pause()?),
        Operation::Resume => Ok(load()?.resume()?),
        Operation::Update(resources) => {
            let resources =
                load_resources(resources, Path::new("resources")).map_err(runtime_core::Error::from)?;
            Ok(load()?.update(&resources)?)
        }
        Operation::Checkpoint(_) => Err(Error::new(Code::Unimplemented, "checkpoint: not supported")),
        Operation::Delete => {
            match load().and_then(|runtime| runtime.delete(false)) {
                // Somebody else has removed it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                other => other?,
            }
            rootfs::unmount_all(&bundle.join("rootfs"))
        }
    }
}
