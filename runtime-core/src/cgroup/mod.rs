//! A container's cgroups: where they are, their limits, what they count, and the processes in them. By the cgroup file system
//! or by systemd, on v1 (controllers mounted apart or together), hybrid and v2 hosts. config-linux.md, "Control groups";
//! cgroups(7).
//!
//! On a hybrid host the v1 controllers are used, and beside them a directory in the unified tree, for what lives there:
//! `cgroup.kill`, being born inside, and controllers that v1 has not taken.

#[cfg(feature = "systemd")]
mod by_systemd;
mod check;
mod convert;
mod delegated;
mod device_program;
mod devices;
mod dir;
mod doors;
mod error;
mod events;
mod frozen;
mod layout;
mod making;
mod members;
mod read;
mod resources;
mod setting;
mod stats;
mod stats_v1;
mod stats_v2;
#[cfg(feature = "systemd")]
mod systemd;
mod tree;
mod v1;
mod v2;
mod view;
#[cfg(not(feature = "systemd"))]
mod without_systemd;

#[cfg(test)]
mod tests;

pub(crate) use doors::Door;
pub(crate) use error::{Error, Result};
pub use events::OomEvents;
pub(crate) use frozen::{FreezerFile, Frozen};
pub use stats::{
    Blkio, BlkioEntry, Cpu, CpuUsage, Cpuset, Hugetlb, Memory, MemoryEntry, MemoryEvents, Pids, Pressure,
    PressureLine, Rdma, Stats, Throttling,
};

pub(crate) use view::{HierarchyView, View};

use crate::spec::LinuxResources;
use dir::Dir;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    str::FromStr,
};
#[cfg(feature = "systemd")]
use systemd::Unit;
use tree::Tree;
#[cfg(not(feature = "systemd"))]
use without_systemd::Unit;

/// Who makes the cgroups.
///
/// ```
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::CgroupManager;
///
/// let manager: CgroupManager = "systemd".parse()?;
/// assert_eq!(manager, CgroupManager::Systemd);
/// assert_eq!(CgroupManager::default().to_string(), "cgroupfs");
/// # Ok(()) }
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupManager {
    /// This library, by the cgroup file system.
    #[default]
    Cgroupfs,
    /// systemd, asked over D-Bus: each container is a transient unit of it.
    Systemd,
    /// Nobody: the container stays in the cgroups of the process that makes it, without limits.
    Disabled,
}

impl fmt::Display for CgroupManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cgroupfs => "cgroupfs",
            Self::Systemd => "systemd",
            Self::Disabled => "disabled",
        })
    }
}

impl FromStr for CgroupManager {
    type Err = crate::Error;

    /// `cgroupfs`, `systemd` or `disabled`.
    fn from_str(text: &str) -> crate::Result<Self> {
        match text {
            "cgroupfs" => Ok(Self::Cgroupfs),
            "systemd" => Ok(Self::Systemd),
            "disabled" => Ok(Self::Disabled),
            _ => {
                Err(Error::Argument(format!("cgroup manager {text:?}: not cgroupfs, systemd or disabled"))
                    .into())
            }
        }
    }
}

/// A container's place in the host's cgroup trees. It is kept in state.json.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    manager: CgroupManager,
    /// One per hierarchy, the unified one last as in /proc/PID/cgroup. Empty when disabled.
    trees: Vec<Tree>,
    /// Hierarchies in which this process may make nothing are done without: it is not the host's root, and nobody said where the
    /// cgroup should be.
    lenient: bool,
    claim: Claim,
    /// systemd's unit, whose cgroup it is or is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<Unit>,
    /// The sub-cgroup that the first process is in and that is given to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delegated: Option<PathBuf>,
    /// Where in the container v1's hierarchy of systemd is shown on a host of v2; it is the first of the trees then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    old_systemd: Option<PathBuf>,
}

/// Whether the directories are the container's, so that what is in them may be killed and removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Claim {
    /// Not yet: [`Cgroup::create`] has not come to its end. Some may be there, without processes.
    Planned,
    /// They are.
    Made,
    /// They are not: [`Cgroup::create`] has refused them, as in use say, and has removed what it made.
    Refused,
}

/// Checks `resources` as for both versions, for the package `fuzz`.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_by_others(resources: &LinuxResources) {
    let _ = check::ranges(resources);
    if let Some(Ok(policy)) = resources.devices.as_ref().map(|rules| devices::Policy::new(rules)) {
        let _ = policy.v1_lines();
        device_program::build(&policy);
    }
}

/// Reads `bytes` as each of the host's files, for the package `fuzz`.
#[cfg(feature = "fuzzing")]
pub(crate) fn files_of_others(bytes: &[u8]) {
    layout::read(bytes);
    let text = String::from_utf8_lossy(bytes);
    let _ = (read::blkio(&text), read::io_stat(&text), read::rdma(&text));
}

