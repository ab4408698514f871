//! Corten: the OCI Runtime Specification 1.3 on Linux, as a library.
//!
//! ```no_run
//! # fn main() -> runtime_core::Result<()> {
//! use runtime_core::{ContainerBuilder, Signal};
//!
//! let container = ContainerBuilder::new("web-1").bundle("/srv/web").create()?.start()?;
//! println!("{} is {} as process {:?}", container.id(), container.status()?, container.pid());
//! container.kill(Signal::TERM)?;
//! println!("it ended: {}", container.wait()?);
//! container.delete(false)?;
//! # Ok(()) }
//! ```
//!
//! The library may be called from any thread of any program. It changes nothing of the program itself: not its working
//! directory, umask, signal handlers, environment or descriptors. A container's first process shares nothing with it: it
//! is cloned without a copy of the program's memory and at once executes an init program of its own (`corten_init`).

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable, clippy::exit)
)]

#[cfg(feature = "notify")]
pub mod agent;
mod annotations;
#[allow(unreachable_pub, reason = "`pub` are there what other rooms call")]
mod cgroup;
mod config;
mod container;
#[cfg(feature = "checkpoint")]
mod criu;
mod error;
mod features;
mod fs;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guards;
mod hooks;
mod init;
mod job;
mod namespace;
mod plan;
mod process;
mod resctrl;
mod rootfs;
pub mod seccomp;
mod signal;
mod sys;

pub use cgroup::{CgroupManager, OomEvents, Stats};
pub use config::{load_mounts, load_process, load_resources, parse_process};
#[cfg(feature = "checkpoint")]
pub use container::{CheckpointOptions, CriuOptions, RestoreOptions};
pub use container::{
    Console, Container, ContainerBuilder, Created, Event, Events, ExitStatus, NotifySocket, Output, Plan,
    Process, ProcessBuilder, Running, State, Status, Stdio, default_root,
};
#[cfg(feature = "checkpoint")]
pub use criu::{Criu, CriuVersion, ManageCgroups};
pub use error::{Error, ErrorKind, Result};
pub use features::{OCI_VERSIONS, features};
#[cfg(feature = "unguarded")]
pub use guards::switch_off_by_environment;
pub use init::user_namespace::user_namespace;
pub use job::Job;
pub use oci_spec;
pub use signal::Signal;

/// What the cgroups of a container count: the parts of [`Stats`].
pub mod stats {
    pub use crate::cgroup::{
        Blkio, BlkioEntry, Cpu, CpuUsage, Cpuset, Hugetlb, Memory, MemoryEntry, MemoryEvents, Pids, Pressure,
        PressureLine, Rdma, Stats, Throttling,
    };
}
