//! What of a container's mounts belongs to the host: found out from the kernel when the container is saved, and found again
//! by config.json when it is restored.

use super::image::{External, What};
use crate::{
    Error, ErrorKind, Result,
    cgroup::View,
    fs::mountinfo::{self, Mount},
    guards::{self, Guard},
    rootfs::{self, Bind},
    sys,
};
use nix::{
    fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2},
    sys::stat::{FileStat, Mode, SFlag, fstat, major, minor, stat},
};
use oci_spec::runtime::Spec;
use std::{
    ffi::OsStr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

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

    /// All that belong to the host, and for each what criu is to be told of it.
    pub(super) fn external(
        mut self,
        spec: &Spec,
        view: &View,
        notify: Option<&Path>,
    ) -> Result<(Vec<External>, Vec<Vec<u8>>)> {
        for bind in std::mem::take(&mut self.binds) {
            let what = What::Mount { destination: bind.destination.clone(), below: PathBuf::new() };
            if let Some((at, _)) = self.mount_at(&bind.destination) {
                self.add(at, what)?;
                self.add_below(at, &bind)?;
            }
        }
        if let Some((at, _)) = notify.and_then(|inside| self.mount_at(inside)) {
            self.add(at, What::Notify)?;
        }
        self.add_cgroups(view)?;
        for path in rootfs::device_paths(spec) {
            if let Some((at, file)) = self.mount_at(path)
                && matches!(format(&file), SFlag::S_IFCHR | SFlag::S_IFBLK)
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
        let key = format!("corten-{}", self.found.len());
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

/// What on the host is to be mounted again.
pub(super) fn source(external: &External, binds: &[Bind], view: &View, notify: &Path) -> Result<PathBuf> {
    let wrong = |why: String| Err(Error::new(ErrorKind::InvalidConfig, why));
    match &external.what {
        What::Mount { destination, below } => {
            match binds.iter().find(|bind| bind.destination == *destination) {
                // Only what is really below.
                Some(bind)
                    if below.components().all(|part| matches!(part, std::path::Component::Normal(_))) =>
                {
                    Ok(if below.as_os_str().is_empty() {
                        bind.source.clone()
                    } else {
                        bind.source.join(below)
                    })
                }
                Some(_) => wrong(format!("the image's mount {}: its path climbs", external.point)),
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
        What::Device(path) => Ok(path.clone()),
        What::Masked => Ok(PathBuf::from("/dev/null")),
        What::Notify => Ok(notify.to_owned()),
    }
}
