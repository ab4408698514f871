//! `spec-tests shim --shim PATH`: what containerd asks of a shim of its task service, asked without containerd, by ttrpc as
//! it goes over the wire. Each case names a row of docs/shim.md.

mod cases;
mod client;
mod daemon;
mod fifo;
mod messages;
mod probe;

pub(crate) use cases::all;
