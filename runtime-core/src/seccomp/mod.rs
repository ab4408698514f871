//! System call filters: an OCI profile (`linux.seccomp`) becomes one classic BPF program for seccomp(2).
//!
//! The program loads the architecture, then searches the line of system call numbers of that architecture as a binary
//! tree: neighbours with one verdict are one span, and x32 is nothing but the upper half of x86_64's line. Where a
//! verdict depends on arguments, the tree leads to conditions that the `seccompiler` crate generates.
//!
//! ```text
//! LinuxSeccomp --profile--> rules --precedence, line--> spans of numbers --program--> instructions
//! ```
//!
//! What the specification leaves open is decided as libseccomp and runc decide it: a rule without arguments beats those
//! with arguments, the first of two such rules wins, a rule that says what the default says is skipped, a call newer
//! than all that the profile names fails with ENOSYS, the host's own architecture is always part of the filter, and a
//! call of an architecture that is not kills the thread. Where libseccomp's programs say less than the profile does (a
//! rule that matches in part hides others, words of ranges are mixed up), the profile's meaning is kept; the tests name
//! each such case.
//!
//! ```
//! use runtime_core::seccomp;
//!
//! let profile = serde_json::from_str(
//!     r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "write", "execve", "exit_group"], "action": "SCMP_ACT_ALLOW"}]}"#,
//! )?;
//! let filter = seccomp::compile(&profile, &seccomp::Options::default())?;
//! println!("{} instructions", filter.instructions.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod line;
mod precedence;
mod profile;
mod program;
mod supported;
mod tables;
#[cfg(test)]
mod tests;

use crate::spec::{Arch, LinuxSeccomp};
use std::path::PathBuf;

pub use supported::{ACTIONS, ARCHITECTURES, FLAGS, OPERATORS};

/// How many instructions the kernel takes in one program, BPF_MAXINSNS.
///
/// ```
/// use runtime_core::seccomp::{self, MAX_INSTRUCTIONS};
///
/// # let profile = serde_json::from_str(r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#)?;
/// let filter = seccomp::compile(&profile, &seccomp::Options::default())?;
/// println!("{} % of what the kernel takes", filter.instructions.len() * 100 / MAX_INSTRUCTIONS);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub const MAX_INSTRUCTIONS: usize = 4096;

/// One instruction of a classic BPF program, struct sock_filter of <linux/filter.h>.
///
/// ```
/// use runtime_core::seccomp::Instruction;
///
/// const BPF_RET: u16 = 0x06;
/// let allow = Instruction { code: BPF_RET, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
/// assert_eq!(allow.k, 0x7fff_0000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "the kernel's layout never changes")]
pub struct Instruction {
    /// What it does, BPF_*.
    pub code: u16,
    /// How many instructions it skips if its condition is true.
    pub jt: u8,
    /// How many it skips if not.
    pub jf: u8,
    /// Its operand.
    pub k: u32,
}

/// A compiled profile: what seccomp(2) installs with SECCOMP_SET_MODE_FILTER.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use runtime_core::seccomp;
///
/// let profile = serde_json::from_str(
///     r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO"}]}"#,
/// )?;
/// let filter = seccomp::compile(&profile, &seccomp::Options::default())?;
/// println!("{} instructions, flags {:#x}", filter.instructions.len(), filter.flags);
/// assert!(filter.listener.is_none() && filter.unknown.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// The program, at most [`MAX_INSTRUCTIONS`].
    pub instructions: Vec<Instruction>,
    /// SECCOMP_FILTER_FLAG_* for seccomp(2). With a listener SECCOMP_FILTER_FLAG_NEW_LISTENER is among them.
    pub flags: u32,
    /// Who is sent the descriptor that seccomp(2) returns; set if and only if some action is SCMP_ACT_NOTIFY.
    pub listener: Option<Listener>,
    /// Names in the profile that no architecture knows; their rules are not in the program.
    pub unknown: Vec<String>,
    reads: bool,
}

impl Filter {
    /// Whether read(2) passes whatever its arguments, untold: it is what a process waits by while its listener is passed on.
    pub(crate) fn lets_read(&self) -> bool {
        self.reads
    }

