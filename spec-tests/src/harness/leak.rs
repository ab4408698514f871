//! What a case leaves behind: processes, mounts, cgroups and state directories. After each case there is to be what was
//! there before it.

use super::{Test, machine::Hierarchy};
use nix::{
    mount::{MntFlags, umount2},
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The mount points of this process's namespace.
pub(crate) fn mounts() -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let places = table.lines().filter_map(crate::payload::mount_line);
    places
        .map(|m| format!("{} at {}", m["type"].as_str().unwrap_or("?"), m["at"].as_str().unwrap_or("?")))
        .collect()
}

/// All that `test` left, in words. Waits a little for processes that are about to end.
pub(super) fn find(test: &Test, before: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    let quiet = super::call::within(Duration::from_secs(2), || descendants().is_empty().then_some(()));
    if quiet.is_none() {
        for pid in descendants() {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            found.push(format!(
                "process {pid} ({})",
                String::from_utf8_lossy(&words).replace('\0', " ").trim_end()
            ));
        }
    }
    found.extend(mounts().difference(before).map(|mount| format!("mount {mount}")));
    found.extend(before.difference(&mounts()).map(|mount| format!("an unmounted {mount}")));
    found.extend(cgroups(test).iter().map(|path| format!("cgroup {}", path.display())));
    for entry in fs::read_dir(test.root()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.push(format!("state {name}"));
        }
    }
    found
}

/// Removes what [`find`] finds.
pub(super) fn remove(test: &Test, before: &BTreeSet<String>) {
    for _ in 0..3 {
        for pid in descendants() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        super::call::within(Duration::from_millis(500), || descendants().is_empty().then_some(()));
    }
    for mount in mounts().difference(before) {
        if let Some((_, at)) = mount.split_once(" at ") {
            let _ = umount2(at, MntFlags::MNT_DETACH);
        }
    }
    for cgroup in cgroups(test) {
        remove_cgroup(&cgroup);
    }
}

/// The live descendants of this process, which is a subreaper; the ended ones are reaped.
fn descendants() -> Vec<i32> {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            break;
        }
    }
    below(i32::try_from(std::process::id()).unwrap_or_default())
}

/// All processes below `pid`.
pub(crate) fn below(pid: i32) -> Vec<i32> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|text| text.parse().ok()) {
            found.push(child);
            found.extend(below(child));
        }
    }
    found
}

/// The cgroups in whose name this case's tag stands.
fn cgroups(test: &Test) -> Vec<PathBuf> {
    let parent = test.cgroup_parent().trim_start_matches('/');
    let mut found = Vec::new();
    for hierarchy in &test.machine.hierarchies {
        for dir in [hierarchy.at.clone(), hierarchy.at.join(parent)] {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            let own = entries.filter(|entry| entry.file_name().to_string_lossy().contains(test.tag()));
            found.extend(own.map(|entry| entry.path()));
        }
    }
    found
}

/// Removes a cgroup and those below it, ending what is in them.
pub(crate) fn remove_cgroup(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroup(&entry.path());
        }
    }
    let _ = fs::write(path.join("cgroup.freeze"), "0");
    let _ = fs::write(path.join("freezer.state"), "THAWED");
    for pid in fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default().lines() {
        if let Ok(pid) = pid.parse() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    super::call::within(Duration::from_millis(500), || fs::remove_dir(path).is_ok().then_some(()));
}

/// How long the real-time processes of a cgroup v1 may run in each period, in microseconds.
pub(crate) const RT_RUNTIME: &str = "cpu.rt_runtime_us";

/// The cgroups above those of the suite, one in each hierarchy, as long as the suite runs.
pub(super) struct Parents {
    dirs: Vec<PathBuf>,
    /// The files in which controllers were switched on, and what switches them off again.
    switched: Vec<(PathBuf, String)>,
}

impl Parents {
    /// Makes them, fit to hold others.
    pub(super) fn make(hierarchies: &[Hierarchy], parent: &str) -> std::io::Result<Self> {
        let mut made = Self { dirs: Vec::new(), switched: Vec::new() };
        for hierarchy in hierarchies {
            let dir = hierarchy.at.join(parent.trim_start_matches('/'));
            fs::create_dir_all(&dir)?;
            if hierarchy.v2 {
                made.switch_on(hierarchy, &dir);
            } else if hierarchy.controllers.iter().any(|name| name == "cpuset") {
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    fs::write(dir.join(file), fs::read(hierarchy.at.join(file))?)?;
                }
            } else if dir.join(RT_RUNTIME).exists() {
                // Real-time processes need a share of their cgroup's; where none can be had, their cases are skipped.
                let _ = fs::write(dir.join(RT_RUNTIME), "400000");
            }
            made.dirs.push(dir);
        }
        Ok(made)
    }

    fn switch_on(&mut self, hierarchy: &Hierarchy, dir: &Path) {
        let root = hierarchy.at.join("cgroup.subtree_control");
        let on = fs::read_to_string(&root).unwrap_or_default();
        for name in &hierarchy.controllers {
            let new = !on.split_whitespace().any(|other| other == name);
            if new && fs::write(&root, format!("+{name}")).is_ok() {
                self.switched.push((root.clone(), format!("-{name}")));
            }
            // A controller that cannot be had below the root is missing in its cases' eyes too.
            let _ = fs::write(dir.join("cgroup.subtree_control"), format!("+{name}"));
        }
    }

    /// Removes them and all below.
    pub(super) fn remove(&self) {
        self.dirs.iter().for_each(|dir| remove_cgroup(dir));
        for (file, off) in &self.switched {
            let _ = fs::write(file, off);
        }
    }
}
