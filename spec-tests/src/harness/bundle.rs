//! Bundles: a directory with a config.json and an image that holds little but the payload.

use super::Verdict;
use crate::payload;
use serde_json::{Value, json};
use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

/// The capabilities of the process unless a case says otherwise: a few, so that both a lack and an excess show.
pub(crate) const CAPABILITIES: [&str; 3] = ["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"];

/// A file in every image, by which a process sees whether its root is an image.
pub(crate) const MARK: &str = "corten-rootfs-mark";

/// A bundle that a case may change before the runtime sees it.
pub(crate) struct Bundle {
    /// Its directory.
    pub(crate) dir: PathBuf,
    /// What [`Bundle::write`] writes as config.json.
    pub(crate) config: Value,
}

impl Bundle {
    /// A bundle at `dir` for cgroup `cgroup`, whose process reports and ends.
    pub(crate) fn new(dir: PathBuf, payload: &Path, cgroup: &str) -> io::Result<Self> {
        let root = dir.join("rootfs");
        for name in ["bin", "dev", "etc", "proc", "run", "sys", "tmp"] {
            fs::create_dir_all(root.join(name))?;
        }
        fs::hard_link(payload, root.join(payload::PATH.trim_start_matches('/')))?;
        fs::write(root.join(MARK), "")?;
        fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
        Ok(Self { dir, config: config(cgroup) })
    }

    /// The image's directory.
    pub(crate) fn rootfs(&self) -> PathBuf {
        self.dir.join("rootfs")
    }

    /// The host's path of `path` in the image.
    pub(crate) fn inside(&self, path: &str) -> PathBuf {
        self.rootfs().join(path.trim_start_matches('/'))
    }

    /// Makes a file in the image, with its parents.
    pub(crate) fn file(&self, path: &str, text: &str) -> io::Result<&Self> {
        let path = self.inside(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
        Ok(self)
    }

    /// Makes an executable script in the image.
    pub(crate) fn script(&self, path: &str, text: &str) -> io::Result<&Self> {
        self.file(path, text)?;
        fs::set_permissions(self.inside(path), fs::Permissions::from_mode(0o755))?;
        Ok(self)
    }

    /// Makes a directory in the image, with its parents.
    pub(crate) fn directory(&self, path: &str) -> io::Result<&Self> {
        fs::create_dir_all(self.inside(path))?;
        Ok(self)
    }

    /// Makes a symbolic link in the image.
    pub(crate) fn link(&self, path: &str, to: &str) -> io::Result<&Self> {
        symlink(to, self.inside(path))?;
        Ok(self)
    }

    /// The process becomes the payload with these arguments.
    pub(crate) fn payload(&mut self, arguments: &[&str]) -> &mut Self {
        let all: Vec<&str> = [payload::PATH].iter().chain(arguments).copied().collect();
        self.config["process"]["args"] = json!(all);
        self
    }

    /// The payload, which reports, makes this attempt too.
    pub(crate) fn probe(&mut self, probe: impl Into<String>) -> &mut Self {
        if let Some(arguments) = self.config["process"]["args"].as_array_mut() {
            arguments.push(Value::from(probe.into()));
        }
        self
    }

    /// Adds a mount.
    pub(crate) fn mount(&mut self, at: &str, kind: &str, source: &str, options: &[&str]) -> &mut Self {
        let mount = json!({"destination": at, "type": kind, "source": source, "options": options});
        self.push("/mounts", mount)
    }

    /// Adds a namespace, new or by path.
    pub(crate) fn namespace(&mut self, kind: &str, path: Option<&str>) -> &mut Self {
        let namespace =
            path.map_or_else(|| json!({"type": kind}), |path| json!({"type": kind, "path": path}));
        self.push("/linux/namespaces", namespace)
    }

    /// Takes the namespace of this type off the list.
    pub(crate) fn without_namespace(&mut self, kind: &str) -> &mut Self {
        if let Some(list) = self.config["linux"]["namespaces"].as_array_mut() {
            list.retain(|entry| entry["type"] != kind);
        }
        self
    }

    /// Takes the mount at `path` off the list.
    pub(crate) fn without_mount(&mut self, path: &str) -> &mut Self {
        if let Some(list) = self.config["mounts"].as_array_mut() {
            list.retain(|entry| entry["destination"] != path);
        }
        self
    }

    /// A new user namespace in which ids 0 to `size` are the host's from `host` on; the image belongs to them.
    pub(crate) fn user_namespace(&mut self, host: u32, size: u32) -> io::Result<&mut Self> {
        let map = json!([{"containerID": 0, "hostID": host, "size": size}]);
        self.config["linux"]["uidMappings"] = map.clone();
        self.config["linux"]["gidMappings"] = map;
        self.namespace("user", None);
        // The directories alone: the payload is one file for all images.
        let root = self.rootfs();
        for entry in fs::read_dir(&root)?.flatten() {
            if entry.file_type()?.is_dir() {
                std::os::unix::fs::chown(entry.path(), Some(host), Some(host))?;
            }
        }
        std::os::unix::fs::chown(root, Some(host), Some(host))?;
        Ok(self)
    }

    /// Adds `value` to the list at JSON pointer `place`, which is made if need be.
    pub(crate) fn push(&mut self, place: &str, value: Value) -> &mut Self {
        let mut at = &mut self.config;
        for key in place.split('/').skip(1) {
            at = &mut at[key];
        }
        match at.as_array_mut() {
            Some(list) => list.push(value),
            None => *at = json!([value]),
        }
        self
    }

    /// Adds a hook of this kind: the payload, which puts what it is given on record in `file`. `path` is where the
    /// payload is for that kind of hook; `then` is what it does after.
    pub(crate) fn hook(
        &mut self,
        kind: &str,
        path: &Path,
        file: &Path,
        label: &str,
        then: &[&str],
    ) -> &mut Self {
        let file = file.to_string_lossy();
        let words = ["payload", "hook", &*file, label];
        let arguments: Vec<&str> = words.into_iter().chain(then.iter().copied()).collect();
        self.push(&format!("/hooks/{kind}"), json!({"path": path, "args": arguments}))
    }

    /// Writes config.json.
    pub(crate) fn write(&self) -> Verdict<&Self> {
        fs::write(self.dir.join("config.json"), serde_json::to_vec(&self.config)?)?;
        Ok(self)
    }
}

fn config(cgroup: &str) -> Value {
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": [payload::PATH, "report"],
            "env": ["PATH=/bin", "CORTEN=steel"],
            "cwd": "/",
            "capabilities": {
                "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES,
            },
        },
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}],
        },
    })
}
