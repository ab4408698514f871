//! Which cgroup hierarchies the host has, cgroups(7), and where a container's cgroup lies in each.

use super::error::{Error, Result};
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, TMPFS_MAGIC, statfs};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::Read,
    os::unix::ffi::OsStringExt,
    path::{Component, Path, PathBuf},
};

const ROOT: &str = "/sys/fs/cgroup";

/// One mounted hierarchy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// cgroup v2.
    pub(super) unified: bool,
    /// Its directory's name below /sys/fs/cgroup, as `cpu,cpuacct`, `systemd` or `unified`.
    pub(super) name: String,
    /// The v1 controllers in it, `name=systemd` for a named one; none for v2, which tells them itself.
    pub(super) controllers: Vec<String>,
    /// Where it is mounted.
    pub(super) mount: PathBuf,
}

/// A line of /proc/PID/cgroup.
struct Membership {
    controllers: Vec<String>,
    path: PathBuf,
}

/// The host's hierarchies. Looks at the usual places first; only where nothing is at /sys/fs/cgroup it reads mountinfo, which
/// is long on a host with many containers.
pub(super) fn detect() -> Result<Vec<Hierarchy>> {
    let root = Path::new(ROOT);
    let found = match statfs(root).map(|fs| fs.filesystem_type()) {
        Ok(CGROUP2_SUPER_MAGIC) => vec![unified(root.to_owned())],
        Ok(TMPFS_MAGIC) => legacy(root, &memberships()?),
        _ => Vec::new(),
    };
    let found = if found.is_empty() { from_mountinfo(&mountinfo()?, &memberships()?) } else { found };
    if found.is_empty() {
        return Err(Error::unsupported("linux.cgroupsPath", "no cgroup file system is mounted on this host"));
    }
    Ok(found)
}

/// cgroup v1's hierarchy of systemd, where it is mounted beside cgroup v2.
pub(super) fn old_systemd() -> Result<Option<Hierarchy>> {
    let mount = Path::new(ROOT).join("systemd");
    let is_v1 = statfs(&mount).is_ok_and(|fs| fs.filesystem_type() == CGROUP_SUPER_MAGIC);
    let controllers = vec!["name=systemd".to_owned()];
    let is_known = memberships()?.iter().any(|membership| membership.controllers == controllers);
    let hierarchy = Hierarchy { unified: false, name: "systemd".to_owned(), controllers, mount };
    Ok(Some(hierarchy).filter(|_| is_v1 && is_known))
}

fn unified(mount: PathBuf) -> Hierarchy {
    Hierarchy { unified: true, name: "unified".to_owned(), controllers: Vec::new(), mount }
}

/// The hierarchies mounted each in a directory of its own in the tmpfs `root`.
fn legacy(root: &Path, memberships: &[Membership]) -> Vec<Hierarchy> {
    let holds = |dir: &Path, magic| statfs(dir).is_ok_and(|fs| fs.filesystem_type() == magic);
    let mut found = Vec::with_capacity(memberships.len());
    for Membership { controllers, .. } in memberships {
        if controllers.is_empty() {
            let mount = root.join("unified");
            if holds(&mount, CGROUP2_SUPER_MAGIC) {
                found.push(unified(mount));
            }
            continue;
        }
        let name =
            directory_names(controllers).into_iter().find(|name| holds(&root.join(name), CGROUP_SUPER_MAGIC));
        if let Some(name) = name {
            let mount = root.join(&name);
            found.push(Hierarchy { unified: false, name, controllers: controllers.clone(), mount });
        }
    }
    found
}

/// What a hierarchy of these controllers may be called: all joined, as systemd does, in either order, or one of them.
fn directory_names(controllers: &[String]) -> Vec<String> {
    let plain: Vec<_> = controllers.iter().map(|c| c.strip_prefix("name=").unwrap_or(c).to_owned()).collect();
    if let [only] = &plain[..] {
        return vec![only.clone()];
    }
    let reversed: Vec<_> = plain.iter().rev().cloned().collect();
    let mut names = vec![plain.join(","), reversed.join(",")];
    names.extend(plain);
    names
}

/// The cgroups of process `pid`: the controllers of each hierarchy, and the path below its root.
#[cfg(feature = "systemd")]
pub(super) fn cgroups_of(pid: i32) -> Result<Vec<(Vec<String>, PathBuf)>> {
    let relative = |path: PathBuf| path.strip_prefix("/").map(Path::to_owned).unwrap_or(path);
    let all = memberships_of(&format!("/proc/{pid}/cgroup"))?.into_iter();
    Ok(all.map(|membership| (membership.controllers, relative(membership.path))).collect())
}

