//! What a shim tells the daemon unasked: `containerd.events.*`, sent in an [`Envelope`] by
//! `containerd.services.events.ttrpc.v1.Events.Forward` to the daemon's ttrpc socket.

use crate::types::{Any, ExitReason, Mount, Timestamp};

/// The service of the daemon that takes events.
pub const SERVICE: &str = "containerd.services.events.ttrpc.v1.Events";
/// Its method.
pub const FORWARD: &str = "Forward";

/// A message that tells of something that happened.
pub trait Event: prost::Message {
    /// What subscribers know it by: `/tasks/exit`.
    const TOPIC: &'static str;
    /// The name of its type in an `Any`.
    const NAME: &'static str;
}

/// `Forward`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ForwardRequest {
    /// The event.
    #[prost(message, optional, tag = "1")]
    pub envelope: Option<Envelope>,
}

/// An event on its way: `containerd.types.Envelope`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Envelope {
    /// When it happened.
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Timestamp>,
    /// The namespace of the container.
    #[prost(string, tag = "2")]
    pub namespace: String,
    /// [`Event::TOPIC`].
    #[prost(string, tag = "3")]
    pub topic: String,
    /// The event itself.
    #[prost(message, optional, tag = "4")]
    pub event: Option<Any>,
}

/// `/tasks/create`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TaskCreate {
    /// The container.
    #[prost(string, tag = "1")]
    pub container_id: String,
    /// The directory of `config.json`.
    #[prost(string, tag = "2")]
    pub bundle: String,
    /// The mounts of the root file system.
    #[prost(message, repeated, tag = "3")]
    pub rootfs: Vec<Mount>,
    /// Its streams.
    #[prost(message, optional, tag = "4")]
    pub io: Option<TaskIo>,
    /// The images that it was restored from.
    #[prost(string, tag = "5")]
    pub checkpoint: String,
    /// The process.
    #[prost(uint32, tag = "6")]
    pub pid: u32,
}

/// The streams of a process.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TaskIo {
    /// Where standard input comes from: a FIFO, or empty.
    #[prost(string, tag = "1")]
    pub stdin: String,
    /// Where standard output goes: a FIFO, a `file:` or `binary:` URI, or empty.
    #[prost(string, tag = "2")]
    pub stdout: String,
    /// Where standard error goes, likewise.
    #[prost(string, tag = "3")]
    pub stderr: String,
    /// Whether the process has a terminal.
    #[prost(bool, tag = "4")]
    pub terminal: bool,
}

/// `/tasks/start`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TaskStart {
    /// The container.
    #[prost(string, tag = "1")]
    pub container_id: String,
    /// The process.
    #[prost(uint32, tag = "2")]
    pub pid: u32,
}

/// `/tasks/exec-added`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TaskExecAdded {
    /// The container.
    #[prost(string, tag = "1")]
    pub container_id: String,
    /// The exec.
    #[prost(string, tag = "2")]
    pub exec_id: String,
}

/// `/tasks/exec-started`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TaskExecStarted {
    /// The container.
    #[prost(string, tag = "1")]
    pub container_id: String,
    /// The exec.
    #[prost(string, tag = "2")]
    pub exec_id: String,
    /// The process.
    #[prost(uint32, tag = "3")]
    pub pid: u32,
}

/// `/tasks/exit`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TaskExit {
    /// The container.
    #[prost(string, tag = "1")]
    pub container_id: String,
    /// The exec; the container's name for its first process.
    #[prost(string, tag = "2")]
    pub id: String,
    /// The process.
    #[prost(uint32, tag = "3")]
    pub pid: u32,
    /// The exit status; 128 and the signal when one ended it.
    #[prost(uint32, tag = "4")]
    pub exit_status: u32,
    /// When it ended.
    #[prost(message, optional, tag = "5")]
    pub exited_at: Option<Timestamp>,
    /// Why, where it is known (containerd 2.3).
    #[prost(enumeration = "ExitReason", tag = "6")]
    pub exit_reason: i32,
}

/// `/tasks/delete`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TaskDelete {
    /// The container.
    #[prost(string, tag = "1")]
    pub container_id: String,
    /// The process.
    #[prost(uint32, tag = "2")]
    pub pid: u32,
    /// The exit status; 128 and the signal when one ended it.
    #[prost(uint32, tag = "3")]
    pub exit_status: u32,
    /// When it ended.
    #[prost(message, optional, tag = "4")]
    pub exited_at: Option<Timestamp>,
    /// The exec; empty for the container itself.
    #[prost(string, tag = "5")]
    pub id: String,
}

/// `/tasks/paused`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TaskPaused {
    /// The container.
    #[prost(string, tag = "1")]
    pub container_id: String,
}

/// `/tasks/resumed`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TaskResumed {
    /// The container.
    #[prost(string, tag = "1")]
    pub container_id: String,
}

/// `/tasks/checkpointed`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TaskCheckpointed {
    /// The container.
    #[prost(string, tag = "1")]
    pub container_id: String,
    /// Where the images are.
    #[prost(string, tag = "2")]
    pub checkpoint: String,
}

/// `/tasks/oom`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TaskOom {
    /// The container.
    #[prost(string, tag = "1")]
    pub container_id: String,
}

impl Event for TaskCreate {
    const TOPIC: &'static str = "/tasks/create";
    const NAME: &'static str = "containerd.events.TaskCreate";
}

impl Event for TaskStart {
    const TOPIC: &'static str = "/tasks/start";
    const NAME: &'static str = "containerd.events.TaskStart";
}

impl Event for TaskExecAdded {
    const TOPIC: &'static str = "/tasks/exec-added";
    const NAME: &'static str = "containerd.events.TaskExecAdded";
}

impl Event for TaskExecStarted {
    const TOPIC: &'static str = "/tasks/exec-started";
    const NAME: &'static str = "containerd.events.TaskExecStarted";
}

impl Event for TaskExit {
    const TOPIC: &'static str = "/tasks/exit";
    const NAME: &'static str = "containerd.events.TaskExit";
}

impl Event for TaskDelete {
    const TOPIC: &'static str = "/tasks/delete";
    const NAME: &'static str = "containerd.events.TaskDelete";
}

impl Event for TaskPaused {
    const TOPIC: &'static str = "/tasks/paused";
    const NAME: &'static str = "containerd.events.TaskPaused";
}

impl Event for TaskResumed {
    const TOPIC: &'static str = "/tasks/resumed";
    const NAME: &'static str = "containerd.events.TaskResumed";
}

impl Event for TaskCheckpointed {
    const TOPIC: &'static str = "/tasks/checkpointed";
    const NAME: &'static str = "containerd.events.TaskCheckpointed";
}

impl Event for TaskOom {
    const TOPIC: &'static str = "/tasks/oom";
    const NAME: &'static str = "containerd.events.TaskOOM";
}
