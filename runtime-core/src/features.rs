//! features.md: what this version of the library carries out, whatever the host can do. Each list is the table that the
//! code itself goes by.

use crate::{
    annotations,
    hooks::Kind,
    namespace,
    process::{capabilities, scheduling},
    rootfs::options,
    seccomp, sys,
};
use oci_spec::runtime::{
    Apparmor, Cgroup, Features, IDMap, IntelRdt, LinuxFeature, MemoryPolicy, MountExtensions, NetDevices,
    Seccomp, Selinux,
};
use std::collections::HashMap;

/// The oldest and the newest version of the OCI Runtime Specification that configurations may be written for.
pub const OCI_VERSIONS: [&str; 2] = ["1.0.0", "1.3.0"];

/// The systemd cgroup manager.
const SYSTEMD: bool = cfg!(feature = "systemd");

/// The document of features.md, as `corten features` prints it. It touches nothing of the host but for one question:
/// which seccomp flags the kernel takes.
///
/// ```
/// let features = runtime_core::features();
/// assert!(features.mount_options().as_ref().is_some_and(|options| options.contains(&"rro".to_owned())));
/// ```
pub fn features() -> Features {
    let mut features = Features::default();
    let [oldest, newest] = OCI_VERSIONS;
    features
        .set_oci_version_min(oldest.to_owned())
        .set_oci_version_max(newest.to_owned())
        .set_hooks(Some(Kind::ALL.map(|kind| kind.name().to_owned()).into()))
        .set_mount_options(Some(mount_options()))
        .set_linux(Some(linux()))
        .set_annotations(Some(known_annotations()))
        .set_potentially_unsafe_config_annotations(Some(texts(&annotations::UNSAFE)));
    features
}

/// Under runc's name engines look for whether checkpoints can be made. CRIU is a program of its own, which may come and go: here
/// it is said what Corten does, and `corten check` tells of CRIU.
fn known_annotations() -> HashMap<String, String> {
    let known = [
        ("run.corten.version", env!("CARGO_PKG_VERSION")),
        (
            "org.opencontainers.runc.checkpoint.enabled",
            if cfg!(feature = "checkpoint") { "true" } else { "false" },
        ),
    ];
    known.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn mount_options() -> Vec<String> {
    texts(&options::NAMES)
}

fn linux() -> LinuxFeature {
    let mut linux = LinuxFeature::default();
    linux
        .set_namespaces(Some(namespace::TYPES.into()))
        .set_capabilities(Some(capabilities::ALL.iter().map(capabilities::name).collect()))
        .set_cgroup(Some(cgroup()))
        .set_seccomp(Some(seccomp()));
    let mut apparmor = Apparmor::default();
    apparmor.set_enabled(Some(true));
    let mut selinux = Selinux::default();
    selinux.set_enabled(Some(true));
    let mut rdt = IntelRdt::default();
    rdt.set_enabled(Some(true)).set_schemata(Some(true)).set_monitoring(Some(true));
    let mut policy = MemoryPolicy::default();
    policy.set_modes(Some(scheduling::MODES.iter().map(ToString::to_string).collect()));
    policy.set_flags(Some(scheduling::MODE_FLAGS.iter().map(|(flag, _)| flag.to_string()).collect()));
    let mut idmap = IDMap::default();
    idmap.set_enabled(Some(true));
    let mut extensions = MountExtensions::default();
    extensions.set_idmap(Some(idmap));
    let mut devices = NetDevices::default();
    devices.set_enabled(Some(true));
    linux
        .set_apparmor(Some(apparmor))
        .set_selinux(Some(selinux))
        .set_intel_rdt(Some(rdt))
        .set_memory_policy(Some(policy))
        .set_mount_extensions(Some(extensions))
        .set_net_devices(Some(devices));
    linux
}

fn cgroup() -> Cgroup {
    let mut cgroup = Cgroup::default();
    cgroup
        .set_v1(Some(true))
        .set_v2(Some(true))
        .set_systemd(Some(SYSTEMD))
        .set_systemd_user(Some(SYSTEMD))
        .set_rdma(Some(true));
    cgroup
}

fn seccomp() -> Seccomp {
    let actions = seccomp::ACTIONS.iter().filter_map(|name| name.parse().ok());
    let flags = |wanted: &dyn Fn(u32) -> bool| -> Vec<String> {
        let wanted = seccomp::FLAGS.iter().filter(|(_, flag)| wanted(*flag));
        wanted.map(|(name, _)| (*name).to_owned()).collect()
    };
    let archs = seccomp::ARCHITECTURES.iter().filter_map(|name| name.parse().ok());
    let mut seccomp = Seccomp::default();
    seccomp
        .set_enabled(Some(true))
        .set_actions(Some(actions.collect()))
        .set_operators(Some(texts(&seccomp::OPERATORS)))
        .set_archs(Some(archs.collect()))
        .set_known_flags(Some(flags(&|_| true)))
        .set_supported_flags(Some(flags(&sys::seccomp::takes_flag)));
    seccomp
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}
