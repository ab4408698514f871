//! `linux.seccomp` (config-linux.md, "Seccomp").

use super::define::{objects, words, words_are_properties};
use std::path::PathBuf;

objects! {
    /// Which system calls there are: config-linux.md, "Seccomp".
    ///
    /// ```
    /// use runtime_core::spec::{LinuxSeccomp, LinuxSeccompAction, LinuxSyscall};
    ///
    /// let mut profile = LinuxSeccomp::new(LinuxSeccompAction::ScmpActErrno);
    /// profile.syscalls.push(LinuxSyscall::new(["read", "write", "exit_group"], LinuxSeccompAction::ScmpActAllow));
    /// ```
    #[non_exhaustive]
    LinuxSeccomp {
        /// What happens to calls that no rule is about.
        default_action: LinuxSeccompAction = "defaultAction" Required,
        /// The error number where that is [`LinuxSeccompAction::ScmpActErrno`], EPERM if there is none.
        default_errno_ret: Option<u32> = "defaultErrnoRet",
        /// The calling conventions that the rules are for.
        architectures: Vec<Arch> = "architectures",
        /// How the filter is installed; no list is [`LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow`], an empty one nothing.
        flags: Option<Vec<LinuxSeccompFilterFlag>> = "flags",
        /// The socket of the agent that answers notifications, an absolute path of the host.
        listener_path: Option<PathBuf> = "listenerPath",
        /// What the agent is told beside.
        listener_metadata: Option<String> = "listenerMetadata",
        /// The rules.
        syscalls: Vec<LinuxSyscall> = "syscalls",
    }

    /// A rule.
    ///
    /// ```
    /// use runtime_core::spec::{LinuxSeccompAction, LinuxSyscall};
    ///
    /// let mut refused = LinuxSyscall::new(["mount", "umount2"], LinuxSeccompAction::ScmpActErrno);
    /// refused.errno_ret = Some(libc::EPERM.unsigned_abs());
    /// ```
    LinuxSyscall {
        /// The calls that it is about.
        names: Vec<String> = "names" Required,
        /// What happens to them.
        action: LinuxSeccompAction = "action" Required,
        /// The error number of [`LinuxSeccompAction::ScmpActErrno`], or the message of
        /// [`LinuxSeccompAction::ScmpActTrace`]; EPERM if there is none.
        errno_ret: Option<u32> = "errnoRet",
        /// What must be true of their arguments, all of it.
        args: Vec<LinuxSeccompArg> = "args",
    }

    /// A condition on an argument of a call.
    ///
    /// ```
    /// use runtime_core::spec::{LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall};
    ///
    /// // socket(AF_VSOCK, ...)
    /// let mut vsock = LinuxSyscall::new(["socket"], LinuxSeccompAction::ScmpActErrno);
    /// let op = LinuxSeccompOperator::ScmpCmpEq;
    /// vsock.args.push(LinuxSeccompArg { index: 0, value: 40, value_two: None, op });
    /// ```
    #[derive(Copy)]
    LinuxSeccompArg {
        /// The argument's number, from 0.
        index: u32 = "index" Required,
        /// What it is compared with, or the mask of [`LinuxSeccompOperator::ScmpCmpMaskedEq`].
        value: u64 = "value" Required,
        /// What the masked argument is compared with.
        value_two: Option<u64> = "valueTwo",
        /// The comparison.
        op: LinuxSeccompOperator = "op" Required,
    }
}