fn memberships() -> Result<Vec<Membership>> {
    memberships_of("/proc/self/cgroup")
}

fn memberships_of(file: &str) -> Result<Vec<Membership>> {
    // The file tells no size, for which fs::read would begin with 32 bytes.
    let mut text = Vec::with_capacity(4096);
    let read = File::open(file).and_then(|mut file| file.read_to_end(&mut text));
    read.map_err(|error| Error::io(format!("read {file}"), error))?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(membership).collect())
}

fn membership(line: &[u8]) -> Option<Membership> {
    let mut fields = line.splitn(3, |byte| *byte == b':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let controllers = str::from_utf8(controllers).ok()?;
    Some(Membership {
        controllers: controllers.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        path: PathBuf::from(OsString::from_vec(path.to_vec())),
    })
}

/// A cgroup mount as mountinfo tells it, proc_pid_mountinfo(5).
struct Mounted {
    root: PathBuf,
    mount: PathBuf,
    unified: bool,
    options: Vec<u8>,
}

/// Reads `bytes` as mountinfo and as /proc/PID/cgroup, for the package `fuzz`.
#[cfg(feature = "fuzzing")]
pub(super) fn read(bytes: &[u8]) {
    let lines = || bytes.split(|byte| *byte == b'\n');
    let mounts: Vec<_> = lines().filter_map(mounted).collect();
    let memberships: Vec<_> = lines().filter_map(membership).collect();
    let found = from_mountinfo(&mounts, &memberships);
    let _ = places(&found, None, "fuzzed");
}

fn mountinfo() -> Result<Vec<Mounted>> {
    let file = "/proc/self/mountinfo";
    let text = fs::read(file).map_err(|error| Error::io(format!("read {file}"), error))?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(mounted).collect())
}

fn mounted(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|byte| *byte == b' ');
    let (root, mount) = (fields.nth(3)?, fields.next()?);
    let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
    let unified = match rest.next()? {
        b"cgroup" => false,
        b"cgroup2" => true,
        _ => return None,
    };
    let path = |field: &[u8]| PathBuf::from(OsString::from_vec(unescape(field)));
    Some(Mounted { root: path(root), mount: path(mount), unified, options: rest.nth(1)?.to_vec() })
}

/// Undoes mountinfo's octal escapes of space, tab, newline and backslash.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = |digits: &[u8]| {
            digits.iter().try_fold(0_u8, |value, digit| {
                (b'0'..=b'7').contains(digit).then(|| value.wrapping_mul(8).wrapping_add(digit - b'0'))
            })
        };
        match (byte, after.get(..3).and_then(octal)) {
            (b'\\', Some(value)) => {
                plain.push(value);
                rest = &after[3..];
            }
            _ => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
}

/// The hierarchies among `mounts`, the first mount of each. A mount point that is not UTF-8 is passed over: the state file
/// could not hold it.
fn from_mountinfo(mounts: &[Mounted], memberships: &[Membership]) -> Vec<Hierarchy> {
    let mut found = Vec::new();
    let usable: Vec<_> = mounts.iter().filter(|mounted| mounted.mount.to_str().is_some()).collect();
    for Membership { controllers, .. } in memberships {
        let has = |mounted: &&&Mounted| {
            mounted.unified == controllers.is_empty()
                && controllers.iter().all(|name| {
                    mounted.options.split(|byte| *byte == b',').any(|option| option == name.as_bytes())
                })
        };
        let Some(mounted) = usable.iter().find(has) else { continue };
        if mounted.unified {
            found.push(unified(mounted.mount.clone()));
        } else {
            let name =
                mounted.mount.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let (controllers, mount) = (controllers.clone(), mounted.mount.clone());
            found.push(Hierarchy { unified: false, name, controllers, mount });
        }
    }
    found
}

/// Where a container's cgroup lies, below the mount point of each of `hierarchies`: below the root for an absolute `path`;
/// below this process's own cgroup for a relative one or, named `id`, for none. On v2 alone it is put beside the own cgroup
/// instead, which has processes and thus cannot have controllers. All as runc 1.1 does.
pub(super) fn places(hierarchies: &[Hierarchy], path: Option<&Path>, id: &str) -> Result<Vec<PathBuf>> {
    let path = path.filter(|path| !path.as_os_str().is_empty());
    let (absolute, inner) = match path {
        Some(path) => (path.is_absolute(), clean(path)?),
        None => (false, clean(Path::new(id))?),
    };
    if absolute {
        return Ok(vec![inner; hierarchies.len()]);
    }
    let memberships = memberships()?;
    let alone = matches!(hierarchies, [only] if only.unified);
    hierarchies
        .iter()
        .map(|hierarchy| {
            let own = own_cgroup(hierarchy, &memberships)?;
            Ok(if alone { own.parent().unwrap_or(Path::new("")).join(&inner) } else { own.join(&inner) })
        })
        .collect()
}

