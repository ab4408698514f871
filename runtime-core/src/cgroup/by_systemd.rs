//! A container's cgroup where systemd makes it: systemd has the unit and the cgroup, and what it has no property for is written
//! to the files of the cgroup as everywhere.

use super::{
    Cgroup, CgroupManager, Claim,
    delegated::{delegated, sub_cgroup},
    error::{Error, Result},
    layout,
    systemd::{self, Host, New, Unit},
    tree::Tree,
};
#[cfg(feature = "checkpoint")]
use crate::spec::LinuxDeviceCgroup;
use crate::{annotations::SYSTEMD_SUBGROUP, spec::LinuxResources};
use std::{collections::BTreeMap, path::Path};

/// The v1 controllers in whose hierarchies systemd makes the cgroups of a delegated unit.
const OF_SYSTEMD: [&str; 7] = ["name=systemd", "cpu", "cpuacct", "blkio", "memory", "devices", "pids"];

impl Cgroup {
    /// Decides on the unit of container `id` and where its cgroup will be.
    pub(super) fn of_systemd(
        path: Option<&Path>,
        id: &str,
        annotations: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let unit = Unit::new(path, id)?;
        systemd::check_annotations(annotations)?;
        let sub = sub_cgroup(annotations, SYSTEMD_SUBGROUP)?;
        let hierarchies = layout::detect()?;
        if unit.is_users() && !matches!(&hierarchies[..], [only] if only.unified) {
            let reason = "an ordinary user's systemd has no controllers of cgroup v1";
            return Err(Error::unsupported("linux.cgroupsPath", reason));
        }
        let place = unit.cgroup()?;
        let inner = sub.as_ref().map_or(0, |sub| sub.components().count());
        let place = sub.map_or_else(|| place.clone(), |sub| place.join(sub));
        let trees = hierarchies.into_iter().map(|hierarchy| {
            let mut tree = Tree::new(hierarchy, place.clone());
            if tree.unified || OF_SYSTEMD.iter().any(|controller| tree.has(controller)) {
                // The slices above the unit are systemd's.
                tree.leave_above(1 + inner);
            }
            tree
        });
        let trees: Vec<_> = trees.collect();
        let delegated = delegated(annotations, &trees)?;
        let (manager, claim) = (CgroupManager::Systemd, Claim::Planned);
        let cgroup =
            Self { manager, trees, lenient: false, claim, unit: Some(unit), delegated, old_systemd: None };
        cgroup.with_old_systemd(annotations)
    }

    /// Whether the cgroup can only be made around the container's first process, by [`Cgroup::enter`].
    pub fn waits_for_process(&self) -> bool {
        self.unit.is_some()
    }

    /// Has systemd make the unit of container `id` around its waiting first process `pid`, and sets all limits, as
    /// [`Cgroup::create`], [`Cgroup::apply`] and [`Cgroup::attach`] do elsewhere. `annotations` are those of the configuration.
    pub fn enter(
        &mut self,
        pid: i32,
        id: &str,
        resources: &LinuxResources,
        annotations: &BTreeMap<String, String>,
    ) -> Result<()> {
        let Some(unit) = self.unit.clone() else { return Ok(()) };
        let host = Host { unified: self.is_unified("memory"), user: unit.is_users(), ..Host::default() };
        let new = New { id, pid, resources, annotations };
        let claim = &mut self.claim;
        let started = unit.start(&new, &host, || *claim = Claim::Made);
        if let Err(Error::UnitExists { .. }) = started {
            *claim = Claim::Refused;
        }
        started?;
        let mut unusable = Vec::new();
        let own = layout::cgroups_of(pid)?;
        for at in 0..self.trees.len() {
            let tree = &mut self.trees[at];
            let own = own.iter().find(|(controllers, _)| *controllers == tree.controllers);
            let by_systemd = tree.unified || tree.has("name=systemd") && self.old_systemd.is_none();
            let joined = match own {
                Some((_, own)) if by_systemd && unit.is_scope() && !tree.is_at_or_below(own) => {
                    let place = own.display();
                    let answer = format!("it is at {place}, and not at {}", tree.dir().display());
                    return Err(Error::Systemd {
                        doing: format!("systemd: find the cgroup of {}", unit.name()),
                        answer,
                        name: String::new(),
                    });
                }
                own => tree.join(pid, own.map(|(_, own)| own.as_path())),
            };
            if let Err(error) = joined {
                if !self.can_spare(&self.trees[at], &error) {
                    return Err(error);
                }
                log::debug!("{error}: done without");
                unusable.push(at);
            }
        }
        for at in unusable.into_iter().rev() {
            self.trees.remove(at);
        }
        self.apply(resources)
    }

