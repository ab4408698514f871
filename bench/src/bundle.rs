//! Bundles: an image that holds busybox alone, and a config.json of one of a few kinds.

use crate::Result;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::{Value, json};
use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// The program of the images: static, as Debian's `busybox-static` has it.
pub const BUSYBOX: &str = "/bin/busybox";

/// As Docker wrote it, with its seccomp profile.
const DOCKER: &str = include_str!("../../spec-tests/bundles/docker.json");

/// What kind of container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What runtimes' own command `spec` writes, but for the terminal.
    Default,
    /// Docker's configuration, but for what needs its daemon.
    Docker,
    /// The default one and so many bind mounts.
    Mounts(usize),
}

impl Kind {
    /// By its name: `default`, `docker`, `mounts:N`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.split_once(':') {
            None if name == "default" => Some(Self::Default),
            None if name == "docker" => Some(Self::Docker),
            Some(("mounts", count)) => count.parse().ok().map(Self::Mounts),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Default => "default".to_owned(),
            Self::Docker => "docker".to_owned(),
            Self::Mounts(count) => format!("mounts:{count}"),
        }
    }

    /// Its bind mounts.
    #[must_use]
    pub fn mounts(self) -> usize {
        if let Self::Mounts(count) = self { count } else { 0 }
    }

    /// Its config.json, for a process of these arguments.
    fn config(self, arguments: &[&str]) -> Result<Value> {
        let mut config = match self {
            Self::Docker => docker()?,
            Self::Default | Self::Mounts(_) => default(),
        };
        if let Some(mounts) = config["mounts"].as_array_mut() {
            let bind = |number| {
                let destination = format!("/mnt/{number}");
                json!({"destination": destination, "type": "bind", "source": "/etc", "options": ["rbind", "ro"]})
            };
            mounts.extend((0..self.mounts()).map(bind));
        }
        config["process"]["args"] = json!(arguments);
        Ok(config)
    }
}

fn default() -> Value {
    let capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
    let mount = |destination: &str, kind: &str, options: &[&str]| {
        let source = destination.rsplit('/').next().filter(|name| *name == "shm").unwrap_or(kind);
        json!({"destination": destination, "type": kind, "source": source, "options": options})
    };
    let namespaces = ["pid", "network", "ipc", "uts", "mount"].map(|kind| json!({ "type": kind }));
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "noNewPrivileges": true,
            "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "bench",
        "mounts": [
            mount("/proc", "proc", &[]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
            mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            mount("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"])
        ],
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": namespaces,
            "maskedPaths": [
                "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"
            ],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    })
}

fn docker() -> Result<Value> {
    let mut config: Value = serde_json::from_str(DOCKER).map_err(|error| format!("docker.json: {error}"))?;
    // Hooks call the daemon, bind mounts are of files of its own, and the cgroup is below one that it makes.
    if let Some(object) = config.as_object_mut() {
        object.remove("hooks");
    }
    if let Some(mounts) = config["mounts"].as_array_mut() {
        mounts.retain(|mount| mount["type"] != "bind");
    }
    if let Some(linux) = config["linux"].as_object_mut() {
        linux.remove("cgroupsPath");
    }
    config["process"]["terminal"] = json!(false);
    config["root"]["path"] = json!("rootfs");
    Ok(config)
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

/// A bundle on disk, and a directory for the runtime's state; removed when it is dropped.
#[derive(Debug)]
pub struct Bundle {
    dir: PathBuf,
    kind: Kind,
}

impl Bundle {
    /// Makes one in the system's directory for temporary files.
    ///
    /// # Errors
    /// If it cannot be written, or there is no busybox.
    pub fn new(name: &str, kind: Kind) -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("corten-bench-{}-{name}", std::process::id()));
        let bundle = Self { dir, kind };
        bundle.image().map_err(|error| format!("make the bundle {}: {error}", bundle.dir.display()))?;
        Ok(bundle)
    }

    fn image(&self) -> io::Result<()> {
        fs::create_dir_all(self.dir.join("state"))?;
        for name in ["bin", "dev", "etc", "mnt", "proc", "sys", "tmp"] {
            fs::create_dir_all(self.rootfs().join(name))?;
        }
        for number in 0..self.kind.mounts() {
            fs::create_dir_all(self.rootfs().join("mnt").join(number.to_string()))?;
        }
        fs::copy(BUSYBOX, self.rootfs().join("bin/busybox"))?;
        for name in ["sh", "sleep", "true"] {
            symlink("busybox", self.rootfs().join("bin").join(name))?;
        }
        Ok(())
    }

    /// Writes config.json for a process of these arguments.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn process(&self, arguments: &[&str]) -> Result<()> {
        self.process_in(arguments, None)
    }

    /// The same, in the cgroup of this path.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn process_in(&self, arguments: &[&str], cgroup: Option<&str>) -> Result<()> {
        let mut config = self.kind.config(arguments)?;
        if let Some(path) = cgroup {
            config["linux"]["cgroupsPath"] = json!(path);
        }
        let file = self.dir.join("config.json");
        fs::write(&file, config.to_string()).map_err(|error| format!("write {}: {error}", file.display()))
    }

    /// Puts the state into memory, as /run is on hosts. The calling thread is in a mount namespace of its own.
    ///
    /// # Errors
    /// If it cannot be mounted.
    pub fn state_in_memory(&self) -> Result<()> {
        let options = Some("mode=700");
        mount(Some("none"), &self.state(), Some("tmpfs"), MsFlags::empty(), options)
            .map_err(|errno| format!("mount a tmpfs at {}: {}", self.state().display(), errno.desc()))
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its image.
    #[must_use]
    pub fn rootfs(&self) -> PathBuf {
        self.dir.join("rootfs")
    }

    /// Where a runtime may keep its state.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// A file beside config.json.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = umount2(&self.state(), MntFlags::MNT_DETACH);
        let _ = fs::remove_dir_all(&self.dir);
    }
}
