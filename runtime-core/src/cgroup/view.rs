//! A container's cgroups as it sees them itself.

use super::{
    Cgroup,
    error::{Error, Result},
    layout,
    tree::Tree,
};
use crate::annotations::SYSTEMD_FORCE_V1;
use std::{collections::BTreeMap, path::PathBuf};

/// What a mount of type `cgroup` shows in a container that has no cgroup namespace of its own, or has one and the host's own
/// mounts are cloned for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// Nothing of its own: cgroups are disabled.
    None,
    /// cgroup v2: one directory.
    Unified {
        /// The container's cgroup on the host.
        dir: PathBuf,
        /// Where the hierarchy is mounted.
        mount: PathBuf,
        /// v1's hierarchy of systemd, for a mount at this place of the container.
        old_systemd: Option<(PathBuf, HierarchyView)>,
    },
    /// v1, and the v1 part of a hybrid host: a tmpfs with one directory per hierarchy.
    Legacy {
        /// The hierarchies.
        hierarchies: Vec<HierarchyView>,
        /// Symbolic links beside them, from and to, as `cpu` to `cpu,cpuacct`.
        links: Vec<(String, String)>,
    },
}

/// One v1 hierarchy as a container sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HierarchyView {
    /// Its directory's name below /sys/fs/cgroup.
    pub name: String,
    /// The mount options that say which it is, as `cpu,cpuacct` or `name=systemd`.
    pub options: String,
    /// The container's cgroup on the host.
    pub dir: PathBuf,
    /// Where the hierarchy is mounted on the host.
    pub mount: PathBuf,
}

impl View {
    /// Whether there are hierarchies of v1, in which no process can be born.
    pub(crate) fn has_v1(&self) -> bool {
        matches!(self, Self::Legacy { .. } | Self::Unified { old_systemd: Some(_), .. })
    }
}

impl HierarchyView {
    fn of(tree: &Tree) -> Self {
        Self {
            name: tree.name.clone(),
            options: tree.controllers.join(","),
            dir: tree.dir(),
            mount: tree.mount.clone(),
        }
    }
}

impl Cgroup {
    /// What a `cgroup` mount in the container shows.
    pub fn view(&self) -> View {
        if let Some(only) = self.alone() {
            let old = self.old_systemd.as_ref().zip(self.trees.first());
            let old_systemd = old.map(|(target, tree)| (target.clone(), HierarchyView::of(tree)));
            return View::Unified { dir: only.dir(), mount: only.mount.clone(), old_systemd };
        }
        if self.trees.is_empty() {
            return View::None;
        }
        let legacy = self.trees.iter().filter(|tree| !tree.unified);
        let hierarchies: Vec<_> = legacy.map(HierarchyView::of).collect();
        let joined = hierarchies.iter().filter(|hierarchy| hierarchy.name.contains(','));
        let links =
            joined.flat_map(|to| to.name.split(',').map(|from| (from.to_owned(), to.name.clone()))).collect();
        View::Legacy { hierarchies, links }
    }

    /// Adds v1's hierarchy of systemd where an annotation asks for it, on a host of v2 that has mounted it beside.
    pub(super) fn with_old_systemd(mut self, annotations: &BTreeMap<String, String>) -> Result<Self> {
        let Some(target) = annotations.get(SYSTEMD_FORCE_V1).filter(|path| !path.is_empty()) else {
            return Ok(self);
        };
        let property = format!("annotations[{SYSTEMD_FORCE_V1:?}]");
        if !target.starts_with('/') {
            return Err(Error::config(
                property,
                format!("{target:?}: must be a mount's absolute destination"),
            ));
        }
        let Some(only) = self.alone() else {
            return Err(Error::unsupported(property, "needs cgroup v2 alone"));
        };
        let hierarchy = layout::old_systemd()?.ok_or_else(|| {
            let reason = "needs cgroup v1's hierarchy name=systemd mounted at /sys/fs/cgroup/systemd";
            Error::unsupported(property, reason)
        })?;
        let tree = Tree::new(hierarchy, only.path().to_owned());
        self.trees.insert(0, tree);
        self.old_systemd = Some(target.into());
        Ok(self)
    }
}
