//! Checkpoint and restore by a real CRIU. Where criu itself can save no process, as an old one on a new kernel, the tests say so;
//! what needs no more of it than its name runs everywhere.

mod files;
mod ground;
mod host;
mod life;
mod memory;
mod messages;
mod network;
mod refused;
mod streams;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "../support/mod.rs"]
mod support;
