//! `process` (config.md, "Process").

use super::{
    capabilities::LinuxCapabilities,
    define::{objects, words, words_are_properties},
    scheduler::{ExecCPUAffinity, LinuxIOPriority, Scheduler},
};
use std::path::PathBuf;

objects! {
    /// The program of a container, or one that is executed in it beside: config.md, "Process".
    ///
    /// ```
    /// use runtime_core::spec::{PosixRlimit, PosixRlimitType, Process, User};
    ///
    /// let mut process = Process::new(["/bin/server", "--port=8080"]);
    /// process.user = User::new(1000, 1000);
    /// process.env.push("PATH=/usr/bin:/bin".to_owned());
    /// process.rlimits.push(PosixRlimit { typ: PosixRlimitType::RlimitNofile, soft: 1024, hard: 4096 });
    /// process.no_new_privileges = true;
    /// ```
    #[non_exhaustive]
    Process {
        /// Whether it has a terminal in place of three streams.
        terminal: bool = "terminal",
        /// The terminal's size.
        console_size: Option<ConsoleSize> = "consoleSize",
        /// Who it is.
        user: User = "user" Written,
        /// The program, by path or name, and its arguments.
        args: Vec<String> = "args",
        /// Of Windows' processes; kept for who reads it back.
        command_line: Option<String> = "commandLine",
        /// Its environment, as `NAME=value`.
        env: Vec<String> = "env",
        /// Its working directory, an absolute path of the container.
        cwd: PathBuf = "cwd" Required,
        /// Its capabilities; none if this is not there.
        capabilities: Option<LinuxCapabilities> = "capabilities",
        /// Its resource limits: config.md, "POSIX process"; setrlimit(2).
        rlimits: Vec<PosixRlimit> = "rlimits",
        /// Whether nothing that it executes can gain privileges: PR_SET_NO_NEW_PRIVS.
        no_new_privileges: bool = "noNewPrivileges",
        /// Its AppArmor profile.
        apparmor_profile: Option<String> = "apparmorProfile",
        /// What is added to the score by which the kernel chooses whom to kill when memory is out, -1000 to 1000.
        oom_score_adj: Option<i32> = "oomScoreAdj",
        /// Its SELinux label.
        selinux_label: Option<String> = "selinuxLabel",
        /// Its I/O priority.
        io_priority: Option<LinuxIOPriority> = "ioPriority",
        /// How the kernel schedules it.
        scheduler: Option<Scheduler> = "scheduler",
        /// The processors of one that is executed in a container.
        exec_cpu_affinity: Option<ExecCPUAffinity> = "execCPUAffinity",
    }

    /// A terminal's size, the specification's `Box`: config.md, "process.consoleSize".
    ///
    /// ```
    /// use runtime_core::spec::{ConsoleSize, Process};
    ///
    /// let mut shell = Process::new(["bash"]);
    /// shell.terminal = true;
    /// shell.console_size = Some(ConsoleSize { height: 24, width: 80 });
    /// ```
    #[derive(Copy)]
    ConsoleSize {
        /// Lines.
        height: u64 = "height" Written,
        /// Columns.
        width: u64 = "width" Written,
    }

    /// Who a process is: config.md, "POSIX-platform User".
    ///
    /// ```
    /// use runtime_core::spec::User;
    ///
    /// let mut user = User::new(1000, 1000);
    /// user.additional_gids.push(27);
    /// user.umask = Some(0o027);
    /// ```
    #[non_exhaustive]
    User {
        /// The user's id in the container.
        uid: u32 = "uid" Written,
        /// The group's id in the container.
        gid: u32 = "gid" Written,
        /// The mode bits that new files do not get, the caller's if this is not there.
        umask: Option<u32> = "umask",
        /// More groups.
        additional_gids: Vec<u32> = "additionalGids",
        /// Of Windows' processes; kept for who reads it back.
        username: Option<String> = "username",
    }

    /// A resource limit: config.md, "POSIX process"; setrlimit(2).
    ///
    /// ```
    /// use runtime_core::spec::{PosixRlimit, PosixRlimitType};
    ///
    /// let no_core_files = PosixRlimit { typ: PosixRlimitType::RlimitCore, soft: 0, hard: 0 };
    /// ```
    #[derive(Copy)]
    PosixRlimit {
        /// What is limited.
        typ: PosixRlimitType = "type" Required,
        /// How far `soft` can be raised, in the resource's own unit; [`u64::MAX`] is no limit.
        hard: u64 = "hard" Written,
        /// What the kernel enforces, in the resource's own unit.
        soft: u64 = "soft" Written,
    }
}

words! {
    /// A resource of setrlimit(2).
    ///
    /// ```
    /// use runtime_core::spec::PosixRlimitType;
    ///
    /// assert_eq!(PosixRlimitType::RlimitNofile.as_str(), "RLIMIT_NOFILE");
    /// ```
    #[non_exhaustive]
    PosixRlimitType {
        /// Processor time, in seconds.
        #[default]
        RlimitCpu = "RLIMIT_CPU",
        /// The size of a file, in bytes.
        RlimitFsize = "RLIMIT_FSIZE",
        /// The size of the data segment, in bytes.
        RlimitData = "RLIMIT_DATA",
        /// The size of the stack, in bytes.
        RlimitStack = "RLIMIT_STACK",
        /// The size of a core file, in bytes.
        RlimitCore = "RLIMIT_CORE",
        /// The resident set, in bytes; the kernel ignores it.
        RlimitRss = "RLIMIT_RSS",
        /// Processes and threads of the user.
        RlimitNproc = "RLIMIT_NPROC",
        /// Open files.
        RlimitNofile = "RLIMIT_NOFILE",
        /// Locked memory, in bytes.
        RlimitMemlock = "RLIMIT_MEMLOCK",
        /// Address space, in bytes.
        RlimitAs = "RLIMIT_AS",
        /// File locks; the kernel ignores it.
        RlimitLocks = "RLIMIT_LOCKS",
        /// Signals that are queued for the user.
        RlimitSigpending = "RLIMIT_SIGPENDING",
        /// POSIX message queues of the user, in bytes.
        RlimitMsgqueue = "RLIMIT_MSGQUEUE",
        /// How far the nice value can be lowered: 20 less this.
        RlimitNice = "RLIMIT_NICE",
        /// The highest real-time priority.
        RlimitRtprio = "RLIMIT_RTPRIO",
        /// Processor time between two blocking calls of a real-time process, in microseconds.
        RlimitRttime = "RLIMIT_RTTIME",
    }
}

words_are_properties! { PosixRlimitType }

impl Process {
    /// This program (its path or name, then its arguments), as root, in `/`, without capabilities and environment.
    ///
    /// ```
    /// use runtime_core::spec::Process;
    ///
    /// let check = Process::new(["/bin/check", "--quick"]);
    /// assert_eq!(check.cwd.to_str(), Some("/"));
    /// ```
    pub fn new<A: Into<String>>(args: impl IntoIterator<Item = A>) -> Self {
        Self { args: args.into_iter().map(Into::into).collect(), cwd: "/".into(), ..Self::default() }
    }
}

impl User {
    /// This user and group, without other groups.
    ///
    /// ```
    /// use runtime_core::spec::User;
    ///
    /// let nobody = User::new(65_534, 65_534);
    /// ```
    pub fn new(uid: u32, gid: u32) -> Self {
        Self { uid, gid, ..Self::default() }
    }
}
