//! The cgroup that the shim itself is put into: the option `ShimCgroup`.

use crate::error::{Error, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Moves this process into the cgroup `path` of every hierarchy that has it.
pub(crate) fn join(path: &str) -> Result<()> {
    let table = fs::read_to_string("/proc/self/mountinfo")
        .map_err(|error| Error::io("/proc/self/mountinfo: read", error))?;
    let mut joined = false;
    for mount in table.lines().filter_map(cgroup_mount) {
        let dir = mount.join(path.trim_start_matches('/'));
        if !dir.is_dir() {
            continue;
        }
        fs::write(dir.join("cgroup.procs"), "0")
            .map_err(|error| Error::io(format!("{}: join", dir.display()), error))?;
        joined = true;
    }
    match joined {
        true => Ok(()),
        false => Err(Error::unknown(format!("cgroup {path} does not exist"))),
    }
}

/// Where a whole hierarchy of cgroups is mounted, if the line of mountinfo, proc(5), is that of one.
fn cgroup_mount(line: &str) -> Option<PathBuf> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let kind = filesystem.split(' ').next()?;
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    (matches!(kind, "cgroup" | "cgroup2") && root == "/").then(|| Path::new(point).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_found_in_mountinfo() {
        let line = "32 28 0:27 / /sys/fs/cgroup/pids rw,nosuid - cgroup cgroup rw,pids";
        assert_eq!(cgroup_mount(line), Some("/sys/fs/cgroup/pids".into()));
        assert_eq!(cgroup_mount("32 28 0:27 /x /m rw shared:1 - cgroup2 none rw"), None);
        assert_eq!(cgroup_mount("25 28 0:23 / /proc rw - proc proc rw"), None);
    }
}
