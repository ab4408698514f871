//! `linux.intelRdt`, config-linux.md "IntelRdt": a group of the resctrl file system, which shares out caches and memory
//! bandwidth, and a monitoring group in it. The kernel's Documentation/filesystems/resctrl.rst.

use crate::{
    Error, ErrorKind, Result,
    spec::{LinuxIntelRdt, Spec},
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The group of a container. It is kept in state.json.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    root: PathBuf,
    dir: PathBuf,
    /// It is named after the container and goes with it; one of a `closID` may be others' too and stays.
    own: bool,
    monitor: Option<PathBuf>,
}

impl Group {
    /// Decides where the group of container `id` is; makes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where resctrl is not mounted.
    pub(crate) fn of(spec: &Spec, id: &str) -> Result<Option<Self>> {
        let Some(rdt) = spec.linux.as_ref().and_then(|linux| linux.intel_rdt.as_ref()) else {
            return Ok(None);
        };
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let root = mount_point(&table)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "linux.intelRdt: resctrl is not mounted"))?;
        Ok(Some(Self::at(root, rdt, id)))
    }

    fn at(root: &Path, rdt: &LinuxIntelRdt, id: &str) -> Self {
        let name = rdt.clos_id.as_deref();
        let dir = match name {
            Some("/") => root.to_owned(),
            name => root.join(name.unwrap_or(id)),
        };
        let asked = rdt.enable_monitoring || rdt.enable_cmt || rdt.enable_mbm;
        let monitor = asked.then(|| dir.join("mon_groups").join(id));
        Self { root: root.to_owned(), dir, own: name.is_none(), monitor }
    }

    /// Makes the group, and writes its schemata; a group of a `closID` that is there already must have them.
    ///
    /// # Errors
    /// The kernel's answer, and what it says in `info/last_cmd_status`. What was made is removed again.
    pub(crate) fn create(&self, spec: &Spec) -> Result<()> {
        let rdt = spec.linux.as_ref().and_then(|linux| linux.intel_rdt.as_ref());
        let lines = rdt.map(schemata).unwrap_or_default();
        let made = match fs::create_dir(&self.dir) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !self.own => false,
            Err(error) => return Err(self.failed("make it", error)),
        };
        let outcome = match made {
            true => self.write_schemata(&lines),
            false => self.compare(&lines),
        };
        outcome.and_then(|()| self.create_monitor()).inspect_err(|_| {
            if made {
                let _ = fs::remove_dir(&self.dir);
            }
        })
    }

    /// Changes the shares that `lines` name.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(crate) fn update(&self, lines: &[String]) -> Result<()> {
        self.write_schemata(lines)
    }

    fn create_monitor(&self) -> Result<()> {
        let Some(monitor) = &self.monitor else { return Ok(()) };
        fs::create_dir(monitor).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let message = "linux.intelRdt.enableMonitoring: this host's resctrl monitors nothing";
                Error::new(ErrorKind::Unsupported, message)
            }
            _ => self.failed("make its monitoring group", error),
        })
    }

    fn write_schemata(&self, lines: &[String]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        fs::write(self.dir.join("schemata"), text).map_err(|error| self.failed("write schemata", error))
    }

    /// Whether the group has what `lines` say.
    fn compare(&self, lines: &[String]) -> Result<()> {
        let has = fs::read_to_string(self.dir.join("schemata"));
        let has = has.map_err(|error| self.failed("read schemata", error))?;
        let has: Vec<_> = has.lines().flat_map(shares).collect();
        match lines.iter().find(|line| !shares(line).iter().all(|share| has.contains(share))) {
            None => Ok(()),
            Some(line) => {
                let message = format!("linux.intelRdt: the group {} has not {line:?}", self.dir.display());
                Err(Error::new(ErrorKind::InvalidConfig, message))
            }
        }
    }

    /// Moves the process `pid` in.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(crate) fn attach(&self, pid: i32) -> Result<()> {
        [Some(&self.dir), self.monitor.as_ref()].into_iter().flatten().try_for_each(|dir| {
            let error = fs::write(dir.join("tasks"), pid.to_string()).err();
            error.map_or(Ok(()), |error| Err(self.failed("write tasks", error)))
        })
    }

    /// Removes what is the container's own.
    ///
    /// # Errors
    /// The kernel's answer; what is gone already is none.
    pub(crate) fn delete(&self) -> Result<()> {
        let own = self.own.then_some(&self.dir);
        [self.monitor.as_ref(), own].into_iter().flatten().try_for_each(|dir| match fs::remove_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed("remove it", error)),
            _ => Ok(()),
        })
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        let said = fs::read_to_string(self.root.join("info/last_cmd_status")).unwrap_or_default();
        let said = match said.trim() {
            "" | "ok" => String::new(),
            said => format!(" ({})", said.replace('\n', "; ")),
        };
        Error::io(format!("linux.intelRdt: group {}: {what}{said}", self.dir.display()), error)
    }
}

/// Where resctrl is mounted, by proc_pid_mountinfo(5).
fn mount_point(table: &str) -> Option<&Path> {
    let mut lines = table.lines().filter_map(|line| line.split_once(" - "));
    let (fields, _) = lines.find(|(_, kind)| kind.starts_with("resctrl "))?;
    fields.split(' ').nth(4).map(Path::new)
}

