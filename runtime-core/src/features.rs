//! features.md: what this version of the library carries out, whatever the host can do. Each list is the table that the
//! code itself goes by.

use crate::{
    annotations,
    hooks::Kind,
    namespace,
    process::scheduling,
    rootfs::options,
    seccomp,
    spec::{
        Apparmor, Capability, Cgroup, Features, IDMap, IntelRdt, LinuxFeature, MemoryPolicy, MountExtensions,
        NetDevices, Seccomp, Selinux,
    },
    sys,
};
use std::collections::BTreeMap;

/// The oldest and the newest version of the OCI Runtime Specification that configurations may be written for.
///
/// ```
/// let [oldest, newest] = runtime_core::OCI_VERSIONS;
/// println!("config.json may be of versions {oldest} to {newest}");
/// ```
pub const OCI_VERSIONS: [&str; 2] = ["1.0.0", "1.3.0"];

/// The systemd cgroup manager.
const SYSTEMD: bool = cfg!(feature = "systemd");

/// The document of features.md, as `corten features` prints it. It touches nothing of the host but for one question:
/// which seccomp flags the kernel takes.
///
/// ```
/// let features = runtime_core::features();
/// assert!(features.mount_options.iter().any(|option| option == "rro"));
/// ```
#[must_use]
pub fn features() -> Features {
    let [oldest, newest] = OCI_VERSIONS;
    Features {
        oci_version_min: oldest.to_owned(),
        oci_version_max: newest.to_owned(),
        hooks: Kind::ALL.map(|kind| kind.name().to_owned()).into(),
        mount_options: texts(&options::NAMES),
        linux: Some(linux()),
        annotations: known_annotations(),
        potentially_unsafe_config_annotations: texts(&annotations::UNSAFE),
    }
}

/// Under runc's name engines look for whether checkpoints can be made. CRIU is a program of its own, which may come and go: here
/// it is said what Corten does, and `corten check` tells of CRIU.
fn known_annotations() -> BTreeMap<String, String> {
    let known = [
        ("run.corten.version", env!("CARGO_PKG_VERSION")),
        (
            "org.opencontainers.runc.checkpoint.enabled",
            if cfg!(feature = "checkpoint") { "true" } else { "false" },
        ),
    ];
    known.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn linux() -> LinuxFeature {
    let yes = Some(true);
    LinuxFeature {
        namespaces: namespace::TYPES.into(),
        capabilities: Capability::ALL.iter().map(ToString::to_string).collect(),
        cgroup: Some(Cgroup {
            v1: yes,
            v2: yes,
            systemd: Some(SYSTEMD),
            systemd_user: Some(SYSTEMD),
            rdma: yes,
        }),
        seccomp: Some(seccomp()),
        apparmor: Some(Apparmor { enabled: yes }),
        selinux: Some(Selinux { enabled: yes }),
        intel_rdt: Some(IntelRdt { enabled: yes, schemata: yes, monitoring: yes }),
        memory_policy: Some(MemoryPolicy {
            modes: scheduling::MODES.iter().map(ToString::to_string).collect(),
            flags: scheduling::MODE_FLAGS.iter().map(|(flag, _)| flag.to_string()).collect(),
        }),
        mount_extensions: Some(MountExtensions { idmap: Some(IDMap { enabled: yes }) }),
        net_devices: Some(NetDevices { enabled: yes }),
    }
}

fn seccomp() -> Seccomp {
    let flags = |wanted: &dyn Fn(u32) -> bool| -> Vec<String> {
        let wanted = seccomp::FLAGS.iter().filter(|(_, flag)| wanted(*flag));
        wanted.map(|(name, _)| (*name).to_owned()).collect()
    };
    Seccomp {
        enabled: Some(true),
        actions: seccomp::ACTIONS.into(),
        operators: texts(&seccomp::OPERATORS),
        archs: seccomp::ARCHITECTURES.into(),
        known_flags: flags(&|_| true),
        supported_flags: flags(&sys::seccomp::takes_flag),
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}