    /// The program as the kernel reads it: 8 bytes for each instruction, in the byte order of this machine.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use runtime_core::seccomp;
    ///
    /// let profile = serde_json::from_str(
    ///     r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO"}]}"#,
    /// )?;
    /// let filter = seccomp::compile(&profile, &seccomp::Options::default())?;
    /// // What bubblewrap's --seccomp and systemd's tools read.
    /// assert_eq!(filter.to_bytes().len(), 8 * filter.instructions.len());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.instructions.len() * 8);
        for Instruction { code, jt, jf, k } in &self.instructions {
            bytes.extend_from_slice(&code.to_ne_bytes());
            bytes.extend_from_slice(&[*jt, *jf]);
            bytes.extend_from_slice(&k.to_ne_bytes());
        }
        bytes
    }
}

/// The agent that answers notifications, `linux.seccomp.listenerPath`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use runtime_core::seccomp;
///
/// let profile = serde_json::from_str(
///     r#"{
///         "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/my-agent.sock", "listenerMetadata": "tenant 7",
///         "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}]
///     }"#,
/// )?;
/// let filter = seccomp::compile(&profile, &seccomp::Options::default())?;
/// let listener = filter.listener.ok_or("nobody is notified")?;
/// assert_eq!(listener.path.to_str(), Some("/run/my-agent.sock"));
/// assert_eq!(listener.metadata.as_deref(), Some("tenant 7"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Listener {
    /// The Unix socket that the descriptor and the ContainerProcessState are sent to.
    pub path: PathBuf,
    /// What the profile wants passed on, `linux.seccomp.listenerMetadata`.
    pub metadata: Option<String>,
}

/// What annotations add to a profile.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use runtime_core::seccomp;
///
/// let profile = serde_json::from_str(
///     r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["no_such_call"], "action": "SCMP_ACT_ERRNO"}]}"#,
/// )?;
/// let mut options = seccomp::Options::default();
/// assert_eq!(seccomp::compile(&profile, &options)?.unknown, ["no_such_call"]);
/// options.fail_unknown_syscall = true;
/// assert!(seccomp::compile(&profile, &options).is_err());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Options {
    /// An unknown system call is an error, as `run.oci.seccomp_fail_unknown_syscall` asks. Otherwise it is skipped.
    pub fail_unknown_syscall: bool,
    /// The listener's socket where the profile names none, `run.oci.seccomp.receiver`.
    pub receiver: Option<PathBuf>,
}

/// Why a profile cannot become a filter.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use runtime_core::seccomp::{self, Error};
///
/// let profile = serde_json::from_str(
///     r#"{
///         "defaultAction": "SCMP_ACT_ALLOW",
///         "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 9, "value": 0, "op": "SCMP_CMP_EQ"}]}]
///     }"#,
/// )?;
/// match seccomp::compile(&profile, &seccomp::Options::default()) {
///     Err(Error::Profile { place, .. }) => assert_eq!(place, ".syscalls[0].args[0].index"),
///     other => panic!("{other:?}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A property of the profile is wrong: its place beneath `linux.seccomp` and what is wrong with it.
    #[error("linux.seccomp{place}: {complaint}")]
    Profile {
        /// As `.syscalls[3].args[0].index`.
        place: String,
        /// One sentence.
        complaint: String,
    },
    /// The program would be longer than the kernel allows.
    #[error("linux.seccomp: the filter needs {0} instructions, the kernel takes {MAX_INSTRUCTIONS}")]
    TooLong(usize),
    /// Corten builds no filters for this architecture.
    #[error("linux.seccomp: no filters can be built for {0}")]
    Architecture(String),
}

impl Error {
    fn at(place: impl Into<String>, complaint: impl Into<String>) -> Self {
        Self::Profile { place: place.into(), complaint: complaint.into() }
    }
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Profile { .. } | Error::TooLong(_) => crate::ErrorKind::InvalidConfig,
            Error::Architecture(_) => crate::ErrorKind::Unsupported,
        };
        Self::new(kind, error.to_string())
    }
}

