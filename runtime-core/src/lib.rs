//! Corten: the OCI Runtime Specification 1.3 on Linux, as a library.

pub mod cgroup;
pub mod config;
mod error;
pub mod seccomp;
mod signal;

pub use error::{Error, ErrorKind, Result};
pub use oci_spec;
pub use signal::Signal;
