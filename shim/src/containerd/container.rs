//! What is known of a container and its processes between calls. The runtime's own state is on disk and loaded when it is
//! needed: a container at rest costs little here.

use crate::{connection::ReplyTo, error::Result, making::Making, oom::OomWatch};
use corten_ttrpc::{
    events::TaskIo,
    types::{Status, Timestamp},
};
use runtime_core::Container as Runtime;
use std::{
    collections::{BTreeMap, VecDeque},
    os::fd::OwnedFd,
    path::PathBuf,
};

/// What is to be done with a container, one after the other.
#[derive(Debug)]
pub(crate) enum Operation {
    Start,
    Pause,
    Resume,
    /// `linux.resources`, in JSON.
    Update(Vec<u8>),
    Checkpoint(Box<corten_ttrpc::task::CheckpointTaskRequest>),
    Delete,
}

/// How far a process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Made, or described, and not started.
    #[default]
    Created,
    /// A start is under way.
    Starting,
    /// Started.
    Running,
    /// Ended.
    Stopped,
    /// Its start failed.
    Failed,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Its exit status; 128 and the signal when one ended it.
    pub(crate) status: u32,
    /// When.
    pub(crate) at: Timestamp,
}

/// A process: the container's first, or one of an exec.
#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) phase: Phase,
    /// 0 where there is none yet.
    pub(crate) pid: u32,
    pub(crate) exit: Option<Exit>,
    /// An end that came before the start was known to have succeeded.
    pub(crate) early: Option<Exit>,
    pub(crate) io: TaskIo,
    /// Its copies, by number.
    pub(crate) copies: Vec<u32>,
    /// Keeps the FIFO of standard input from ending.
    pub(crate) stdin_writer: Option<OwnedFd>,
    pub(crate) terminal: Option<OwnedFd>,
    pub(crate) logger: Option<u32>,
    /// `CloseIO` came before the streams were open.
    pub(crate) stdin_closed: bool,
    /// A size that was set before there was a terminal.
    pub(crate) size: Option<(u16, u16)>,
    /// Who waits for its end.
    pub(crate) waiters: Vec<ReplyTo>,
    /// Of an exec: who waits for the streams to be drained, to be told that it is deleted.
    pub(crate) deleting: Option<ReplyTo>,
    /// Of an exec: the specification's `process`, in JSON.
    pub(crate) spec: Vec<u8>,
}

impl Process {
    /// Whether it has been started and has not ended.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Starting)
    }

    /// What `State` tells.
    pub(crate) fn status(&self, paused: bool) -> Status {
        match self.phase {
            Phase::Created | Phase::Starting | Phase::Failed => Status::Created,
            Phase::Running if paused => Status::Paused,
            Phase::Running => Status::Running,
            Phase::Stopped => Status::Stopped,
        }
    }
}

/// A container.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) bundle: PathBuf,
    /// Where the runtime keeps its state.
    pub(crate) root: PathBuf,
    /// The owner and group of the pipes of its processes.
    pub(crate) io_owner: (u32, u32),
    /// Not made yet: nobody knows of it.
    pub(crate) creating: bool,
    /// The end of its first process ends all.
    pub(crate) ends_with_first: bool,
    pub(crate) paused: bool,
    pub(crate) init: Process,
    /// The end of the first process, held back until running execs have ended.
    pub(crate) held: Option<Exit>,
    /// What the first process has left is being killed.
    pub(crate) sweeping: bool,
    pub(crate) execs: BTreeMap<String, Process>,
    /// An operation is under way.
    pub(crate) busy: bool,
    /// What is to be done next.
    pub(crate) queue: VecDeque<(Operation, ReplyTo)>,
    /// Who waits for the streams to be drained, to be deleted then.
    pub(crate) draining: Option<ReplyTo>,
    pub(crate) oom: Option<OomWatch>,
    /// What restores it from a checkpoint when it is started.
    pub(crate) restore: Option<Box<Making>>,
    /// The kernel has killed processes of it.
    pub(crate) oom_killed: bool,
}

impl Container {
    /// A container that is about to be made.
    pub(crate) fn new(id: String, bundle: PathBuf) -> Self {
        Self {
            id,
            bundle,
            root: PathBuf::new(),
            io_owner: (0, 0),
            creating: true,
            ends_with_first: true,
            paused: false,
            init: Process::default(),
            held: None,
            sweeping: false,
            execs: BTreeMap::new(),
            busy: true,
            queue: VecDeque::new(),
            draining: None,
            oom: None,
            restore: None,
            oom_killed: false,
        }
    }

    /// The container as the runtime has it.
    pub(crate) fn runtime(&self) -> Result<Runtime> {
        Ok(Runtime::load(&self.root, &self.id)?)
    }

    /// Whether its first process has ended, known or held back.
    pub(crate) fn is_over(&self) -> bool {
        self.held.is_some() || self.init.phase == Phase::Stopped
    }

    /// How many execs run or are being started.
    pub(crate) fn running_execs(&self) -> usize {
        self.execs.values().filter(|exec| exec.is_running()).count()
    }
}
