//! The system calls past nix. All `unsafe` is here.

mod floor;
mod usage;

pub(crate) use floor::{Orders, clone_into};
pub(crate) use usage::{pidfd, wait};
