//! A sub-cgroup that a container's first process is put into and given: the annotation `run.oci.delegate-cgroup`.

use super::{
    Cgroup,
    error::{Error, Result},
    members,
    tree::Tree,
};
use crate::annotations::DELEGATE_CGROUP;
use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

/// The path of a sub-cgroup in the annotation `name`; nothing for an empty one.
pub(super) fn sub_cgroup(annotations: &BTreeMap<String, String>, name: &str) -> Result<Option<PathBuf>> {
    let Some(text) = annotations.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let path = Path::new(text);
    let fits = |component| match component {
        Component::Normal(_) | Component::CurDir => true,
        Component::RootDir | Component::ParentDir | Component::Prefix(_) => false,
    };
    if !path.components().all(fits) || text.contains(['\n', '\0']) {
        let reason = format!("{text:?}: must be a path below the container's cgroup");
        return Err(Error::config(format!("annotations[{name:?}]"), reason));
    }
    Ok(Some(path.components().collect()))
}

/// The sub-cgroup that the container's process is to be given, where there is one on this host.
pub(super) fn delegated(annotations: &BTreeMap<String, String>, trees: &[Tree]) -> Result<Option<PathBuf>> {
    let sub = sub_cgroup(annotations, DELEGATE_CGROUP)?;
    match trees {
        [only] if only.unified => Ok(sub),
        _ if sub.is_none() => Ok(None),
        _ => Err(Error::unsupported(format!("annotations[{DELEGATE_CGROUP:?}]"), "needs cgroup v2 alone")),
    }
}

impl Cgroup {
    /// Whether [`Cgroup::enter_delegated`] has something to do.
    pub(crate) fn delegates(&self) -> bool {
        self.delegated.is_some()
    }

    /// Makes the sub-cgroup that the container's first process `pid` is given, for the user `uid`, and moves it there: its
    /// cgroup namespace begins above.
    pub fn enter_delegated(&self, pid: i32, uid: u32) -> Result<()> {
        let (Some(sub), Some(only)) = (&self.delegated, self.alone()) else { return Ok(()) };
        only.make_below(sub, uid)?;
        members::move_into(&only.dir().join(sub), pid)
    }
}
