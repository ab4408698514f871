//! The task service: `containerd.task.v2.Task` and `containerd.task.v3.Task`, whose messages are the same.
//!
//! Methods whose answer is [`Empty`](crate::types::Empty) have no message for it here.

use crate::types::{Any, Mount, ProcessInfo, Status, Timestamp};
use std::collections::BTreeMap;

/// The service, as containerd 1.6 to 2.x call it.
pub const SERVICE_V2: &str = "containerd.task.v2.Task";
/// The service, as containerd from 2.0 on may call it.
pub const SERVICE_V3: &str = "containerd.task.v3.Task";

/// `Create`: make a container.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CreateTaskRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The directory of `config.json`.
    #[prost(string, tag = "2")]
    pub bundle: String,
    /// Mounts that make the root file system, in their order.
    #[prost(message, repeated, tag = "3")]
    pub rootfs: Vec<Mount>,
    /// Whether the process has a terminal.
    #[prost(bool, tag = "4")]
    pub terminal: bool,
    /// Where standard input comes from: a FIFO, or empty.
    #[prost(string, tag = "5")]
    pub stdin: String,
    /// Where standard output goes: a FIFO, a `file:` or `binary:` URI, or empty.
    #[prost(string, tag = "6")]
    pub stdout: String,
    /// Where standard error goes, likewise.
    #[prost(string, tag = "7")]
    pub stderr: String,
    /// The images to restore from; empty for none.
    #[prost(string, tag = "8")]
    pub checkpoint: String,
    /// The images that those build on.
    #[prost(string, tag = "9")]
    pub parent_checkpoint: String,
    /// Options of the runtime.
    #[prost(message, optional, tag = "10")]
    pub options: Option<Any>,
    /// Where the outcome of a lack of memory is noted (task v2 of some versions).
    #[prost(string, tag = "11")]
    pub oom_path: String,
}

/// The answer to `Create`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct CreateTaskResponse {
    /// The process.
    #[prost(uint32, tag = "1")]
    pub pid: u32,
}

/// `Delete`: forget a process that has ended.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeleteRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The exec; empty for the container's first process.
    #[prost(string, tag = "2")]
    pub exec_id: String,
}

/// The answer to `Delete`, and what the `delete` verb prints.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct DeleteResponse {
    /// The process.
    #[prost(uint32, tag = "1")]
    pub pid: u32,
    /// The exit status; 128 and the signal when one ended it.
    #[prost(uint32, tag = "2")]
    pub exit_status: u32,
    /// When it ended.
    #[prost(message, optional, tag = "3")]
    pub exited_at: Option<Timestamp>,
}

/// `Exec`: describe a further process, to be started by `Start`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ExecProcessRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The name of the exec.
    #[prost(string, tag = "2")]
    pub exec_id: String,
    /// Whether the process has a terminal.
    #[prost(bool, tag = "3")]
    pub terminal: bool,
    /// Where standard input comes from: a FIFO, or empty.
    #[prost(string, tag = "4")]
    pub stdin: String,
    /// Where standard output goes: a FIFO, a `file:` or `binary:` URI, or empty.
    #[prost(string, tag = "5")]
    pub stdout: String,
    /// Where standard error goes, likewise.
    #[prost(string, tag = "6")]
    pub stderr: String,
    /// The specification's `process`, in JSON.
    #[prost(message, optional, tag = "7")]
    pub spec: Option<Any>,
}

/// `ResizePty`: the size of a terminal.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ResizePtyRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The exec; empty for the container's first process.
    #[prost(string, tag = "2")]
    pub exec_id: String,
    /// Columns.
    #[prost(uint32, tag = "3")]
    pub width: u32,
    /// Lines.
    #[prost(uint32, tag = "4")]
    pub height: u32,
}

/// `State`: how a process is.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StateRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The exec; empty for the container's first process.
    #[prost(string, tag = "2")]
    pub exec_id: String,
}

