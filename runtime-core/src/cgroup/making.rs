//! The making of a container's cgroup: at once, or in two parts around the clone of its first process.

use super::{
    Cgroup, Claim,
    error::{Error, Result},
    tree::Tree,
};

impl Cgroup {
    /// Makes the directories and enables the controllers. A cgroup that is there already must be empty and not frozen. On error
    /// what was made is removed again, and what was there before is not this container's: nothing here will touch it. Where
    /// [`Cgroup::waits_for_process`], it only looks.
    pub fn create(&mut self) -> Result<()> {
        if self.unit.is_some() {
            let unused = self.trees.iter().try_for_each(Tree::expect_unused);
            return unused.inspect_err(|_| self.claim = Claim::Refused);
        }
        self.create_those(|_| true).inspect_err(|_| self.claim = Claim::Refused)?;
        self.claim = Claim::Made;
        Ok(())
    }

    /// Whether [`Cgroup::create`] can be parted: v1's directories, in which no process can be born, are made beside the work of
    /// the process that then enters them. Not where one may have to be done without.
    pub(crate) fn can_be_parted(&self) -> bool {
        let has_v1 = self.old_systemd.is_none() && self.trees.iter().any(|tree| !tree.unified);
        has_v1 && self.unit.is_none() && !self.lenient && !crate::sys::process::in_user_namespace()
    }

    /// The first part of [`Cgroup::create`]: what [`Cgroup::clone_into`] opens.
    pub(crate) fn create_unified(&mut self) -> Result<()> {
        self.create_those(|tree| tree.unified).inspect_err(|_| self.claim = Claim::Refused)
    }

    /// The second part. On error the first stays, and is all that there is.
    pub(crate) fn create_legacy(&mut self) -> Result<()> {
        let created = self.create_those(|tree| !tree.unified);
        if created.is_err() {
            self.trees.retain(|tree| tree.unified);
        }
        self.claim = Claim::Made;
        created
    }

    fn create_those(&mut self, which: impl Fn(&Tree) -> bool) -> Result<()> {
        let chosen: Vec<_> = (0..self.trees.len()).filter(|at| which(&self.trees[*at])).collect();
        let mut unusable = Vec::new();
        for (done, at) in chosen.iter().copied().enumerate() {
            let Err(error) = self.trees[at].create() else { continue };
            if self.can_spare(&self.trees[at], &error) {
                log::debug!("{error}: done without");
                unusable.push(at);
                continue;
            }
            chosen[..done].iter().for_each(|at| self.trees[*at].undo());
            return Err(error);
        }
        for at in unusable.into_iter().rev() {
            self.trees.remove(at);
        }
        Ok(())
    }

    /// Whether `tree`, in which nothing could be made for want of rights, is one to do without.
    pub(super) fn can_spare(&self, tree: &Tree, error: &Error) -> bool {
        let Error::Io { source, .. } = error else { return false };
        let denied = matches!(source.raw_os_error(), Some(libc::EACCES | libc::EPERM | libc::EROFS));
        denied
            && (self.lenient
                || (tree.unified && self.trees.len() > 1)
                || crate::sys::process::in_user_namespace())
    }
}
