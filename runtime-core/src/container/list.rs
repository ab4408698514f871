//! All containers of a state directory.

use super::{Container, State, store::Store};
use crate::{ErrorKind, Result};
use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

/// For so many containers the root is opened once: their paths beneath it are short.
const MANY: usize = 8;

/// All containers by id, and what `more` finds out about each.
fn list<T>(root: &Path, more: impl Fn(&Container) -> Result<T>) -> Result<Vec<(Container, T)>> {
    let ids = Store::ids(root)?;
    let open = || {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(root)
    };
    let root_dir = (ids.len() >= MANY).then(open).and_then(io::Result::ok).map(Arc::new);
    let mut list: Vec<_> = ids.iter().filter_map(|id| found(root, id, root_dir.as_ref(), &more)).collect();
    let mut names = HashMap::new();
    for (container, _) in &mut list {
        let owner = container.record.owner;
        let name = names.entry(owner).or_insert_with(|| container.record.owner_name());
        container.record.owner_name = Some(name.clone());
    }
    Ok(list)
}

/// One that cannot be read is passed over with a warning, one that is deleted meanwhile without.
fn found<T>(
    root: &Path,
    id: &str,
    root_dir: Option<&Arc<File>>,
    more: &impl Fn(&Container) -> Result<T>,
) -> Option<(Container, T)> {
    let read = || {
        let mut container = Container::read(Store::name(root, id)?.beneath(root_dir))?;
        let more = more(&container)?;
        container.store.leave_root();
        Ok((container, more))
    };
    match read() {
        Ok(found) => Some(found),
        Err(error) => {
            let error: crate::Error = error;
            if error.kind() != ErrorKind::NotFound {
                log::warn!("{}", error.report());
            }
            None
        }
    }
}

impl Container {
    /// All containers of the state directory `root`, by id. A root that does not exist has none; a container whose state
    /// cannot be read is passed over with a warning.
    ///
    /// # Errors
    /// The root cannot be read.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{Container, Status};
    ///
    /// // What an earlier run of this program has left.
    /// for container in Container::list("/run/my-jobs")? {
    ///     if container.status()? == Status::Stopped {
    ///         container.delete(false)?;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn list(root: impl AsRef<Path>) -> Result<Vec<Self>> {
        Ok(list(root.as_ref(), |_| Ok(()))?.into_iter().map(|(container, ())| container).collect())
    }

    /// The same with the document of runtime.md, "State", of each.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{Container, default_root};
    ///
    /// for (container, state) in Container::list_states(default_root())? {
    ///     println!("{} of {} is {}", container.id(), container.owner(), state.status);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The root cannot be read.
    pub fn list_states(root: impl AsRef<Path>) -> Result<Vec<(Self, State)>> {
        list(root.as_ref(), Self::state)
    }
}
