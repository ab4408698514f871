//! What this machine has, looked at and never assumed.

use super::{Verdict, Version, skip};
use crate::payload;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// How cgroups are mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cgroups {
    /// Controllers on version 1 only.
    V1,
    /// Version 2 alone.
    V2,
    /// Version 1, and version 2 beside it.
    Hybrid,
    /// None are mounted.
    None,
}

/// One mounted hierarchy.
#[derive(Clone, Debug)]
pub(crate) struct Hierarchy {
    /// Where it is mounted.
    pub(crate) at: PathBuf,
    /// Its controllers, or `name=...`; of version 2 what cgroup.controllers says.
    pub(crate) controllers: Vec<String>,
    /// Whether it is version 2.
    pub(crate) v2: bool,
}

/// The hierarchies that this process's mount table shows.
pub(crate) fn hierarchies() -> Vec<Hierarchy> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut found: Vec<Hierarchy> = Vec::new();
    for mount in table.lines().filter_map(payload::mount_line) {
        let v2 = match mount["type"].as_str() {
            Some("cgroup") => false,
            Some("cgroup2") => true,
            _ => continue,
        };
        let at = PathBuf::from(mount["at"].as_str().unwrap_or_default());
        if mount["root"] != "/" || found.iter().any(|other| other.at == at) {
            continue;
        }
        let controllers = if v2 {
            let text = fs::read_to_string(at.join("cgroup.controllers")).unwrap_or_default();
            text.split_whitespace().map(str::to_owned).collect()
        } else {
            let known = |word: &str| !matches!(word, "rw" | "ro" | "xattr" | "noprefix" | "clone_children");
            let words = mount["super"].as_array().into_iter().flatten().filter_map(Value::as_str);
            words.filter(|word| known(word)).map(str::to_owned).collect()
        };
        found.push(Hierarchy { at, controllers, v2 });
    }
    found
}

/// Which kind these hierarchies are.
pub(crate) fn kind(hierarchies: &[Hierarchy]) -> Cgroups {
    match (hierarchies.iter().any(|h| !h.v2), hierarchies.iter().any(|h| h.v2)) {
        (true, true) => Cgroups::Hybrid,
        (true, false) => Cgroups::V1,
        (false, true) => Cgroups::V2,
        (false, false) => Cgroups::None,
    }
}

/// The machine, as a case asks about it.
pub(crate) struct Machine {
    /// The hierarchies mounted.
    pub(crate) hierarchies: Vec<Hierarchy>,
    /// Their kind.
    pub(crate) cgroups: Cgroups,
    capabilities: u64,
}

impl Machine {
    /// Looks at it.
    pub(crate) fn new() -> Self {
        let hierarchies = hierarchies();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or_default();
        let capabilities = u64::from_str_radix(line.trim(), 16).unwrap_or_default();
        Self { cgroups: kind(&hierarchies), hierarchies, capabilities }
    }

    /// Skips unless the suite itself holds capability `number`.
    pub(crate) fn needs_capability(&self, number: u32, name: &str) -> Verdict {
        if self.capabilities >> number & 1 == 1 {
            Ok(())
        } else {
            skip(format!("this machine grants no {name}"))
        }
    }

    /// Whether the suite holds capability `number`.
    pub(crate) fn has_capability(&self, number: u32) -> bool {
        self.capabilities >> number & 1 == 1
    }

    /// The mount point of `controller` on version 1, or a skip.
    pub(crate) fn v1(&self, controller: &str) -> Verdict<&Path> {
        let found = self.hierarchies.iter().find(|h| !h.v2 && h.controllers.iter().any(|c| c == controller));
        found.map_or_else(
            || skip(format!("no {controller} controller on cgroup v1 here")),
            |h| Ok(h.at.as_path()),
        )
    }

    /// The mount point of version 2 where it is alone and has `controller`, or a skip.
    pub(crate) fn v2(&self, controller: Option<&str>) -> Verdict<&Path> {
        if self.cgroups != Cgroups::V2 {
            return skip("not a pure cgroup v2 machine (see --cgroup)");
        }
        let Some(root) = self.hierarchies.iter().find(|h| h.v2) else { return skip("no cgroup v2") };
        match controller {
            Some(name) if !root.controllers.iter().any(|c| c == name) => {
                skip(format!("no {name} controller on cgroup v2 here"))
            }
            _ => Ok(&root.at),
        }
    }

    /// Skips unless cgroups control devices here: the controller of version 1, or programs on version 2 alone.
    pub(crate) fn needs_device_control(&self) -> Verdict {
        if self.cgroups == Cgroups::V2 { Ok(()) } else { self.v1("devices").map(drop) }
    }

    /// Skips unless `path` exists.
    pub(crate) fn needs_file(&self, path: &str, what: &str) -> Verdict {
        if Path::new(path).exists() { Ok(()) } else { skip(format!("{what}: no {path} here")) }
    }

    /// Skips unless the kernel is of this version or a later one.
    pub(crate) fn needs_kernel(&self, major: u32, minor: u32, what: &str) -> Verdict {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse().ok());
        if numbers.next().zip(numbers.next()) >= Some((major, minor)) {
            Ok(())
        } else {
            skip(format!("Linux {major}.{minor} {what}, this is {}", release.trim()))
        }
    }

    /// Skips unless the kernel lists this file system.
    pub(crate) fn needs_filesystem(&self, name: &str) -> Verdict {
        let list = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        let known = list.lines().any(|line| line.split_whitespace().next_back() == Some(name));
        if known { Ok(()) } else { skip(format!("this kernel has no {name} file system")) }
    }
}

/// What the runtime says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Claims {
    /// The newest version of the specification that it claims to follow.
    pub(crate) version: Version,
    /// The first line of `--version`.
    pub(crate) name: String,
}

impl Claims {
    /// Asks `runtime` by `features` and by `--version`.
    pub(crate) fn of(runtime: &Path) -> Self {
        let output = |argument: &str| {
            let done = Command::new(runtime).arg(argument).stdin(Stdio::null()).output().ok();
            done.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default()
        };
        let told = output("--version");
        let features: Value = serde_json::from_str(&output("features")).unwrap_or_default();
        let spec = told.lines().find_map(|line| line.strip_prefix("spec:")).and_then(Version::parse);
        let newest = features["ociVersionMax"].as_str().and_then(Version::parse);
        let version = match (spec, newest) {
            (Some(a), Some(b)) if a > b => a,
            (a, b) => b.or(a).unwrap_or(Version(1, 0)),
        };
        Self { version, name: told.lines().next().unwrap_or("unknown").to_owned() }
    }

    /// Asks a shim by `-v`.
    pub(crate) fn of_shim(shim: &Path) -> Self {
        let done = Command::new(shim).arg("-v").stdin(Stdio::null()).output().ok();
        let told = done.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default();
        let lines = || told.lines().map(str::trim);
        let version = lines().find_map(|line| line.strip_prefix("Version:")).unwrap_or("of no version");
        let file = shim.file_name().unwrap_or_default().to_string_lossy();
        Self { version: Version(1, 0), name: format!("{file} {}", version.trim()) }
    }
}
