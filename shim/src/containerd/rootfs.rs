//! The mounts of a `Create` request, which make the container's root file system on the host, and their end.

use crate::error::{Error, Result};
use corten_ttrpc::types::Mount;
use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};
use std::{
    env,
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::{Component, Path, PathBuf},
};

/// The longest data of mount(2), all options of a file system in one text.
const DATA: usize = 4095;

/// What options are flags of mount(2): the flag, and whether it is set or cleared.
const FLAGS: &[(&str, MsFlags, bool)] = &[
    ("async", MsFlags::MS_SYNCHRONOUS, false),
    ("atime", MsFlags::MS_NOATIME, false),
    ("bind", MsFlags::MS_BIND, true),
    ("defaults", MsFlags::empty(), true),
    ("dev", MsFlags::MS_NODEV, false),
    ("diratime", MsFlags::MS_NODIRATIME, false),
    ("dirsync", MsFlags::MS_DIRSYNC, true),
    ("exec", MsFlags::MS_NOEXEC, false),
    ("mand", MsFlags::MS_MANDLOCK, true),
    ("noatime", MsFlags::MS_NOATIME, true),
    ("nodev", MsFlags::MS_NODEV, true),
    ("nodiratime", MsFlags::MS_NODIRATIME, true),
    ("noexec", MsFlags::MS_NOEXEC, true),
    ("nomand", MsFlags::MS_MANDLOCK, false),
    ("norelatime", MsFlags::MS_RELATIME, false),
    ("nostrictatime", MsFlags::MS_STRICTATIME, false),
    ("nosuid", MsFlags::MS_NOSUID, true),
    ("rbind", MsFlags::MS_BIND.union(MsFlags::MS_REC), true),
    ("relatime", MsFlags::MS_RELATIME, true),
    ("remount", MsFlags::MS_REMOUNT, true),
    ("ro", MsFlags::MS_RDONLY, true),
    ("rw", MsFlags::MS_RDONLY, false),
    ("strictatime", MsFlags::MS_STRICTATIME, true),
    ("suid", MsFlags::MS_NOSUID, false),
    ("sync", MsFlags::MS_SYNCHRONOUS, true),
];

/// Options that change how a mount spreads, each a call of its own.
const PROPAGATION: &[(&str, MsFlags)] = &[
    ("private", MsFlags::MS_PRIVATE),
    ("rprivate", MsFlags::MS_PRIVATE.union(MsFlags::MS_REC)),
    ("rshared", MsFlags::MS_SHARED.union(MsFlags::MS_REC)),
    ("rslave", MsFlags::MS_SLAVE.union(MsFlags::MS_REC)),
    ("runbindable", MsFlags::MS_UNBINDABLE.union(MsFlags::MS_REC)),
    ("shared", MsFlags::MS_SHARED),
    ("slave", MsFlags::MS_SLAVE),
    ("unbindable", MsFlags::MS_UNBINDABLE),
];

/// Mounts `mounts` upon `rootfs`, in their order; what a mount that fails leaves is undone. It may change the working
/// directory of the thread that calls it.
pub(crate) fn mount_all(mounts: &[Mount], rootfs: &Path) -> Result<()> {
    if mounts.is_empty() {
        return Ok(());
    }
    match DirBuilder::new().mode(0o711).create(rootfs) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(Error::io(format!("{}: make it", rootfs.display()), error));
        }
        _ => {}
    }
    for (index, mount) in mounts.iter().enumerate() {
        mount_one(mount, rootfs).map_err(|error| {
            let undone = unmount_all(rootfs);
            let error = error.context(format!("rootfs[{index}]"));
            undone.err().map_or(error.clone(), |more| error.context(more))
        })?;
    }
    Ok(())
}

/// A mount's options in the words of mount(2).
#[derive(Debug, PartialEq, Eq)]
struct Options {
    flags: MsFlags,
    propagation: Vec<MsFlags>,
    data: Vec<String>,
}

impl Options {
    fn parse(options: &[String]) -> Self {
        let mut parsed = Self { flags: MsFlags::empty(), propagation: Vec::new(), data: Vec::new() };
        for option in options {
            if let Some((_, flag, set)) = FLAGS.iter().find(|(name, ..)| name == option) {
                parsed.flags.set(*flag, *set);
            } else if let Some((_, flag)) = PROPAGATION.iter().find(|(name, _)| name == option) {
                parsed.propagation.push(*flag);
            } else if option != "loop" && !option.starts_with("X-containerd.") {
                parsed.data.push(option.clone());
            }
        }
        parsed
    }
}

