//! What of a container's mounts belongs to the host: found out from the kernel when the container is saved, and found again
//! by config.json when it is restored.

use super::image::{External, What};
use crate::{
    Error, ErrorKind, Result,
    cgroup::View,
    fs::mountinfo::{self, Mount},
    guards::{self, Guard},
    rootfs::{self, Bind},
    spec::Spec,
    sys,
};
use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2},
    sys::stat::{FileStat, Mode, SFlag, fstat, lstat, major, minor, stat},
};
use std::{
    ffi::OsStr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Component, Path, PathBuf},
};

/// How keys begin; a number follows.
const KEY: &str = "corten-";
/// The number of /dev/null.
const NULL: (u64, u64) = (1, 3);

/// The mounts of a process.
pub(super) struct Mounts {
    all: Vec<Mount>,
    root: OwnedFd,
    binds: Vec<Bind>,
    found: Vec<(External, u64)>,
}

impl Mounts {
    /// Those that process `pid` sees, made by `spec` in `bundle`.
    pub(super) fn of(pid: i32, spec: &Spec, bundle: &Path) -> Result<Self> {
        let all =
            mountinfo::of(pid).map_err(|error| Error::io(format!("/proc/{pid}/mountinfo: read"), error))?;
        let path = format!("/proc/{pid}/root");
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = open(path.as_str(), flags, Mode::empty())
            .map_err(|errno| Error::io(format!("{path}: open"), errno))?;
        Ok(Self { all, root, binds: rootfs::binds(spec, bundle)?, found: Vec::new() })
    }

    /// All that belong to the host, and for each what criu is to be told of it. `notify` is where the directory of
    /// NOTIFY_SOCKET is in the container, and on the host.
    pub(super) fn external(
        mut self,
        spec: &Spec,
        view: &View,
        notify: Option<(&Path, &Path)>,
    ) -> Result<(Vec<External>, Vec<Vec<u8>>)> {
        for bind in std::mem::take(&mut self.binds) {
            let what = What::Mount { destination: bind.destination.clone(), below: PathBuf::new() };
            if let Some((at, file)) = self.mount_at(&bind.destination)
                && self.is_of(at, &file, &bind.source)
            {
                self.add(at, what)?;
                self.add_below(at, &bind)?;
            }
        }
        if let Some((inside, source)) = notify
            && let Some((at, file)) = self.mount_at(inside)
            && self.is_of(at, &file, source)
        {
            self.add(at, What::Notify)?;
        }
        self.add_cgroups(view)?;
        for path in rootfs::device_paths(spec) {
            if let Some((at, file)) = self.mount_at(path)
                && matches!(format(&file), SFlag::S_IFCHR | SFlag::S_IFBLK)
                && self.is_of(at, &file, path)
            {
                self.add(at, What::Device(path.to_owned()))?;
            }
        }
        for path in rootfs::masked_paths(spec) {
            if let Some((at, file)) = self.mount_at(Path::new(path))
                && format(&file) == SFlag::S_IFCHR
                && (major(file.st_rdev), minor(file.st_rdev)) == NULL
            {
                self.add(at, What::Masked)?;
            }
        }
        let told = self.found.iter().filter_map(|(external, id)| {
            let mount = self.all.iter().find(|mount| mount.id == *id)?;
            Some([b"mnt[", mount.point.as_slice(), b"]:", external.key.as_bytes()].concat())
        });
        let told = told.collect();
        Ok((self.found.into_iter().map(|(external, _)| external).collect(), told))
    }

    /// The mount whose root is at `path` in the container, and that root: which one it is the kernel says, not the names on
    /// the way.
    fn mount_at(&self, path: &Path) -> Option<(usize, FileStat)> {
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let file = openat2(&self.root, path, how).ok()?;
        let (id, true) = sys::mounts::mount_of(file.as_fd()).ok()? else { return None };
        Some((self.all.iter().position(|mount| mount.id == id)?, fstat(&file).ok()?))
    }

    /// Whether a mount, whose root is `file`, is of `source` on the host. Its place does not tell: a container can rename the
    /// directories above two mounts and put symlinks there, so that each is found where the other was, and one that it may only
    /// read would come back with the other's leave to write.
    fn is_of(&self, at: usize, file: &FileStat, source: &Path) -> bool {
        let Ok(found) = lstat(source) else { return false };
        if (found.st_dev, found.st_ino) == (file.st_dev, file.st_ino) {
            return true;
        }
        // One that was replaced on the host meanwhile, as files are by rename(2), is the one of that name still.
        let mount = &self.all[at];
        let removed = mount.root.strip_suffix(b"//deleted").and_then(|root| root.strip_prefix(b"/"));
        let is_named_so = removed.is_some_and(|root| source.ends_with(OsStr::from_bytes(root)));
        is_named_so && (major(found.st_dev), minor(found.st_dev)) == mount.device
    }