/// The lines to write. `schemata` stands for all; else those of the cache, of which a line on bandwidth gives way to
/// `memBwSchema`.
fn schemata(rdt: &LinuxIntelRdt) -> Vec<String> {
    if !rdt.schemata.is_empty() {
        return rdt.schemata.clone();
    }
    let bandwidth = rdt.mem_bw_schema.as_deref().filter(|line| !line.is_empty());
    let cache = rdt.l3_cache_schema.iter().flat_map(|text| text.lines()).filter(|line| !line.is_empty());
    let cache = cache.filter(|line| bandwidth.is_none() || !line.trim_start().starts_with("MB:"));
    cache.chain(bandwidth).map(str::to_owned).collect()
}

/// What a line as `L3:0=7f0;1=1f` gives: the resource, the domain and the share, without leading zeros.
fn shares(line: &str) -> Vec<(&str, &str, String)> {
    let Some((resource, list)) = line.split_once(':') else { return Vec::new() };
    let parts = list.split(';').filter_map(|part| part.split_once('='));
    let share = |share: &str| share.trim().trim_start_matches('0').to_ascii_lowercase();
    parts.map(|(domain, value)| (resource.trim(), domain.trim(), share(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A folder that stands for a resctrl file system: its own files do not come with a new group.
    struct Made(PathBuf);

    impl Made {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("corten-resctrl-{name}-{}", std::process::id()));
            fs::create_dir_all(dir.join("info")).unwrap();
            fs::create_dir_all(dir.join("shared/mon_groups")).unwrap();
            fs::write(dir.join("shared/schemata"), "    MB:0=100;1=100\n    L3:0=07f0;1=1f\n").unwrap();
            Self(dir)
        }

        fn group(&self, rdt: &Value) -> (Group, Spec) {
            let spec: Spec =
                serde_json::from_value(json!({"ociVersion": "1.3.0", "linux": {"intelRdt": rdt}})).unwrap();
            let rdt = spec.linux.as_ref().unwrap().intel_rdt.clone().unwrap();
            (Group::at(&self.0, &rdt, "c1"), spec)
        }

        fn read(&self, path: &str) -> String {
            fs::read_to_string(self.0.join(path)).unwrap()
        }
    }

    impl Drop for Made {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_group_of_the_containers_own_is_made_and_removed() {
        let made = Made::new("own");
        let rdt = json!({"l3CacheSchema": "L3:0=f\nMB:0=10", "memBwSchema": "MB:0=20;1=70"});
        let (group, spec) = made.group(&rdt);
        group.create(&spec).unwrap();
        assert_eq!(made.read("c1/schemata"), "L3:0=f\nMB:0=20;1=70\n");
        group.attach(42).unwrap();
        assert_eq!(made.read("c1/tasks"), "42");
        assert!(group.create(&spec).unwrap_err().report().contains("File exists"));
        for file in ["schemata", "tasks"] {
            fs::remove_file(made.0.join("c1").join(file)).unwrap(); // resctrl's own go with the group
        }
        group.delete().unwrap();
        assert!(!made.0.join("c1").exists());
        group.delete().unwrap();
    }

    #[test]
    fn a_class_that_is_there_must_have_the_schemata_and_stays() {
        let made = Made::new("shared");
        let (group, spec) =
            made.group(&json!({"closID": "shared", "schemata": ["L3:1=1F;0=7f0"], "enableMonitoring": true}));
        group.create(&spec).unwrap();
        group.attach(7).unwrap();
        assert_eq!(made.read("shared/tasks"), "7");
        assert_eq!(made.read("shared/mon_groups/c1/tasks"), "7");
        fs::remove_file(made.0.join("shared/mon_groups/c1/tasks")).unwrap();
        group.delete().unwrap();
        assert!(made.0.join("shared").exists() && !made.0.join("shared/mon_groups/c1").exists());

        let (other, spec) = made.group(&json!({"closID": "shared", "schemata": ["L3:0=7ff"]}));
        let error = other.create(&spec).unwrap_err().report();
        assert!(
            error.starts_with("linux.intelRdt: the group ") && error.ends_with("has not \"L3:0=7ff\""),
            "{error}"
        );
    }

    #[test]
    fn what_resctrl_says_is_told_and_nothing_is_left() {
        let made = Made::new("said");
        fs::write(made.0.join("info/last_cmd_status"), "no free CLOSIDs\n").unwrap();
        let (group, spec) = made.group(&json!({"closID": "new", "enableMonitoring": true}));
        let error = group.create(&spec).unwrap_err().report();
        assert!(error.contains("enableMonitoring") && !made.0.join("new").exists(), "{error}");
        let error = group.attach(1).unwrap_err().report();
        assert!(error.contains("write tasks (no free CLOSIDs): No such file"), "{error}");
    }

    #[test]
    fn the_root_is_a_class_too() {
        let made = Made::new("root");
        let (group, _) = made.group(&json!({"closID": "/"}));
        assert_eq!((&group.dir, group.own, &group.monitor), (&made.0, false, &None));
    }

    #[test]
    fn the_mount_is_found() {
        let table = "24 1 0:22 / /sys rw - sysfs sysfs rw\n61 24 0:50 / /sys/fs/resctrl rw shared:9 - resctrl resctrl rw\n";
        assert_eq!(mount_point(table), Some(Path::new("/sys/fs/resctrl")));
        assert_eq!(mount_point("24 1 0:22 / /resctrl rw - sysfs resctrl rw\n"), None);
    }
}
