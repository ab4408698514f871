//! A config.json as a whole (config.md), its `root` and `mounts`.

use super::{define::objects, hooks::Hooks, linux::Linux, namespaces::LinuxIdMapping, process::Process};
use std::{collections::BTreeMap, path::PathBuf};

objects! {
    /// A config.json: config.md.
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
    Root {
        /// Its folder, absolute or relative to the bundle.
        path: PathBuf = "path" Written,
        /// Whether it cannot be written to.
        readonly: bool = "readonly",
    }

    /// A mount: config.md, "Mounts".
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
    pub fn new(version: impl Into<String>) -> Self {
        Self { version: version.into(), ..Self::default() }
    }
}

impl Root {
    /// This folder, absolute or relative to the bundle, that can be written to.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), readonly: false }
    }
}

impl Mount {
    /// A mount at this absolute path of the container, of nothing yet.
    pub fn new(destination: impl Into<PathBuf>) -> Self {
        Self { destination: destination.into(), ..Self::default() }
    }

    /// The same, of this type of file system.
    #[must_use]
    pub fn of_type(mut self, typ: impl Into<String>) -> Self {
        self.typ = Some(typ.into());
        self
    }

    /// The same, of this device, file or folder.
    #[must_use]
    pub fn from_source(mut self, source: impl Into<PathBuf>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same, with these options beside those that it has.
    #[must_use]
    pub fn with_options<O: Into<String>>(mut self, options: impl IntoIterator<Item = O>) -> Self {
        self.options.extend(options.into_iter().map(Into::into));
        self
    }
}
