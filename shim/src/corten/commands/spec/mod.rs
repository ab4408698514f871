//! `corten spec`

use crate::{cli::Args, failure::Failure};
use nix::{
    sys::statfs::{CGROUP2_SUPER_MAGIC, statfs},
    unistd::{getegid, geteuid},
};
use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
};

/// The bundle to start from, with the properties that runc's has.
const DEFAULT: &str = include_str!("default.json");
/// The same for a user without privileges: UID and GID are to be replaced.
const ROOTLESS: &str = include_str!("rootless.json");

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let path = args.flags.path("bundle").unwrap_or_default().join("config.json");
    let text = text(args.flags.is_on("rootless"), is_cgroup_v2());
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = file.and_then(|mut file| {
        // What is cut short by a full disk would be in the way of the next try.
        file.write_all(text.as_bytes()).inspect_err(|_| drop(fs::remove_file(&path)))
    });
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::usage(format!("File {} exists. Remove it first", path.display()))
        }
        _ => Failure::io(format!("write {}", path.display()), error),
    })
}

fn text(rootless: bool, cgroup_v2: bool) -> String {
    let text = match rootless {
        true => ROOTLESS
            .replace(": UID", &format!(": {}", geteuid()))
            .replace(": GID", &format!(": {}", getegid())),
        false => DEFAULT.to_owned(),
    };
    let namespace = |name| format!("{{\n\t\t\t\t\"type\": \"{name}\"\n\t\t\t}}");
    match cgroup_v2 {
        // A cgroup namespace of its own is what makes a container's view of the one tree begin at its own cgroup.
        true => text
            .replace(&namespace("mount"), &format!("{},\n\t\t\t{}", namespace("mount"), namespace("cgroup"))),
        false => text,
    }
}

fn is_cgroup_v2() -> bool {
    statfs("/sys/fs/cgroup").is_ok_and(|found| found.filesystem_type() == CGROUP2_SUPER_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::SPEC_VERSION;
    use runtime_core::spec::{LinuxNamespaceType, Spec};

    #[test]
    fn all_variants_are_specs_of_our_version() {
        for (rootless, cgroup_v2) in [(false, false), (false, true), (true, false), (true, true)] {
            let spec: Spec = serde_json::from_str(&text(rootless, cgroup_v2)).unwrap();
            assert_eq!(&spec.version, SPEC_VERSION);
            let namespaces = &spec.linux.as_ref().unwrap().namespaces;
            let has = |kind| namespaces.iter().any(|namespace| namespace.typ == kind);
            assert_eq!(has(LinuxNamespaceType::User), rootless);
            assert_eq!(has(LinuxNamespaceType::Cgroup), cgroup_v2);
        }
    }
}
