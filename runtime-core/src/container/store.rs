//! The state directory: `<root>/<id>/`, one per container, written before what it records exists.

use super::{
    record::Record,
    summary::{self, LONGEST},
};
use crate::{
    Error, ErrorKind, Result, config,
    fs::{atomic, socket},
    spec::Spec,
};
use nix::{
    fcntl::{AT_FDCWD, FcntlArg, OFlag, fcntl, open, openat},
    sys::{
        stat::{Mode, UtimensatFlags, utimensat},
        time::TimeSpec,
    },
};
use serde::de::Error as _;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

/// The longest id: the name of a directory.
const MAX_ID: usize = 255;
/// A state.json is a few kilobytes; a config.json may be larger.
const MAX_RECORD: u64 = 16 << 20;

const STATE: &str = "state.json";
const CONFIG: &str = "config.json";
const INIT_LOCK: &str = "init.lock";

/// The state directory of one container.
#[derive(Clone, Debug)]
pub(super) struct Store {
    dir: PathBuf,
    id: String,
    /// The root's descriptor, while many containers are gone through: their paths are shorter then.
    root: Option<Arc<File>>,
}

/// The container's lock, flock(2) of its directory, held while it lives.
pub(super) struct Lock(File);

/// Unlocked and not only closed: a child that another thread has forked may have a copy of the descriptor.
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl Store {
    /// Names the directory; touches nothing.
    pub(super) fn name(root: &Path, id: &str) -> Result<Self> {
        check_id(id)?;
        Ok(Self { dir: root.join(id), id: id.to_owned(), root: None })
    }

    /// That of one of [`Store::ids`], its files found beneath the root's descriptor, if it is given, until [`Store::leave_root`].
    pub(super) fn listed(root: &Path, id: &str, descriptor: Option<&Arc<File>>) -> Self {
        Self { dir: root.join(id), id: id.to_owned(), root: descriptor.cloned() }
    }

    /// The directory of a container that exists.
    pub(super) fn open(root: &Path, id: &str) -> Result<Self> {
        let store = Self::name(root, id)?;
        match fs::metadata(&store.dir) {
            Ok(metadata) if metadata.is_dir() => Ok(store),
            Ok(_) => Err(store.missing()),
            // A container that cannot be looked for may well exist.
            Err(error) => Err(store.failed("find", error)),
        }
    }

    /// Makes the directory, for a container of an id that must not be taken, and locks it.
    pub(super) fn create(root: &Path, id: &str) -> Result<(Self, Lock)> {
        let store = Self::name(root, id)?;
        let mut builder = DirBuilder::new();
        let made = builder.mode(0o700).create(&store.dir).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o711).create(root)?;
                builder.create(&store.dir)
            }
            _ => Err(error),
        });
        made.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Error::new(ErrorKind::AlreadyExists, format!("container with given ID already exists: {id}"))
            }
            _ => Error::io(format!("state directory {}: make it", store.dir.display()), error),
        })?;
        let lock = store.lock().inspect_err(|_| drop(fs::remove_dir(&store.dir)))?;
        Ok((store, lock))
    }

    /// The ids of all directories of `root`.
    pub(super) fn ids(root: &Path) -> Result<Vec<String>> {
        let failed = |error| Error::io(format!("state directory {}: read", root.display()), error);
        let entries = match fs::read_dir(root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let directories = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut ids: Vec<_> = directories.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        ids.retain(|id| check_id(id).is_ok());
        ids.sort_unstable();
        Ok(ids)
    }

    /// Lets go of the root's descriptor.
    pub(super) fn leave_root(&mut self) {
        self.root = None;
    }

    /// Opens the file `name` for reading.
    fn open_file(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let file = match &self.root {
            None => open(&self.dir.join(name), flags, Mode::empty()),
            Some(root) => openat(root, [&self.id, "/", name].concat().as_str(), flags, Mode::empty()),
        };
        Ok(file?.into())
    }

    pub(super) fn missing(&self) -> Error {
        Error::new(ErrorKind::NotFound, format!("container {} does not exist", self.id))
    }

    /// Somebody has the lock and does not let go of it.
    pub(super) fn busy(&self) -> Error {
        let message = format!("container {}: another process works on it and does not end", self.id);
        Error::new(ErrorKind::Timeout, message)
    }

    fn failed(&self, what: &str, error: impl Into<io::Error>) -> Error {
        let error = error.into();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => self.missing(),
            _ => Error::io(format!("state of container {}: {what}", self.id), error),
        }
    }

    /// Takes the container's lock, waiting for whoever has it.
    pub(super) fn lock(&self) -> Result<Lock> {
        let dir = self.open_dir()?;
        loop {
            match dir.lock() {
                Ok(()) => return self.locked(dir),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed("lock", error)),
            }
        }
    }

    /// Takes the container's lock, if nobody has it.
    pub(super) fn try_lock(&self) -> Result<Option<Lock>> {
        let dir = self.open_dir()?;
        match dir.try_lock() {
            Ok(()) => self.locked(dir).map(Some),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(self.failed("lock", error)),
        }
    }

    fn locked(&self, dir: File) -> Result<Lock> {
        // Who had it may have deleted the container.
        match dir.metadata() {
            Ok(metadata) if metadata.nlink() > 0 => Ok(Lock(dir)),
            Ok(_) => Err(self.missing()),
            Err(error) => Err(self.failed("stat", error)),
        }
    }

    /// Whether somebody has the lock.
    pub(super) fn is_locked(&self) -> Result<bool> {
        match self.open_dir()?.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(self.failed("lock", error)),
        }
    }

    fn open_dir(&self) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW);
        options.open(&self.dir).map_err(|error| self.failed("open", error))
    }

    /// Reads state.json.
    pub(super) fn read(&self) -> Result<Record> {
        self.read_again(&self.read_file(STATE)?)
    }

    /// What `bytes` say; what cannot be understood may have been read while it was written.
    fn read_again(&self, bytes: &[u8]) -> Result<Record> {
        let first = self.parse(bytes);
        (0..3).fold(first, |record, _| record.or_else(|_| self.parse(&self.read_file(STATE)?)))
    }

    /// The same for a container that is removed whatever there is of it: nothing where state.json is lost or no record. That
    /// it could not be read this time is an error: all that it leads to would be left behind.
    pub(super) fn read_or_lost(&self) -> Result<Option<Record>> {
        // None, or no file at all.
        const LOST: [i32; 4] = [libc::ENOENT, libc::ELOOP, libc::EISDIR, libc::ENXIO];
        match self.bytes_of(STATE) {
            Ok(bytes) => {
                Ok(self.read_again(&bytes).inspect_err(|error| log::warn!("{}", error.report())).ok())
            }
            Err(error) if error.raw_os_error().is_some_and(|errno| LOST.contains(&errno)) => Ok(None),
            Err(error) => Err(self.failed("read state.json", error)),
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<Record> {
        // From a text, as config.json is read: one copy of the parser.
        let text = str::from_utf8(bytes).map_err(serde_json::Error::custom);
        let record: Record = text.and_then(serde_json::from_str).map_err(|error| {
            let message = format!("state of container {}: state.json is not valid", self.id);
            Error::new(ErrorKind::Io, message).with_source(error)
        })?;
        if record.id != self.id {
            let message = format!("state of container {}: state.json is of {:?}", self.id, record.id);
            return Err(Error::new(ErrorKind::Io, message));
        }
        Ok(record)
    }

    fn bytes_of(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut file = self.open_file(name, OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK)?;
        let mut bytes = vec![0; 4096];
        let length = read_once(&mut file, &mut bytes)?;
        bytes.truncate(length);
        // A shorter one has been read to its end.
        if length == 4096 {
            file.take(MAX_RECORD).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    fn read_file(&self, name: &str) -> Result<Vec<u8>> {
        self.bytes_of(name).map_err(|error| self.failed(&format!("read {name}"), error))
    }

    /// Writes state.json for the first time.
    pub(super) fn write_first(&self, record: &Record) -> Result<()> {
        self.write_by(atomic::create, record)
    }

    /// Writes state.json.
    pub(super) fn write(&self, record: &Record) -> Result<()> {
        self.write_by(atomic::rewrite, record)
    }

    fn write_by(&self, write: fn(&Path, &[u8], u32) -> io::Result<()>, record: &Record) -> Result<()> {
        let bytes = serde_json::to_vec(record).map_err(|error| self.failed("encode", error))?;
        write(&self.dir.join(STATE), &bytes, 0o600).map_err(|error| self.failed("write state.json", error))
    }

    /// Removes what the last [`Store::write`] replaced, where another is not expected soon.
    pub(super) fn drop_spare(&self) {
        let _ = fs::remove_file(atomic::spare(&self.dir.join(STATE)));
    }

    /// Keeps a copy of the configuration, for later operations.
    pub(super) fn write_config(&self, bytes: &[u8]) -> Result<()> {
        atomic::create(&self.dir.join(CONFIG), bytes, 0o600)
            .map_err(|error| self.failed("write config.json", error))
    }

    /// Reads that copy.
    pub(super) fn config(&self) -> Result<Spec> {
        let bytes = self.read_file(CONFIG)?;
        Ok(config::parse(&bytes, &self.dir.join(CONFIG))?)
    }

    /// The socket on which the init program waits for a start.
    pub(super) fn listen(&self) -> Result<OwnedFd> {
        socket::listen_at(&self.start_socket()).map_err(|error| self.failed("make start.sock", error))
    }

    /// Where that socket is.
    pub(super) fn start_socket(&self) -> PathBuf {
        self.dir.join("start.sock")
    }

    /// Where the socket is over which the container says that it is ready, if it was made to have one.
    pub(super) fn notify_directory(&self) -> PathBuf {
        self.dir.join("notify")
    }

    /// An empty directory: where CRIU, in a mount namespace of its own, has the rootfs.
    #[cfg(feature = "checkpoint")]
    pub(super) fn criu_root(&self) -> Result<PathBuf> {
        let path = self.dir.join("criu-root");
        let path = std::path::absolute(path).map_err(|error| self.failed("find", error))?;
        DirBuilder::new().mode(0o755).create(&path).map_err(|error| self.failed("make criu-root", error))?;
        crate::fs::path::real(&path).map_err(|error| self.failed("find criu-root", error))
    }

    /// The file that the init program locks until its execve: a lock of that one process, whoever else has the file open.
    pub(super) fn init_lock(&self) -> Result<OwnedFd> {
        let path = self.dir.join(INIT_LOCK);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        file.map(OwnedFd::from).map_err(|error| self.failed("make init.lock", error))
    }

    /// Whether an init program holds that lock. It is asked for and not taken.
    pub(super) fn init_waits(&self) -> Result<bool> {
        let file = match self.open_file(INIT_LOCK, OFlag::empty()) {
            // A container that was run has none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other.map_err(|error| self.failed("open init.lock", error))?,
        };
        asks_lock(&file).map_err(|errno| self.failed("ask for the lock of init.lock", errno))
    }

    /// Writes into that file what a list shows. Without it state.json is read instead.
    pub(super) fn write_summary(&self, record: &Record) {
        let file = || OpenOptions::new().write(true).open(self.dir.join(INIT_LOCK));
        if let Some(bytes) = summary::encode(record)
            && let Err(error) = file().and_then(|mut file| file.write(&bytes))
        {
            log::debug!("container {}: write the summary into init.lock: {error}", self.id);
        }
    }

    /// Reads that into `bytes` and tells how much there is, and whether an init program holds the lock.
    pub(super) fn read_summary(&self, bytes: &mut [u8; LONGEST]) -> io::Result<(usize, bool)> {
        let mut file = self.open_file(INIT_LOCK, OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK)?;
        Ok((read_once(&mut file, bytes)?, asks_lock(&file)?))
    }

    /// Tells who watches the directory that something has changed of which the kernel need not tell: cgroup v1 has been frozen or
    /// thawed, or a program was executed while a child that this process has forked keeps init.lock open.
    pub(super) fn touch(&self) {
        // Both at once are IN_ATTRIB of inotify(7).
        let now = TimeSpec::UTIME_NOW;
        let _ = utimensat(AT_FDCWD, &self.dir, &now, &now, UtimensatFlags::NoFollowSymlink);
    }

    /// The directory itself, to be watched.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes the directory; one that is gone is no error.
    pub(super) fn remove(&self) -> Result<()> {
        // What is always there; mostly that is all.
        let state = self.dir.join(STATE);
        for path in [atomic::spare(&state), state, self.dir.join(CONFIG)] {
            let _ = fs::remove_file(path);
        }
        if fs::remove_dir(&self.dir).is_ok() {
            return Ok(());
        }
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(|error| self.failed("remove", error)),
        }
    }
}

fn read_once(file: &mut File, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Whether anybody holds the lock of the file. It is asked for and not taken.
fn asks_lock(file: &File) -> nix::Result<bool> {
    let mut lock = whole_file(libc::F_RDLCK);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}

fn whole_file(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: libc::c_short::try_from(kind).unwrap_or_default(),
        l_whence: libc::c_short::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// An id becomes the name of a directory and of cgroups: letters, digits, `_`, `+`, `-` and `.`.
pub(super) fn check_id(id: &str) -> Result<()> {
    let invalid = |why: &str| {
        Err(Error::new(ErrorKind::InvalidArgument, format!("invalid container ID format: {why}")))
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-.".contains(&byte);
    match id {
        "" => invalid("it is empty"),
        "." | ".." => invalid("it is a relative path"),
        id if id.len() > MAX_ID => invalid("it is longer than 255 bytes"),
        id if !id.bytes().all(allowed) => {
            invalid(&format!("{id:?} has characters other than letters, digits, '_', '+', '-' and '.'"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_could_be_paths_are_refused() {
        for id in ["", ".", "..", "../x", "a/b", "a b", "a\n", "ä", &"x".repeat(256)] {
            assert_eq!(check_id(id).unwrap_err().kind(), ErrorKind::InvalidArgument, "{id:?}");
        }
        for id in ["a", "A-b_c.d+1", ".a", &"x".repeat(255)] {
            check_id(id).unwrap();
        }
    }

    #[test]
    fn the_lock_of_an_init_program_is_seen_and_ends_with_its_file() {
        let root = std::env::temp_dir().join(format!("corten-store-{}", std::process::id()));
        let (store, lock) = Store::create(&root, "a").unwrap();
        assert!(store.is_locked().unwrap());
        drop(lock);
        assert!(!store.is_locked().unwrap());
        let held = store.init_lock().unwrap();
        assert!(!store.init_waits().unwrap());
        fcntl(&held, FcntlArg::F_SETLK(&whole_file(libc::F_WRLCK))).unwrap();
        assert!(store.init_waits().unwrap());
        drop(held);
        assert!(!store.init_waits().unwrap());
        store.remove().unwrap();
        assert_eq!(Store::open(&root, "a").unwrap_err().kind(), ErrorKind::NotFound);
        fs::remove_dir(root).unwrap();
    }
}
