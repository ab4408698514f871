//! `spec-tests shim --shim PATH`: what containerd asks of a shim of its task service, asked without containerd, by ttrpc as
//! it goes over the wire. Each case names a row of docs/task-service.md.

mod bench;
mod cases;
mod client;
mod daemon;
mod fifo;
mod lifecycle;
mod messages;
mod probe;
mod soak;

pub(crate) use bench::bench;
pub(crate) use cases::all;
pub(crate) use soak::soak;
