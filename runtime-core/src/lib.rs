//! Corten: the OCI Runtime Specification 1.3 on Linux, as a library.
//!
//! ```no_run
//! # fn main() -> runtime_core::Result<()> {
//! use runtime_core::{ContainerBuilder, Job, Stdio};
//!
//! let job = Job::new("/srv/images/debian", ["make", "test"]).memory(512 << 20).cpus(2.0).read_only();
//! let builder = ContainerBuilder::new("job-1").spec(job).stdout(Stdio::Piped).delete_on_drop(true);
//! let mut container = builder.run()?;
//! let output = container.wait_with_output()?;
//! println!("{}: {}", output.status, String::from_utf8_lossy(&output.stdout));
//! # Ok(()) }
//! ```
//!
//! # The life of a container
//!
//! ```text
//!  ContainerBuilder: bundle or spec, streams, terminal, state directory
//!     |                       |
//!     | create()              | run()
//!     v                       v
//!  +---------+   start()   +---------+   pause()    +--------+
//!  | Created |------------>| Running |------------->| paused |
//!  +---------+             +---------+<-------------+--------+
//!     |                       |    ^       resume()
//!     |                       |    | exec(), update(), stats(), events(), add_mounts(), checkpoint()
//!     |                       |
//!     |                       | its first process ends, or kill()
//!     |                       v
//!     |                    stopped: wait() tells how it ended
//!     |                       |
//!     | delete()              | delete()
//!     v                       v
//!  nothing: no process, no cgroup, no state directory
//! ```
//!
//! Types keep the steps apart: what [`ContainerBuilder::create`] gives has no `wait`, and what [`Created::start`] gives has no
//! `start`. Both are a [`Container`] too, which is the name of a container alone: what anyone has who finds it by
//! [`Container::load`], in this program or another. Between create and start the container is complete (namespaces, mounts,
//! cgroup), and nothing of its program has run: that is the time for what must be there before it, as a network.
//!
//! Dropping a value does nothing to the container, unless [`ContainerBuilder::delete_on_drop`] asks for it.
//!
//! # Where to look
//!
//! | To | use |
//! |---|---|
//! | describe a container without a file | [`Job`], whose [`Job::spec`] is a [`Spec`](spec::Spec) to change further |
//! | have config.json as plain data | the module [`spec`] |
//! | run what an image's config.json says | [`ContainerBuilder::bundle`] |
//! | give it files, pipes or nothing as streams | [`Stdio`]; for a terminal [`Console`] |
//! | run something in it | [`Container::process`] and [`Container::exec`] |
//! | wait, with a thread or without one | `wait`, `wait_timeout` and `pidfd` of [`Running`] and [`Process`] |
//! | hear what happens to it | [`Container::events`], [`Container::oom_events`] |
//! | know what it uses | [`Container::stats`] |
//! | answer its system calls | [`agent`] |
//! | see what would be done | [`ContainerBuilder::plan`] |
//! | tidy up after a crash | [`Container::list`] and [`Container::delete_forced`] |
//!
//! The repository's `examples` are programs to begin with: `job`, `sandbox`, `tokio`, `agent`, `terminal`. Of its `docs`, `embedding.md` begins with a
//! whole first program; `privileges.md` tells what a caller must be allowed to do, `threat-model.md` what a container cannot.
//!
//! # What a program can rely on
//!
//! The library may be called from any thread of any program. It changes nothing of the program itself: not its working
//! directory, umask, signal handlers, environment or descriptors, and it starts no threads. A container's first process shares
//! nothing with it: it is cloned without a copy of the program's memory and at once executes an init program of its own
//! (`corten_init`). So the size of the program does not matter, and no lock of another thread can be in the way.
//!
//! Calls block for as long as they take, some milliseconds and the hooks' time; an async program makes them on threads of their own.
//! A call that fails leaves nothing behind. [`Error::kind`] is for decisions, [`Error::report`] for people; warnings go to the `log` crate.
//!
//! One thing belongs to the program: it must not reap processes that it does not know (`waitpid(-1)`, SIGCHLD set to `SIG_IGN`), or
//! the statuses of containers are lost. A child that it forks without executing anything keeps copies of the descriptors of that moment:
//! the write end of a pipe among them, whose reader then waits for that child's end, too, as with `std::process`.
//!
//! # Features
//!
//! All are on by default; only `oci-spec` brings crates of its own, more than twenty.
//!
//! | Feature | What it is |
//! |---|---|
//! | `systemd` | systemd as the maker of cgroups: [`CgroupManager::Systemd`] fails without it |
//! | `checkpoint` | `Container::checkpoint` and `ContainerBuilder::restore`, by CRIU |
//! | `notify` | the module `agent` |
//! | `oci-spec` | conversions from and to the types of the crate oci-spec, which is `runtime_core::oci_spec` then |

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
#[cfg(feature = "oci-spec")]
mod oci;
mod plan;
mod process;
mod resctrl;
mod rootfs;
pub mod seccomp;
mod signal;
pub mod spec;
mod sys;

pub use cgroup::{CgroupManager, OomEvents, Stats};
pub use config::{load_mounts, load_process, load_resources, parse_process};
#[cfg(feature = "checkpoint")]
pub use container::{CheckpointOptions, CriuOptions, RestoreOptions};
pub use container::{
    Console, Container, ContainerBuilder, Created, Event, Events, ExitStatus, NotifySocket, Output, Overview,
    Plan, Process, ProcessBuilder, Running, State, Status, Stdio, default_root,
};
#[cfg(feature = "checkpoint")]
pub use criu::{Criu, CriuVersion, ManageCgroups};
pub use error::{Error, ErrorKind, Result};
pub use features::{OCI_VERSIONS, features};
#[cfg(feature = "unguarded")]
pub use guards::switch_off_by_environment;
pub use init::user_namespace::user_namespace;
pub use job::Job;
#[cfg(feature = "oci-spec")]
pub use oci_spec;
pub use signal::Signal;

/// The programs of docs/embedding.md, so that they are compiled with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embedding.md")]
mod embedding {}

/// What the cgroups of a container count: the parts of [`Stats`].
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{Container, default_root, stats::Memory};
///
/// fn show(memory: &Memory) {
///     println!("{} of {} bytes", memory.usage.usage, memory.usage.limit);
/// }
/// show(&Container::load(default_root(), "web-1")?.stats()?.memory);
/// # Ok(()) }
/// ```
pub mod stats {
    pub use crate::cgroup::{
        Blkio, BlkioEntry, Cpu, CpuUsage, Cpuset, Hugetlb, Memory, MemoryEntry, MemoryEvents, Pids, Pressure,
        PressureLine, Rdma, Stats, Throttling,
    };
}
