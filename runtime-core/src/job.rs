//! The common configurations, without a file and without the whole of the specification in one's head.

use oci_spec::runtime::{
    Capabilities, Capability, Linux, LinuxCapabilities, LinuxCpu, LinuxIdMapping, LinuxIdMappingBuilder,
    LinuxMemory, LinuxNamespace, LinuxNamespaceType, LinuxPids, LinuxResources, LinuxSeccomp, Mount,
    MountBuilder, Process, Root, Spec, User,
};
use std::path::PathBuf;

/// The period over which processor time is counted, in microseconds: the kernel's own default.
const CPU_PERIOD: u64 = 100_000;

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
/// assert_eq!(spec.root().as_ref().and_then(|root| root.readonly()), Some(true));
/// ```
#[derive(Clone, Debug)]
pub struct Job {
    spec: Spec,
    process: Process,
    linux: Linux,
    resources: LinuxResources,
}

impl Job {
    /// The program `args` (its path or name, then its arguments), with the folder `rootfs` as `/`.
    pub fn new<A: Into<String>>(rootfs: impl Into<PathBuf>, args: impl IntoIterator<Item = A>) -> Self {
        let mut spec = Spec::default();
        let mut root = Root::default();
        root.set_path(rootfs.into()).set_readonly(Some(false));
        spec.set_root(Some(root)).set_hostname(None);
        let mut process = Process::default();
        process.set_args(Some(args.into_iter().map(Into::into).collect())).set_rlimits(None);
        Self { spec, process, linux: Linux::default(), resources: LinuxResources::default() }
    }

