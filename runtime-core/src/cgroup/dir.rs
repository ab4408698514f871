//! A cgroup's directory: its files by name beneath a descriptor, its sub-cgroups, and making and removing it.

use super::error::{Error, Result};
use nix::{
    dir::{Dir as Stream, Type},
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::stat::Mode,
    unistd::{UnlinkatFlags, mkdir, read, unlinkat, write},
};
use std::{
    ffi::{CStr, CString, OsStr},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    rc::Rc,
    thread,
    time::Duration,
};

const LISTING: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY);

/// An open cgroup directory.
#[derive(Debug)]
pub(super) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl Dir {
    /// Opens the directory `path`; a missing one is [`Error::NotFound`].
    pub(super) fn open(path: &Path) -> Result<Self> {
        match nix::fcntl::open(path, flags(LISTING), Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path: path.to_owned() }),
            Err(Errno::ENOENT) => Err(Error::NotFound { path: path.to_owned() }),
            Err(errno) => Err(Error::io(format!("open {}", path.display()), errno)),
        }
    }

    /// Its descriptor, for others.
    pub(super) fn into_fd(self) -> OwnedFd {
        self.fd
    }

    /// Where it is on the host.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `value` to `file` in one write(2); the bare answer, for a caller that knows what the value is for.
    pub(super) fn put(&self, file: &str, value: &str) -> Result<(), Errno> {
        put(&self.open_to_write(file)?, value)
    }

    /// Opens `file`, for one who writes to it by itself.
    pub(super) fn open_to_write(&self, file: &str) -> Result<OwnedFd, Errno> {
        openat(&self.fd, file, flags(OFlag::O_WRONLY), Mode::empty())
    }

    /// Writes each of `values` to `file`, one write(2) for each.
    pub(super) fn write_all<'a>(&self, file: &str, values: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let mut fd = None;
        for value in values {
            let fd = match &mut fd {
                Some(fd) => Ok(&*fd),
                none => {
                    openat(&self.fd, file, flags(OFlag::O_WRONLY), Mode::empty()).map(|fd| &*none.insert(fd))
                }
            };
            fd.and_then(|fd| put(fd, value)).map_err(|errno| self.unwritten(file, value, errno))?;
        }
        Ok(())
    }

    /// Writes `value` to `file`.
    pub(super) fn write(&self, file: &str, value: &str) -> Result<()> {
        self.put(file, value).map_err(|errno| self.unwritten(file, value, errno))
    }

    fn unwritten(&self, file: &str, value: &str, errno: Errno) -> Error {
        Error::io(format!("write {value:?} to {}", self.path.join(file).display()), errno)
    }

    /// The content of `file`; the bare answer.
    pub(super) fn get(&self, file: &str) -> Result<String, Errno> {
        content_of(&openat(&self.fd, file, flags(OFlag::O_RDONLY), Mode::empty())?)
    }

    /// The content of `file`.
    pub(super) fn read(&self, file: &str) -> Result<String> {
        self.get(file).map_err(|errno| Error::io(format!("read {}", self.path.join(file).display()), errno))
    }

    /// The content of `file`, or nothing where there is no such file or it cannot be read now, as for statistics that
    /// a kernel lacks.
    pub(super) fn try_read(&self, file: &str) -> Option<String> {
        self.get(file).ok()
    }

    /// The names of the sub-cgroups right below it.
    fn names(&self) -> Result<Vec<CString>> {
        let failed = |errno| Error::io(format!("list {}", self.path.display()), errno);
        let mut stream = match Stream::openat(&self.fd, ".", flags(LISTING), Mode::empty()) {
            Ok(stream) => stream,
            Err(Errno::ENOENT | Errno::ENODEV) => return Ok(Vec::new()),
            Err(errno) => return Err(failed(errno)),
        };
        let mut names = Vec::new();
        for entry in stream.iter() {
            match entry {
                Ok(entry) if entry.file_type() == Some(Type::Directory) => {
                    let name = entry.file_name();
                    if name != c"." && name != c".." {
                        names.push(name.to_owned());
                    }
                }
                Ok(_) => {}
                Err(Errno::ENOENT) => break,
                Err(errno) => return Err(failed(errno)),
            }
        }
        Ok(names)
    }

    /// The sub-cgroup `name`, or nothing where it has vanished.
    fn child(&self, name: &CStr) -> Result<Option<Self>> {
        let path = self.path.join(OsStr::from_bytes(name.to_bytes()));
        match openat(&self.fd, name, flags(LISTING), Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path })),
            Err(Errno::ENOENT | Errno::ENODEV) => Ok(None),
            Err(errno) => Err(Error::io(format!("open {}", path.display()), errno)),
        }
    }

    /// The processes in this cgroup alone, cgroups(7). One of another pid namespace shows as 0 and is left out.
    fn own_pids(&self, pids: &mut Vec<i32>) -> Result<()> {
        let list = match self.get("cgroup.procs") {
            // A threaded cgroup lists threads only.
            Err(Errno::EOPNOTSUPP) => self.get("cgroup.threads"),
            other => other,
        };
        match list {
            Ok(list) => {
                pids.extend(list.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
            }
            Err(Errno::ENOENT | Errno::ENODEV) => {}
            Err(errno) => {
                return Err(Error::io(format!("read {}", self.path.join("cgroup.procs").display()), errno));
            }
        }
        Ok(())
    }

    /// The processes in this cgroup and all below. A container may nest cgroups deeper than a path is long, so each
    /// is opened from the one above it.
    pub(super) fn pids(self) -> Result<Vec<i32>> {
        let mut pids = Vec::new();
        let mut rest = Vec::new();
        let mut next = Some(self);
        while let Some(dir) = next {
            dir.own_pids(&mut pids)?;
            let names = dir.names()?;
            let dir = Rc::new(dir);
            rest.extend(names.into_iter().map(|name| (Rc::clone(&dir), name)));
            drop(dir);
            next = loop {
                let Some((parent, name)) = rest.pop() else { break None };
                if let Some(child) = parent.child(&name)? {
                    break Some(child);
                }
            };
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// Removes sub-cgroups as far as they are empty, leaves first, down one branch. True when one went.
    fn prune(&self) -> Result<bool> {
        let mut removed = false;
        let mut deeper: Option<Self> = None;
        loop {
            let dir = deeper.as_ref().unwrap_or(self);
            let mut busy = None;
            for name in dir.names()? {
                match unlinkat(&dir.fd, name.as_c_str(), UnlinkatFlags::RemoveDir) {
                    Ok(()) => removed = true,
                    Err(Errno::ENOENT) => {}
                    Err(_) => busy = Some(name),
                }
            }
            match busy.map(|name| dir.child(&name)).transpose()?.flatten() {
                Some(child) => deeper = Some(child),
                None => return Ok(removed),
            }
        }
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn put(fd: &OwnedFd, value: &str) -> Result<(), Errno> {
    loop {
        match write(fd, value.as_bytes()) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

pub(super) fn flags(flags: OFlag) -> OFlag {
    flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW
}

/// Makes the directory `path` beneath `mount` and what is missing above it. Tells how many directories it made, counted
/// from the end: 0 means that `path` was there.
pub(super) fn make(mount: &Path, path: &Path) -> Result<usize> {
    let full = mount.join(path);
    let failed = |errno, dir: &Path| Error::io(format!("mkdir {}", dir.display()), errno);
    // Someone else may remove an empty parent between our steps: then begin again.
    for _ in 0..16 {
        match mkdir(&full, mode()) {
            Ok(()) => return Ok(1),
            Err(Errno::EEXIST) => return Ok(0),
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(failed(errno, &full)),
        }
        let mut made = 0;
        let mut parents: Vec<_> =
            path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()).collect();
        parents.reverse();
        for parent in parents {
            let parent = mount.join(parent);
            match mkdir(&parent, mode()) {
                Ok(()) => made += 1,
                Err(Errno::EEXIST) => made = 0,
                Err(Errno::ENOENT) if mount.exists() => break,
                Err(errno) => {
                    let _ = remove_parents(&parent, made);
                    return Err(failed(errno, &parent));
                }
            }
        }
        match mkdir(&full, mode()) {
            Ok(()) => return Ok(made + 1),
            Err(Errno::EEXIST) => return Ok(0),
            Err(Errno::ENOENT) => {}
            Err(errno) => {
                let _ = remove_parents(&full, made);
                return Err(failed(errno, &full));
            }
        }
    }
    Err(failed(Errno::ENOENT, &full))
}

fn mode() -> Mode {
    Mode::from_bits_truncate(0o755)
}

/// Removes up to `count` directories above `path`, as long as they are empty.
pub(super) fn remove_parents(path: &Path, count: usize) -> Result<()> {
    for parent in path.ancestors().skip(1).take(count) {
        match rmdir(parent) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(Errno::EBUSY | Errno::ENOTEMPTY) => return Ok(()),
            // On a read-only mount a missing directory answers EROFS too.
            Err(_) if !parent.exists() => {}
            Err(errno) => return Err(Error::io(format!("rmdir {}", parent.display()), errno)),
        }
    }
    Ok(())
}

/// unlinkat(2) of a directory.
pub(super) fn rmdir(path: &Path) -> Result<(), Errno> {
    unlinkat(nix::fcntl::AT_FDCWD, path, UnlinkatFlags::RemoveDir)
}

fn content_of(fd: &OwnedFd) -> Result<String, Errno> {
    let mut content = Vec::new();
    let mut part = [0; 4096];
    loop {
        match read(fd, &mut part) {
            Ok(0) => return Ok(String::from_utf8_lossy(&content).into_owned()),
            Ok(count) => {
                content.extend_from_slice(&part[..count]);
                // The kernel gives whole lines as long as they fit, so that less than half is all there is.
                if count < part.len() / 2 {
                    return Ok(String::from_utf8_lossy(&content).into_owned());
                }
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Removes the cgroup `path` if there are neither processes nor sub-cgroups in it, or, where one is to `wait`, there soon are
/// none. A missing one is fine.
pub(super) fn remove_unused(path: &Path, wait: bool) -> Result<()> {
    let mut pauses = pauses().take(if wait { usize::MAX } else { 0 });
    loop {
        match rmdir(path) {
            Err(Errno::EBUSY) => match pauses.next() {
                Some(pause) => thread::sleep(pause),
                None => return Ok(()),
            },
            Ok(()) | Err(Errno::ENOENT | Errno::ENOTEMPTY) => return Ok(()),
            Err(_) if !path.exists() => return Ok(()),
            Err(errno) => return Err(Error::io(format!("rmdir {}", path.display()), errno)),
        }
    }
}

/// A second in all, in steps that double.
fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(Duration::from_micros(250)), |pause| Some(*pause * 2)).take(12)
}

/// Removes the cgroup `path` and all below. Processes that are about to vanish get a second to do so. A missing one is fine.
pub(super) fn remove(path: &Path) -> Result<()> {
    let mut pause = Duration::from_micros(250);
    let mut attempt = 0;
    loop {
        match rmdir(path) {
            Ok(()) | Err(Errno::ENOENT) => return Ok(()),
            Err(Errno::EINTR) => continue,
            Err(Errno::EBUSY | Errno::ENOTEMPTY) if attempt < 13 => {}
            // On a read-only mount a missing directory answers EROFS too.
            Err(_) if !path.exists() => return Ok(()),
            Err(errno) => return Err(Error::io(format!("rmdir {}", path.display()), errno)),
        }
        let went = match Dir::open(path) {
            Ok(dir) => dir.prune()?,
            Err(Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        if went {
            attempt = 0;
        } else {
            attempt += 1;
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(250));
        }
    }
}
