//! `linux.mountLabel`, config-linux.md "Mount Label": the SELinux context of the container's own file systems.

use super::Rootfs;
use crate::spec::Spec;
use std::path::Path;

/// File systems that have labels of the kernel's own.
const LABELLED_BY_KERNEL: [&str; 6] = ["proc", "sysfs", "mqueue", "cgroup", "cgroup2", "bpf"];
/// Podman says so where not the files but the root alone is to be labelled.
const KIND: &str = "run.oci.mount_context_type";

/// The option that new file systems get. A host without SELinux has nothing that could enforce it: it is passed over with a
/// warning.
pub(super) fn option(spec: &Spec) -> Option<String> {
    let label = spec.linux.as_ref()?.mount_label.as_deref().filter(|label| !label.is_empty())?;
    if !Path::new("/sys/fs/selinux/enforce").exists() {
        log::warn!("linux.mountLabel: ignored, SELinux is not enabled on this host");
        return None;
    }
    Some(text(label, spec.annotations.get(KIND)))
}

fn text(label: &str, kind: Option<&String>) -> String {
    format!("{}={label}", kind.map_or("context", String::as_str))
}

/// The option for a file system of `kind` that has `options`: one that names its context itself keeps it.
pub(super) fn of(rootfs: &Rootfs<'_>, kind: &str, options: &[(String, Option<String>)]) -> Option<String> {
    let named = options.iter().any(|(key, _)| key.ends_with("context"));
    let own = rootfs.label.as_ref()?;
    (!named && !LABELLED_BY_KERNEL.contains(&kind)).then(|| own.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_annotation_chooses_the_kind_of_context() {
        assert_eq!(text("a:b:c:s0:c1,c2", None), "context=a:b:c:s0:c1,c2");
        assert_eq!(text("a:b", Some(&"rootcontext".to_owned())), "rootcontext=a:b");
    }
}