/// `path` without its leading slash, `.` and doubled slashes.
fn clean(path: &Path) -> Result<PathBuf> {
    let wrong = |reason: &str| Error::config("linux.cgroupsPath", format!("{}: {reason}", path.display()));
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => return Err(wrong("`..` is not allowed")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    match clean.to_str() {
        None => Err(wrong("not UTF-8")),
        Some("") => Err(wrong("is the root of the hierarchy, no place for a container")),
        Some(text) if text.bytes().any(|byte| byte == 0 || byte == b'\n') => {
            Err(wrong("holds a character that no cgroup may have"))
        }
        Some(_) => Ok(clean),
    }
}

/// This process's own cgroup in `hierarchy`, below its mount point.
fn own_cgroup(hierarchy: &Hierarchy, memberships: &[Membership]) -> Result<PathBuf> {
    let unclear = |path: &Path| {
        let reason =
            format!("relative to this process's own cgroup {}, which is out of sight", path.display());
        Error::unsupported("linux.cgroupsPath", reason)
    };
    let own = memberships
        .iter()
        .find(|membership| membership.controllers == hierarchy.controllers)
        .map(|membership| &membership.path)
        .ok_or_else(|| unclear(&hierarchy.mount))?;
    let inner = own.strip_prefix("/").unwrap_or(own);
    if own.components().any(|component| component == Component::ParentDir) || own.to_str().is_none() {
        return Err(unclear(own));
    }
    if inner.as_os_str().is_empty() || hierarchy.mount.join(inner).is_dir() {
        return Ok(inner.to_owned());
    }
    // In a container without a cgroup namespace only the container's own part of the hierarchy is mounted.
    let mounts = mountinfo()?;
    let root = mounts.iter().find(|mounted| mounted.mount == hierarchy.mount).map(|mounted| &mounted.root);
    root.and_then(|root| own.strip_prefix(root).ok()).map(Path::to_owned).ok_or_else(|| unclear(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_is_read_whatever_bytes_it_holds() {
        let lines: [&[u8]; 5] = [
            b"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
            b"32 31 0:29 / /sys/fs/my\\040cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct",
            b"33 31 0:30 / /bad\xff rw - cgroup cgroup rw,memory",
            b"34 31 0:31 /docker/x /unified rw - cgroup2 cgroup2 rw,nsdelegate",
            b"35 short",
        ];
        let mounts: Vec<_> = lines.into_iter().filter_map(mounted).collect();
        let members: Vec<_> = [&b"3:cpu,cpuacct:/a"[..], b"2:memory:/", b"0::/\xff", b"junk", b""]
            .into_iter()
            .filter_map(membership)
            .collect();
        let found = from_mountinfo(&mounts, &members);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].mount, Path::new("/sys/fs/my cgroup/cpu"));
        assert_eq!(found[0].controllers, ["cpu", "cpuacct"]);
        assert!(found[1].unified);
        assert_eq!(mounts[2].root, Path::new("/docker/x"));
    }

    #[test]
    fn escapes_are_undone() {
        for (escaped, plain) in
            [("a\\040b", "a b"), ("\\134040", "\\040"), ("x\\", "x\\"), ("\\09", "\\09"), ("", "")]
        {
            assert_eq!(unescape(escaped.as_bytes()), plain.as_bytes(), "{escaped}");
        }
    }

    #[test]
    fn paths_are_cleaned_and_cannot_climb() {
        for (path, expected) in [("/a/b", "a/b"), ("a//b/./c/", "a/b/c"), ("/docker/x", "docker/x")] {
            assert_eq!(clean(Path::new(path)).unwrap(), Path::new(expected));
        }
        for path in ["/a/../b", "..", "/", ".", "/a\n", "a\0b"] {
            assert!(clean(Path::new(path)).is_err(), "{path:?}");
        }
    }

    #[test]
    fn hierarchies_mounted_together_have_several_names() {
        let both = ["cpu".to_owned(), "cpuacct".to_owned()];
        assert_eq!(directory_names(&both), ["cpu,cpuacct", "cpuacct,cpu", "cpu", "cpuacct"]);
        assert_eq!(directory_names(&["name=systemd".to_owned()]), ["systemd"]);
    }
}
