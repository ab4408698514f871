//! The places of mounts in a rootfs that is new, as one from another host: create makes them, so restore must too. Each path
//! is resolved once, beneath a descriptor.

use crate::{Error, Result};
use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2},
    sys::stat::{Mode, mkdirat},
};
use std::{
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

/// The place of a mount.
pub(super) struct Point {
    /// In the container.
    pub(super) path: PathBuf,
    /// What is mounted there, on the host.
    pub(super) source: PathBuf,
    pub(super) directory: bool,
}

/// Makes what is missing: of `points`, and of the places of `others`, new file systems. What lies beneath a bind mount is made
/// in what is bound; what lies beneath another file system comes with it.
pub(super) fn make_all(rootfs: &Path, others: &[PathBuf], points: &[Point]) -> Result<()> {
    let bound = |path: &Path| points.iter().find(|point| point.path == path);
    let kept = |path: &Path| {
        // The nearest mount above it.
        let above = path
            .ancestors()
            .skip(1)
            .find(|above| bound(above).is_some() || others.iter().any(|other| other == above));
        match above {
            None => Some((rootfs.to_owned(), path.strip_prefix("/").unwrap_or(path).to_owned())),
            Some(above) => {
                let below = path.strip_prefix(above).unwrap_or(path).to_owned();
                bound(above).map(|point| (point.source.clone(), below))
            }
        }
    };
    let all = points.iter().map(|point| (point.path.as_path(), point.directory));
    let all =
        all.chain(others.iter().filter(|other| bound(other).is_none()).map(|other| (other.as_path(), true)));
    for (path, directory) in all {
        let Some((root, below)) = kept(path) else { continue };
        make(&root, &below, directory)
            .map_err(|errno| Error::io(format!("mount point {}: make it", path.display()), errno))?;
    }
    Ok(())
}

fn resolve(root: &OwnedFd, path: &Path) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(root, path, how)
}

/// Makes `path` beneath `root`, part by part, each in the descriptor of the one before.
fn make(root: &Path, path: &Path, directory: bool) -> nix::Result<()> {
    let root = open(root, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    let names: Vec<_> = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let mut parent = root.try_clone().map_err(|_| Errno::EMFILE)?;
    let mut so_far = PathBuf::new();
    for (at, name) in names.iter().enumerate() {
        so_far.push(name);
        let file = !directory && at + 1 == names.len();
        parent = match resolve(&root, &so_far) {
            Err(Errno::ENOENT) => {
                if file {
                    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                    openat(&parent, name.as_os_str(), flags, Mode::from_bits_truncate(0o644))?;
                } else {
                    mkdirat(&parent, name.as_os_str(), Mode::from_bits_truncate(0o755))?;
                }
                resolve(&root, &so_far)?
            }
            other => other?,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn what_is_missing_is_made_and_never_outside() {
        let dir = std::env::temp_dir().join(format!("corten-points-{}", std::process::id()));
        let (root, bound) = (dir.join("root"), dir.join("bound"));
        fs::create_dir_all(root.join("real")).unwrap();
        fs::create_dir_all(&bound).unwrap();
        symlink("/real", root.join("link")).unwrap();
        symlink("/../../..", root.join("up")).unwrap();
        let point = |path: &str, directory| Point { path: path.into(), source: bound.clone(), directory };
        let points =
            [point("/link/a/b", true), point("/link/a/b/c", true), point("/up/etc-of-test/f", false)];
        make_all(&root, &[], &points).unwrap();
        assert!(root.join("real/a/b").is_dir());
        assert!(bound.join("c").is_dir() && !root.join("real/a/b/c").exists());
        assert!(root.join("etc-of-test/f").is_file() && !Path::new("/etc-of-test").exists());
        fs::remove_dir_all(dir).unwrap();
    }
}
