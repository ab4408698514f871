//! How a process comes into cgroups of v1 by itself.
//!
//! While one process moves another, the kernel holds still all that fork or end, and on an idle host it begins that with a
//! grace period of RCU: 7 to 15 milliseconds. A thread that moves itself, by a 0 in `tasks` of v1, needs none of it
//! (cgroup_procs_write_start() of kernel/cgroup/cgroup.c, since Linux 5.5). The init program has one thread.

use super::{
    Cgroup,
    dir::Dir,
    error::{Error, Result},
    has_room,
    tree::Tree,
};
use corten_init::message::MOST_FILES;
use std::{os::fd::OwnedFd, path::PathBuf};

/// The file by which a process enters a cgroup of v1.
#[derive(Debug)]
pub(crate) struct Door {
    /// The cgroup's directory.
    pub(crate) path: PathBuf,
    /// Its `tasks`, open for writing.
    pub(crate) file: OwnedFd,
}

impl Cgroup {
    /// The doors to its cgroups of v1, for a process that is `born` in that of v2 if there is one. None where it has to be moved,
    /// as into one of v2. That of the freezer is the last: who enters a frozen one stops.
    pub(crate) fn doors(&self, born: bool) -> Result<Option<Vec<Door>>> {
        let mut legacy: Vec<&Tree> = self.trees.iter().filter(|tree| !tree.unified).collect();
        let moved = legacy.len() < self.trees.len() && !born;
        if moved || legacy.len() > MOST_FILES || self.waits_for_process() {
            return Ok(None);
        }
        legacy.sort_by_key(|tree| tree.has("freezer"));
        legacy.into_iter().map(door).collect::<Result<Vec<_>>>().map(Some)
    }

    /// The same for a further process, and one that makes way for it. None as well where pids.limit has no room for both, or the
    /// caller may not open them, as an ordinary user's.
    pub(crate) fn doors_beside(&self, born: bool) -> Option<Vec<Door>> {
        let limiting = self.trees.iter().find(|tree| tree.has("pids"));
        let room = limiting.and_then(|tree| tree.open().ok()).is_none_or(|dir| has_room(&dir));
        self.doors(born).ok().flatten().filter(|doors| room && !doors.is_empty())
    }
}

fn door(tree: &Tree) -> Result<Door> {
    let path = tree.dir();
    let file = Dir::open(&path)?.open_to_write("tasks");
    let file = file.map_err(|errno| Error::io(format!("open {}", path.join("tasks").display()), errno))?;
    Ok(Door { path, file })
}