    /// The same with no limit yet: what makes the container's processes is in it before them. [`Cgroup::apply_late`] follows.
    #[cfg(feature = "checkpoint")]
    pub fn enter_without_limits(
        &mut self,
        pid: i32,
        id: &str,
        annotations: &BTreeMap<String, String>,
    ) -> Result<()> {
        let all = LinuxDeviceCgroup { allow: true, access: Some("rwm".to_owned()), ..Default::default() };
        let resources = LinuxResources { devices: Some(vec![all]), ..LinuxResources::default() };
        self.enter(pid, id, &resources, annotations)
    }

    /// As [`Cgroup::apply`], where the cgroup was entered without limits if that is systemd's.
    #[cfg(feature = "checkpoint")]
    pub fn apply_late(&self, resources: &LinuxResources) -> Result<()> {
        if self.unit.is_some() {
            let mut all = resources.clone();
            all.devices.get_or_insert_default();
            self.update_unit(&all)?;
        }
        self.apply(resources)
    }

    fn is_unified(&self, controller: &str) -> bool {
        self.home(controller).is_some_and(|tree| tree.unified)
    }

    /// Tells systemd of changed limits.
    pub(super) fn update_unit(&self, resources: &LinuxResources) -> Result<()> {
        let Some(unit) = &self.unit else { return Ok(()) };
        let mut host = Host { unified: self.is_unified("memory"), user: unit.is_users(), ..Host::default() };
        if let Some(dir) = self.home("cpu").and_then(|tree| tree.open().ok()) {
            let number = |text: &str| text.trim().parse::<u64>().ok();
            if host.unified {
                let now = dir.try_read("cpu.max").unwrap_or_default();
                let mut words = now.split_whitespace();
                host.quota = words.next().and_then(number);
                host.period = words.next().and_then(number);
                host.idle = dir.try_read("cpu.idle").is_some_and(|idle| idle.trim() == "1");
                host.bfq = dir.try_read("io.bfq.weight").is_some();
            } else {
                let read = |file| dir.try_read(file).as_deref().and_then(number);
                host.quota = read("cpu.cfs_quota_us");
                host.period = read("cpu.cfs_period_us");
            }
        }
        // On v1 systemd denies all devices for a moment before it allows some of them.
        let hold = resources.devices.is_some() && !host.unified && !self.is_frozen()?;
        if hold {
            self.freeze()?;
        }
        let set = unit.set(resources, &host);
        if hold {
            self.thaw()?;
        }
        set
    }

    /// Removes the unit; the cgroup goes with it. That there is nobody to ask any more is fine where nothing is left of it.
    pub(super) fn remove_unit(&self) -> Result<()> {
        let (Some(unit), Claim::Made) = (&self.unit, self.claim) else { return Ok(()) };
        match unit.stop() {
            Err(error) if !self.exists() => {
                log::warn!("{error}");
                Ok(())
            }
            stopped => stopped,
        }
    }

    /// Moves the process `pid` by way of systemd, where this user may not do so: from outside of what is that user's.
    pub(super) fn attach_by_systemd(&self, tree: &Tree, pid: i32, refused: Error) -> Result<()> {
        let denied = |error: &Error| match error {
            Error::Io { source, .. } => matches!(source.raw_os_error(), Some(libc::EACCES | libc::EPERM)),
            _ => false,
        };
        match &self.unit {
            Some(unit) if unit.is_users() && denied(&refused) => {
                unit.attach(pid, tree.below_unit(unit.name()))
            }
            _ => Err(refused),
        }
    }
}
