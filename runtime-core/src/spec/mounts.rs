//! A config.json as a whole (config.md), its `root` and `mounts`.

use super::{define::objects, hooks::Hooks, linux::Linux, namespaces::LinuxIdMapping, process::Process};
use std::{collections::BTreeMap, path::PathBuf};

objects! {
    /// A config.json: config.md.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{ContainerBuilder, Job, spec::Hook};
    ///
    /// // A job's, with what a `Job` has no method for.
    /// let mut spec = Job::new("/srv/images/debian", ["make"]).spec();
    /// spec.hooks.get_or_insert_default().poststop.push(Hook::new("/usr/lib/my-network/detach"));
    /// spec.annotations.insert("org.example.tenant".to_owned(), "7".to_owned());
    /// let container = ContainerBuilder::new("job-1").spec(spec).run()?;
    /// # Ok(()) }
    /// ```
    #[non_exhaustive]
    Spec {
        /// The version of the specification that it is written for, as `1.3.0`: config.md, "Specification version".
        version: String = "ociVersion" Written,
        /// The container's root: config.md, "Root".
        root: Option<Root> = "root",
        /// What else is mounted, in this order: config.md, "Mounts".
        mounts: Vec<Mount> = "mounts",
        /// The program: config.md, "Process".
        process: Option<Process> = "process",
        /// The host name: config.md, "Hostname".
        hostname: Option<String> = "hostname",
        /// The NIS domain name: config.md, "Domainname".
        domainname: Option<String> = "domainname",
        /// Programs that are run on the way: config.md, "POSIX-platform Hooks".
        hooks: Option<Hooks> = "hooks",
        /// Words for whoever looks at the container: config.md, "Annotations".
        annotations: BTreeMap<String, String> = "annotations",
        /// All that is Linux' own: config-linux.md.
        linux: Option<Linux> = "linux",
    }

    /// The root file system: config.md, "Root".
    ///
    /// ```
    /// use runtime_core::spec::Root;
    ///
    /// let root = Root { path: "rootfs".into(), readonly: true };
    /// ```
    Root {
        /// Its folder, absolute or relative to the bundle.
        path: PathBuf = "path" Written,
        /// Whether it cannot be written to.
        readonly: bool = "readonly",
    }

    /// A mount: config.md, "Mounts".
    ///
    /// ```
    /// use runtime_core::spec::Mount;
    ///
    /// let proc = Mount::new("/proc").of_type("proc").from_source("proc");
    /// let data = Mount::new("/data").from_source("/srv/volumes/7").with_options(["rbind", "nosuid"]);
    /// assert_eq!(data.options, ["rbind", "nosuid"]);
    /// ```
    #[non_exhaustive]
    Mount {
        /// Where in the container, an absolute path.
        destination: PathBuf = "destination" Required,
        /// The type of the file system, as `proc`; none for a bind mount.
        typ: Option<String> = "type",
        /// The device, or for a bind mount the file or folder of the host, absolute or relative to the bundle.
        source: Option<PathBuf> = "source",
        /// Options of mount(8) and of the file system.
        options: Vec<String> = "options",
        /// How the mount shows users of the file system: config.md, "mounts".
        uid_mappings: Vec<LinuxIdMapping> = "uidMappings",
        /// The same of groups.
        gid_mappings: Vec<LinuxIdMapping> = "gidMappings",
    }
}

impl Spec {
    /// A configuration with nothing in it but the version that it is written for.
    ///
    /// ```
    /// use runtime_core::spec::{Process, Root, Spec};
    ///
    /// let mut spec = Spec::new("1.3.0");
    /// spec.root = Some(Root::new("rootfs"));
    /// spec.process = Some(Process::new(["/bin/server"]));
    /// ```
    pub fn new(version: impl Into<String>) -> Self {
        Self { version: version.into(), ..Self::default() }
    }
}

impl Root {
    /// This folder, absolute or relative to the bundle, that can be written to.
    ///
    /// ```
    /// use runtime_core::spec::Root;
    ///
    /// let root = Root::new("/srv/images/debian");
    /// assert!(!root.readonly);
    /// ```
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), readonly: false }
    }
}

impl Mount {
    /// A mount at this absolute path of the container, of nothing yet.
    ///
    /// ```
    /// use runtime_core::spec::Mount;
    ///
    /// let tmp = Mount::new("/tmp").of_type("tmpfs").from_source("tmpfs");
    /// ```
    pub fn new(destination: impl Into<PathBuf>) -> Self {
        Self { destination: destination.into(), ..Self::default() }
    }

    /// The same, of this type of file system.
    ///
    /// ```
    /// use runtime_core::spec::Mount;
    ///
    /// let queues = Mount::new("/dev/mqueue").of_type("mqueue").from_source("mqueue");
    /// ```
    #[must_use]
    pub fn of_type(mut self, typ: impl Into<String>) -> Self {
        self.typ = Some(typ.into());
        self
    }

    /// The same, of this device, file or folder.
    ///
    /// ```
    /// use runtime_core::spec::Mount;
    ///
    /// let data = Mount::new("/data").from_source("/srv/volumes/7").with_options(["bind"]);
    /// ```
    #[must_use]
    pub fn from_source(mut self, source: impl Into<PathBuf>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same, with these options beside those that it has.
    ///
    /// ```
    /// use runtime_core::spec::Mount;
    ///
    /// let tmp = Mount::new("/tmp").of_type("tmpfs").from_source("tmpfs").with_options(["nosuid", "size=64m"]);
    /// ```
    #[must_use]
    pub fn with_options<O: Into<String>>(mut self, options: impl IntoIterator<Item = O>) -> Self {
        self.options.extend(options.into_iter().map(Into::into));
        self
    }
}
