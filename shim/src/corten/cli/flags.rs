//! Every flag of the command line, as data. What runc calls a flag is so called here, and means the same.

/// One flag: parsing, `--help`, the manual pages and the completions are made from it.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Its name after `--`.
    pub(crate) long: &'static str,
    /// Its letter after `-`.
    pub(crate) short: Option<char>,
    /// What its value is called in the help; a switch has none.
    pub(crate) value: Option<&'static str>,
    /// What it does, in a line. An empty one keeps the flag out of the help: it is accepted for old callers' sake.
    pub(crate) help: &'static str,
}

const fn switch(long: &'static str, help: &'static str) -> Flag {
    Flag { long, short: None, value: None, help }
}

const fn option(long: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { long, short: None, value: Some(value), help }
}

impl Flag {
    const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }
}

/// The flags before the command. They are accepted after it too, where the command has no flag of that name.
pub(crate) const GLOBAL: &[Flag] = &[
    option("root", "DIR", "where the containers' state is kept; on a tmpfs [default: /run/corten]"),
    option("log", "DEST", "write the log to a file, journald:NAME or syslog:NAME [default: standard error]"),
    option("log-format", "FORMAT", "text or json [default: text]"),
    option("log-level", "LEVEL", "debug, info, warn or error [default: info]"),
    switch("debug", "the same as --log-level debug"),
    option("cgroup-manager", "NAME", "cgroupfs, systemd or disabled [default: cgroupfs]"),
    switch("systemd-cgroup", "the same as --cgroup-manager systemd; cgroupsPath is then slice:prefix:name"),
    option("rootless", "WHEN", "go on without cgroups one may not make: true, false or auto [default: auto]"),
    option("criu", "PATH", "the criu program for checkpoint and restore [default: criu]"),
    HELP,
    switch("version", "print the version").short('v'),
];

pub(crate) const HELP: Flag = switch("help", "show help").short('h');

const BUNDLE: Flag = option("bundle", "DIR", "the bundle: config.json and the root [default: .]").short('b');
const CONFIG: Flag = option("config", "FILE", "read this instead of the bundle's config.json").short('f');
const CONSOLE_SOCKET: Flag =
    option("console-socket", "PATH", "send the terminal's master end over this AF_UNIX socket");
const PID_FILE: Flag = option("pid-file", "PATH", "write the process id to this file");
const PIDFD_SOCKET: Flag =
    option("pidfd-socket", "PATH", "send a pidfd of the process over this AF_UNIX socket");
const NO_PIVOT: Flag = switch("no-pivot", "do not use pivot_root, for a root on the initramfs");
const NO_NEW_KEYRING: Flag = switch("no-new-keyring", "keep the caller's session keyring");
const PRESERVE_FDS: Flag =
    option("preserve-fds", "N", "hand N more descriptors, 3 and up, to the process [default: 0]");
const DETACH: Flag = switch("detach", "return as soon as the process runs").short('d');
const NO_SUBREAPER: Flag = switch("no-subreaper", "do not become the parent of the container's orphans");
const REGEX: Flag =
    switch("regex", "the id is a regular expression; take every container that matches").short('r');

pub(crate) const CREATE: &[Flag] = &[
    BUNDLE,
    CONFIG,
    CONSOLE_SOCKET,
    PID_FILE,
    PIDFD_SOCKET,
    NO_PIVOT,
    NO_NEW_KEYRING,
    PRESERVE_FDS,
    switch("no-subreaper", ""),
];

pub(crate) const RUN: &[Flag] = &[
    BUNDLE,
    CONFIG,
    DETACH,
    CONSOLE_SOCKET,
    PID_FILE,
    PIDFD_SOCKET,
    switch("keep", "do not delete the container when its process has ended"),
    NO_SUBREAPER,
    NO_PIVOT,
    NO_NEW_KEYRING,
    PRESERVE_FDS,
];

pub(crate) const EXEC: &[Flag] = &[
    option("process", "FILE", "the whole process as JSON, as config.json's `process`").short('p'),
    option("cwd", "DIR", "the working directory"),
    option("env", "NAME=VALUE", "one more environment variable; may be repeated").short('e'),
    switch("tty", "give it a terminal").short('t'),
    option("user", "UID[:GID]", "the user and group, as numbers").short('u'),
    option("additional-gids", "GID", "one more group; may be repeated").short('g'),
    option("cap", "CAP", "one more capability; may be repeated").short('c'),
    switch("no-new-privs", "set no_new_privs"),
    option("process-label", "LABEL", "the SELinux label"),
    option("apparmor", "PROFILE", "the AppArmor profile"),
    DETACH,
    CONSOLE_SOCKET,
    PID_FILE,
    PIDFD_SOCKET,
    PRESERVE_FDS,
    option("cgroup", "[CONTROLLER:]PATH", "a cgroup below the container's own; may be repeated"),
    switch("ignore-paused", "even if the container is paused"),
    NO_SUBREAPER,
];

pub(crate) const KILL: &[Flag] =
    &[switch("all", "signal every process of the container, not its first one only").short('a'), REGEX];

pub(crate) const DELETE: &[Flag] =
    &[switch("force", "end it first if it runs; an id that does not exist is no error").short('f'), REGEX];

