//! Mounts of a container that runs: one entry is added or taken away. A process of the host's clones what is bound, enters the
//! container's mount namespace and attaches it there, by descriptor. Not of the specification; crun has it too.

use super::{
    Rootfs,
    entry::{Entry, names},
    mounts,
};
use crate::{
    ErrorKind, Result,
    plan::{Place, Program},
};
use corten_init::step::Step;

/// What becomes of an entry of `mounts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is mounted over what is there.
    Add,
    /// The uppermost mount at its destination is taken away.
    Remove,
}

impl Rootfs<'_> {
    /// Plans the change of the entry number `index`: what is the host's is taken before `join` plans the way in.
    pub(crate) fn plan_live(
        &mut self,
        change: Change,
        index: usize,
        program: &mut Program,
        join: impl FnOnce(&mut Program) -> Result<()>,
    ) -> Result<()> {
        let entry = Entry::new(index, &self.spec.mounts[index])?;
        if names(&entry.target).next().is_none() {
            return Err(entry.error(ErrorKind::InvalidConfig, "destination: is the container's root"));
        }
        let root = self.root();
        if change == Change::Add {
            check(&entry)?;
            mounts::plan_early_one(self, &entry, program)?;
        }
        join(program)?;
        program.step(Place::Property("root.path"), &Step::OpenRoot { slot: root });
        match change {
            Change::Remove => program.step(entry.place, &Step::Unmount { root, target: entry.target() }),
            Change::Add if entry.options.bind.is_some() => mounts::plan_bind(self, &entry, program)?,
            Change::Add => {
                mounts::plan_filesystem(self, &entry, program)?;
                self.plan_read_only(program);
            }
        }
        Ok(())
    }
}

/// File systems that belong to a namespace or have a device or paths of the host: only a mount that the host already has can
/// stand for them.
fn check(entry: &Entry<'_>) -> Result<()> {
    let unsupported = |why| Err(entry.error(ErrorKind::Unsupported, why));
    if entry.options.remount {
        return unsupported("options: a container that runs takes no remount");
    }
    if entry.options.copy_symlink {
        return unsupported("options: copy-symlink is for a container that is made");
    }
    match entry.options.bind.is_some() || entry.kind() == "tmpfs" {
        true => Ok(()),
        false => unsupported("type: a container that runs takes bind mounts and tmpfs only"),
    }
}
