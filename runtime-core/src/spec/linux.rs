//! `linux` (config-linux.md), its devices and its personality.

use super::{
    define::{objects, words, words_are_properties},
    intel_rdt::LinuxIntelRdt,
    memory_policy::LinuxMemoryPolicy,
    namespaces::{LinuxIdMapping, LinuxNamespace, LinuxTimeOffset},
    resources::LinuxResources,
    seccomp::LinuxSeccomp,
};
use std::{collections::BTreeMap, path::PathBuf};

objects! {
    /// All that is Linux' own: config-linux.md.
    ///
    /// ```
    /// use runtime_core::spec::{Linux, LinuxNamespace, LinuxNamespaceType};
    ///
    /// let mut linux = Linux::default();
    /// linux.namespaces.push(LinuxNamespace::new(LinuxNamespaceType::Mount));
    /// linux.sysctl.insert("net.ipv4.ip_forward".to_owned(), "1".to_owned());
    /// linux.masked_paths.push("/proc/kcore".into());
    /// ```
    #[non_exhaustive]
    Linux {
        /// Network devices of the host, by name, that are moved into the container: config-linux.md, "Network Devices".
        net_devices: BTreeMap<String, LinuxNetDevice> = "netDevices",
        /// The users of a new user namespace: config-linux.md, "User namespace mappings".
        uid_mappings: Vec<LinuxIdMapping> = "uidMappings",
        /// Its groups.
        gid_mappings: Vec<LinuxIdMapping> = "gidMappings",
        /// Kernel parameters of the container's namespaces: config-linux.md, "Sysctl".
        sysctl: BTreeMap<String, String> = "sysctl",
        /// Limits: config-linux.md, "Control groups".
        resources: Option<LinuxResources> = "resources",
        /// The cgroup: config-linux.md, "Cgroups Path".
        cgroups_path: Option<PathBuf> = "cgroupsPath",
        /// Namespaces that are new or joined; all others are the runtime's: config-linux.md, "Namespaces".
        namespaces: Vec<LinuxNamespace> = "namespaces",
        /// Device files that are made beside the usual ones: config-linux.md, "Devices".
        devices: Vec<LinuxDevice> = "devices",
        /// Which system calls there are: config-linux.md, "Seccomp".
        seccomp: Option<LinuxSeccomp> = "seccomp",
        /// How mounts beneath the root propagate, as `rslave`: config-linux.md, "Rootfs Mount Propagation".
        rootfs_propagation: Option<String> = "rootfsPropagation",
        /// What cannot be seen: config-linux.md, "Masked Paths".
        masked_paths: Vec<PathBuf> = "maskedPaths",
        /// What cannot be written to: config-linux.md, "Readonly Paths".
        readonly_paths: Vec<PathBuf> = "readonlyPaths",
        /// The SELinux label of mounts: config-linux.md, "Mount Label".
        mount_label: Option<String> = "mountLabel",
        /// Caches and memory bandwidth: config-linux.md, "IntelRdt".
        intel_rdt: Option<LinuxIntelRdt> = "intelRdt",
        /// Where on a NUMA machine memory comes from: config-linux.md, "Memory policy".
        memory_policy: Option<LinuxMemoryPolicy> = "memoryPolicy",
        /// The machine that programs see: config-linux.md, "Personality".
        personality: Option<LinuxPersonality> = "personality",
        /// The clocks of a new time namespace, `monotonic` and `boottime`: config-linux.md, "Offset for Time Namespace".
        time_offsets: BTreeMap<String, LinuxTimeOffset> = "timeOffsets",
    }

    /// What becomes of a network device that is moved: config-linux.md, "Network Devices".
    ///
    /// ```
    /// use runtime_core::spec::{Linux, LinuxNetDevice};
    ///
    /// let mut linux = Linux::default();
    /// // The host's eth1 is eth0 in the container.
    /// linux.net_devices.insert("eth1".to_owned(), LinuxNetDevice { name: Some("eth0".to_owned()) });
    /// ```
    LinuxNetDevice {
        /// Its name in the container, the same if there is none.
        name: Option<String> = "name",
    }

    /// A device file: config-linux.md, "Devices".
    ///
    /// ```
    /// use runtime_core::spec::{LinuxDevice, LinuxDeviceType};
    ///
    /// let mut fuse = LinuxDevice::default();
    /// (fuse.path, fuse.typ) = ("/dev/fuse".into(), LinuxDeviceType::C);
    /// (fuse.major, fuse.minor, fuse.file_mode) = (10, 229, Some(0o666));
    /// ```
    LinuxDevice {
        /// Where in the container, an absolute path.
        path: PathBuf = "path" Written,
        /// Its kind.
        typ: LinuxDeviceType = "type" Required,
        /// The device's major number; not for a FIFO.
        major: i64 = "major" Written,
        /// Its minor number; not for a FIFO.
        minor: i64 = "minor" Written,
        /// The file's mode bits.
        file_mode: Option<u32> = "fileMode",
        /// Its owner in the container.
        uid: Option<u32> = "uid",
        /// Its group in the container.
        gid: Option<u32> = "gid",
    }

    /// The machine that programs see: config-linux.md, "Personality"; personality(2).
    ///
    /// ```
    /// use runtime_core::spec::{LinuxPersonality, LinuxPersonalityDomain};
    ///
    /// let mut machine = LinuxPersonality::default();
    /// machine.domain = LinuxPersonalityDomain::PerLinux32; // uname(2) tells of i686
    /// ```
    LinuxPersonality {
        /// The machine.
        domain: LinuxPersonalityDomain = "domain" Required,
        /// There are none yet.
        flags: Vec<String> = "flags",
    }
}

words! {
    /// A kind of device file: mknod(1).
    ///
    /// ```
    /// use runtime_core::spec::LinuxDeviceType;
    ///
    /// assert_eq!(LinuxDeviceType::C.as_str(), "c");
    /// ```
    LinuxDeviceType {
        /// Every kind, in the rules of a cgroup.
        #[default]
        A = "a",
        /// A block device.
        B = "b",
        /// A character device.
        C = "c",
        /// A character device, without buffers.
        U = "u",
        /// A FIFO.
        P = "p",
    }

    /// An execution domain of personality(2).
    ///
    /// ```
    /// use runtime_core::spec::LinuxPersonalityDomain;
    ///
    /// assert_eq!(LinuxPersonalityDomain::PerLinux32.as_str(), "LINUX32");
    /// ```
    #[non_exhaustive]
    LinuxPersonalityDomain {
        /// What the kernel is.
        #[default]
        PerLinux = "LINUX",
        /// A machine of 32 bits.
        PerLinux32 = "LINUX32",
    }
}

words_are_properties! { LinuxDeviceType LinuxPersonalityDomain }
