//! A container's cgroup in one hierarchy: its directory made, looked at and removed.

use super::{
    dir::{self, Dir},
    error::{Error, Result},
    layout::Hierarchy,
    v2,
};
use nix::{errno::Errno, fcntl::AtFlags, unistd::fchownat};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// One hierarchy's part of a container's cgroup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tree {
    /// cgroup v2.
    pub(super) unified: bool,
    /// The hierarchy's name below /sys/fs/cgroup.
    pub(super) name: String,
    /// The v1 controllers in it.
    pub(super) controllers: Vec<String>,
    /// Where the hierarchy is mounted.
    pub(super) mount: PathBuf,
    /// The container's cgroup below that.
    path: PathBuf,
    /// How many directories at the end of `path` were made for this container, or will be as it looks now: that is on record
    /// before they are made.
    made: usize,
}

const CPUSET: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

/// The processors and the memory nodes of a v1 cgroup.
fn cpuset_of(dir: &Dir) -> Result<[String; 2]> {
    let [cpus, mems] = CPUSET.map(|file| dir.read(file).map(|list| list.trim().to_owned()));
    Ok([cpus?, mems?])
}

fn give(dir: &Dir, uid: u32) -> Result<()> {
    let listed = fs::read_to_string("/sys/kernel/cgroup/delegate");
    let files = listed.as_deref().unwrap_or("cgroup.procs\ncgroup.subtree_control\ncgroup.threads");
    // The directory last: from then on its owner can change what is in it.
    for file in files.lines().chain(["."]) {
        match fchownat(dir, file, Some(uid.into()), None, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => {
                let file = dir.path().join(file);
                return Err(Error::io(format!("chown {} to user {uid}", file.display()), errno));
            }
        }
    }
    Ok(())
}

impl Tree {
    pub(super) fn new(hierarchy: Hierarchy, path: PathBuf) -> Self {
        let Hierarchy { unified, name, controllers, mount } = hierarchy;
        let named = path.ancestors().take_while(|path| !path.as_os_str().is_empty());
        let made = named.take_while(|path| !mount.join(path).exists()).count();
        Self { unified, name, controllers, mount, path, made }
    }

    /// Its path below the mount point.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its directory on the host.
    pub(super) fn dir(&self) -> PathBuf {
        self.mount.join(&self.path)
    }

    pub(super) fn open(&self) -> Result<Dir> {
        Dir::open(&self.dir())
    }

    /// Whether its directory was not there before [`Tree::create`].
    pub(super) fn fresh(&self) -> bool {
        self.made > 0
    }

