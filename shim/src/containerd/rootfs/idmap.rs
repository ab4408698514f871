//! Id-mapped mounts of a request: the options `uidmap=` and `gidmap=`, each `FIRST:HOST:COUNT`, more of them after commas.
//! A file system is mapped itself; of an overlay its layers are, each in a clone that nobody else sees.

use crate::{
    error::{Error, Result},
    sys::mount::{clone_tree, map_ids, place},
};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    unistd::{chroot, fchdir},
};
use runtime_core::spec::LinuxIdMapping;
use std::{
    env,
    fs::{self, File},
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// The user namespace that the options ask for; nothing where they ask for none.
pub(super) fn namespace(uids: &str, gids: &str) -> Result<Option<OwnedFd>> {
    match (uids, gids) {
        ("", "") => Ok(None),
        ("", _) | (_, "") => Err(Error::unknown("uidmap, gidmap: one is of no use without the other")),
        _ => Ok(Some(runtime_core::user_namespace(ranges(uids)?, ranges(gids)?)?)),
    }
}

fn ranges(text: &str) -> Result<Vec<LinuxIdMapping>> {
    let wrong = || Error::unknown(format!("id map {text:?}: FIRST:HOST:COUNT is wanted"));
    let range = |range: &str| {
        let mut numbers = range.split(':').map(|number| number.parse::<u32>().map_err(|_| wrong()));
        let mut number = || numbers.next().ok_or_else(wrong)?;
        let (inside, host, size) = (number()?, number()?, number()?);
        if numbers.next().is_some() {
            return Err(wrong());
        }
        Ok(LinuxIdMapping { container_id: inside, host_id: host, size })
    };
    text.split(',').map(range).collect()
}

/// Maps the ids of what is mounted upon `target`.
pub(super) fn remap(target: &Path, recursive: bool, namespace: &OwnedFd) -> Result<()> {
    let failed =
        |doing: &str, error| Error::io(format!("map the ids of {}: {doing}", target.display()), error);
    let tree = clone_tree(target, recursive).map_err(|error| failed("open_tree", error))?;
    map_ids(tree.as_fd(), recursive, namespace.as_fd()).map_err(|error| failed("mount_setattr", error))?;
    umount2(target, MntFlags::MNT_DETACH).map_err(|errno| failed("umount2", errno.into()))?;
    place(tree.as_fd(), target).map_err(|error| failed("move_mount", error))
}

/// An overlay whose layers, the list of `lowerdir=`, have their ids mapped; attached nowhere. `make` mounts it from the names of
/// the mapped layers upon the path that it is given.
///
/// The layers must be seen somewhere for as long as that takes. That is in a mount namespace of this thread alone, which goes with the
/// thread: where the daemon removes bundles they would be in the way of a shim that is killed in the middle, and be
/// emptied with the bundle.
pub(super) fn overlay(
    list: &str,
    namespace: &OwnedFd,
    make: impl FnOnce(&str, &Path) -> Result<()>,
) -> Result<OwnedFd> {
    let map = |layer: &Path| {
        let failed = |doing: &str, error| {
            Error::io(format!("map the ids of layer {}: {doing}", layer.display()), error)
        };
        let tree = clone_tree(layer, false).map_err(|error| failed("open_tree", error))?;
        map_ids(tree.as_fd(), false, namespace.as_fd()).map_err(|error| failed("mount_setattr", error))?;
        Ok(tree)
    };
    let layers = list.split(':').map(Path::new).map(map).collect::<Result<Vec<_>>>()?;
    let home = Home::leave()?;
    let made = overlay_apart(&layers, make);
    home.enter()?;
    made
}

/// A directory that every host has, and no layer. In the thread's own namespace it is hidden by the layers.
const APART: &str = "/proc";

fn overlay_apart(layers: &[OwnedFd], make: impl FnOnce(&str, &Path) -> Result<()>) -> Result<OwnedFd> {
    let failed = |doing: &str, error| Error::io(format!("a place for mapped layers: {doing}"), error);
    let mounted = |target: &str, kind: Option<&str>, flags| {
        mount(kind, target, kind, flags, None::<&str>).map_err(|errno| failed("mount", errno.into()))
    };
    mounted("/", None, MsFlags::MS_REC | MsFlags::MS_PRIVATE)?;
    mounted(APART, Some("tmpfs"), MsFlags::empty())?;
    // From here the names are short, and fit into one call of mount(2).
    env::set_current_dir(APART).map_err(|error| failed("chdir", error))?;
    for (number, tree) in layers.iter().enumerate() {
        let name = number.to_string();
        fs::create_dir(&name).map_err(|error| failed("mkdir", error))?;
        place(tree.as_fd(), Path::new(&name)).map_err(|error| failed("move_mount", error))?;
    }
    let target = Path::new("overlay");
    fs::create_dir(target).map_err(|error| failed("mkdir", error))?;
    let names: Vec<_> = (0..layers.len()).map(|number| number.to_string()).collect();
    make(&names.join(":"), target)?;
    clone_tree(target, false).map_err(|error| failed("open_tree", error))
}

/// The mount namespace and the directories that a thread has left.
struct Home {
    namespace: File,
    root: File,
    working: File,
}

impl Home {
    /// Leaves for a mount namespace of this thread's own.
    fn leave() -> Result<Self> {
        let open = |path: &str| File::open(path).map_err(|error| Error::io(format!("{path}: open"), error));
        let home =
            Self { namespace: open("/proc/thread-self/ns/mnt")?, root: open("/")?, working: open(".")? };
        let flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS;
        unshare(flags).map_err(|errno| Error::io("unshare the mount namespace", errno))?;
        Ok(home)
    }

    /// Comes back.
    fn enter(self) -> Result<()> {
        let back = setns(&self.namespace, CloneFlags::CLONE_NEWNS)
            .and_then(|()| fchdir(&self.root))
            .and_then(|()| chroot("."))
            .and_then(|()| fchdir(&self.working));
        back.map_err(|errno| Error::io("enter the mount namespace again", errno))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let read = ranges("0:1000:10,10:5000:1").unwrap();
        assert_eq!((read[0].container_id, read[0].host_id, read[0].size), (0, 1000, 10));
        assert_eq!(read[1].host_id, 5000);
        for text in ["", "0", "0:1", "0:1:2:3", "a:1:2", "0:1:-2"] {
            assert!(ranges(text).is_err(), "{text}");
        }
        assert!(namespace("0:1:2", "").is_err());
        assert!(namespace("", "").unwrap().is_none());
    }
}
