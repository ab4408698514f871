//! `Delete`: forget a process, once all that it wrote has come through.

use crate::{
    connection::ReplyTo,
    container::{Exit, Operation, Phase, Process},
    error::{Error, Result},
    server::Server,
};
use corten_ttrpc::{
    events::TaskDelete,
    task::{DeleteRequest, DeleteResponse},
};

impl Server {
    pub(super) fn delete(&mut self, to: ReplyTo, request: &DeleteRequest) -> Result<()> {
        let DeleteRequest { id, exec_id } = request;
        if !exec_id.is_empty() {
            return self.delete_exec(to, id, exec_id);
        }
        let container = self.container(id)?;
        if container.init.phase == Phase::Running && !container.is_over() {
            return Err(Error::unknown("cannot delete a running process"));
        }
        if container.draining.is_some() {
            return Err(Error::unknown(format!("container {id}: it is being deleted already")));
        }
        container.draining = Some(to);
        self.delete_if_waited_for(id);
        Ok(())
    }

    /// Goes on with a deletion that waits, where nothing holds it up any more.
    pub(crate) fn delete_if_waited_for(&mut self, id: &str) {
        let Ok(container) = self.container(id) else { return };
        let Some(to) = container.draining else { return };
        // The end of a first process is told before that it is deleted.
        if container.held.is_some() || container.init.phase == Phase::Stopped && !self.is_drained(id, None) {
            return;
        }
        if let Err(error) = self.operate(to, id, Operation::Delete) {
            if let Ok(container) = self.container(id) {
                container.draining = None;
            }
            self.answer(to, Err(error));
        }
    }

    pub(super) fn deleted(&mut self, id: &str, to: ReplyTo, result: Result<()>) {
        if let Err(error) = result {
            if let Ok(container) = self.container(id) {
                container.draining = None;
            }
            return self.answer(to, Err(error));
        }
        // One that was never started is ended by its deletion.
        if let Ok(container) = self.container(id) {
            container.draining = None;
        }
        self.reap_first(id);
        let Some(mut container) = self.containers.remove(id) else { return };
        self.detach(&mut container.init);
        for exec in container.execs.values_mut() {
            self.detach(exec);
        }
        self.forget_oom(&mut container);
        let response = gone(&container.init);
        self.publish(&TaskDelete {
            container_id: id.to_owned(),
            pid: response.pid,
            exit_status: response.exit_status,
            exited_at: response.exited_at,
            id: String::new(),
        });
        self.reply(to, &response);
        for (_, waiting) in container.queue {
            self.answer(waiting, Err(Error::not_found(format!("container {id}"))));
        }
    }

    fn delete_exec(&mut self, to: ReplyTo, id: &str, exec: &str) -> Result<()> {
        let process = self.process(id, exec)?;
        if process.is_running() {
            return Err(Error::unknown("cannot delete a running process"));
        }
        if process.deleting.is_some() {
            return Err(Error::unknown(format!("process {exec}: it is being deleted already")));
        }
        process.deleting = Some(to);
        self.after_drain(id, Some(exec));
        Ok(())
    }

    /// All that a process wrote has come through, or is given up.
    pub(crate) fn after_drain(&mut self, id: &str, exec: Option<&str>) {
        let Some(exec) = exec else { return self.delete_if_waited_for(id) };
        let Some(to) = self.process(id, exec).ok().and_then(|process| process.deleting) else { return };
        if !self.is_drained(id, Some(exec)) {
            return;
        }
        let removed = self.container(id).ok().and_then(|container| container.execs.remove(exec));
        if let Some(mut process) = removed {
            self.detach(&mut process);
            self.reply(to, &gone(&process));
        }
    }
}

fn gone(process: &Process) -> DeleteResponse {
    let exit = process.exit.map(|Exit { status, at }| (status, at));
    let (exit_status, at) = exit.unzip();
    DeleteResponse { pid: process.pid, exit_status: exit_status.unwrap_or_default(), exited_at: at }
}