    pub(super) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }

    /// Makes the directory and readies it for processes. Removes what it made if that fails.
    pub(super) fn create(&mut self) -> Result<()> {
        self.made = dir::make(&self.mount, &self.path)?;
        self.prepare().inspect_err(|_| self.undo())
    }

    fn prepare(&self) -> Result<()> {
        if !self.fresh() {
            self.expect_unused()?;
        }
        if self.unified {
            let dir = self.open()?;
            v2::enable_controllers(&self.mount, &self.path, &dir)?;
            if !self.fresh() && !dir.read("cgroup.type")?.starts_with("domain\n") {
                // `domain threaded`, `domain invalid` and `threaded` take no container.
                return Err(Error::Threaded { path: self.dir() });
            }
            self.expect_thawed(&dir)?;
        } else if self.has("freezer") {
            self.expect_thawed(&self.open()?)?;
        }
        if self.has("cpuset") {
            self.fill_cpuset()?;
        }
        Ok(())
    }

    /// Refuses a frozen one: below a frozen cgroup a new one is frozen too.
    fn expect_thawed(&self, dir: &Dir) -> Result<()> {
        let frozen = match self.unified {
            true => dir.read("cgroup.events")?.lines().any(|line| line == "frozen 1"),
            false => self.has("freezer") && dir.read("freezer.state")?.trim() != "THAWED",
        };
        if frozen { Err(Error::Frozen { path: self.dir() }) } else { Ok(()) }
    }

    /// Refuses a directory that has processes.
    pub(super) fn expect_unused(&self) -> Result<()> {
        let count = self.pids()?.len();
        if count > 0 {
            return Err(Error::NotEmpty { path: self.dir(), count });
        }
        Ok(())
    }

    /// Leaves the directories above the last `count` alone when it is removed: others keep account of them.
    #[cfg(feature = "systemd")]
    pub(super) fn leave_above(&mut self, count: usize) {
        self.made = self.made.min(count);
    }

    /// Whether `path`, one of /proc/PID/cgroup, is the container's cgroup or, where that is in one, the cgroup above it.
    #[cfg(feature = "systemd")]
    pub(super) fn is_at_or_below(&self, path: &Path) -> bool {
        !path.as_os_str().is_empty() && self.path.starts_with(path)
    }

    /// The part of its path that is below the unit `name`.
    #[cfg(feature = "systemd")]
    pub(super) fn below_unit(&self, name: &str) -> &Path {
        let mut rest = self.path.components();
        match rest.any(|component| component.as_os_str() == name) {
            true => rest.as_path(),
            false => Path::new(""),
        }
    }

    /// Readies the directory where it is missing, as in hierarchies that systemd does not use, and moves the process `pid` in;
    /// it is in `own` now.
    #[cfg(feature = "systemd")]
    pub(super) fn join(&mut self, pid: i32, own: Option<&Path>) -> Result<()> {
        let made = dir::make(&self.mount, &self.path)?;
        self.made = self.made.min(made.max(1));
        let dir = self.open()?;
        self.expect_thawed(&dir)?;
        if self.has("cpuset") {
            self.fill_cpuset()?;
        }
        if own != Some(self.path.as_path()) {
            super::members::move_into(&self.dir(), pid)?;
        }
        if self.unified {
            // Only now the cgroup above has no process, should it be the unit's.
            v2::enable_controllers(&self.mount, &self.path, &dir)?;
        }
        Ok(())
    }

    /// Gives each cgroup down the path that has no processors or no memory nodes those of the one above: v1 starts them
    /// empty, and an empty one takes no process.
    fn fill_cpuset(&self) -> Result<()> {
        // Those above what was made have theirs, unless someone else has just made them too.
        let mut levels: Vec<_> = self.path.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
        levels.reverse();
        let mut first = levels.len() - self.made.max(1);
        let mut above =
            Dir::open(&self.mount.join(first.checked_sub(1).map_or(Path::new(""), |at| levels[at])))?;
        let mut values = cpuset_of(&above)?;
        if values.iter().any(String::is_empty) {
            first = 0;
            above = Dir::open(&self.mount)?;
            values = cpuset_of(&above)?;
        }
        for (at, level) in levels.into_iter().enumerate().skip(first) {
            let dir = Dir::open(&self.mount.join(level))?;
            // Of those that were just made it is known that they are empty, or, where the one above says
            // `cgroup.clone_children`, equal to it.
            let fresh = at + self.made >= self.path.components().count();
            let present = if fresh { [const { String::new() }; 2] } else { cpuset_of(&dir)? };
            for ((file, value), present) in CPUSET.iter().zip(&mut values).zip(present) {
                if !present.is_empty() {
                    *value = present;
                    continue;
                }
                match dir.put(file, value) {
                    Ok(()) => {}
                    // A sibling has some of them for itself: then the configuration has to say which ones.
                    Err(Errno::EINVAL) => {
                        log::debug!("{}: not taken from above", dir.path().join(file).display());
                    }
                    Err(errno) => {
                        return Err(Error::io(format!("fill {}", dir.path().join(file).display()), errno));
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes what [`Tree::create`] made.
    pub(super) fn undo(&self) {
        if self.fresh()
            && let Err(error) = self.remove()
        {
            log::warn!("{error}");
        }
    }

    /// Removes the directory, all sub-cgroups, and the empty ones above it that were made for it.
    pub(super) fn remove(&self) -> Result<()> {
        let path = self.dir();
        dir::remove(&path)?;
        dir::remove_parents(&path, self.made.saturating_sub(1))
    }

    /// Removes the directory if nothing is in it, and the empty ones above it; tells whether it is gone.
    pub(super) fn remove_empty(&self) -> bool {
        let path = self.dir();
        dir::rmdir(&path).is_ok() && dir::remove_parents(&path, self.made.saturating_sub(1)).is_ok()
    }

    /// Removes the directory if nothing is in it, and the empty ones above it that were to be made for it. Where it was to be
    /// made too, what is in it dies with the runtime that made it, and gets a moment to do so.
    pub(super) fn remove_unused(&self) -> Result<()> {
        let path = self.dir();
        dir::remove_unused(&path, self.fresh())?;
        if path.exists() { Ok(()) } else { dir::remove_parents(&path, self.made.saturating_sub(1)) }
    }

    /// The processes in it and below; none where it is gone.
    pub(super) fn pids(&self) -> Result<Vec<i32>> {
        match self.open() {
            Ok(dir) => dir.pids(),
            Err(Error::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Why this cgroup of v2 has no `controller`.
    pub(super) fn why_disabled(&self, controller: &str) -> Option<String> {
        v2::why_disabled(&self.mount, &self.path, controller)
    }

    /// Gives the directory to the user `uid`, with those of its files that the kernel says may be given.
    pub(super) fn give_to(&self, uid: u32) -> Result<()> {
        give(&self.open()?, uid)
    }

    /// Makes the sub-cgroup `sub` and gives it to the user `uid`.
    pub(super) fn make_below(&self, sub: &Path, uid: u32) -> Result<()> {
        dir::make(&self.dir(), sub)?;
        give(&Dir::open(&self.dir().join(sub))?, uid)
    }

    /// The cgroup of process `pid` in this hierarchy, v2, if that is this cgroup or below it.
    pub(super) fn dir_of(&self, pid: i32) -> Option<PathBuf> {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
        Some(self.mount.join(path)).filter(|dir| dir.starts_with(self.dir()))
    }

    /// Where the sub-cgroup `sub` of it is. `..` is refused.
    pub(super) fn below(&self, sub: &Path) -> Result<PathBuf> {
        let mut dir = self.dir();
        for component in sub.components() {
            match component {
                Component::Normal(name) => dir.push(name),
                Component::RootDir | Component::CurDir => {}
                Component::ParentDir | Component::Prefix(_) => {
                    let message = format!("sub-cgroup {}: `..` is not allowed", sub.display());
                    return Err(Error::Argument(message));
                }
            }
        }
        Ok(dir)
    }
}
