//! Containers of an ordinary user: in a user namespace, without cgroups of their own. Run as root, each test runs itself once
//! more as a user who has no privilege and, in a private mount namespace, an entry in /etc/subuid.

use nix::unistd::{chown, geteuid};
use runtime_core::{
    Container, ContainerBuilder, ErrorKind, ProcessBuilder, Signal, default_root, spec::Spec,
};
use serde_json::{Value, json};
use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io::{Read, Seek},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::Duration,
};

/// A user whom nobody knows.
const USER: u32 = 64_217;
/// Where its bundle is: set in the run as this user.
const PLACE: &str = "CORTEN_TEST_ROOTLESS";

/// A program can't be executed while a child that another test has just forked holds the descriptor by which it was written.
static ALONE: Mutex<()> = Mutex::new(());

/// A bundle of the user's.
struct Place(PathBuf);

impl Place {
    fn id(&self) -> String {
        self.0.file_name().unwrap().to_string_lossy().into_owned()
    }

    /// What the user's containers are like: `spec --rootless` makes such a file. Its user ids are those of `maps`.
    fn spec(&self, maps: &Value, script: &str) -> Value {
        let namespaces = ["pid", "ipc", "uts", "mount", "user"].map(|kind| json!({"type": kind}));
        json!({
            "ociVersion": "1.3.0",
            "root": {"path": "rootfs", "readonly": true},
            "process": {"args": ["busybox", "sh", "-c", script], "cwd": "/", "user": {"uid": 0, "gid": 0},
                        "env": ["PATH=/bin"], "noNewPrivileges": true},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]},
                {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
                {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]},
            ],
            "linux": {
                "namespaces": namespaces,
                "uidMappings": maps, "gidMappings": maps,
                "maskedPaths": ["/proc/version", "/proc/acpi"], "readonlyPaths": ["/proc/sys"],
            },
        })
    }

    fn builder(&self, spec: &Value) -> (ContainerBuilder, File) {
        let path = self.0.join("output");
        let output = File::options().create(true).truncate(true).write(true).read(true).open(path).unwrap();
        let copy = || output.try_clone().unwrap().into();
        let spec: Spec = serde_json::from_value(spec.clone()).unwrap();
        let null = File::open("/dev/null").unwrap();
        let builder = ContainerBuilder::new(self.id()).root(default_root()).bundle(&self.0).spec(spec);
        (builder.stdio(null.into(), copy(), copy()), output)
    }

    /// Runs a container to its end: what it printed.
    fn run(&self, spec: &Value) -> String {
        let (builder, output) = self.builder(spec);
        let container = builder.run().unwrap();
        let status = container.wait().unwrap();
        container.delete(false).unwrap();
        let text = all(output);
        assert!(status.success(), "{status}: {text}");
        text
    }
}

fn all(mut output: File) -> String {
    let mut text = String::new();
    output.rewind().unwrap();
    output.read_to_string(&mut text).unwrap();
    text
}

/// The user's own id as root of the namespace, and nothing else.
fn one_id() -> Value {
    json!([{"containerID": 0, "hostID": geteuid().as_raw(), "size": 1}])
}

