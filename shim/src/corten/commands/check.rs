//! `corten check`: what this host can do for containers.

use super::Host;
use crate::{failure::Failure, output};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use runtime_core::Criu;
use std::{fs, io, path::Path};

/// The floor: mount_setattr(2) on a mapped mount, close_range(2), openat2(2) and clone3(2) are all there.
const OLDEST_KERNEL: (u32, u32) = (5, 14);

/// What was found of one thing.
enum Found {
    Yes(String),
    /// Containers can do without.
    No(String),
    /// No container can run.
    Missing(String),
}

pub(super) fn run(host: &Host) -> Result<u8, Failure> {
    let program = host.criu.as_deref().unwrap_or(Path::new("criu"));
    let mut findings = vec![("kernel", kernel()), ("privileges", privileges()), ("cgroups", cgroups())];
    findings.extend(NAMESPACES.map(|(title, file)| (title, namespace(file))));
    findings.extend([
        ("seccomp", seccomp()),
        ("AppArmor", module("AppArmor", "/sys/module/apparmor/parameters/enabled")),
        ("SELinux", directory("SELinux", "/sys/fs/selinux/policy")),
        ("CRIU", criu(program)),
    ]);
    let colour = output::colour(&io::stdout());
    let text: String = findings.iter().map(|(title, found)| line(title, found, colour)).collect();
    output::print(&text)?;
    let missing = findings.iter().filter(|(_, found)| matches!(found, Found::Missing(_))).count();
    if missing == 0 {
        Ok(0)
    } else {
        Err(Failure::usage(format!("{missing} of the things above must be there")))
    }
}

const NAMESPACES: [(&str, &str); 8] = [
    ("pid namespaces", "pid"),
    ("mount namespaces", "mnt"),
    ("network namespaces", "net"),
    ("ipc namespaces", "ipc"),
    ("uts namespaces", "uts"),
    ("user namespaces", "user"),
    ("cgroup namespaces", "cgroup"),
    ("time namespaces", "time"),
];

fn line(title: &str, found: &Found, colour: bool) -> String {
    let (mark, code, words) = match found {
        Found::Yes(words) => ("yes", 32, words),
        Found::No(words) => ("no", 33, words),
        Found::Missing(words) => ("MISSING", 31, words),
    };
    let (on, off) = if colour { (format!("\x1b[{code}m"), "\x1b[0m") } else { (String::new(), "") };
    format!("{on}{mark:8}{off}{title:20}{words}\n")
}

fn kernel() -> Found {
    let (major, minor) = OLDEST_KERNEL;
    let release = match fs::read_to_string("/proc/sys/kernel/osrelease") {
        Ok(release) => release.trim().to_owned(),
        Err(error) => return Found::Missing(format!("/proc/sys/kernel/osrelease: {error}")),
    };
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).map_while(|digits| digits.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(one), Some(two)) if (one, two) >= OLDEST_KERNEL => Found::Yes(release),
        _ => Found::Missing(format!("{release}; {major}.{minor} or later is needed")),
    }
}

fn privileges() -> Found {
    if nix::unistd::geteuid().is_root() {
        return Found::Yes("root".to_owned());
    }
    Found::No("not root: a user namespace is needed, and cgroups only as they are delegated".to_owned())
}

fn cgroups() -> Found {
    let is_v2 = |path: &str| statfs(path).is_ok_and(|found| found.filesystem_type() == CGROUP2_SUPER_MAGIC);
    if is_v2("/sys/fs/cgroup") {
        let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        return Found::Yes(format!("v2: {}", controllers.trim()));
    }
    let mounted: Vec<_> =
        fs::read_to_string("/proc/self/cgroup").unwrap_or_default().lines().filter_map(v1_name).collect();
    match (mounted.is_empty(), is_v2("/sys/fs/cgroup/unified")) {
        (true, _) => {
            Found::No("no cgroup file system at /sys/fs/cgroup; containers run without limits".to_owned())
        }
        (false, true) => Found::Yes(format!("v1 and v2 (hybrid): {}", mounted.join(" "))),
        (false, false) => Found::Yes(format!("v1: {}", mounted.join(" "))),
    }
}

/// The controllers of a line of /proc/self/cgroup of v1, where they are mounted.
fn v1_name(line: &str) -> Option<String> {
    let name = line.split(':').nth(1)?;
    let name = name.strip_prefix("name=").unwrap_or(name);
    (!name.is_empty() && Path::new("/sys/fs/cgroup").join(name).is_dir()).then(|| name.to_owned())
}

fn namespace(file: &str) -> Found {
    if !Path::new("/proc/self/ns").join(file).exists() {
        let words = "the kernel is built without them".to_owned();
        return if file == "mnt" { Found::Missing(words) } else { Found::No(words) };
    }
    let limit = fs::read_to_string(format!("/proc/sys/user/max_{file}_namespaces")).unwrap_or_default();
    match limit.trim() {
        "0" => Found::No(format!("user.max_{file}_namespaces is 0")),
        _ => Found::Yes(String::new()),
    }
}

fn seccomp() -> Found {
    match fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail") {
        Ok(actions) => Found::Yes(actions.trim().to_owned()),
        Err(_) => Found::No("the kernel is built without it".to_owned()),
    }
}

fn module(name: &str, parameter: &str) -> Found {
    match fs::read_to_string(parameter) {
        Ok(value) if value.starts_with('Y') => Found::Yes(String::new()),
        Ok(_) => Found::No(format!("{name} is switched off")),
        Err(_) => Found::No("the kernel has none".to_owned()),
    }
}

fn directory(name: &str, path: &str) -> Found {
    if Path::new(path).exists() {
        Found::Yes(String::new())
    } else {
        Found::No(format!("no {name} policy is loaded"))
    }
}

fn criu(program: &Path) -> Found {
    match Criu::ask(program) {
        Ok(Criu { version, lacking: None, mem_track, lazy_pages, .. }) => {
            let has = [(mem_track, ", pre-dump"), (lazy_pages, ", lazy pages")];
            let has: String = has.into_iter().filter(|(has, _)| *has).map(|(_, name)| name).collect();
            Found::Yes(format!("{version}: checkpoint and restore{has}"))
        }
        Ok(Criu { version, lacking: Some(why), .. }) => Found::No(format!("{version}: {why}")),
        Err(error) => Found::No(error.report()),
    }
}
