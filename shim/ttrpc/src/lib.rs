//! containerd's ttrpc, as far as a shim and its daemon speak it: the frames, the request and response that travel in
//! them, and the messages of the task service, of its events and of its statistics.
//!
//! Nothing here does input or output: a [`Decoder`] is fed bytes and gives frames, and a message encodes into bytes.
//! The messages are written by hand for `prost`, so that no protobuf compiler is needed; their tags are those of
//! containerd's and containerd/cgroups' `.proto` files. The messages of `containerd.task.v2` and `.v3` are the same.

pub mod bootstrap;
mod code;
pub mod events;
mod frame;
pub mod metrics;
pub mod options;
mod request;
pub mod task;
pub mod types;

pub use code::Code;
pub use frame::{Decoder, Frame, FrameError, HEADER_LENGTH, Kind, MAX_LENGTH, encode};
pub use prost::{DecodeError, Message};
pub use request::{KeyValue, Request, Response, Status};