    fn add(&mut self, at: usize, what: What) -> Result<()> {
        let mount = &self.all[at];
        if self.found.iter().any(|(_, id)| *id == mount.id) {
            return Ok(());
        }
        let point = String::from_utf8_lossy(&mount.point).into_owned();
        if guards::on(Guard::CheckpointKeys) && mount.point.windows(2).any(|pair| pair == b"]:") {
            let message = format!("mount point {point:?}: criu cannot be told of a name with \"]:\"");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let key = format!("{KEY}{}", self.found.len());
        self.found.push((External { key, what, point }, mount.id));
        Ok(())
    }

    /// A recursive bind has brought what was mounted below its source on the host. What the container has mounted there itself
    /// is another file system than the one at that place on the host.
    fn add_below(&mut self, top: usize, bind: &Bind) -> Result<()> {
        let (top_id, top_point) = (self.all[top].id, PathBuf::from(OsStr::from_bytes(&self.all[top].point)));
        let mut tree = vec![top_id];
        for at in 0..self.all.len() {
            let mount = &self.all[at];
            if !tree.contains(&mount.parent) || tree.contains(&mount.id) {
                continue;
            }
            let point = Path::new(OsStr::from_bytes(&mount.point));
            let Ok(below) = point.strip_prefix(&top_point) else { continue };
            if device(&bind.source.join(below)) == Some(mount.device) && below.to_str().is_some() {
                tree.push(mount.id);
                let what = What::Mount { destination: bind.destination.clone(), below: below.to_owned() };
                self.add(at, what)?;
            }
        }
        Ok(())
    }

    /// Mounts of the container's cgroups.
    fn add_cgroups(&mut self, view: &View) -> Result<()> {
        for at in 0..self.all.len() {
            let mount = &self.all[at];
            if mount.kind != b"cgroup" && mount.kind != b"cgroup2" {
                continue;
            }
            let mut dirs = cgroup_dirs(view).into_iter();
            if let Some((name, _)) = dirs.find(|(_, dir)| device(dir) == Some(mount.device)) {
                self.add(at, What::Cgroup(name.to_owned()))?;
            }
        }
        Ok(())
    }
}

fn format(file: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(file.st_mode) & SFlag::S_IFMT
}

/// The numbers of the file system that `path` is on.
fn device(path: &Path) -> Option<(u64, u64)> {
    let found = stat(path).ok()?;
    Some((major(found.st_dev), minor(found.st_dev)))
}

/// The container's cgroups that it may see, by the names of their hierarchies; that of v2 has none.
fn cgroup_dirs(view: &View) -> Vec<(&str, &Path)> {
    match view {
        View::None => Vec::new(),
        View::Unified { dir, .. } => vec![("", dir)],
        View::Legacy { hierarchies, .. } => {
            hierarchies.iter().map(|hierarchy| (hierarchy.name.as_str(), hierarchy.dir.as_path())).collect()
        }
    }
}

/// What on the host is to be mounted again. The image only says which of the things that config.json names it was: one that was
/// made to deceive leads to nothing else.
pub(super) fn source(
    external: &External,
    spec: &Spec,
    binds: &[Bind],
    view: &View,
    notify: &Path,
) -> Result<PathBuf> {
    let wrong = |why: String| Err(Error::new(ErrorKind::InvalidConfig, why));
    let number = external.key.strip_prefix(KEY).unwrap_or_default();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return wrong(format!("the image's mount {}: {:?} is no key of ours", external.point, external.key));
    }
    match &external.what {
        What::Mount { destination, below } => {
            match binds.iter().find(|bind| bind.destination == *destination) {
                Some(bind) => place_below(bind, below, &external.point),
                None => wrong(format!(
                    "mounts: none binds anything at {}, as the image has it",
                    destination.display()
                )),
            }
        }
        What::Cgroup(name) => match cgroup_dirs(view).iter().find(|(own, _)| own == name) {
            Some((_, dir)) => Ok((*dir).to_owned()),
            None => wrong(format!(
                "mounts: the image shows a cgroup at {} that this host has not",
                external.point
            )),
        },
        What::Device(path) if rootfs::device_paths(spec).any(|device| device == path) => Ok(path.clone()),
        What::Device(path) => wrong(format!(
            "linux.devices: there is no {}, which the image has at {}",
            path.display(),
            external.point
        )),
        What::Masked => Ok(PathBuf::from("/dev/null")),
        What::Notify => Ok(notify.to_owned()),
    }
}

/// What is at `below` beneath the source of a bind mount, and really there: who writes in the source chooses what symlinks there are.
fn place_below(bind: &Bind, below: &Path, point: &str) -> Result<PathBuf> {
    if below.as_os_str().is_empty() {
        return Ok(bind.source.clone());
    }
    let failed = |path: &Path, errno| Error::io(format!("mount {point}: find {}", path.display()), errno);
    let directory = open(&bind.source, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| failed(&bind.source, errno))?;
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    let path = bind.source.join(below);
    match openat2(&directory, below, how) {
        Ok(_) if below.components().all(|part| matches!(part, Component::Normal(_))) => Ok(path),
        Ok(_) | Err(Errno::EXDEV | Errno::ELOOP) => {
            let message = format!("the image's mount {point}: its path climbs or is a symlink");
            Err(Error::new(ErrorKind::InvalidConfig, message))
        }
        Err(errno) => Err(failed(&path, errno)),
    }
}
