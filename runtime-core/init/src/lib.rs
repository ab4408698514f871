//! The program that a container's first process runs until its own, and what it and its parent agree on.
//!
//! The parent (`runtime-core`) decides everything and writes it down as a list of [`step::Step`]s. The child execs
//! [`PROGRAM`] at once, from a sealed file that only lives in memory, and carries the list out. So nothing of the parent's
//! memory or descriptors ever is in a container, /proc/PID/exe never names a file of the host, the size of the parent
//! does not matter, and between clone and execve nothing can allocate: the program has no allocator.
//!
//! The `child` module is compiled here too, for lints, documentation and tests; the parent's half uses only the rest.
#![no_std]

pub mod arch;
pub mod child;
pub mod guards;
pub mod message;
pub mod step;
pub mod wire;

/// The init program, an executable for the target.
pub static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/corten-init"));
