//! The common configurations, without a file and without the whole of the specification in one's head.

use crate::spec::{
    Capability, Linux, LinuxCapabilities, LinuxIdMapping, LinuxNamespace, LinuxNamespaceType, LinuxPids,
    LinuxResources, LinuxSeccomp, Mount, Process, Root, Spec, User,
};
use std::path::PathBuf;

/// The period over which processor time is counted, in microseconds: the kernel's own default.
const CPU_PERIOD: u64 = 100_000;

/// The version of the specification that a job is written for.
const OCI_VERSION: &str = "1.3.0";

const VARIABLES: [&str; 2] =
    ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"];

const NAMESPACES: [LinuxNamespaceType; 6] = [
    LinuxNamespaceType::Pid,
    LinuxNamespaceType::Network,
    LinuxNamespaceType::Ipc,
    LinuxNamespaceType::Uts,
    LinuxNamespaceType::Mount,
    LinuxNamespaceType::Cgroup,
];

/// What tells of the host or is dangerous to read.
const MASKED: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/sys/firmware",
    "/proc/scsi",
];

/// What would change the host.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The file systems that programs expect: destination, type, source, options.
const MOUNTS: [(&str, &str, &str, &[&str]); 7] = [
    ("/proc", "proc", "proc", &[]),
    ("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
    (
        "/dev/pts",
        "devpts",
        "devpts",
        &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    ),
    ("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    ("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    ("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
    ("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
];

fn usual_mounts() -> Vec<Mount> {
    let mount = |(destination, kind, source, options): (&str, &str, &str, &[&str])| {
        Mount::new(destination).of_type(kind).from_source(source).with_options(options.iter().copied())
    };
    MOUNTS.map(mount).into()
}

/// A program to run on a folder of the host as its root: namespaces of its own for all but the user, no network but a
/// loopback device, three capabilities, no way to gain more, and the usual paths of /proc and /sys hidden. What differs is
/// said by the methods; what they do not cover, [`Job::spec`] gives to change.
///
/// ```
/// use runtime_core::Job;
///
/// let job = Job::new("/srv/images/busybox", ["sh", "-c", "echo hello"])
///     .memory(64 << 20)
///     .cpus(0.5)
///     .pids(100)
///     .read_only();
/// let spec = job.spec();
/// assert!(spec.root.is_some_and(|root| root.readonly));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "it only describes what is to run: give it to a `ContainerBuilder`"]
pub struct Job {
    spec: Spec,
    process: Process,
    linux: Linux,
    resources: LinuxResources,
}

impl Job {
    /// The program `args` (its path or name, then its arguments), with the folder `rootfs` as `/`.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// let job = Job::new("/srv/images/debian", ["sh", "-c", "apt-get update"]);
    /// ```
    pub fn new<A: Into<String>>(rootfs: impl Into<PathBuf>, args: impl IntoIterator<Item = A>) -> Self {
        let mut spec = Spec::new(OCI_VERSION);
        spec.root = Some(Root::new(rootfs));
        spec.mounts = usual_mounts();
        let mut process = Process::new(args);
        process.env = VARIABLES.map(str::to_owned).into();
        process.no_new_privileges = true;
        let linux = Linux {
            namespaces: NAMESPACES.map(LinuxNamespace::new).into(),
            masked_paths: MASKED.map(PathBuf::from).into(),
            readonly_paths: READ_ONLY.map(PathBuf::from).into(),
            ..Linux::default()
        };
        let job = Self { spec, process, linux, resources: LinuxResources::default() };
        job.capabilities([Capability::AuditWrite, Capability::Kill, Capability::NetBindService])
    }

    /// A variable of its environment; PATH and TERM have values already.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// let job = Job::new("/srv/images/debian", ["cargo", "test"]).env("CARGO_HOME", "/tmp/cargo").env("CI", "1");
    /// ```
    pub fn env(mut self, name: &str, value: &str) -> Self {
        let variables = &mut self.process.env;
        let starts = format!("{name}=");
        variables.retain(|variable| !variable.starts_with(&starts));
        variables.push(starts + value);
        self
    }

    /// Its working directory, `/` otherwise.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// let job = Job::new("/srv/images/debian", ["make"]).bind("/home/me/project", "/src").current_dir("/src");
    /// ```
    pub fn current_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.process.cwd = path.into();
        self
    }

    /// Its user and group, 0 and 0 otherwise. Other users have no capabilities.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// let job = Job::new("/srv/images/debian", ["id"]).user(1000, 1000);
    /// ```
    pub fn user(mut self, uid: u32, gid: u32) -> Self {
        self.process.user = User::new(uid, gid);
        self
    }

    /// The capabilities that it has instead of CAP_AUDIT_WRITE, CAP_KILL and CAP_NET_BIND_SERVICE: capabilities(7).
    ///
    /// ```
    /// use runtime_core::{Job, spec::Capability};
    ///
    /// let job = Job::new("/srv/images/debian", ["ping", "-c1", "::1"]).capabilities([Capability::NetRaw]);
    /// let none = Job::new("/srv/images/debian", ["id"]).capabilities([]);
    /// ```
    pub fn capabilities(mut self, set: impl IntoIterator<Item = Capability>) -> Self {
        let set: Vec<_> = set.into_iter().collect();
        self.process.capabilities = Some(LinuxCapabilities {
            bounding: set.clone(),
            effective: set.clone(),
            permitted: set,
            ..LinuxCapabilities::default()
        });
        self
    }

    /// A terminal in place of three streams: see [`Console`](crate::Console).
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// // Goes with `ContainerBuilder::console`.
    /// let job = Job::new("/srv/images/debian", ["bash"]).env("TERM", "xterm-256color").terminal();
    /// ```
    pub fn terminal(mut self) -> Self {
        self.process.terminal = true;
        self
    }

    /// The most memory that it may have, in bytes, and no swap beside it. Beyond, the kernel ends one of its processes.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// let job = Job::new("/srv/images/debian", ["make"]).memory(512 << 20); // 512 MiB
    /// ```
    pub fn memory(mut self, bytes: u64) -> Self {
        let limit = i64::try_from(bytes).unwrap_or(i64::MAX);
        // Not every kernel counts swap; where it does, this is none.
        self.resources.memory.get_or_insert_default().limit = Some(limit);
        self
    }

    /// How many processors' time it may use: 0.5 is half of one.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// let job = Job::new("/srv/images/debian", ["make", "-j2"]).cpus(1.5);
    /// ```
    pub fn cpus(mut self, count: f64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a hundred thousand is exact")]
        let quota = (count * CPU_PERIOD as f64).round().clamp(1000.0, 1e15);
        #[expect(clippy::cast_possible_truncation, reason = "it is clamped")]
        let quota = quota as i64;
        let cpu = self.resources.cpu.get_or_insert_default();
        (cpu.quota, cpu.period) = (Some(quota), Some(CPU_PERIOD));
        self
    }

    /// How many processes and threads it may have at a time.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// // What it forks beyond that fails.
    /// let job = Job::new("/srv/images/debian", ["make"]).pids(100);
    /// ```
    pub fn pids(mut self, count: u32) -> Self {
        self.resources.pids = Some(LinuxPids { limit: Some(count.into()) });
        self
    }

    /// A root that cannot be written to, with an empty /tmp and /run in memory that can.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// let job = Job::new("/srv/images/debian", ["sh", "-c", "echo can be written > /tmp/file"]).read_only();
    /// ```
    pub fn read_only(mut self) -> Self {
        if let Some(root) = &mut self.spec.root {
            root.readonly = true;
        }
        self.tmpfs("/tmp").tmpfs("/run")
    }

    /// An empty file system in memory at `destination`, for all users.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// let job = Job::new("/srv/images/debian", ["make"]).tmpfs("/src/target");
    /// ```
    pub fn tmpfs(self, destination: impl Into<PathBuf>) -> Self {
        self.mount("tmpfs", "tmpfs".into(), destination.into(), &["nosuid", "nodev", "mode=1777"])
    }

    /// The host's file or folder `source` at `destination`.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// let job = Job::new("/srv/images/debian", ["make"]).bind("/home/me/project", "/src");
    /// ```
    pub fn bind(self, source: impl Into<PathBuf>, destination: impl Into<PathBuf>) -> Self {
        self.mount("bind", source.into(), destination.into(), &["rbind", "nosuid", "nodev"])
    }

    /// As [`Job::bind`], but it cannot be written to.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// let job = Job::new("/srv/images/debian", ["curl", "https://example.org"])
    ///     .host_network()
    ///     .bind_read_only("/etc/resolv.conf", "/etc/resolv.conf");
    /// ```
    pub fn bind_read_only(self, source: impl Into<PathBuf>, destination: impl Into<PathBuf>) -> Self {
        self.mount("bind", source.into(), destination.into(), &["rbind", "rro", "nosuid", "nodev"])
    }

    fn mount(mut self, kind: &str, source: PathBuf, destination: PathBuf, options: &[&str]) -> Self {
        let mount = Mount::new(destination).of_type(kind).from_source(source);
        self.spec.mounts.push(mount.with_options(options.iter().copied()));
        self
    }

    /// The name that it knows its host by; that of the host otherwise.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// let job = Job::new("/srv/images/debian", ["hostname"]).hostname("builder-7");
    /// ```
    pub fn hostname(mut self, name: impl Into<String>) -> Self {
        self.spec.hostname = Some(name.into());
        self
    }

    /// The network of the caller instead of one of its own.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// let job = Job::new("/srv/images/debian", ["curl", "https://example.org"]).host_network();
    /// ```
    pub fn host_network(mut self) -> Self {
        self.linux.namespaces.retain(|namespace| namespace.typ != LinuxNamespaceType::Network);
        self
    }

    /// A user namespace: root inside is the host's user `uid` and group `gid`, and no other user is there. What a caller
    /// needs who is not root.
    ///
    /// ```
    /// use runtime_core::Job;
    ///
    /// // Of user 1000, who may be the one that calls.
    /// let job = Job::new("/home/me/images/debian", ["id"]).map_root_to(1000, 1000);
    /// ```
    pub fn map_root_to(mut self, uid: u32, gid: u32) -> Self {
        self.linux.namespaces.retain(|namespace| namespace.typ != LinuxNamespaceType::User);
        self.linux.namespaces.push(LinuxNamespace::new(LinuxNamespaceType::User));
        let map = |host| vec![LinuxIdMapping { container_id: 0, host_id: host, size: 1 }];
        (self.linux.uid_mappings, self.linux.gid_mappings) = (map(uid), map(gid));
        // The group of terminals is not mapped.
        for mount in &mut self.spec.mounts {
            mount.options.retain(|option| option != "gid=5");
        }
        self
    }

    /// What system calls it may make: config-linux.md, "Seccomp".
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use runtime_core::Job;
    ///
    /// let profile = serde_json::from_str(
    ///     r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["ptrace"], "action": "SCMP_ACT_ERRNO"}]}"#,
    /// )?;
    /// let job = Job::new("/srv/images/debian", ["make"]).seccomp(profile);
    /// # Ok(()) }
    /// ```
    pub fn seccomp(mut self, profile: LinuxSeccomp) -> Self {
        self.linux.seccomp = Some(profile);
        self
    }

    /// The configuration, to be changed further or given to [`ContainerBuilder::spec`](crate::ContainerBuilder::spec).
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{ContainerBuilder, Job};
    ///
    /// let spec = Job::new("/srv/images/debian", ["make"]).spec();
    /// println!("{}", serde_json::to_string_pretty(&spec).unwrap_or_default()); // as a config.json
    /// let container = ContainerBuilder::new("job-1").spec(spec).run()?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn spec(self) -> Spec {
        let Self { mut spec, process, mut linux, resources } = self;
        linux.resources = Some(resources);
        (spec.process, spec.linux) = (Some(process), Some(linux));
        spec
    }
}

impl From<Job> for Spec {
    fn from(job: Job) -> Self {
        job.spec()
    }
}
