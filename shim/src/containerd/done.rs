//! What other threads have done.

use crate::{
    connection::ReplyTo,
    container::Operation,
    error::Result,
    making::{Made, Making},
};
use corten_ttrpc::types::Mount;

/// Work that is done.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) id: String,
    pub(crate) to: ReplyTo,
    pub(crate) outcome: Outcome,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Created(Asked, Result<Made>),
    ExecStarted(String, Result<Made>),
    Operated(Operation, Result<()>),
    Restored(Result<Made>),
    Killed(Result<()>),
    /// What a first process had left is gone.
    Swept(Result<()>),
}

/// What a `Create` is told about by its event.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) rootfs: Vec<Mount>,
    pub(crate) checkpoint: String,
    /// What restores the container when it is started.
    pub(crate) restore: Option<Box<Making>>,
}