/// The filter for `profile` on this host. Unknown system calls are warned of in the log.
///
/// # Errors
/// Whatever is wrong with the profile, with its place; a profile under which no program could be executed; a program
/// longer than [`MAX_INSTRUCTIONS`]; a host of an architecture other than [`ARCHITECTURES`].
///
/// ```
/// use runtime_core::{seccomp, spec::LinuxSeccomp};
///
/// let profile: LinuxSeccomp = serde_json::from_str(
///     r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO"}]}"#,
/// )?;
/// let filter = seccomp::compile(&profile, &seccomp::Options::default())?;
/// assert!(filter.instructions.len() < 20);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn compile(profile: &LinuxSeccomp, options: &Options) -> Result<Filter, Error> {
    let filter = compile_for(Arch::ScmpArchNative, profile, options)?;
    if !filter.unknown.is_empty() {
        log::warn!("linux.seccomp.syscalls: unknown system calls are skipped: {}", filter.unknown.join(", "));
    }
    Ok(filter)
}

/// The filter for `profile` on a host of the architecture `native`, [`compile`] without the warning.
///
/// # Errors
/// Those of [`compile`].
///
/// # Example
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use runtime_core::seccomp;
///
/// let profile = serde_json::from_str(
///     r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO"}]}"#,
/// )?;
/// let (here, options) = ("SCMP_ARCH_AARCH64".parse()?, seccomp::Options::default());
/// let filter = seccomp::compile_for(here, &profile, &options)?;
/// println!("{} instructions on aarch64", filter.instructions.len());
/// # Ok(()) }
/// ```
pub fn compile_for(native: Arch, profile: &LinuxSeccomp, options: &Options) -> Result<Filter, Error> {
    let native = supported::host(native)?;
    let profile = profile::Profile::read(profile, options)?;
    let lines = line::lines(native, &profile)?;
    let instructions = program::assemble(&lines)?;
    let reads = lines.first().is_some_and(|own| own.passes(native, "read"));
    let profile::Profile { flags, listener, unknown, .. } = profile;
    Ok(Filter { instructions, flags, listener, unknown, reads })
}

/// Who is sent the listener of the filter for `profile`, without compiling it.
///
/// # Errors
/// SCMP_ACT_NOTIFY without a listener, or metadata without one.
///
/// # Example
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use runtime_core::seccomp;
///
/// let profile = serde_json::from_str(
///     r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO"}]}"#,
/// )?;
/// let options = seccomp::Options::default();
/// assert_eq!(seccomp::listener(&profile, &options)?, None, "no rule asks for one");
/// # Ok(()) }
/// ```
pub fn listener(profile: &LinuxSeccomp, options: &Options) -> Result<Option<Listener>, Error> {
    profile::listener(profile, options)
}

/// The number by which programs of the architecture make the call `name`; on x32 with the bit that marks its calls.
/// Nothing where the architecture has no such call, or where Corten has no table of the architecture.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use runtime_core::seccomp::syscall_number;
///
/// assert_eq!(syscall_number("SCMP_ARCH_X86_64".parse()?, "mount"), Some(165));
/// assert_eq!(syscall_number("SCMP_ARCH_AARCH64".parse()?, "mount"), Some(40));
/// assert_eq!(syscall_number("SCMP_ARCH_AARCH64".parse()?, "open"), None);
/// # Ok(()) }
/// ```
#[must_use]
pub fn syscall_number(architecture: Arch, name: &str) -> Option<u32> {
    let abi = supported::abi(architecture)?;
    tables::find(name)?.number(abi).map(|number| number + supported::base(abi))
}

/// The name of the call that programs of `architecture` (AUDIT_ARCH_* of <linux/audit.h>, as seccomp_data has it) make by `number`.
/// Nothing where this library does not know it.
///
/// ```
/// use runtime_core::seccomp::syscall_name;
///
/// const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
/// assert_eq!(syscall_name(AUDIT_ARCH_X86_64, 165), Some("mount"));
/// assert_eq!(syscall_name(AUDIT_ARCH_X86_64, 100_000), None);
/// ```
#[must_use]
pub fn syscall_name(architecture: u32, number: u32) -> Option<&'static str> {
    let abi = supported::audited(architecture, number)?;
    tables::name(abi, number - supported::base(abi))
}
