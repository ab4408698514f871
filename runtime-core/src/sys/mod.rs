//! What nix lacks: each call a thin safe wrapper. The only `unsafe` of this crate.

pub(crate) mod bpf;
#[cfg(feature = "checkpoint")]
pub(crate) mod command;
#[cfg(feature = "checkpoint")]
pub(crate) mod inside;
pub(crate) mod kill;
#[cfg(feature = "checkpoint")]
pub(crate) mod mounts;
pub(crate) mod network;
#[cfg(feature = "notify")]
pub(crate) mod notify;
pub(crate) mod pidfd;
pub(crate) mod process;
pub(crate) mod seccomp;
pub(crate) mod spawn;
pub(crate) mod wait;

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Owns a descriptor that the kernel just made for this process, as one received by SCM_RIGHTS.
pub(crate) fn owned(raw: RawFd) -> OwnedFd {
    // SAFETY: the caller received it in this call chain; nobody else knows its number.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

/// The caller's standard streams.
pub(crate) fn standard_streams() -> [BorrowedFd<'static>; 3] {
    // SAFETY: 0, 1 and 2 are open in every program that follows POSIX, and Rust's runtime opens those that are not.
    [0, 1, 2].map(|fd| unsafe { BorrowedFd::borrow_raw(fd) })
}