impl Cgroup {
    /// Decides where the cgroup of container `id` is; touches nothing. `path` is linux.cgroupsPath: absolute, below the root of
    /// each hierarchy; relative, below this process's own cgroup (on v2 alone: beside it, since it has processes); none, `id` so.
    /// For systemd it is `slice:prefix:name`, and the unit `prefix-name.scope`; none, `corten-ID.scope`.
    pub fn new(manager: CgroupManager, path: Option<&Path>, id: &str) -> Result<Self> {
        Self::with_annotations(manager, path, id, &BTreeMap::new())
    }

    /// The same with those of the configuration's `annotations` that are about cgroups: `org.systemd.property.*`,
    /// `run.oci.systemd.subgroup` and `run.oci.delegate-cgroup`.
    pub fn with_annotations(
        manager: CgroupManager,
        path: Option<&Path>,
        id: &str,
        annotations: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let lenient = path.is_none() && !geteuid().is_root();
        let new = |trees, lenient, delegated| Self {
            manager,
            trees,
            lenient,
            claim: Claim::Planned,
            unit: None,
            delegated,
            old_systemd: None,
        };
        match manager {
            CgroupManager::Cgroupfs => {}
            CgroupManager::Systemd => return Self::of_systemd(path, id, annotations),
            CgroupManager::Disabled => return Ok(new(Vec::new(), true, None)),
        }
        let hierarchies = layout::detect()?;
        let places = layout::places(&hierarchies, path, id)?;
        let trees = hierarchies.into_iter().zip(places);
        let trees: Vec<_> = trees.map(|(hierarchy, place)| Tree::new(hierarchy, place)).collect();
        let delegated = delegated::delegated(annotations, &trees)?;
        new(trees, lenient, delegated).with_old_systemd(annotations)
    }

    /// The cgroup of container `id` whose record is lost, found again by its configuration's `path`; one that is relative only
    /// from where the container was made. It counts as made: [`Cgroup::create`] takes none that is in use by others. The manager
    /// is the one where there is such a cgroup.
    pub fn recover(path: Option<&Path>, id: &str) -> Result<Self> {
        let by_systemd = Self::new(CgroupManager::Systemd, path, id).ok().filter(Self::exists);
        let mut cgroup = by_systemd.map_or_else(|| Self::new(CgroupManager::Cgroupfs, path, id), Ok)?;
        cgroup.claim = Claim::Made;
        Ok(cgroup)
    }

