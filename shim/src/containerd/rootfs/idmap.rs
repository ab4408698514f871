//! Id-mapped mounts of a request: the options `uidmap=` and `gidmap=`, each `FIRST:HOST:COUNT`, more of them after commas.
//! A file system is mapped itself; of an overlay its layers are, each in a clone that is seen only until the overlay has it.

use crate::{
    error::{Error, Result},
    sys::mount::{clone_tree, map_ids, place},
};
use nix::{
    mount::{MntFlags, umount2},
    sched::{CloneFlags, unshare},
};
use runtime_core::oci_spec::runtime::{LinuxIdMapping, LinuxIdMappingBuilder};
use std::{
    env,
    fs::{self, DirBuilder},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::DirBuilderExt,
    },
    path::{Path, PathBuf},
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
        let built = LinuxIdMappingBuilder::default().container_id(inside).host_id(host).size(size).build();
        built.map_err(|error| Error::unknown(format!("id map {text:?}: {error}")))
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

/// The layers of an overlay with their ids mapped, in a directory that is this thread's working directory while they are
/// needed. Dropped, they are seen no more.
pub(super) struct Layers {
    dir: PathBuf,
    count: usize,
}

impl Layers {
    /// Clones and maps the layers of `list` beneath the new directory `dir`.
    pub(super) fn map(list: &str, dir: PathBuf, namespace: &OwnedFd) -> Result<Self> {
        let failed = |path: &Path, doing: &str, error| {
            Error::io(format!("map the ids of layer {}: {doing}", path.display()), error)
        };
        DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .map_err(|error| Error::io(format!("{}: make it", dir.display()), error))?;
        let mut layers = Self { dir, count: 0 };
        for layer in list.split(':').map(Path::new) {
            let place_for = layers.dir.join(layers.count.to_string());
            let tree = clone_tree(layer, false).map_err(|error| failed(layer, "open_tree", error))?;
            map_ids(tree.as_fd(), false, namespace.as_fd())
                .map_err(|error| failed(layer, "mount_setattr", error))?;
            fs::create_dir(&place_for).map_err(|error| failed(layer, "mkdir", error))?;
            layers.count += 1;
            place(tree.as_fd(), &place_for).map_err(|error| failed(layer, "move_mount", error))?;
        }
        unshare(CloneFlags::CLONE_FS).map_err(|errno| Error::io("unshare the working directory", errno))?;
        env::set_current_dir(&layers.dir)
            .map_err(|error| Error::io(format!("chdir {}", layers.dir.display()), error))?;
        Ok(layers)
    }

    /// The layers' names from the working directory, as an overlay takes them.
    pub(super) fn names(&self) -> String {
        (0..self.count).map(|number| number.to_string()).collect::<Vec<_>>().join(":")
    }
}

impl Drop for Layers {
    fn drop(&mut self) {
        let _ = env::set_current_dir("/");
        for number in 0..self.count {
            let layer = self.dir.join(number.to_string());
            let _ = umount2(&layer, MntFlags::MNT_DETACH);
            let _ = fs::remove_dir(&layer);
        }
        if let Err(error) = fs::remove_dir(&self.dir) {
            log::warn!("{}", Error::io(format!("{}: remove it", self.dir.display()), error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let read = ranges("0:1000:10,10:5000:1").unwrap();
        assert_eq!((read[0].container_id(), read[0].host_id(), read[0].size()), (0, 1000, 10));
        assert_eq!(read[1].host_id(), 5000);
        for text in ["", "0", "0:1", "0:1:2:3", "a:1:2", "0:1:-2"] {
            assert!(ranges(text).is_err(), "{text}");
        }
        assert!(namespace("0:1:2", "").is_err());
        assert!(namespace("", "").unwrap().is_none());
    }
}
