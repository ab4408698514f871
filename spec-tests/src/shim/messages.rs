//! The messages of containerd's task service, of its events and of a shim's bootstrap, and those of ttrpc.
//! `containerd.task.v2` and `v3` have the same. They are the suite's own, so that a field that a shim gets wrong shows.

use prost::Message;

/// Gives structures that are prost messages.
macro_rules! messages {
    ($($(#[$about:meta])* $name:ident { $($field:ident: $type:ty = $kind:tt,)* })*) => {
        $(
            $(#[$about])*
            #[derive(Clone, PartialEq, Message)]
            pub(crate) struct $name {
                $(#[prost $kind] pub(crate) $field: $type,)*
            }
        )*
    };
}

messages! {
    /// What every request is wrapped in.
    Request {
        service: String = (string, tag = "1"),
        method: String = (string, tag = "2"),
        payload: Vec<u8> = (bytes = "vec", tag = "3"),
        timeout_nano: i64 = (int64, tag = "4"),
    }
    Response {
        status: Option<Status> = (message, optional, tag = "1"),
        payload: Vec<u8> = (bytes = "vec", tag = "2"),
    }
    /// `google.rpc.Status`.
    Status {
        code: i32 = (int32, tag = "1"),
        message: String = (string, tag = "2"),
    }
    /// `google.protobuf.Any`.
    Any {
        type_url: String = (string, tag = "1"),
        value: Vec<u8> = (bytes = "vec", tag = "2"),
    }
    /// `google.protobuf.Timestamp`.
    Timestamp {
        seconds: i64 = (int64, tag = "1"),
        nanos: i32 = (int32, tag = "2"),
    }
    Empty {}
    /// `containerd.types.Mount`.
    Mount {
        kind: String = (string, tag = "1"),
        source: String = (string, tag = "2"),
        target: String = (string, tag = "3"),
        options: Vec<String> = (string, repeated, tag = "4"),
    }
    CreateTaskRequest {
        id: String = (string, tag = "1"),
        bundle: String = (string, tag = "2"),
        rootfs: Vec<Mount> = (message, repeated, tag = "3"),
        terminal: bool = (bool, tag = "4"),
        stdin: String = (string, tag = "5"),
        stdout: String = (string, tag = "6"),
        stderr: String = (string, tag = "7"),
        checkpoint: String = (string, tag = "8"),
        parent_checkpoint: String = (string, tag = "9"),
        options: Option<Any> = (message, optional, tag = "10"),
    }
    /// The answer to Create and to Start.
    PidResponse {
        pid: u32 = (uint32, tag = "1"),
    }
    /// The request of State, Start, Delete, Wait, Pids, Pause, Resume, Stats, Connect.
    ProcessRequest {
        id: String = (string, tag = "1"),
        exec_id: String = (string, tag = "2"),
    }
    DeleteResponse {
        pid: u32 = (uint32, tag = "1"),
        exit_status: u32 = (uint32, tag = "2"),
        exited_at: Option<Timestamp> = (message, optional, tag = "3"),
    }
    ExecProcessRequest {
        id: String = (string, tag = "1"),
        exec_id: String = (string, tag = "2"),
        terminal: bool = (bool, tag = "3"),
        stdin: String = (string, tag = "4"),
        stdout: String = (string, tag = "5"),
        stderr: String = (string, tag = "6"),
        spec: Option<Any> = (message, optional, tag = "7"),
    }
    ResizePtyRequest {
        id: String = (string, tag = "1"),
        exec_id: String = (string, tag = "2"),
        width: u32 = (uint32, tag = "3"),
        height: u32 = (uint32, tag = "4"),
    }
    StateResponse {
        id: String = (string, tag = "1"),
        bundle: String = (string, tag = "2"),
        pid: u32 = (uint32, tag = "3"),
        status: i32 = (int32, tag = "4"),
        stdin: String = (string, tag = "5"),
        stdout: String = (string, tag = "6"),
        stderr: String = (string, tag = "7"),
        terminal: bool = (bool, tag = "8"),
        exit_status: u32 = (uint32, tag = "9"),
        exited_at: Option<Timestamp> = (message, optional, tag = "10"),
        exec_id: String = (string, tag = "11"),
    }
    KillRequest {
        id: String = (string, tag = "1"),
        exec_id: String = (string, tag = "2"),
        signal: u32 = (uint32, tag = "3"),
        all: bool = (bool, tag = "4"),
    }
    CloseIoRequest {
        id: String = (string, tag = "1"),
        exec_id: String = (string, tag = "2"),
        stdin: bool = (bool, tag = "3"),
    }
    ProcessInfo {
        pid: u32 = (uint32, tag = "1"),
        info: Option<Any> = (message, optional, tag = "2"),
    }
    PidsResponse {
        processes: Vec<ProcessInfo> = (message, repeated, tag = "1"),
    }
    /// `containerd.runc.v1.ProcessDetails`.
    ProcessDetails {
        exec_id: String = (string, tag = "1"),
    }
    CheckpointTaskRequest {
        id: String = (string, tag = "1"),
        path: String = (string, tag = "2"),
        options: Option<Any> = (message, optional, tag = "3"),
    }
    UpdateTaskRequest {
        id: String = (string, tag = "1"),
        resources: Option<Any> = (message, optional, tag = "2"),
    }
    WaitResponse {
        exit_status: u32 = (uint32, tag = "1"),
        exited_at: Option<Timestamp> = (message, optional, tag = "2"),
    }
    StatsResponse {
        stats: Option<Any> = (message, optional, tag = "1"),
    }
    ConnectResponse {
        shim_pid: u32 = (uint32, tag = "1"),
        task_pid: u32 = (uint32, tag = "2"),
        version: String = (string, tag = "3"),
    }
    ShutdownRequest {
        id: String = (string, tag = "1"),
        now: bool = (bool, tag = "2"),
    }
    /// The request of the daemon's event service.
    ForwardRequest {
        envelope: Option<Envelope> = (message, optional, tag = "1"),
    }
    Envelope {
        timestamp: Option<Timestamp> = (message, optional, tag = "1"),
        namespace: String = (string, tag = "2"),
        topic: String = (string, tag = "3"),
        event: Option<Any> = (message, optional, tag = "4"),
    }
    TaskExit {
        container_id: String = (string, tag = "1"),
        id: String = (string, tag = "2"),
        pid: u32 = (uint32, tag = "3"),
        exit_status: u32 = (uint32, tag = "4"),
        exited_at: Option<Timestamp> = (message, optional, tag = "5"),
    }
    TaskDelete {
        container_id: String = (string, tag = "1"),
        pid: u32 = (uint32, tag = "2"),
        exit_status: u32 = (uint32, tag = "3"),
        exited_at: Option<Timestamp> = (message, optional, tag = "4"),
        id: String = (string, tag = "5"),
    }
    TaskIo {
        stdin: String = (string, tag = "1"),
        stdout: String = (string, tag = "2"),
        stderr: String = (string, tag = "3"),
        terminal: bool = (bool, tag = "4"),
    }
    TaskCreate {
        container_id: String = (string, tag = "1"),
        bundle: String = (string, tag = "2"),
        rootfs: Vec<Mount> = (message, repeated, tag = "3"),
        io: Option<TaskIo> = (message, optional, tag = "4"),
        checkpoint: String = (string, tag = "5"),
        pid: u32 = (uint32, tag = "6"),
    }
    /// Of TaskStart, TaskOOM, TaskPaused, TaskResumed.
    TaskStart {
        container_id: String = (string, tag = "1"),
        pid: u32 = (uint32, tag = "2"),
    }
    /// Of TaskExecAdded and TaskExecStarted.
    TaskExec {
        container_id: String = (string, tag = "1"),
        exec_id: String = (string, tag = "2"),
        pid: u32 = (uint32, tag = "3"),
    }
    /// `containerd.runc.v1.Options`.
    RuncOptions {
        no_pivot_root: bool = (bool, tag = "1"),
        no_new_keyring: bool = (bool, tag = "2"),
        shim_cgroup: String = (string, tag = "3"),
        io_uid: u32 = (uint32, tag = "4"),
        io_gid: u32 = (uint32, tag = "5"),
        binary_name: String = (string, tag = "6"),
        root: String = (string, tag = "7"),
        systemd_cgroup: bool = (bool, tag = "9"),
    }
    /// `runtimeoptions.v1.Options`.
    RuntimeOptions {
        type_url: String = (string, tag = "1"),
        config_path: String = (string, tag = "2"),
        config_body: Vec<u8> = (bytes = "vec", tag = "3"),
    }
    BootstrapParams {
        instance_id: String = (string, tag = "1"),
        namespace: String = (string, tag = "2"),
        containerd_version: String = (string, tag = "4"),
        containerd_ttrpc_address: String = (string, tag = "5"),
        containerd_grpc_address: String = (string, tag = "6"),
        containerd_binary: String = (string, tag = "7"),
        extensions: Vec<Extension> = (message, repeated, tag = "8"),
    }
    Extension {
        value: Option<Any> = (message, optional, tag = "1"),
    }
    BootstrapResult {
        version: i32 = (int32, tag = "1"),
        address: String = (string, tag = "2"),
        protocol: String = (string, tag = "3"),
    }
    RuntimeVersion {
        version: String = (string, tag = "1"),
        revision: String = (string, tag = "2"),
    }
    RuntimeInfo {
        name: String = (string, tag = "1"),
        version: Option<RuntimeVersion> = (message, optional, tag = "2"),
        options: Option<Any> = (message, optional, tag = "3"),
        features: Option<Any> = (message, optional, tag = "4"),
    }
}

/// `containerd.v1.types.Status`.
pub(crate) mod status {
    pub(crate) const CREATED: i32 = 1;
    pub(crate) const RUNNING: i32 = 2;
    pub(crate) const STOPPED: i32 = 3;
    pub(crate) const PAUSED: i32 = 4;
}

/// The codes of google.rpc.Code that the task service answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    FailedPrecondition = 9,
    Unimplemented = 12,
}

/// A message in an `Any`.
pub(crate) fn any(type_url: &str, message: &impl Message) -> Any {
    Any { type_url: type_url.to_owned(), value: message.encode_to_vec() }
}

/// The first number or the first bytes at a path of field numbers in an encoded message: for the large ones of which a
/// case wants to know little.
pub(crate) fn number_at(bytes: &[u8], path: &[u64]) -> Option<u64> {
    let (first, rest) = path.split_first()?;
    let mut fields = Fields(bytes);
    fields.find_map(|(number, value)| match value {
        Value::Number(value) if number == *first && rest.is_empty() => Some(value),
        Value::Bytes(inner) if number == *first && !rest.is_empty() => number_at(inner, rest),
        _ => None,
    })
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of an encoded message, as the wire has them.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Number(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Number(u64::from(u32::from_le_bytes(self.take(4)?.try_into().ok()?))),
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_its_path() {
        let inner =
            DeleteResponse { pid: 300, exit_status: 7, exited_at: Some(Timestamp { seconds: 9, nanos: 0 }) };
        let outer = Any { type_url: "x".into(), value: inner.encode_to_vec() };
        let bytes = outer.encode_to_vec();
        assert_eq!(number_at(&bytes, &[2, 1]), Some(300));
        assert_eq!(number_at(&bytes, &[2, 3, 1]), Some(9));
        assert_eq!(number_at(&bytes, &[2, 3, 2]), None);
        assert_eq!(number_at(&bytes[..4], &[2, 1]), None);
    }
}
