//! What several messages are made of.

/// A message of any type: `google.protobuf.Any`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Any {
    /// The type. containerd leaves out the `type.googleapis.com/` in front that protobuf asks for; both are met.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message, encoded.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

impl Any {
    /// `message` as a message of the type `name`, without protobuf's prefix, as containerd writes its own.
    #[must_use]
    pub fn new(name: &str, message: &impl prost::Message) -> Self {
        Self { type_url: name.to_owned(), value: message.encode_to_vec() }
    }

    /// The type without a prefix: `containerd.runc.v1.Options`.
    #[must_use]
    pub fn type_name(&self) -> &str {
        self.type_url.strip_prefix("type.googleapis.com/").unwrap_or(&self.type_url)
    }
}

/// A moment: `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Timestamp {
    /// Seconds since 1970.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds within the second.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// A message without fields: `google.protobuf.Empty`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Empty {}

/// A mount that makes a root file system: `containerd.types.Mount`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Mount {
    /// The type of file system, or `bind`.
    #[prost(string, tag = "1")]
    pub kind: String,
    /// The device, the directory to bind, or a mere name.
    #[prost(string, tag = "2")]
    pub source: String,
    /// Where beneath the root file system; empty for the root itself.
    #[prost(string, tag = "3")]
    pub target: String,
    /// Options as in fstab.
    #[prost(string, repeated, tag = "4")]
    pub options: Vec<String>,
}

/// What a process does: `containerd.v1.types.Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Status {
    /// Not known.
    Unknown = 0,
    /// Made and not started.
    Created = 1,
    /// Started.
    Running = 2,
    /// At its end.
    Stopped = 3,
    /// Frozen.
    Paused = 4,
    /// About to be frozen.
    Pausing = 5,
}

/// Why a process ended: `containerd.v1.types.ExitReason` (containerd 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum ExitReason {
    /// Nothing to tell.
    None = 0,
    /// The kernel ended it, for want of memory.
    OomKilled = 1,
    /// By a signal.
    Signaled = 2,
}

/// A process of a container: `containerd.v1.types.ProcessInfo`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ProcessInfo {
    /// Its number on the host.
    #[prost(uint32, tag = "1")]
    pub pid: u32,
    /// A [`ProcessDetails`](crate::options::ProcessDetails) for a process of an exec.
    #[prost(message, optional, tag = "2")]
    pub info: Option<Any>,
}

/// What a runtime is and can do: `containerd.types.RuntimeInfo`, the answer to `-info`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RuntimeInfo {
    /// The runtime type.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its version.
    #[prost(message, optional, tag = "2")]
    pub version: Option<RuntimeVersion>,
    /// The options that were asked about.
    #[prost(message, optional, tag = "3")]
    pub options: Option<Any>,
    /// The specification's `features` document, in JSON.
    #[prost(message, optional, tag = "4")]
    pub features: Option<Any>,
    /// Notes of the shim.
    #[prost(btree_map = "string, string", tag = "5")]
    pub annotations: std::collections::BTreeMap<String, String>,
}

/// A version: `containerd.types.RuntimeVersion`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RuntimeVersion {
    /// `0.1.0`.
    #[prost(string, tag = "1")]
    pub version: String,
    /// The commit.
    #[prost(string, tag = "2")]
    pub revision: String,
}
