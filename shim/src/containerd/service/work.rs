//! Work for other threads, and what follows from it.

use crate::{
    connection::ReplyTo,
    done::{Done, Outcome},
    error::Result,
    server::Server,
};

impl Server {
    /// Takes up what other threads have done.
    pub(crate) fn finish(&mut self, done: Done) {
        let Done { id, to, outcome } = done;
        match outcome {
            Outcome::Created(asked, result) => self.created(&id, to, asked, result),
            Outcome::ExecStarted(exec, result) => self.exec_started(&id, &exec, to, result),
            Outcome::Restored(result) => self.restored(&id, to, result),
            Outcome::Killed(result) => self.done(to, result),
            Outcome::Swept(result) => self.swept(&id, result),
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
