//! What is done on other threads, and what follows from it.

use super::create::{Asked, Made};
use crate::{connection::ReplyTo, container::Operation, error::Result, server::Server};

/// Work that is done.
#[derive(Debug)]
pub(crate) struct Done {
    pub(super) id: String,
    pub(super) to: ReplyTo,
    pub(super) outcome: Outcome,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    Created(Asked, Result<Made>),
    ExecStarted(String, Result<Made>),
    Operated(Operation, Result<()>),
    Restored(Result<Made>),
}

impl Server {
    /// Takes up what other threads have done.
    pub(crate) fn finish(&mut self, done: Done) {
        let Done { id, to, outcome } = done;
        match outcome {
            Outcome::Created(asked, result) => self.created(&id, to, asked, result),
            Outcome::ExecStarted(exec, result) => self.exec_started(&id, &exec, to, result),
            Outcome::Restored(result) => self.restored(&id, to, result),
            Outcome::Operated(operation, result) => self.operated(&id, &operation, to, result),
        }
    }

    /// Does work on another thread. Where there can be none, it has failed.
    pub(super) fn work(
        &mut self,
        id: &str,
        to: ReplyTo,
        work: impl FnOnce() -> Outcome + Send + 'static,
    ) -> Result<()> {
        let id = id.to_owned();
        self.workers.spawn(move || Done { id, to, outcome: work() })
    }
}