    /// The directories on the host, by controllers (as `cpu,cpuacct`, `name=systemd`; empty for v2).
    pub fn paths(&self) -> impl Iterator<Item = (String, PathBuf)> + '_ {
        self.trees.iter().map(|tree| (tree.controllers.join(","), tree.dir()))
    }

    /// Checks `resources` against this host before anything is made: values out of range, controllers that are missing, device
    /// rules that cannot be. Warns of properties that have no meaning here.
    pub fn check(&self, resources: &LinuxResources) -> Result<()> {
        if self.manager == CgroupManager::Disabled {
            if *resources != LinuxResources::default() {
                log::warn!("linux.resources: ignored, cgroups are disabled");
            }
            return Ok(());
        }
        self.check_resources(resources)
    }

    /// A descriptor of the unified tree's directory for clone3's `CLONE_INTO_CGROUP`, clone(2), where there is one. After
    /// such a birth [`Cgroup::attach_born`] does the rest.
    pub fn clone_into(&self) -> Result<Option<OwnedFd>> {
        self.unified()
            .filter(|_| !self.waits_for_process())
            .map(|tree| tree.open().map(Dir::into_fd))
            .transpose()
    }

    /// The same for a further process of the container whose process `other` runs: where the container has made sub-cgroups
    /// with controllers of their own, its cgroup takes no more processes, and that of `other` does. None for an ordinary user
    /// whose systemd made the cgroup: the caller may be outside of what is that user's. None at pids.limit: there nothing can
    /// be born, but moved in, as by runc and crun.
    pub fn clone_beside(&self, other: i32) -> Result<Option<OwnedFd>> {
        let Some(tree) = self.unified() else { return Ok(None) };
        if self.unit.as_ref().is_some_and(Unit::is_users) {
            return Ok(None);
        }
        let dir = tree.open()?;
        if !has_room(&dir) {
            return Ok(None);
        }
        let full = dir.try_read("cgroup.subtree_control").is_some_and(|list| !list.trim().is_empty());
        match tree.dir_of(other) {
            Some(place) if full || self.delegated.is_some() => Dir::open(&place).map(Dir::into_fd).map(Some),
            _ => Ok(Some(dir.into_fd())),
        }
    }

    /// Sets all limits of a container that is being made. Limits that `resources` leaves out stay as they are; devices that it
    /// leaves out are denied but for the usual ones.
    pub fn apply(&self, resources: &LinuxResources) -> Result<()> {
        // systemd has set some already.
        self.write_devices(resources, self.unit.is_none())?;
        self.write_resources(resources)
    }

    /// Changes limits of a running container. What `resources` leaves out, devices included, stays as it is.
    pub fn update(&self, resources: &LinuxResources) -> Result<()> {
        let resources = &self.with_present_memory(resources);
        self.check(resources)?;
        self.check_usage(resources)?;
        self.update_unit(resources)?;
        if resources.devices.is_some() {
            self.write_devices(resources, false)?;
        }
        self.write_resources(resources)
    }

    /// Moves the process `pid` in, in every hierarchy. On v1 the first such write on an idle host takes milliseconds: see
    /// [`Cgroup::doors`].
    pub fn attach(&self, pid: i32) -> Result<()> {
        self.trees.iter().try_for_each(|tree| members::move_into(&tree.dir(), pid))
    }

    /// The same for a process that was born in the directory of [`Cgroup::clone_into`]: only the v1 hierarchies are left. Nothing
    /// to do on v2.
    pub fn attach_born(&self, pid: i32) -> Result<()> {
        let mut legacy = self.trees.iter().filter(|tree| !tree.unified);
        legacy.try_for_each(|tree| members::move_into(&tree.dir(), pid))
    }

    /// Moves the process `pid` in, as [`Cgroup::attach`]; where the container has made sub-cgroups with controllers of their own
    /// on v2, so that its cgroup itself takes no more processes, into that of its process `other`.
    pub fn attach_beside(&self, pid: i32, other: i32) -> Result<()> {
        for tree in &self.trees {
            match members::move_into(&tree.dir(), pid) {
                Err(Error::Io { source, .. })
                    if tree.unified && source.raw_os_error() == Some(libc::EBUSY) =>
                {
                    let place = tree.dir_of(other).ok_or_else(|| Error::NotFound { path: tree.dir() })?;
                    members::move_into(&place, pid)?;
                }
                Err(error) => self.attach_by_systemd(tree, pid, error)?,
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Gives the container's cgroup to the host's user `uid`, so that what runs there as this user can make sub-cgroups.
    /// config-linux.md, "Cgroup ownership". On v2 alone; on v1 that would not be safe, so there nothing happens.
    pub fn delegate(&self, uid: u32) -> Result<()> {
        self.alone().map_or(Ok(()), |tree| tree.give_to(uid))
    }

    /// [`Cgroup::attach_subs`] with one.
    #[cfg(test)]
    pub fn attach_sub(&self, pid: i32, sub: &str) -> Result<()> {
        self.attach_subs(pid, &[sub])
    }

    /// Moves the process `pid` into sub-cgroups that are there already, each told as `[controllers:]path`: of all hierarchies, or of
    /// those with one of the `controllers` (v1 only), and into the container's cgroup in the others.
    pub fn attach_subs(&self, pid: i32, subs: &[impl AsRef<str>]) -> Result<()> {
        let mut places: Vec<_> = self.trees.iter().map(|tree| (tree, tree.dir())).collect();
        for sub in subs.iter().map(AsRef::as_ref) {
            let (controllers, path) = match sub.split_once(':') {
                Some((controllers, path)) => {
                    (Some(controllers).filter(|text| !text.is_empty()), Path::new(path))
                }
                None => (None, Path::new(sub)),
            };
            for (tree, place) in &mut places {
                if controllers.is_none_or(|controllers| controllers.split(',').any(|name| tree.has(name))) {
                    *place = tree.below(path)?;
                }
            }
            let mut named = controllers.iter().flat_map(|controllers| controllers.split(','));
            if let Some(name) = named.find(|name| !self.trees.iter().any(|tree| tree.has(name))) {
                return Err(Error::Argument(format!(
                    "sub-cgroup {sub}: no cgroup v1 controller {name:?} here"
                )));
            }
        }
        // All are there before the process is moved to any.
        if let Some((_, path)) = places.iter().find(|(_, place)| !place.is_dir()) {
            return Err(Error::NotFound { path: path.clone() });
        }
        places.iter().try_for_each(|(_, place)| members::move_into(place, pid))
    }

    /// Whether it is there.
    pub fn exists(&self) -> bool {
        self.trees.iter().any(|tree| tree.dir().is_dir())
    }

    /// The processes in it and in all its sub-cgroups, as this process's pid namespace numbers them.
    pub fn pids(&self) -> Result<Vec<i32>> {
        self.lead().map_or_else(|| Ok(Vec::new()), Tree::pids)
    }

    /// Freezes all processes and waits until they are; on failure none is.
    pub fn freeze(&self) -> Result<()> {
        members::set_frozen(self.needs_freezer()?, true)
    }

    /// The directory whose processes are frozen together.
    pub fn freezer_dir(&self) -> Option<PathBuf> {
        self.freezer().filter(|_| self.claim == Claim::Made).map(Tree::dir)
    }

    /// The file that says whether its processes are frozen, if there is one.
    pub fn freezer_file(&self) -> Option<PathBuf> {
        self.freezer().filter(|_| self.claim == Claim::Made).map(members::freezer_file)
    }

    /// Lets all processes run again.
    pub fn thaw(&self) -> Result<()> {
        members::set_frozen(self.needs_freezer()?, false)
    }

    /// Whether its processes are frozen, or about to be.
    pub fn is_frozen(&self) -> Result<bool> {
        match self.freezer() {
            Some(tree) if self.claim == Claim::Made => match members::is_frozen(tree) {
                Err(_) if !tree.dir().is_dir() => Ok(false),
                frozen => frozen,
            },
            _ => Ok(false),
        }
    }

    /// Sends `signal` (its number) to all processes. SIGKILL also ends frozen ones, and the call waits until none is left.
    pub fn kill_all(&self, signal: i32) -> Result<()> {
        let Some(lead) = self.lead() else { return Ok(()) };
        if signal == libc::SIGKILL {
            return members::kill_all(lead, self.unified(), self.freezer());
        }
        members::signal_all(lead, self.freezer(), signal)
    }

    /// Removes what of it has neither processes nor sub-cgroups, in one call a hierarchy; tells whether that was all of it. One
    /// of systemd's is never removed so.
    pub fn delete_unused(&self) -> bool {
        self.claim == Claim::Made && self.unit.is_none() && self.trees.iter().all(Tree::remove_empty)
    }

    /// Removes it and all sub-cgroups, and the empty directories above that were made for it. Processes that are about to vanish
    /// get a moment; a missing cgroup is fine.
    pub fn delete(&self) -> Result<()> {
        let mut first = self.remove_unit();
        for tree in &self.trees {
            first = first.and(match self.claim {
                Claim::Made => tree.remove(),
                Claim::Planned => tree.remove_unused(),
                Claim::Refused => Ok(()),
            });
        }
        first
    }

    /// What the controllers count.
    pub fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        for tree in &self.trees {
            let dir = tree.open()?;
            if tree.unified {
                stats_v2::read(&dir, &mut stats);
            } else {
                tree.controllers.iter().for_each(|controller| stats_v1::read(&dir, controller, &mut stats));
            }
        }
        Ok(stats)
    }

    /// Whether the kernel has killed a process of it for want of memory.
    pub(crate) fn has_killed(&self) -> bool {
        let events = self.stats().ok().and_then(|stats| stats.memory.event_count);
        events.is_some_and(|events| events.oom_kill > 0)
    }

    /// Its out-of-memory events from now on.
    pub fn oom_events(&self) -> Result<OomEvents> {
        OomEvents::new(self)
    }

    fn unified(&self) -> Option<&Tree> {
        self.trees.iter().find(|tree| tree.unified)
    }

    /// The unified hierarchy where it is all that the host has.
    fn alone(&self) -> Option<&Tree> {
        let others = usize::from(self.old_systemd.is_some());
        self.trees.get(others).filter(|tree| tree.unified && self.trees.len() == others + 1)
    }

    /// The hierarchy that freezes: v1's freezer, which engines look at, or v2.
    fn freezer(&self) -> Option<&Tree> {
        self.trees.iter().find(|tree| tree.has("freezer")).or_else(|| self.unified())
    }

    fn needs_freezer(&self) -> Result<&Tree> {
        if let (Some(tree), Claim::Planned | Claim::Refused) = (self.trees.first(), self.claim) {
            return Err(Error::NotFound { path: tree.dir() });
        }
        let why = match self.trees.as_slice() {
            [] => "the container has no cgroup",
            _ => "this host has no cgroup freezer",
        };
        self.freezer().ok_or_else(|| Error::unsupported("cgroup", why))
    }

    /// The hierarchy whose list of processes counts.
    fn lead(&self) -> Option<&Tree> {
        self.freezer().or_else(|| self.trees.first()).filter(|_| self.claim == Claim::Made)
    }
}

/// Whether two more processes may be born in `dir`: one that stays, and one that makes way for it.
fn has_room(dir: &Dir) -> bool {
    let number = |file| dir.try_read(file).and_then(|text| text.trim().parse::<u64>().ok());
    number("pids.max").is_none_or(|most| number("pids.current").unwrap_or(0).saturating_add(2) <= most)
}
