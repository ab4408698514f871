//! The system calls past nix. All `unsafe` is here.

mod floor;
pub(crate) mod memlock;
mod usage;

pub(crate) use floor::{Orders, clone_into};
pub(crate) use usage::{pidfd, wait};
