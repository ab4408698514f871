//! The mounts of a `Create` request, which make the container's root file system on the host, and their end.

mod idmap;

use crate::{
    error::{Error, Result},
    sys::mount::place,
};
use corten_ttrpc::types::Mount;
use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};
use std::{
    env,
    fs::{self, DirBuilder},
    os::{fd::AsFd, unix::fs::DirBuilderExt},
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
#[derive(Debug)]
struct Options {
    flags: MsFlags,
    propagation: Vec<MsFlags>,
    data: Vec<String>,
    uids: String,
    gids: String,
}

impl Default for Options {
    fn default() -> Self {
        let (flags, propagation, data) = (MsFlags::empty(), Vec::new(), Vec::new());
        Self { flags, propagation, data, uids: String::new(), gids: String::new() }
    }
}

impl Options {
    fn parse(options: &[String]) -> Self {
        let mut parsed = Self::default();
        for option in options {
            if let Some((_, flag, set)) = FLAGS.iter().find(|(name, ..)| name == option) {
                parsed.flags.set(*flag, *set);
            } else if let Some((_, flag)) = PROPAGATION.iter().find(|(name, _)| name == option) {
                parsed.propagation.push(*flag);
            } else if let Some(map) = option.strip_prefix("uidmap=") {
                map.clone_into(&mut parsed.uids);
            } else if let Some(map) = option.strip_prefix("gidmap=") {
                map.clone_into(&mut parsed.gids);
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
    let namespace = idmap::namespace(&options.uids, &options.gids)?;
    let call_at = |target: &Path, flags, data: Option<&str>| {
        mount(Some(source), target, Some(kind), flags, data).map_err(|errno| {
            Error::io(format!("mount {kind} {} on {}", wanted.source, target.display()), errno)
        })
    };
    let call = |flags, data: Option<&str>| call_at(&target, flags, data);
    if bind {
        // Flags beside that of the bind itself are heeded when it is mounted again.
        call(options.flags & (MsFlags::MS_BIND | MsFlags::MS_REC), None)?;
        let others = options.flags - MsFlags::MS_REC - MsFlags::MS_BIND;
        if !others.is_empty() {
            call(others | MsFlags::MS_BIND | MsFlags::MS_REMOUNT, None)?;
        }
    } else if let Some(namespace) = namespace.as_ref().filter(|_| kind == "overlay") {
        // The overlay itself cannot be mapped: its layers are.
        let at = options.data.iter().position(|option| option.starts_with("lowerdir="));
        let at = at.ok_or_else(|| Error::unknown("uidmap, gidmap: an overlay without layers"))?;
        let list = options.data.remove(at);
        let made = idmap::overlay(list.trim_start_matches("lowerdir="), namespace, |names, place| {
            options.data.push(format!("lowerdir={names}"));
            call_at(place, options.flags, Some(&options.data.join(",")))
        })?;
        place(made.as_fd(), &target)
            .map_err(|error| Error::io(format!("move_mount to {}", target.display()), error))?;
    } else {
        let data = data(kind, &options.data)?;
        call(options.flags, Some(data.as_str()).filter(|data| !data.is_empty()))?;
    }
    if let Some(namespace) = namespace.filter(|_| kind != "overlay") {
        idmap::remap(&target, options.flags.contains(MsFlags::MS_REC), &namespace)?;
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

    /// Runs `body` with a directory of its own, in a mount namespace of its own, where that can be had.
    fn with_mounts(body: impl FnOnce(&Path) + Send + 'static) {
        let run = || {
            if let Err(errno) = unshare(CloneFlags::CLONE_NEWNS) {
                return println!("skipped: unshare: {errno}");
            }
            let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
            let thread = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "-");
            let dir = env::temp_dir().join(format!("corten-test-rootfs-{}-{thread}", std::process::id()));
            fs::create_dir(&dir).unwrap();
            mount(Some("none"), &dir, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
            body(&dir);
            umount2(&dir, MntFlags::MNT_DETACH).unwrap();
            fs::remove_dir(dir).unwrap();
        };
        std::thread::spawn(run).join().unwrap();
    }

    fn layer(dir: &Path, name: &str) -> String {
        let layer = dir.join(name);
        fs::create_dir_all(&layer).unwrap();
        fs::write(layer.join(format!("from-{name}")), name).unwrap();
        layer.display().to_string()
    }

    fn owner(path: &Path) -> u32 {
        std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).unwrap())
    }

    #[test]
    fn mounts_in_a_row_are_made_and_unmade() {
        with_mounts(|dir| {
            let (one, two) = (layer(dir, "one"), layer(dir, "two"));
            fs::create_dir(Path::new(&one).join("at")).unwrap();
            let bind = |source: String, target: &str, options: &[&str]| Mount {
                kind: "bind".into(),
                source,
                target: target.into(),
                options: texts(options),
            };
            let mounts = [bind(one, "", &["rbind"]), bind(two, "/at", &["bind", "ro"])];
            let rootfs = dir.join("rootfs");
            mount_all(&mounts, &rootfs).unwrap();
            assert!(rootfs.join("from-one").exists() && rootfs.join("at/from-two").exists());
            assert!(fs::write(rootfs.join("at/x"), "").is_err());
            unmount_all(&rootfs).unwrap();
            unmount_all(&rootfs).unwrap();
            assert_eq!(fs::read_dir(&rootfs).unwrap().count(), 0);

            let fails = [mounts[0].clone(), bind("/nowhere".into(), "", &[])];
            let error = mount_all(&fails, &rootfs).unwrap_err();
            assert!(error.message.starts_with("rootfs[1]: mount bind /nowhere"), "{error}");
            assert_eq!(fs::read_dir(&rootfs).unwrap().count(), 0);
        });
    }

    #[test]
    fn ids_are_mapped_of_a_bind_and_of_an_overlays_layers() {
        with_mounts(|dir| {
            let maps = ["uidmap=0:100000:65536", "gidmap=0:100000:65536"];
            let rootfs = dir.join("rootfs");
            let bind = Mount {
                kind: "bind".into(),
                source: layer(dir, "bound"),
                options: texts(&["rbind", maps[0], maps[1]]),
                ..Mount::default()
            };
            match mount_all(&[bind], &rootfs) {
                Err(error) if error.message.contains("mount_setattr: Invalid argument") => {
                    return println!("skipped: this kernel maps no ids of a tmpfs");
                }
                result => result.unwrap(),
            }
            assert_eq!(owner(&rootfs.join("from-bound")), 100_000);
            unmount_all(&rootfs).unwrap();

            let lower = format!("lowerdir={}:{}", layer(dir, "upper-one"), layer(dir, "lower-one"));
            let writable = |name: &str| format!("{name}dir={}", layer(dir, name));
            let options = [texts(&maps), vec![lower, writable("upper"), writable("work")]].concat();
            let overlay =
                Mount { kind: "overlay".into(), source: "overlay".into(), options, ..Mount::default() };
            let before = env::current_dir().unwrap();
            mount_all(&[overlay], &rootfs).unwrap();
            assert_eq!(owner(&rootfs.join("from-lower-one")), 100_000);
            assert_eq!(owner(&rootfs.join("from-upper")), 0);
            assert_eq!(env::current_dir().unwrap(), before);
            assert!(Path::new("/proc/self").exists());
            unmount_all(&rootfs).unwrap();
        });
    }
}