fn mount_one(wanted: &Mount, rootfs: &Path) -> Result<()> {
    let mut options = Options::parse(&wanted.options);
    if matches!(wanted.kind.as_str(), "bind" | "rbind") {
        options.flags |= MsFlags::MS_BIND;
    }
    let target = beneath(rootfs, &wanted.target)?;
    let source = Path::new(&wanted.source);
    let bind = options.flags.contains(MsFlags::MS_BIND);
    let kind = wanted.kind.as_str();
    let call = |source: &Path, flags, data: Option<&str>| {
        mount(Some(source), &target, Some(kind), flags, data).map_err(|errno| {
            Error::io(format!("mount {kind} {} on {}", wanted.source, target.display()), errno)
        })
    };
    if bind {
        // Flags beside that of the bind itself are heeded when it is mounted again.
        let first = options.flags & (MsFlags::MS_BIND | MsFlags::MS_REC);
        call(source, first, None)?;
        let others = options.flags - MsFlags::MS_REC - MsFlags::MS_BIND;
        if !others.is_empty() {
            call(source, others | MsFlags::MS_BIND | MsFlags::MS_REMOUNT, None)?;
        }
    } else {
        let data = data(kind, &options.data)?;
        call(source, options.flags, Some(data.as_str()).filter(|data| !data.is_empty()))?;
    }
    for flags in options.propagation {
        mount(None::<&Path>, &target, None::<&str>, flags, None::<&str>)
            .map_err(|errno| Error::io(format!("change how {} spreads", target.display()), errno))?;
    }
    Ok(())
}

/// The options of a file system in one text. The layers of an overlay may be too many for it: then they are named from the
/// directory that they have in common, which becomes the working directory of this thread alone.
fn data(kind: &str, options: &[String]) -> Result<String> {
    let whole = options.join(",");
    if whole.len() <= DATA || kind != "overlay" {
        return Ok(whole);
    }
    let Some((common, shorter)) = relative_layers(options) else { return Ok(whole) };
    unshare(CloneFlags::CLONE_FS).map_err(|errno| Error::io("unshare the working directory", errno))?;
    env::set_current_dir(&common).map_err(|error| Error::io(format!("chdir {}", common.display()), error))?;
    Ok(shorter.join(","))
}

/// The directory that all layers have in common, and the options with the layers named from there.
fn relative_layers(options: &[String]) -> Option<(PathBuf, Vec<String>)> {
    let list = options.iter().find_map(|option| option.strip_prefix("lowerdir="))?;
    let layers: Vec<&Path> = list.split(':').map(Path::new).collect();
    let mut common = layers.first()?.parent()?.to_owned();
    while !layers.iter().all(|layer| layer.starts_with(&common)) {
        common = common.parent()?.to_owned();
    }
    if list.contains('\\') || layers.iter().any(|layer| !layer.is_absolute()) {
        return None;
    }
    let names: Option<Vec<&str>> = layers
        .iter()
        .map(|layer| layer.strip_prefix(&common).ok()?.to_str().filter(|name| !name.is_empty()))
        .collect();
    let relative = format!("lowerdir={}", names?.join(":"));
    let shorter = options.iter().map(|option| match option.starts_with("lowerdir=") {
        true => relative.clone(),
        false => option.clone(),
    });
    let shorter = shorter.collect();
    Some((common, shorter))
}

/// `target` beneath `rootfs`; empty for `rootfs` itself. A mount of the request may hold links that lead elsewhere.
fn beneath(rootfs: &Path, target: &str) -> Result<PathBuf> {
    let mut path = rootfs.to_owned();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::CurDir => continue,
            Component::ParentDir | Component::Prefix(_) => {
                return Err(Error::unknown(format!("target {target:?}: must not lead upwards")));
            }
        }
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            return Err(Error::unknown(format!("target {target:?}: {} is a symbolic link", path.display())));
        }
    }
    Ok(path)
}

/// Unmounts all that is mounted upon and beneath `rootfs`. Nothing there is no error.
pub(crate) fn unmount_all(rootfs: &Path) -> Result<()> {
    let failed = |errno| Err(Error::io(format!("unmount {}", rootfs.display()), errno));
    loop {
        match umount2(rootfs, MntFlags::UMOUNT_NOFOLLOW) {
            Ok(()) => {}
            // Something uses it, or is mounted beneath it: it goes with the last user.
            Err(Errno::EBUSY) => match umount2(rootfs, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
                Ok(()) => {}
                Err(errno) => return failed(errno),
            },
            Err(Errno::EINVAL | Errno::ENOENT) => return Ok(()),
            Err(errno) => return failed(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn options_are_flags_propagation_or_data() {
        let options =
            Options::parse(&texts(&["ro", "nosuid", "rw", "rslave", "lowerdir=/a:/b", "index=off"]));
        assert_eq!(options.flags, MsFlags::MS_NOSUID);
        assert_eq!(options.propagation, [MsFlags::MS_SLAVE | MsFlags::MS_REC]);
        assert_eq!(options.data, ["lowerdir=/a:/b", "index=off"]);
    }

    #[test]
    fn long_lists_of_layers_are_named_from_where_they_are() {
        let options = texts(&["workdir=/s/9/work", "lowerdir=/s/1/fs:/s/22/fs"]);
        let (common, shorter) = relative_layers(&options).unwrap();
        assert_eq!(common, Path::new("/s"));
        assert_eq!(shorter, ["workdir=/s/9/work", "lowerdir=1/fs:22/fs"]);
        assert_eq!(relative_layers(&texts(&["lowerdir=/a\\:b:/c"])), None);
    }

    #[test]
    fn targets_stay_beneath_the_root() {
        let root = Path::new("/nowhere/rootfs");
        assert_eq!(beneath(root, "").unwrap(), root);
        assert_eq!(beneath(root, "/data/x").unwrap(), root.join("data/x"));
        assert!(beneath(root, "../x").is_err());
    }
}
