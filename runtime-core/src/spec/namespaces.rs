//! `linux.namespaces`, id mappings, `linux.timeOffsets` (config-linux.md, "Namespaces", "User namespace mappings", "Offset
//! for Time Namespace").

use super::define::{objects, words, words_are_properties};
use std::path::PathBuf;

objects! {
    /// A namespace that is new or joined: config-linux.md, "Namespaces".
    ///
    /// ```
    /// use runtime_core::spec::{LinuxNamespace, LinuxNamespaceType};
    ///
    /// let own = LinuxNamespace::new(LinuxNamespaceType::Pid);
    /// let shared = LinuxNamespace::joined(LinuxNamespaceType::Network, "/run/netns/blue");
    /// assert!(own.path.is_none() && shared.path.is_some());
    /// ```
    LinuxNamespace {
        /// Its kind.
        typ: LinuxNamespaceType = "type" Required,
        /// The file of one that is there already and joined, an absolute path of the host. Without it one is made.
        path: Option<PathBuf> = "path",
    }

    /// A range of user or group ids: config-linux.md, "User namespace mappings"; user_namespaces(7).
    ///
    /// ```
    /// use runtime_core::spec::{Linux, LinuxIdMapping};
    ///
    /// let mut linux = Linux::default();
    /// // Root is the host's user 100000, and so on.
    /// linux.uid_mappings.push(LinuxIdMapping { container_id: 0, host_id: 100_000, size: 65_536 });
    /// ```
    #[derive(Copy)]
    LinuxIdMapping {
        /// The first id outside.
        host_id: u32 = "hostID" Written,
        /// The first id in the container.
        container_id: u32 = "containerID" Written,
        /// How many ids.
        size: u32 = "size" Written,
    }

    /// How far a clock of the container is ahead of the host's: config-linux.md, "Offset for Time Namespace";
    /// time_namespaces(7).
    ///
    /// ```
    /// use runtime_core::spec::{Linux, LinuxTimeOffset};
    ///
    /// let mut linux = Linux::default();
    /// // The container believes that the machine has run for a day longer.
    /// linux.time_offsets.insert("boottime".to_owned(), LinuxTimeOffset { secs: 86_400, nanosecs: 0 });
    /// ```
    #[derive(Copy)]
    LinuxTimeOffset {
        /// Seconds.
        secs: i64 = "secs" Written,
        /// Nanoseconds beside them.
        nanosecs: u32 = "nanosecs" Written,
    }
}

words! {
    /// A kind of namespace: namespaces(7).
    ///
    /// ```
    /// use runtime_core::spec::LinuxNamespaceType;
    ///
    /// for kind in LinuxNamespaceType::ALL {
    ///     println!("{kind}");
    /// }
    /// ```
    #[non_exhaustive]
    LinuxNamespaceType {
        /// Process ids.
        #[default]
        Pid = "pid",
        /// Network devices, addresses, ports.
        Network = "network",
        /// Mounts.
        Mount = "mount",
        /// System V IPC and POSIX message queues.
        Ipc = "ipc",
        /// The host name and the domain name.
        Uts = "uts",
        /// User and group ids, capabilities.
        User = "user",
        /// The root of what is seen of cgroups.
        Cgroup = "cgroup",
        /// The monotonic and the boot time clock.
        Time = "time",
    }
}

words_are_properties! { LinuxNamespaceType }

impl LinuxNamespace {
    /// A new one of this kind.
    ///
    /// ```
    /// use runtime_core::spec::{LinuxNamespace, LinuxNamespaceType};
    ///
    /// let own = LinuxNamespace::new(LinuxNamespaceType::Network);
    /// ```
    pub fn new(typ: LinuxNamespaceType) -> Self {
        Self { typ, path: None }
    }

    /// The one of this kind whose file is at `path`, an absolute path of the host.
    ///
    /// ```
    /// use runtime_core::spec::{LinuxNamespace, LinuxNamespaceType};
    ///
    /// let shared = LinuxNamespace::joined(LinuxNamespaceType::Network, "/run/netns/blue");
    /// ```
    pub fn joined(typ: LinuxNamespaceType, path: impl Into<PathBuf>) -> Self {
        Self { typ, path: Some(path.into()) }
    }
}