words! {
    /// What happens to a call.
    ///
    /// ```
    /// use runtime_core::spec::LinuxSeccompAction;
    ///
    /// assert_eq!(LinuxSeccompAction::ScmpActNotify.as_str(), "SCMP_ACT_NOTIFY");
    /// ```
    #[non_exhaustive]
    LinuxSeccompAction {
        /// The thread is killed: the old name of the next.
        ScmpActKill = "SCMP_ACT_KILL",
        /// The thread is killed.
        ScmpActKillThread = "SCMP_ACT_KILL_THREAD",
        /// The process is killed.
        ScmpActKillProcess = "SCMP_ACT_KILL_PROCESS",
        /// The thread gets SIGSYS.
        ScmpActTrap = "SCMP_ACT_TRAP",
        /// The call fails.
        ScmpActErrno = "SCMP_ACT_ERRNO",
        /// An agent answers.
        ScmpActNotify = "SCMP_ACT_NOTIFY",
        /// A tracer decides.
        ScmpActTrace = "SCMP_ACT_TRACE",
        /// The call is made and logged.
        ScmpActLog = "SCMP_ACT_LOG",
        /// The call is made.
        #[default]
        ScmpActAllow = "SCMP_ACT_ALLOW",
    }

    /// How an argument is compared.
    ///
    /// ```
    /// use runtime_core::spec::{LinuxSeccompArg, LinuxSeccompOperator};
    ///
    /// // Any of the namespaces' flags of clone(2).
    /// let op = LinuxSeccompOperator::ScmpCmpMaskedEq;
    /// let none = LinuxSeccompArg { index: 0, value: 0x7e02_0000, value_two: Some(0), op };
    /// ```
    LinuxSeccompOperator {
        /// Not equal.
        ScmpCmpNe = "SCMP_CMP_NE",
        /// Less.
        ScmpCmpLt = "SCMP_CMP_LT",
        /// Less or equal.
        ScmpCmpLe = "SCMP_CMP_LE",
        /// Equal.
        #[default]
        ScmpCmpEq = "SCMP_CMP_EQ",
        /// Greater or equal.
        ScmpCmpGe = "SCMP_CMP_GE",
        /// Greater.
        ScmpCmpGt = "SCMP_CMP_GT",
        /// Equal in the bits of a mask.
        ScmpCmpMaskedEq = "SCMP_CMP_MASKED_EQ",
    }

    /// A flag of seccomp(2).
    ///
    /// ```
    /// use runtime_core::spec::{LinuxSeccomp, LinuxSeccompFilterFlag};
    ///
    /// let mut profile = LinuxSeccomp::default();
    /// profile.flags = Some(vec![LinuxSeccompFilterFlag::SeccompFilterFlagLog]);
    /// ```
    #[non_exhaustive]
    LinuxSeccompFilterFlag {
        /// What is not allowed is logged.
        #[default]
        SeccompFilterFlagLog = "SECCOMP_FILTER_FLAG_LOG",
        /// All threads of the process get the filter.
        SeccompFilterFlagTsync = "SECCOMP_FILTER_FLAG_TSYNC",
        /// Speculation is left as it is.
        SeccompFilterFlagSpecAllow = "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        /// A thread that waits for its agent is woken by signals that kill it only.
        SeccompFilterFlagWaitKillableRecv = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    }

    /// A calling convention, by libseccomp's name.
    ///
    /// ```
    /// use runtime_core::spec::Arch;
    ///
    /// assert_eq!(Arch::ScmpArchX86_64.as_str(), "SCMP_ARCH_X86_64");
    /// ```
    #[non_exhaustive]
    Arch {
        /// The host's own.
        #[default]
        ScmpArchNative = "SCMP_ARCH_NATIVE",
        /// x86 of 32 bits.
        ScmpArchX86 = "SCMP_ARCH_X86",
        /// x86 of 64 bits.
        ScmpArchX86_64 = "SCMP_ARCH_X86_64",
        /// x86 of 64 bits with pointers of 32.
        ScmpArchX32 = "SCMP_ARCH_X32",
        /// ARM of 32 bits.
        ScmpArchArm = "SCMP_ARCH_ARM",
        /// ARM of 64 bits.
        ScmpArchAarch64 = "SCMP_ARCH_AARCH64",
        /// MIPS of 32 bits.
        ScmpArchMips = "SCMP_ARCH_MIPS",
        /// MIPS of 64 bits.
        ScmpArchMips64 = "SCMP_ARCH_MIPS64",
        /// MIPS of 64 bits with pointers of 32.
        ScmpArchMips64n32 = "SCMP_ARCH_MIPS64N32",
        /// MIPS of 32 bits, little endian.
        ScmpArchMipsel = "SCMP_ARCH_MIPSEL",
        /// MIPS of 64 bits, little endian.
        ScmpArchMipsel64 = "SCMP_ARCH_MIPSEL64",
        /// MIPS of 64 bits with pointers of 32, little endian.
        ScmpArchMipsel64n32 = "SCMP_ARCH_MIPSEL64N32",
        /// PowerPC of 32 bits.
        ScmpArchPpc = "SCMP_ARCH_PPC",
        /// PowerPC of 64 bits.
        ScmpArchPpc64 = "SCMP_ARCH_PPC64",
        /// PowerPC of 64 bits, little endian.
        ScmpArchPpc64le = "SCMP_ARCH_PPC64LE",
        /// S/390 of 31 bits.
        ScmpArchS390 = "SCMP_ARCH_S390",
        /// S/390 of 64 bits.
        ScmpArchS390x = "SCMP_ARCH_S390X",
        /// PA-RISC of 32 bits.
        ScmpArchParisc = "SCMP_ARCH_PARISC",
        /// PA-RISC of 64 bits.
        ScmpArchParisc64 = "SCMP_ARCH_PARISC64",
        /// RISC-V of 64 bits.
        ScmpArchRiscv64 = "SCMP_ARCH_RISCV64",
        /// LoongArch of 64 bits.
        ScmpArchLoongarch64 = "SCMP_ARCH_LOONGARCH64",
        /// Motorola's 68000.
        ScmpArchM68k = "SCMP_ARCH_M68K",
        /// SuperH.
        ScmpArchSh = "SCMP_ARCH_SH",
        /// SuperH, big endian.
        ScmpArchSheb = "SCMP_ARCH_SHEB",
    }
}

words_are_properties! {
    LinuxSeccompAction LinuxSeccompOperator LinuxSeccompFilterFlag Arch
}

impl LinuxSeccomp {
    /// A profile without rules: this happens to every call.
    ///
    /// ```
    /// use runtime_core::spec::{LinuxSeccomp, LinuxSeccompAction};
    ///
    /// let nothing_refused = LinuxSeccomp::new(LinuxSeccompAction::ScmpActAllow);
    /// ```
    pub fn new(default_action: LinuxSeccompAction) -> Self {
        Self { default_action, ..Self::default() }
    }
}

impl LinuxSyscall {
    /// A rule for these calls, whatever their arguments.
    ///
    /// ```
    /// use runtime_core::spec::{LinuxSeccompAction, LinuxSyscall};
    ///
    /// let rule = LinuxSyscall::new(["ptrace", "process_vm_readv"], LinuxSeccompAction::ScmpActErrno);
    /// ```
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>, action: LinuxSeccompAction) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), action, ..Self::default() }
    }
}
