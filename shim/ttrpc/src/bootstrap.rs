//! How containerd from 2.3 on tells a shim how to start, and what it wants to hear:
//! `containerd.runtime.bootstrap.v1`.

use crate::types::Any;
use std::collections::BTreeMap;

/// What comes on standard input of `start`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct BootstrapParams {
    /// The container: what `-id` says.
    #[prost(string, tag = "1")]
    pub instance_id: String,
    /// The namespace: what `-namespace` says.
    #[prost(string, tag = "2")]
    pub namespace: String,
    /// How much to log: 0 is information, below it is more.
    #[prost(int32, tag = "3")]
    pub log_level: i32,
    /// The daemon's version.
    #[prost(string, tag = "4")]
    pub containerd_version: String,
    /// Where events are sent.
    #[prost(string, tag = "5")]
    pub containerd_ttrpc_address: String,
    /// The daemon's own socket.
    #[prost(string, tag = "6")]
    pub containerd_grpc_address: String,
    /// The daemon's binary.
    #[prost(string, tag = "7")]
    pub containerd_binary: String,
    /// More, by type: the runtime's options are one of them.
    #[prost(message, repeated, tag = "8")]
    pub extensions: Vec<Extension>,
    /// The directory that shims' sockets go to.
    #[prost(string, tag = "9")]
    pub socket_dir: String,
}

/// One thing more that a shim is told.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Extension {
    /// The thing.
    #[prost(message, optional, tag = "1")]
    pub value: Option<Any>,
}

/// What `start` answers on standard output.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct BootstrapResult {
    /// The version of the task service: 2 or 3.
    #[prost(int32, tag = "1")]
    pub version: i32,
    /// Its address: `unix:///run/containerd/s/...`.
    #[prost(string, tag = "2")]
    pub address: String,
    /// `ttrpc` or `grpc`.
    #[prost(string, tag = "3")]
    pub protocol: String,
    /// What the shim can do beyond; none has a meaning yet.
    #[prost(int32, repeated, tag = "4")]
    pub capabilities: Vec<i32>,
    /// Notes of the shim.
    #[prost(btree_map = "string, string", tag = "5")]
    pub metadata: BTreeMap<String, String>,
}
