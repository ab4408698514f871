//! What a runtime can do (features.md, features-linux.md).

use super::{
    define::objects,
    namespaces::LinuxNamespaceType,
    seccomp::{Arch, LinuxSeccompAction},
};
use std::collections::BTreeMap;

objects! {
    /// The document of features.md. What is not there is not known.
    ///
    /// ```
    /// use runtime_core::spec::Features;
    ///
    /// // What some runtime prints for `features`.
    /// let text = r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "hooks": ["poststop"]}"#;
    /// let features: Features = serde_json::from_str(text).unwrap();
    /// assert!(features.hooks.iter().any(|kind| kind == "poststop"));
    /// ```
    #[non_exhaustive]
    Features {
        /// The oldest version of the specification that configurations may be written for.
        oci_version_min: String = "ociVersionMin" Required,
        /// The newest.
        oci_version_max: String = "ociVersionMax" Required,
        /// The kinds of hooks.
        hooks: Vec<String> = "hooks",
        /// The options of mounts that are the runtime's own and not a file system's.
        mount_options: Vec<String> = "mountOptions",
        /// What there is on Linux.
        linux: Option<LinuxFeature> = "linux",
        /// More about the runtime.
        annotations: BTreeMap<String, String> = "annotations",
        /// Annotations of config.json that whoever writes for others must not let them set; one that ends with a dot stands
        /// for all that begin with it.
        potentially_unsafe_config_annotations: Vec<String> = "potentiallyUnsafeConfigAnnotations",
    }

    /// What there is on Linux: features-linux.md.
    ///
    /// ```
    /// let linux = runtime_core::features().linux.unwrap_or_default();
    /// println!("{} kinds of namespaces, {} capabilities", linux.namespaces.len(), linux.capabilities.len());
    /// ```
    #[non_exhaustive]
    LinuxFeature {
        /// Kinds of namespaces.
        namespaces: Vec<LinuxNamespaceType> = "namespaces",
        /// Capabilities, by the names of capabilities(7).
        capabilities: Vec<String> = "capabilities",
        /// Cgroups.
        cgroup: Option<Cgroup> = "cgroup",
        /// Filters of system calls.
        seccomp: Option<Seccomp> = "seccomp",
        /// AppArmor.
        apparmor: Option<Apparmor> = "apparmor",
        /// SELinux.
        selinux: Option<Selinux> = "selinux",
        /// Intel RDT.
        intel_rdt: Option<IntelRdt> = "intelRdt",
        /// Memory policies.
        memory_policy: Option<MemoryPolicy> = "memoryPolicy",
        /// What mounts can be beside the usual.
        mount_extensions: Option<MountExtensions> = "mountExtensions",
        /// Network devices that are moved.
        net_devices: Option<NetDevices> = "netDevices",
    }

    /// Cgroups: features-linux.md, "Cgroup". What the runtime can do, whatever the host has.
    ///
    /// ```
    /// let linux = runtime_core::features().linux.unwrap_or_default();
    /// println!("systemd as the maker of cgroups: {:?}", linux.cgroup.and_then(|cgroup| cgroup.systemd));
    /// ```
    #[non_exhaustive]
    Cgroup {
        /// Version 1.
        v1: Option<bool> = "v1",
        /// Version 2.
        v2: Option<bool> = "v2",
        /// Made by systemd.
        systemd: Option<bool> = "systemd",
        /// Made by a user's systemd.
        systemd_user: Option<bool> = "systemdUser",
        /// RDMA devices.
        rdma: Option<bool> = "rdma",
    }

    /// Filters of system calls: features-linux.md, "Seccomp".
    ///
    /// ```
    /// let linux = runtime_core::features().linux.unwrap_or_default();
    /// let flags = linux.seccomp.unwrap_or_default().supported_flags;
    /// println!("flags that the kernel takes: {}", flags.join(", "));
    /// ```
    #[non_exhaustive]
    Seccomp {
        /// Whether there are any.
        enabled: Option<bool> = "enabled",
        /// What can happen to a call.
        actions: Vec<LinuxSeccompAction> = "actions",
        /// Comparisons of arguments.
        operators: Vec<String> = "operators",
        /// Calling conventions.
        archs: Vec<Arch> = "archs",
        /// Flags that the runtime knows.
        known_flags: Vec<String> = "knownFlags",
        /// Flags that the kernel takes, too.
        supported_flags: Vec<String> = "supportedFlags",
    }

    /// AppArmor: features-linux.md, "AppArmor".
    ///
    /// ```
    /// let linux = runtime_core::features().linux.unwrap_or_default();
    /// assert_eq!(linux.apparmor.and_then(|apparmor| apparmor.enabled), Some(true));
    /// ```
    #[non_exhaustive]
    Apparmor {
        /// Whether the runtime can set profiles.
        enabled: Option<bool> = "enabled",
    }

    /// SELinux: features-linux.md, "SELinux".
    ///
    /// ```
    /// let linux = runtime_core::features().linux.unwrap_or_default();
    /// assert_eq!(linux.selinux.and_then(|selinux| selinux.enabled), Some(true));
    /// ```
    #[non_exhaustive]
    Selinux {
        /// Whether the runtime can set labels.
        enabled: Option<bool> = "enabled",
    }

    /// Intel RDT: features-linux.md, "Intel RDT".
    ///
    /// ```
    /// let linux = runtime_core::features().linux.unwrap_or_default();
    /// assert_eq!(linux.intel_rdt.and_then(|rdt| rdt.schemata), Some(true));
    /// ```
    #[non_exhaustive]
    IntelRdt {
        /// Whether the runtime knows it.
        enabled: Option<bool> = "enabled",
        /// Whether it knows `linux.intelRdt.schemata`.
        schemata: Option<bool> = "schemata",
        /// Whether it knows `linux.intelRdt.enableMonitoring`.
        monitoring: Option<bool> = "monitoring",
    }

    /// Memory policies: features-linux.md, "MemoryPolicy".
    ///
    /// ```
    /// let linux = runtime_core::features().linux.unwrap_or_default();
    /// let modes = linux.memory_policy.unwrap_or_default().modes;
    /// println!("{} policies", modes.len());
    /// ```
    #[non_exhaustive]
    MemoryPolicy {
        /// Policies that the runtime knows.
        modes: Vec<String> = "modes",
        /// Flags that it knows.
        flags: Vec<String> = "flags",
    }

    /// What mounts can be beside the usual: features-linux.md, "MountExtensions".
    ///
    /// ```
    /// let linux = runtime_core::features().linux.unwrap_or_default();
    /// let extensions = linux.mount_extensions.unwrap_or_default();
    /// assert_eq!(extensions.idmap.and_then(|idmap| idmap.enabled), Some(true));
    /// ```
    #[non_exhaustive]
    MountExtensions {
        /// Mounts with users and groups of their own.
        idmap: Option<IDMap> = "idmap",
    }

    /// Mounts with users and groups of their own: features-linux.md, "MountExtensions".
    ///
    /// ```
    /// let linux = runtime_core::features().linux.unwrap_or_default();
    /// let idmap = linux.mount_extensions.and_then(|extensions| extensions.idmap);
    /// assert_eq!(idmap.and_then(|idmap| idmap.enabled), Some(true));
    /// ```
    #[non_exhaustive]
    IDMap {
        /// Whether the runtime can make them.
        enabled: Option<bool> = "enabled",
    }

    /// Network devices that are moved: features-linux.md, "Net Devices".
    ///
    /// ```
    /// let linux = runtime_core::features().linux.unwrap_or_default();
    /// assert_eq!(linux.net_devices.and_then(|devices| devices.enabled), Some(true));
    /// ```
    #[non_exhaustive]
    NetDevices {
        /// Whether the runtime can move them.
        enabled: Option<bool> = "enabled",
    }
}