    /// A variable of its environment; PATH and TERM have values already.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        let variables = self.process.env_mut().get_or_insert_default();
        let starts = format!("{name}=");
        variables.retain(|variable| !variable.starts_with(&starts));
        variables.push(starts + value);
        self
    }

    /// Its working directory, `/` otherwise.
    #[must_use]
    pub fn current_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.process.set_cwd(path.into());
        self
    }

    /// Its user and group, 0 and 0 otherwise. Other users have no capabilities.
    #[must_use]
    pub fn user(mut self, uid: u32, gid: u32) -> Self {
        let mut user = User::default();
        user.set_uid(uid).set_gid(gid);
        self.process.set_user(user);
        self
    }

    /// The capabilities that it has instead of CAP_AUDIT_WRITE, CAP_KILL and CAP_NET_BIND_SERVICE: capabilities(7).
    #[must_use]
    pub fn capabilities(mut self, set: impl IntoIterator<Item = Capability>) -> Self {
        let set: Capabilities = set.into_iter().collect();
        let mut sets = LinuxCapabilities::default();
        sets.set_bounding(Some(set.clone()))
            .set_effective(Some(set.clone()))
            .set_permitted(Some(set))
            .set_inheritable(None)
            .set_ambient(None);
        self.process.set_capabilities(Some(sets));
        self
    }

    /// A terminal in place of three streams: see [`Console`](crate::Console).
    #[must_use]
    pub fn terminal(mut self) -> Self {
        self.process.set_terminal(Some(true));
        self
    }

    /// The most memory that it may have, in bytes, and no swap beside it. Beyond, the kernel ends one of its processes.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        let limit = i64::try_from(bytes).unwrap_or(i64::MAX);
        let mut memory = LinuxMemory::default();
        memory.set_limit(Some(limit));
        // Not every kernel counts swap; where it does, this is none.
        self.resources.set_memory(Some(memory));
        self
    }

    /// How many processors' time it may use: 0.5 is half of one.
    #[must_use]
    pub fn cpus(mut self, count: f64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a hundred thousand is exact")]
        let quota = (count * CPU_PERIOD as f64).round().clamp(1000.0, 1e15);
        #[expect(clippy::cast_possible_truncation, reason = "it is clamped")]
        let quota = quota as i64;
        let mut cpu = LinuxCpu::default();
        cpu.set_quota(Some(quota)).set_period(Some(CPU_PERIOD));
        self.resources.set_cpu(Some(cpu));
        self
    }

    /// How many processes and threads it may have at a time.
    #[must_use]
    pub fn pids(mut self, count: u32) -> Self {
        let mut pids = LinuxPids::default();
        pids.set_limit(i64::from(count));
        self.resources.set_pids(Some(pids));
        self
    }

    /// A root that cannot be written to, with an empty /tmp and /run in memory that can.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        if let Some(root) = self.spec.root_mut() {
            root.set_readonly(Some(true));
        }
        self.tmpfs("/tmp").tmpfs("/run")
    }

    /// An empty file system in memory at `destination`, for all users.
    #[must_use]
    pub fn tmpfs(self, destination: impl Into<PathBuf>) -> Self {
        self.mount("tmpfs", "tmpfs".into(), destination.into(), &["nosuid", "nodev", "mode=1777"])
    }

    /// The host's file or folder `source` at `destination`.
    #[must_use]
    pub fn bind(self, source: impl Into<PathBuf>, destination: impl Into<PathBuf>) -> Self {
        self.mount("bind", source.into(), destination.into(), &["rbind", "nosuid", "nodev"])
    }

    /// As [`Job::bind`], but it cannot be written to.
    #[must_use]
    pub fn bind_read_only(self, source: impl Into<PathBuf>, destination: impl Into<PathBuf>) -> Self {
        self.mount("bind", source.into(), destination.into(), &["rbind", "rro", "nosuid", "nodev"])
    }

    fn mount(mut self, kind: &str, source: PathBuf, destination: PathBuf, options: &[&str]) -> Self {
        let options: Vec<_> = options.iter().map(ToString::to_string).collect();
        let builder = MountBuilder::default().typ(kind).source(source).destination(destination);
        // Every property has a value: it cannot fail.
        let mount: Option<Mount> = builder.options(options).build().ok();
        self.spec.mounts_mut().get_or_insert_default().extend(mount);
        self
    }

    /// The name that it knows its host by; that of the host otherwise.
    #[must_use]
    pub fn hostname(mut self, name: impl Into<String>) -> Self {
        self.spec.set_hostname(Some(name.into()));
        self
    }

    /// The network of the caller instead of one of its own.
    #[must_use]
    pub fn host_network(mut self) -> Self {
        let namespaces = self.linux.namespaces_mut().get_or_insert_default();
        namespaces.retain(|namespace| namespace.typ() != LinuxNamespaceType::Network);
        self
    }

    /// A user namespace: root inside is the host's user `uid` and group `gid`, and no other user is there. What a caller
    /// needs who is not root.
    #[must_use]
    pub fn map_root_to(mut self, uid: u32, gid: u32) -> Self {
        let mut namespace = LinuxNamespace::default();
        namespace.set_typ(LinuxNamespaceType::User);
        let namespaces = self.linux.namespaces_mut().get_or_insert_default();
        namespaces.retain(|namespace| namespace.typ() != LinuxNamespaceType::User);
        namespaces.push(namespace);
        let map = |host: u32| -> Option<Vec<LinuxIdMapping>> {
            let map = LinuxIdMappingBuilder::default().container_id(0_u32).host_id(host).size(1_u32);
            map.build().ok().map(|map| vec![map])
        };
        self.linux.set_uid_mappings(map(uid)).set_gid_mappings(map(gid));
        // The group of terminals is not mapped.
        for mount in self.spec.mounts_mut().iter_mut().flatten() {
            if let Some(options) = mount.options_mut() {
                options.retain(|option| option != "gid=5");
            }
        }
        self
    }

    /// What system calls it may make: config-linux.md, "Seccomp".
    #[must_use]
    pub fn seccomp(mut self, profile: LinuxSeccomp) -> Self {
        self.linux.set_seccomp(Some(profile));
        self
    }

    /// The configuration, to be changed further or given to [`ContainerBuilder::spec`](crate::ContainerBuilder::spec).
    pub fn spec(self) -> Spec {
        let Self { mut spec, process, mut linux, resources } = self;
        linux.set_resources(Some(resources));
        spec.set_process(Some(process)).set_linux(Some(linux));
        spec
    }
}

impl From<Job> for Spec {
    fn from(job: Job) -> Self {
        job.spec()
    }
}
