//! All containers of a state directory.

use super::{
    Container, State,
    record::{Record, name_of},
    status,
    store::{Store, check_id},
    summary::{LONGEST, Summary},
};
use crate::{ErrorKind, Result, cgroup::Frozen};
use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// For so many containers the root is opened once: their paths beneath it are short.
const MANY: usize = 8;

/// What there is to see of a container at one moment.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{Container, Overview, default_root};
///
/// let mut all: Vec<Overview> = Container::overview(default_root())?;
/// all.sort_by(|one, other| one.created.cmp(&other.created));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overview {
    /// The document of runtime.md, "State".
    pub state: State,
    /// Its root file system on the host.
    pub rootfs: PathBuf,
    /// When it was made, by RFC 3339 in UTC.
    pub created: String,
    /// The name of the user who made it, or the number where it has none.
    pub owner: String,
}

/// The root's descriptor, if there are many.
fn open_root(root: &Path, count: usize) -> Option<Arc<File>> {
    let open = || {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(root)
    };
    (count >= MANY).then(open).and_then(io::Result::ok).map(Arc::new)
}

/// Names of owners, each looked up once.
#[derive(Default)]
struct Owners(HashMap<u32, String>);

impl Owners {
    fn name(&mut self, uid: u32) -> String {
        self.0.entry(uid).or_insert_with(|| name_of(uid)).clone()
    }
}

/// What the summary in init.lock and the kernel say; nothing where there is no summary, or something cannot be found out.
fn told_in_short(store: &Store, id: &str, frozen: &mut Frozen, owners: &mut Owners) -> Option<Overview> {
    let mut bytes = [0; LONGEST];
    let (length, waits) = store.read_summary(&mut bytes).ok()?;
    let summary = Summary::parse(&bytes[..length], id)?;
    let paused = summary.freezer.map_or(Ok(false), |file| frozen.is(file)).ok()?;
    let status = status::of_process(summary.process, waits, paused).ok()?;
    Some(Overview {
        state: summary.state(status),
        rootfs: PathBuf::from(summary.rootfs),
        created: summary.created.to_owned(),
        owner: owners.name(summary.owner),
    })
}

/// One that cannot be read is passed over with a warning, one that is deleted meanwhile without.
fn found<T>(
    root: &Path,
    id: &str,
    root_dir: Option<&Arc<File>>,
    more: &impl Fn(&Container) -> Result<T>,
) -> Option<(Container, T)> {
    let read = || {
        let mut container = Container::read(Store::listed(root, id, root_dir))?;
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
        let root = root.as_ref();
        let ids = Store::ids(root)?;
        let root_dir = open_root(root, ids.len());
        let mut owners = Owners::default();
        let one = |id: &String| {
            let (mut container, ()) = found(root, id, root_dir.as_ref(), &|_| Ok(()))?;
            container.record.owner_name = Some(owners.name(container.record.owner));
            Some(container)
        };
        Ok(ids.iter().filter_map(one).collect())
    }

    /// What there is to see of them, for those who only look: of a thousand containers it takes half the time that their states do.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{Container, default_root};
    ///
    /// for one in Container::overview(default_root())? {
    ///     println!("{} of {} is {}", one.state.id, one.owner, one.state.status);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The root cannot be read.
    pub fn overview(root: impl AsRef<Path>) -> Result<Vec<Overview>> {
        let root = root.as_ref();
        Self::overview_of(root, &Store::ids(root)?)
    }

    /// The ids of all that [`Container::overview`] looks at, in its order.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{Container, default_root};
    ///
    /// println!("{} containers", Container::ids(default_root())?.len());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The root cannot be read.
    pub fn ids(root: impl AsRef<Path>) -> Result<Vec<String>> {
        Store::ids(root.as_ref())
    }

    /// What there is to see of these containers, in this order: [`Container::overview`] in parts, for a program that has several
    /// threads look at once. One that does not exist is passed over.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{Container, default_root};
    ///
    /// let root = default_root();
    /// let ids = Container::ids(&root)?;
    /// let (some, others) = ids.split_at(ids.len() / 2);
    /// std::thread::scope(|threads| {
    ///     let beside = threads.spawn(|| Container::overview_of(&root, others));
    ///     let mut all = Container::overview_of(&root, some)?;
    ///     all.extend(beside.join().expect("it does not panic")?);
    ///     println!("{} containers", all.len());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a text that cannot be an id.
    pub fn overview_of(root: impl AsRef<Path>, ids: &[impl AsRef<str>]) -> Result<Vec<Overview>> {
        let root = root.as_ref();
        ids.iter().try_for_each(|id| check_id(id.as_ref()))?;
        let root_dir = open_root(root, ids.len());
        let (mut frozen, mut owners) = (Frozen::default(), Owners::default());
        let one = |id: &str| {
            let store = Store::listed(root, id, root_dir.as_ref());
            told_in_short(&store, id, &mut frozen, &mut owners).or_else(|| {
                let (container, state) = found(root, id, root_dir.as_ref(), &Self::state)?;
                let owner = owners.name(container.record.owner);
                let Record { rootfs, created, .. } = container.record;
                Some(Overview { state, rootfs, created, owner })
            })
        };
        Ok(ids.iter().map(AsRef::as_ref).filter_map(one).collect())
    }
}