fn as_user(name: &str, test: impl FnOnce(&Place)) {
    if let Some(place) = env::var_os(PLACE) {
        assert!(!geteuid().is_root());
        return test(&Place(place.into()));
    }
    if !geteuid().is_root() {
        println!("skipped: wants root, to become a user that it knows all of");
        return;
    }
    let directory = env::temp_dir().join(format!("corten-test-rootless-{name}-{}", std::process::id()));
    {
        let _alone = ALONE.lock().unwrap();
        make(&directory);
    }
    let script = "mount --bind $1/passwd /etc/passwd && mount --bind $1/subid /etc/subuid && \
                  mount --bind $1/subid /etc/subgid && cd / && \
                  exec setpriv --reuid=$2 --regid=$2 --clear-groups $1/test --exact $3 --nocapture";
    let mut command = Command::new("unshare");
    command
        .args(["-m", "--propagation", "private", "sh", "-c", script, "_"])
        .args([directory.as_os_str(), OsStr::new(&USER.to_string()), OsStr::new(name)])
        .env(PLACE, &directory)
        .env("XDG_RUNTIME_DIR", directory.join("run"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = {
        let _alone = ALONE.lock().unwrap();
        command.spawn().unwrap()
    };
    let output = child.wait_with_output().unwrap();
    fs::remove_dir_all(&directory).unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    said.lines().filter(|line| line.starts_with("skipped:")).for_each(|line| println!("{line}"));
}

fn make(directory: &Path) {
    for folder in ["run", "rootfs/bin", "rootfs/proc", "rootfs/sys", "rootfs/dev"] {
        fs::create_dir_all(directory.join(folder)).unwrap();
    }
    fs::copy("/usr/bin/busybox", directory.join("rootfs/bin/busybox")).unwrap();
    symlink("busybox", directory.join("rootfs/bin/sh")).unwrap();
    fs::copy(env::current_exe().unwrap(), directory.join("test")).unwrap();
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let entry = format!("corten-test:x:{USER}:{USER}::/:/bin/sh\n");
    fs::write(directory.join("passwd"), format!("{passwd}{entry}")).unwrap();
    fs::write(directory.join("subid"), "corten-test:1700000:65536\n").unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    for path in ["", "run", "rootfs"] {
        chown(&directory.join(path), Some(USER.into()), Some(USER.into())).unwrap();
    }
}

#[test]
fn one_id_needs_no_helper() {
    as_user("one_id_needs_no_helper", |place| {
        let script = "busybox id -u; busybox cat /proc/self/uid_map /proc/self/setgroups; echo x >/dev/null; \
                      busybox ls /sys/kernel >/dev/null && echo sysfs; busybox touch /sys/fs/cgroup/x 2>&1; \
                      busybox readlink /dev/stdin; busybox wc -c </proc/version";
        let text = place.run(&place.spec(&one_id(), script));
        let lines: Vec<_> = text.lines().collect();
        let map: Vec<_> = lines[1].split_whitespace().collect();
        assert_eq!(
            (lines[0], map.as_slice(), lines[2]),
            ("0", ["0", &USER.to_string(), "1"].as_slice(), "deny")
        );
        assert_eq!(lines[3], "sysfs");
        assert!(lines[4].contains("Read-only file system"), "{text}");
        assert_eq!(lines[5..], ["/proc/self/fd/0", "0"]);
        assert_eq!(fs::read_dir(default_root()).unwrap().count(), 0, "state directories");
        assert!(default_root().starts_with(&place.0));
    });
}

#[test]
fn ranges_of_ids_come_by_newuidmap() {
    as_user("ranges_of_ids_come_by_newuidmap", |place| {
        if !Path::new("/usr/bin/newuidmap").exists() {
            println!("skipped: no newuidmap, of the package uidmap");
            return;
        }
        let maps = json!([{"containerID": 0, "hostID": USER, "size": 1},
                          {"containerID": 1, "hostID": 1_700_000, "size": 65536}]);
        let script = "busybox id; busybox cat /proc/self/setgroups; echo a >/dev/shm/a; busybox stat -c %u:%g /dev/shm/a";
        let mut spec = place.spec(&maps, script);
        spec["process"]["user"] = json!({"uid": 5, "gid": 6, "additionalGids": [7, 8]});
        spec["mounts"].as_array_mut().unwrap().push(
            json!({"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"]}),
        );
        assert_eq!(place.run(&spec), "uid=5 gid=6 groups=7,8\nallow\n5:6\n");

        let foreign = json!([{"containerID": 0, "hostID": 0, "size": 65536}]);
        let error = place.builder(&place.spec(&foreign, "true")).0.run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission);
        let report = error.report();
        assert!(report.starts_with("linux.uidMappings: newuidmap: "), "{report}");
        assert_eq!(fs::read_dir(default_root()).unwrap().count(), 0, "state directories");
    });
}