pub(crate) const LIST: &[Flag] = &[
    option("format", "FORMAT", "table or json [default: table]").short('f'),
    switch("quiet", "ids only").short('q'),
];

pub(crate) const PS: &[Flag] = &[option("format", "FORMAT", "table or json [default: table]").short('f')];

pub(crate) const EVENTS: &[Flag] = &[
    option("interval", "DURATION", "how often, as 500ms or 1m30s [default: 5s]"),
    switch("stats", "print the statistics once, and end"),
    switch("follow", "for people: a table of this or all containers, drawn anew each second").short('f'),
];

pub(crate) const UPDATE: &[Flag] = &[
    option("resources", "FILE", "linux.resources as JSON, - for standard input; other limits are ignored")
        .short('r'),
    option("memory", "BYTES", "memory limit, as 536870912 or 512M; -1 for none"),
    option("memory-reservation", "BYTES", "memory below which the container is spared"),
    option("memory-swap", "BYTES", "memory and swap together; -1 for no limit"),
    option("cpu-period", "USEC", "the period of --cpu-quota"),
    option("cpu-quota", "USEC", "processor time in each period; -1 for no limit"),
    option("cpu-burst", "USEC", "unused processor time that may be saved up"),
    option("cpu-share", "N", "weight against other containers"),
    option("cpu-idle", "0|1", "run only when nothing else wants the processor"),
    option("cpu-rt-period", "USEC", "the period of --cpu-rt-runtime"),
    option("cpu-rt-runtime", "USEC", "real-time processor time in each period"),
    option("cpuset-cpus", "LIST", "processors it may use, as 0-3,7"),
    option("cpuset-mems", "LIST", "memory nodes it may use"),
    option("pids-limit", "N", "how many processes and threads; -1 for no limit"),
    option("blkio-weight", "N", "weight of its block I/O, 10 to 1000"),
    option("l3-cache-schema", "SCHEMA", "Intel RDT: the L3 cache"),
    option("mem-bw-schema", "SCHEMA", "Intel RDT: the memory bandwidth"),
    option("kernel-memory", "BYTES", ""),
    option("kernel-memory-tcp", "BYTES", ""),
];

pub(crate) const SPEC: &[Flag] = &[
    option("bundle", "DIR", "write DIR/config.json [default: .]").short('b'),
    switch("rootless", "for a user without privileges"),
];

pub(crate) const PLAN: &[Flag] = &[
    BUNDLE,
    CONFIG,
    switch("json", "one JSON object a step, for a program to read"),
    NO_PIVOT,
    NO_NEW_KEYRING,
    PRESERVE_FDS,
];

const IMAGE_PATH: Flag = option("image-path", "DIR", "where the image is [default: checkpoint]");
const WORK_PATH: Flag =
    option("work-path", "DIR", "where criu's logs and working files go [default: the image]");
const TCP_ESTABLISHED: Flag = switch("tcp-established", "allow open TCP connections");
const EXT_UNIX_SK: Flag = switch("ext-unix-sk", "allow UNIX sockets that lead outside");
const SHELL_JOB: Flag = switch("shell-job", "allow processes of a shell's session");
const LAZY_PAGES: Flag = switch("lazy-pages", "copy memory when it is first used, by userfaultfd");
const FILE_LOCKS: Flag = switch("file-locks", "keep file locks");
const MANAGE_CGROUPS: Flag =
    option("manage-cgroups-mode", "MODE", "soft, full, strict or ignore [default: soft]");
const EMPTY_NS: Flag = option("empty-ns", "TYPE", "make the namespace, do not restore what is in it");
const AUTO_DEDUP: Flag = switch("auto-dedup", "remove pages from earlier images that this one has");
const LINK_REMAP: Flag = switch("link-remap", "allow removed files that are still linked elsewhere");

pub(crate) const CHECKPOINT: &[Flag] = &[
    IMAGE_PATH,
    WORK_PATH,
    option("parent-path", "DIR", "the image of the pre-dump before this one, relative to this one"),
    switch("leave-running", "do not end the container"),
    TCP_ESTABLISHED,
    switch("tcp-skip-in-flight", "skip TCP connections that are not yet open"),
    EXT_UNIX_SK,
    SHELL_JOB,
    LAZY_PAGES,
    option("status-fd", "FD", "where criu writes a NUL when lazy-pages is ready"),
    option("page-server", "ADDRESS:PORT", "send the memory there"),
    FILE_LOCKS,
    switch("pre-dump", "memory only, and leave the container running"),
    MANAGE_CGROUPS,
    EMPTY_NS,
    AUTO_DEDUP,
    LINK_REMAP,
];

pub(crate) const RESTORE: &[Flag] = &[
    BUNDLE,
    DETACH,
    CONSOLE_SOCKET,
    PID_FILE,
    NO_SUBREAPER,
    NO_PIVOT,
    IMAGE_PATH,
    WORK_PATH,
    TCP_ESTABLISHED,
    EXT_UNIX_SK,
    SHELL_JOB,
    LAZY_PAGES,
    FILE_LOCKS,
    MANAGE_CGROUPS,
    EMPTY_NS,
    AUTO_DEDUP,
    LINK_REMAP,
    option("lsm-profile", "TYPE:NAME", "the AppArmor profile or SELinux label to restore with"),
    option("lsm-mount-context", "CONTEXT", "the SELinux mount context to restore with"),
];
