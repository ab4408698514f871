//! The containers that the operations are tried on: between them they have every part of a runtime at work.

use crate::harness::{Bundle, Hierarchy};
use serde_json::json;
use std::{
    io,
    path::{Path, PathBuf},
};

/// What the container's process ends with where it is to end by itself.
pub(super) const CODE: i32 = 7;

/// A kind of container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Six namespaces, all kinds of mounts, limits, a filter, and all kinds of hooks.
    Plain,
    /// In user and time namespaces of its own, with an id-mapped mount.
    User,
    /// With a terminal, whose master goes to a console socket.
    Terminal,
}

impl Variant {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::User, Self::Terminal];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::User => "user",
            Self::Terminal => "terminal",
        }
    }

    /// Writes a bundle to `dir`, whose process does what `arguments` say to the payload.
    pub(crate) fn bundle(
        self,
        dir: PathBuf,
        payload: &Path,
        cgroup: &str,
        hierarchies: &[Hierarchy],
        arguments: &[&str],
    ) -> io::Result<Bundle> {
        let mut bundle = Bundle::new(dir, payload, cgroup)?;
        bundle.payload(arguments);
        bundle.namespace("network", None).namespace("cgroup", None);
        bundle.mount("/dev/shm", "tmpfs", "shm", &["nosuid", "nodev", "mode=1777"]);
        bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", &["ro", "nosuid"]);
        bundle.config["hostname"] = json!("broken");
        match self {
            Self::Plain => plain(&mut bundle, hierarchies),
            Self::User => user(&mut bundle)?,
            Self::Terminal => bundle.config["process"]["terminal"] = json!(true),
        }
        std::fs::write(bundle.dir.join("config.json"), serde_json::to_vec(&bundle.config)?)?;
        Ok(bundle)
    }
}

fn plain(bundle: &mut Bundle, hierarchies: &[Hierarchy]) {
    bundle.mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec"]);
    bundle.mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "ro"]);
    bundle.mount("/etc/hosts", "bind", "/etc/hosts", &["rbind", "ro"]);
    bundle.mount("/run/new/deep", "bind", "/tmp", &["bind", "nosuid", "rslave"]);
    bundle.mount("/etc", "tmpfs", "tmpfs", &["tmpcopyup"]);
    // What is above another's target comes before it.
    if let Some(mounts) = bundle.config["mounts"].as_array_mut() {
        mounts.sort_by_key(|mount| mount["destination"].as_str().map(str::len));
    }
    let linux = &mut bundle.config["linux"];
    linux["maskedPaths"] = json!(["/proc/kcore", "/sys/firmware", "/tmp"]);
    linux["readonlyPaths"] = json!(["/proc/sys", "/proc/irq"]);
    linux["rootfsPropagation"] = json!("rslave");
    linux["sysctl"] = json!({"net.ipv4.ip_unprivileged_port_start": "80"});
    linux["devices"] =
        json!([{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438}]);
    let has = |name: &str| hierarchies.iter().any(|h| h.controllers.iter().any(|other| other == name));
    let mut resources = json!({"devices": [
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
    ]});
    if has("memory") {
        resources["memory"] = json!({"limit": 268_435_456});
    }
    if has("pids") {
        resources["pids"] = json!({"limit": 100});
    }
    if has("cpu") {
        resources["cpu"] = json!({"shares": 512, "quota": 50_000, "period": 100_000});
    }
    linux["resources"] = resources;
    linux["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["swapon", "reboot"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
    });
    let process = &mut bundle.config["process"];
    process["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 512, "hard": 512}]);
    process["noNewPrivileges"] = json!(true);
    process["oomScoreAdj"] = json!(100);
    process["user"] = json!({"uid": 0, "gid": 0, "additionalGids": [7, 8]});
    let inside = json!({"path": crate::payload::PATH, "args": ["payload", "exit", "0"]});
    let outside = json!({"path": bundle.inside(crate::payload::PATH), "args": ["payload", "exit", "0"]});
    bundle.config["hooks"] = json!({
        "prestart": [outside], "createRuntime": [outside], "createContainer": [outside],
        "startContainer": [inside], "poststart": [outside], "poststop": [outside],
    });
}

fn user(bundle: &mut Bundle) -> io::Result<()> {
    bundle.user_namespace(100_000, 65_536)?;
    bundle.namespace("time", None);
    bundle.config["linux"]["timeOffsets"] = json!({"monotonic": {"secs": 3600}});
    let map = json!([{"containerID": 0, "hostID": 200_000, "size": 65_536}]);
    let source = bundle.inside("/tmp");
    bundle.push(
        "/mounts",
        json!({"destination": "/run", "type": "bind", "source": source, "options": ["bind", "idmap"],
            "uidMappings": map, "gidMappings": map}),
    );
    Ok(())
}
