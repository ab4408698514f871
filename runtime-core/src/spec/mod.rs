//! The types of the OCI Runtime Specification, 1.3, on Linux: plain data with public fields.
//!
//! A [`Spec`] is a config.json. Each type is named as in the specification's own definitions and has each of its properties, in
//! Rust's spelling: `linux.resources.memory.kernelTCP` is `linux.resources.memory.kernel_tcp`, `type` is `typ`. Sections of other
//! platforms are neither read nor written, and properties of later versions are ignored when they are read.
//!
//! What may be left out of config.json is an [`Option`], an empty list or map, or `false`; `Default` is a value with nothing in it.
//! Types that the specification still adds to cannot be written out in braces: begin with `new` or `Default` and set fields.
//!
//! ```
//! use runtime_core::spec::{LinuxMemory, LinuxResources, Mount, PosixRlimit, PosixRlimitType, Process};
//!
//! let mut process = Process::new(["sleep", "10"]);
//! process.rlimits.push(PosixRlimit { typ: PosixRlimitType::RlimitNofile, soft: 64, hard: 64 });
//!
//! let mut limits = LinuxResources::default();
//! limits.memory.get_or_insert_default().limit = Some(64 << 20);
//!
//! let mount = Mount::new("/tmp").of_type("tmpfs").from_source("tmpfs").with_options(["nosuid", "mode=1777"]);
//! assert_eq!(serde_json::to_string(&limits).unwrap(), r#"{"memory":{"limit":67108864}}"#);
//! # let _ = mount;
//! ```
//!
//! All implement serde's traits. What is read is held to strictly: an object is not a list, a word is not an object, no
//! property is given twice, and an error names its place.

mod block_io;
mod capabilities;
mod define;
mod features;
mod hooks;
mod intel_rdt;
mod linux;
mod memory_policy;
mod mounts;
mod namespaces;
mod node;
mod position;
mod process;
mod read;
mod resources;
mod scheduler;
mod seccomp;

pub use block_io::{LinuxBlockIo, LinuxThrottleDevice, LinuxWeightDevice};
pub use capabilities::{Capability, LinuxCapabilities};
pub use features::{
    Apparmor, Cgroup, Features, IDMap, IntelRdt, LinuxFeature, MemoryPolicy, MountExtensions, NetDevices,
    Seccomp, Selinux,
};
pub use hooks::{Hook, Hooks};
pub use intel_rdt::LinuxIntelRdt;
pub use linux::{
    Linux, LinuxDevice, LinuxDeviceType, LinuxNetDevice, LinuxPersonality, LinuxPersonalityDomain,
};
pub use memory_policy::{LinuxMemoryPolicy, MemoryPolicyFlagType, MemoryPolicyModeType};
pub use mounts::{Mount, Root, Spec};
pub use namespaces::{LinuxIdMapping, LinuxNamespace, LinuxNamespaceType, LinuxTimeOffset};
pub use process::{ConsoleSize, PosixRlimit, PosixRlimitType, Process, User};
pub(crate) use read::from_slice;
pub use resources::{
    LinuxCpu, LinuxDeviceCgroup, LinuxHugepageLimit, LinuxInterfacePriority, LinuxMemory, LinuxNetwork,
    LinuxPids, LinuxRdma, LinuxResources,
};
pub use scheduler::{
    ExecCPUAffinity, IOPriorityClass, LinuxIOPriority, LinuxSchedulerFlag, LinuxSchedulerPolicy, Scheduler,
};
pub use seccomp::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSeccompOperator,
    LinuxSyscall,
};

#[cfg(test)]
mod tests;