#[test]
fn further_processes_signals_and_what_needs_a_cgroup() {
    as_user("further_processes_signals_and_what_needs_a_cgroup", |place| {
        let (builder, _) = place.builder(&place.spec(&one_id(), "busybox sleep 100 & busybox sleep 100"));
        drop(builder.create().unwrap());
        let container = Container::load(default_root(), &place.id()).unwrap();
        container.start().unwrap();

        let mut process = container.spec_process().unwrap();
        let script = "busybox id -u; busybox ps | busybox grep -c sleep";
        process.args = ["busybox", "sh", "-c", script].map(str::to_owned).into();
        let path = place.0.join("exec");
        let output = File::options().create(true).truncate(true).write(true).read(true).open(path).unwrap();
        let copy = || output.try_clone().unwrap().into();
        let builder =
            ProcessBuilder::new(process).stdio(File::open("/dev/null").unwrap().into(), copy(), copy());
        thread::sleep(Duration::from_millis(200));
        assert!(container.exec(builder).unwrap().wait().unwrap().success());
        assert!(all(output).starts_with("0\n"));

        let pids = container.pids().unwrap();
        assert!(pids.len() >= 2 && pids.contains(&container.pid().unwrap()), "{pids:?}");
        let error = container.pause().unwrap_err();
        assert_eq!(
            (error.kind(), error.report().as_str()),
            (ErrorKind::Unsupported, "cgroup: the container has no cgroup")
        );
        container.kill(Signal::KILL).unwrap();
        while container.pid().is_some() {
            thread::sleep(Duration::from_millis(10));
        }
        container.delete(false).unwrap();
        assert_eq!(fs::read_dir(default_root()).unwrap().count(), 0, "state directories");
    });
}

#[test]
fn all_processes_end_without_a_pid_namespace_too() {
    as_user("all_processes_end_without_a_pid_namespace_too", |place| {
        let mut spec = place.spec(&one_id(), "busybox sleep 4711 & busybox sleep 4711");
        spec["linux"]["namespaces"].as_array_mut().unwrap().retain(|namespace| namespace["type"] != "pid");
        let container = place.builder(&spec).0.run().unwrap();
        thread::sleep(Duration::from_millis(200));
        let pids = container.pids().unwrap();
        assert!(pids.len() >= 2, "{pids:?}");
        container.delete(true).unwrap();
        let runs = |pid: &i32| {
            fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("4711"))
        };
        for _ in 0..100 {
            if !pids.iter().any(runs) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("they still run: {pids:?}");
    });
}

#[test]
fn what_is_missing_is_told() {
    as_user("what_is_missing_is_told", |place| {
        let mut spec = place.spec(&one_id(), "true");
        let linux = spec["linux"].as_object_mut().unwrap();
        linux.remove("uidMappings");
        linux.remove("gidMappings");
        linux["namespaces"].as_array_mut().unwrap().retain(|namespace| namespace["type"] != "user");
        let error = place.builder(&spec).0.run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission);
        let expected = "linux.namespaces: without privileges a container needs a user namespace: ";
        assert!(error.report().starts_with(expected), "{}", error.report());

        let mut spec = place.spec(&one_id(), "true");
        let mount =
            json!({"destination": "/dev/x", "source": "/usr", "type": "bind", "options": ["bind", "idmap"]});
        spec["mounts"].as_array_mut().unwrap().push(mount);
        let report = place.builder(&spec).0.run().unwrap_err().report();
        assert_eq!(report, "mounts[5] (/dev/x): mount_setattr: Operation not permitted");
        assert_eq!(fs::read_dir(default_root()).unwrap().count(), 0, "state directories");
    });
}
