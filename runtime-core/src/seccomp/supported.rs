//! What profiles can say, as `features` tells it.

use super::{Error, tables::Abi};
use crate::spec::{Arch, LinuxSeccompAction};
use corten_init::arch;

/// The actions that a profile can name.
///
/// ```
/// use runtime_core::{seccomp::ACTIONS, spec::LinuxSeccompAction};
///
/// assert!(ACTIONS.contains(&LinuxSeccompAction::ScmpActNotify));
/// ```
pub const ACTIONS: [LinuxSeccompAction; 9] = [
    LinuxSeccompAction::ScmpActAllow,
    LinuxSeccompAction::ScmpActErrno,
    LinuxSeccompAction::ScmpActKill,
    LinuxSeccompAction::ScmpActKillProcess,
    LinuxSeccompAction::ScmpActKillThread,
    LinuxSeccompAction::ScmpActLog,
    LinuxSeccompAction::ScmpActNotify,
    LinuxSeccompAction::ScmpActTrace,
    LinuxSeccompAction::ScmpActTrap,
];

/// The comparisons of arguments that a profile can name.
///
/// ```
/// assert!(runtime_core::seccomp::OPERATORS.contains(&"SCMP_CMP_MASKED_EQ"));
/// ```
pub const OPERATORS: [&str; 7] = [
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
];

/// The architectures that filters are built for. Others of the specification may be named: no kernel of this host can
/// make their calls, so nothing is to be built for them.
///
/// ```
/// use runtime_core::{seccomp::ARCHITECTURES, spec::Arch};
///
/// assert!(ARCHITECTURES.contains(&Arch::ScmpArchX86));
/// ```
pub const ARCHITECTURES: [Arch; 5] =
    [Arch::ScmpArchAarch64, Arch::ScmpArchArm, Arch::ScmpArchX32, Arch::ScmpArchX86, Arch::ScmpArchX86_64];

pub(super) const TSYNC: u32 = 1 << 0;
pub(super) const LOG: u32 = 1 << 1;
pub(super) const SPEC_ALLOW: u32 = 1 << 2;
pub(super) const NEW_LISTENER: u32 = 1 << 3;
pub(super) const TSYNC_ESRCH: u32 = 1 << 4;
pub(super) const WAIT_KILLABLE_RECV: u32 = 1 << 5;

/// The flags that a profile can name, and the bit of each for seccomp(2). All but the last (Linux 5.19) are in every
/// kernel that Corten runs on.
///
/// ```
/// use runtime_core::seccomp::FLAGS;
///
/// let log = FLAGS.iter().find(|(name, _)| *name == "SECCOMP_FILTER_FLAG_LOG");
/// assert_eq!(log.map(|(_, bit)| *bit), Some(2));
/// ```
pub const FLAGS: [(&str, u32); 4] = [
    ("SECCOMP_FILTER_FLAG_LOG", LOG),
    ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", SPEC_ALLOW),
    ("SECCOMP_FILTER_FLAG_TSYNC", TSYNC),
    ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", WAIT_KILLABLE_RECV),
];

/// The table's column for an architecture of the specification.
pub(super) fn abi(architecture: Arch) -> Option<Abi> {
    match architecture {
        Arch::ScmpArchNative => audited(arch::AUDIT_ARCH, 0),
        Arch::ScmpArchX86_64 => Some(Abi::X86_64),
        Arch::ScmpArchX86 => Some(Abi::X86),
        Arch::ScmpArchX32 => Some(Abi::X32),
        Arch::ScmpArchAarch64 => Some(Abi::Aarch64),
        Arch::ScmpArchArm => Some(Abi::Arm),
        _ => None,
    }
}

/// What the kernel calls the calling convention, AUDIT_ARCH_*; x32's is that of x86_64.
pub(super) fn audit(abi: Abi) -> u32 {
    match abi {
        Abi::X86_64 | Abi::X32 => 0xc000_003e,
        Abi::X86 => 0x4000_0003,
        Abi::Aarch64 => 0xc000_00b7,
        Abi::Arm => 0x4000_0028,
    }
}

/// What the numbers of x32 have beside those of x86_64, __X32_SYSCALL_BIT.
pub(super) const X32_BIT: u32 = 1 << 30;

/// What an architecture adds to the numbers of the tables.
pub(super) fn base(abi: Abi) -> u32 {
    if abi == Abi::X32 { X32_BIT } else { 0 }
}

/// The table's column for a call as the kernel tells of it.
pub(super) fn audited(architecture: u32, number: u32) -> Option<Abi> {
    let abis = [Abi::X32, Abi::X86_64, Abi::X86, Abi::Aarch64, Abi::Arm];
    let fits = |abi: &Abi| audit(*abi) == architecture && number >= base(*abi);
    abis.into_iter().find(fits)
}

/// The same for an architecture that Corten can run on.
pub(super) fn host(architecture: Arch) -> Result<Abi, Error> {
    match abi(architecture) {
        Some(abi @ (Abi::X86_64 | Abi::Aarch64)) => Ok(abi),
        _ if architecture == Arch::ScmpArchNative => {
            Err(Error::Architecture(std::env::consts::ARCH.to_owned()))
        }
        _ => Err(Error::Architecture(architecture.to_string())),
    }
}