/// The answer to `State`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StateResponse {
    /// The container, or the exec.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The directory of `config.json`.
    #[prost(string, tag = "2")]
    pub bundle: String,
    /// The process; 0 before an exec is started.
    #[prost(uint32, tag = "3")]
    pub pid: u32,
    /// What it does.
    #[prost(enumeration = "Status", tag = "4")]
    pub status: i32,
    /// Where standard input comes from: a FIFO, or empty.
    #[prost(string, tag = "5")]
    pub stdin: String,
    /// Where standard output goes: a FIFO, a `file:` or `binary:` URI, or empty.
    #[prost(string, tag = "6")]
    pub stdout: String,
    /// Where standard error goes, likewise.
    #[prost(string, tag = "7")]
    pub stderr: String,
    /// Whether the process has a terminal.
    #[prost(bool, tag = "8")]
    pub terminal: bool,
    /// The exit status; 128 and the signal when one ended it.
    #[prost(uint32, tag = "9")]
    pub exit_status: u32,
    /// When it ended.
    #[prost(message, optional, tag = "10")]
    pub exited_at: Option<Timestamp>,
    /// The exec.
    #[prost(string, tag = "11")]
    pub exec_id: String,
}

/// `Kill`: send a signal.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KillRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The exec; empty for the container's first process.
    #[prost(string, tag = "2")]
    pub exec_id: String,
    /// The signal.
    #[prost(uint32, tag = "3")]
    pub signal: u32,
    /// To all processes of the container.
    #[prost(bool, tag = "4")]
    pub all: bool,
}

/// `CloseIO`: end the standard input of a process.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CloseIoRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The exec; empty for the container's first process.
    #[prost(string, tag = "2")]
    pub exec_id: String,
    /// Whether it is meant at all.
    #[prost(bool, tag = "3")]
    pub stdin: bool,
}

/// `Pids`: the processes of a container.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PidsRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
}

/// The answer to `Pids`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PidsResponse {
    /// The processes.
    #[prost(message, repeated, tag = "1")]
    pub processes: Vec<ProcessInfo>,
}

/// `Checkpoint`: write the state of a container down.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CheckpointTaskRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Where the images go.
    #[prost(string, tag = "2")]
    pub path: String,
    /// [`CheckpointOptions`](crate::options::CheckpointOptions).
    #[prost(message, optional, tag = "3")]
    pub options: Option<Any>,
}

/// `Update`: new limits.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct UpdateTaskRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The specification's `linux.resources`, in JSON.
    #[prost(message, optional, tag = "2")]
    pub resources: Option<Any>,
    /// Notes of the caller.
    #[prost(btree_map = "string, string", tag = "3")]
    pub annotations: BTreeMap<String, String>,
}

/// `Start`: let a process begin.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StartRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The exec; empty for the container's first process.
    #[prost(string, tag = "2")]
    pub exec_id: String,
}

/// The answer to `Start`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct StartResponse {
    /// The process.
    #[prost(uint32, tag = "1")]
    pub pid: u32,
}

/// `Wait`: answer when a process has ended.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct WaitRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The exec; empty for the container's first process.
    #[prost(string, tag = "2")]
    pub exec_id: String,
}

/// The answer to `Wait`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct WaitResponse {
    /// The exit status; 128 and the signal when one ended it.
    #[prost(uint32, tag = "1")]
    pub exit_status: u32,
    /// When it ended.
    #[prost(message, optional, tag = "2")]
    pub exited_at: Option<Timestamp>,
}

/// `Stats`: the statistics of a container.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StatsRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
}

/// The answer to `Stats`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StatsResponse {
    /// The `Metrics` of one of the [two versions](crate::metrics).
    #[prost(message, optional, tag = "1")]
    pub stats: Option<Any>,
}

/// `Connect`: ask who serves; a daemon that was started again does.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ConnectRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
}

/// The answer to `Connect`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ConnectResponse {
    /// The shim.
    #[prost(uint32, tag = "1")]
    pub shim_pid: u32,
    /// The container's first process; 0 without one.
    #[prost(uint32, tag = "2")]
    pub task_pid: u32,
    /// The version of the shim.
    #[prost(string, tag = "3")]
    pub version: String,
}

/// `Shutdown`: end the shim, if nothing is left in it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ShutdownRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// At once.
    #[prost(bool, tag = "2")]
    pub now: bool,
}

/// `Pause`: freeze a container.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PauseRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
}

/// `Resume`: thaw it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ResumeRequest {
    /// The container.
    #[prost(string, tag = "1")]
    pub id: String,
}
