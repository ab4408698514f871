//! `annotations` of config.json that change what the runtime does. crun defined them, and engines rely on them.

use crate::spec::Spec;

/// The process keeps the additional groups of the runtime's caller: neither those of `process.user` nor none are set.
const KEEP_ORIGINAL_GROUPS: &str = "run.oci.keep_original_groups";
/// A file that the standard output of hooks is appended to.
pub(crate) const HOOKS_STDOUT: &str = "run.oci.hooks.stdout";
/// The same for their standard error.
pub(crate) const HOOKS_STDERR: &str = "run.oci.hooks.stderr";
/// A Unix socket that the pidfd of the container's process is sent to.
pub(crate) const PIDFD_RECEIVER: &str = "run.oci.pidfd_receiver";
/// The agent's socket of a seccomp profile that names none.
pub(crate) const SECCOMP_RECEIVER: &str = "run.oci.seccomp.receiver";
/// An unknown system call in a seccomp profile is an error.
pub(crate) const SECCOMP_FAIL_UNKNOWN: &str = "run.oci.seccomp_fail_unknown_syscall";

/// CRIU's configuration file for the container, or an empty text for none.
pub(crate) const CRIU_CONFIG: &str = "org.criu.config";

/// A sub-cgroup of the systemd unit that the container is put into.
#[cfg(feature = "systemd")]
pub(crate) const SYSTEMD_SUBGROUP: &str = "run.oci.systemd.subgroup";
/// A sub-cgroup of the container's cgroup that its process is put into and given.
pub(crate) const DELEGATE_CGROUP: &str = "run.oci.delegate-cgroup";
/// Where in the container cgroup v1's hierarchy of systemd is mounted, for an old systemd on a host of v2.
pub(crate) const SYSTEMD_FORCE_V1: &str = "run.oci.systemd.force_cgroup_v1";
/// What a property of the container's systemd unit begins with, runc(8).
pub(crate) const SYSTEMD_PROPERTY: &str = "org.systemd.property.";

/// What whoever writes annotations for others must not let them set: it reaches files, sockets and rights of the host.
/// A name that ends with a dot stands for all that begin with it (features.md, "Unsafe annotations").
pub(crate) const UNSAFE: [&str; 3] = ["run.oci.", SYSTEMD_PROPERTY, CRIU_CONFIG];

/// The value of an annotation.
pub(crate) fn find<'a>(spec: &'a Spec, name: &str) -> Option<&'a str> {
    spec.annotations.get(name).map(String::as_str)
}

/// Whether an annotation is there and does not say 0.
fn is_on(spec: &Spec, name: &str) -> bool {
    find(spec, name).is_some_and(|value| value != "0")
}

/// Whether the additional groups are the caller's.
pub(crate) fn keeps_groups(spec: &Spec) -> bool {
    is_on(spec, KEEP_ORIGINAL_GROUPS)
}

/// Whether an unknown system call in a seccomp profile is an error.
pub(crate) fn fails_unknown_syscalls(spec: &Spec) -> bool {
    is_on(spec, SECCOMP_FAIL_UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_told_as_unsafe() {
        let names = [
            KEEP_ORIGINAL_GROUPS,
            HOOKS_STDOUT,
            HOOKS_STDERR,
            PIDFD_RECEIVER,
            SECCOMP_RECEIVER,
            SECCOMP_FAIL_UNKNOWN,
            CRIU_CONFIG,
            #[cfg(feature = "systemd")]
            SYSTEMD_SUBGROUP,
            DELEGATE_CGROUP,
            SYSTEMD_FORCE_V1,
            SYSTEMD_PROPERTY,
        ];
        let told = |name: &str| {
            UNSAFE.iter().any(|told| *told == name || told.ends_with('.') && name.starts_with(told))
        };
        assert!(names.into_iter().all(told));
    }

    #[test]
    fn zero_is_off() {
        let spec = |value: &str| {
            let mut spec = Spec::new("1.3.0");
            spec.annotations = [(KEEP_ORIGINAL_GROUPS.to_owned(), value.to_owned())].into();
            keeps_groups(&spec)
        };
        assert!(spec("1") && spec("") && !spec("0") && !keeps_groups(&Spec::default()));
    }
}
