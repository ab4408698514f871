//! How cgroups are mounted, and other ways to mount them for a thread alone.

use crate::{Result, sys::memlock};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const CGROUPS: &str = "/sys/fs/cgroup";

/// What a runtime is to see of cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The host's own mounts.
    Host,
    /// Version 1 alone: what a hybrid host has, but for version 2.
    V1,
    /// Version 2 alone. On a host with its controllers on version 1 there are few there; the kernel's work is the same.
    V2,
}

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where.
    pub at: PathBuf,
    /// Its controllers or its name.
    pub controllers: String,
    /// Whether it is of version 2.
    pub v2: bool,
}

impl View {
    /// By its name: `host`, `v1`, `v2`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Host, Self::V1, Self::V2].into_iter().find(|view| view.name() == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }

    /// As [`View::enter`]; and where this machine does not let root lift RLIMIT_MEMLOCK, programs are told that it is done: crun does not make
    /// a device program without. All that is measured runs under that filter of eight steps then.
    ///
    /// # Errors
    /// As [`View::enter`].
    pub fn enter_for_all(self) -> Result<()> {
        self.enter()?;
        if self == Self::V1 || memlock::is_allowed() {
            return Ok(());
        }
        memlock::pretend().map_err(|error| format!("seccomp: {error}"))
    }

    /// Takes the calling thread, and what it starts, to a mount namespace of its own where it is so. Nothing of the host changes.
    ///
    /// # Errors
    /// If that is not allowed, or the host has no cgroups of version 1.
    pub fn enter(self) -> Result<()> {
        let said = |what: &'static str| move |errno: nix::Error| format!("{what}: {}", errno.desc());
        unshare(CloneFlags::CLONE_NEWNS).map_err(said("make a mount namespace"))?;
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            .map_err(said("make all mounts private"))?;
        let mounted = hierarchies();
        if self == Self::Host {
            return Ok(());
        }
        if self == Self::V1 {
            if mounted.iter().all(|hierarchy| hierarchy.v2) {
                return Err("this host has no cgroups of version 1".to_owned());
            }
            for hierarchy in mounted.iter().filter(|hierarchy| hierarchy.v2) {
                umount2(&hierarchy.at, MntFlags::MNT_DETACH).map_err(said("unmount version 2"))?;
            }
        } else if mounted.iter().any(|hierarchy| !hierarchy.v2) {
            umount2(CGROUPS, MntFlags::MNT_DETACH).map_err(said("unmount /sys/fs/cgroup"))?;
            mount(Some("none"), CGROUPS, Some("cgroup2"), MsFlags::empty(), None::<&str>)
                .map_err(said("mount version 2"))?;
        }
        Ok(())
    }
}

/// The hierarchies that the calling thread sees.
#[must_use]
pub fn hierarchies() -> Vec<Hierarchy> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap_or_default();
    table.lines().filter_map(hierarchy).collect()
}

/// A hierarchy of a line of mountinfo: `id parent dev root at options ... - type source superoptions`.
fn hierarchy(line: &str) -> Option<Hierarchy> {
    let (left, right) = line.split_once(" - ")?;
    let at = PathBuf::from(left.split(' ').nth(4)?);
    let mut right = right.split(' ');
    let v2 = match right.next()? {
        "cgroup" => false,
        "cgroup2" => true,
        _ => return None,
    };
    let controllers = if v2 {
        fs::read_to_string(at.join("cgroup.controllers")).unwrap_or_default().trim().replace(' ', ",")
    } else {
        let known = |word: &&str| !matches!(*word, "rw" | "ro" | "xattr" | "noprefix" | "clone_children");
        right.nth(1)?.split(',').filter(known).collect::<Vec<_>>().join(",")
    };
    Some(Hierarchy { at, controllers, v2 })
}

/// Removes the cgroup `path` of every hierarchy, with what is in it.
pub fn remove_cgroup(path: &str) {
    for hierarchy in hierarchies() {
        remove(&hierarchy.at.join(path.trim_start_matches('/')));
    }
}

fn remove(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(dir);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_mountinfo_are_read() {
        let line = "38 31 0:33 / /sys/fs/cgroup/cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct";
        let read = hierarchy(line).unwrap();
        assert_eq!(
            (read.at, &*read.controllers, read.v2),
            ("/sys/fs/cgroup/cpu".into(), "cpu,cpuacct", false)
        );
        assert_eq!(hierarchy("22 1 8:1 / / rw - ext4 /dev/root rw"), None);
    }
}
