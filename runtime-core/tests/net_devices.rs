//! `linux.netDevices`: devices move into a container with their names and addresses. Real devices, in a network namespace of
//! each test's own thread.

use nix::{
    sched::{CloneFlags, unshare},
    unistd::geteuid,
};
use runtime_core::{ContainerBuilder, ErrorKind, Job, spec::Spec};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Seek},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

/// A bundle with busybox, and a network namespace with a pair of devices, gone with the thread.
struct Place {
    directory: PathBuf,
    id: String,
}

impl Place {
    fn new(name: &str) -> Self {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let id = format!("corten-test-net-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().join(&id);
        for folder in ["proc", "dev", "bin", "sys"] {
            fs::create_dir_all(directory.join("rootfs").join(folder)).unwrap();
        }
        fs::create_dir(directory.join("state")).unwrap();
        fs::copy("/usr/bin/busybox", directory.join("rootfs/bin/busybox")).unwrap();
        symlink("busybox", directory.join("rootfs/bin/sh")).unwrap();
        ip("link add corten0 type veth peer name corten1");
        Self { directory, id }
    }

    fn builder(&self, devices: &Value, script: &str) -> ContainerBuilder {
        let mut spec = Job::new("rootfs", ["busybox", "sh", "-c", script]).spec();
        spec.root.as_mut().unwrap().readonly = true;
        let linux = spec.linux.as_mut().unwrap();
        linux.cgroups_path = Some(Path::new("/").join(&self.id));
        linux.net_devices = serde_json::from_value(devices.clone()).unwrap();
        ContainerBuilder::new(&self.id).root(self.directory.join("state")).bundle(&self.directory).spec(spec)
    }

    /// What `script` prints in a container with these devices.
    fn run(&self, devices: &Value, script: &str) -> Result<String, runtime_core::Error> {
        let mut output = fs::File::options()
            .create(true)
            .read(true)
            .append(true)
            .open(self.directory.join("output"))
            .unwrap();
        let null = fs::File::open("/dev/null").unwrap();
        let copy = || output.try_clone().unwrap().into();
        let container = self.builder(devices, script).stdio(null.into(), copy(), copy()).run()?;
        assert!(container.wait().unwrap().success());
        container.delete(false).unwrap();
        let mut text = String::new();
        output.rewind().unwrap();
        output.read_to_string(&mut text).unwrap();
        Ok(text)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "ip {arguments}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// On a thread of its own, whose network namespace ends with it.
fn apart(test: impl FnOnce() + Send + 'static) {
    if !geteuid().is_root() {
        println!("skipped: network namespaces want root");
        return;
    }
    let thread = thread::spawn(test);
    thread.join().unwrap();
}

#[test]
fn a_device_takes_its_global_addresses_along_and_is_set_up() {
    apart(|| {
        let place = Place::new("moved");
        ip("addr add 192.0.2.7/24 brd 192.0.2.255 dev corten0");
        ip("addr add 198.51.100.1/32 scope link dev corten0");
        ip("addr add 2001:db8::7/64 nodad dev corten0");
        ip("addr add 203.0.113.9/24 valid_lft 3600 preferred_lft 3600 dev corten0");
        ip("link set corten0 mtu 1400 up");
        let text = place
            .run(&json!({"corten0": {"name": "eth7"}}), "busybox ip addr show eth7; busybox ip route")
            .unwrap();
        assert!(text.contains("eth7") && text.contains("mtu 1400") && text.contains(",UP"), "{text}");
        assert!(text.contains("inet 192.0.2.7/24 brd 192.0.2.255"), "{text}");
        assert!(text.contains("inet6 2001:db8::7/64"), "{text}");
        assert!(!text.contains("198.51.100.1"), "of link scope: {text}");
        assert!(!text.contains("203.0.113.9"), "not permanent: {text}");
        assert!(text.contains("192.0.2.0/24 dev eth7"), "the route of the address: {text}");
        // A virtual device ends with the container's namespace, and its peer with it, soon.
        let gone = (0..200).any(|_| {
            thread::sleep(std::time::Duration::from_millis(20));
            !ip("-o link").contains("corten")
        });
        assert!(gone, "{}", ip("-o link"));
    });
}

#[test]
fn a_name_is_kept_or_chosen_by_the_kernel() {
    apart(|| {
        let place = Place::new("names");
        ip("link add corten2 type veth peer name corten3");
        let devices = json!({"corten0": {}, "corten1": {"name": "port%d"}, "corten2": {"name": "port%d"}});
        let text = place.run(&devices, "busybox ip -o link").unwrap();
        for name in [" corten0@", " port0@", " port1@"] {
            assert!(text.contains(name), "{name}: {text}");
        }
    });
}

#[test]
fn the_devices_are_there_before_the_hooks_and_the_user_namespaces_own() {
    apart(|| {
        let place = Place::new("user");
        let builder = place.builder(&json!({"corten0": {}}), "exec busybox ip -o link show corten0");
        let mut spec: Value = serde_json::to_value(Job::new("rootfs", ["sh"]).spec()).unwrap();
        spec["root"]["readonly"] = json!(true);
        let maps = json!([{"containerID": 0, "hostID": 100_000, "size": 1000}]);
        spec["process"]["args"] = json!(["busybox", "ip", "link", "set", "corten0", "down"]);
        spec["process"]["rlimits"] = json!([]);
        let capabilities = json!(["CAP_NET_ADMIN"]);
        spec["process"]["capabilities"] =
            json!({"bounding": capabilities, "effective": capabilities, "permitted": capabilities});
        spec["linux"]["uidMappings"] = maps.clone();
        spec["linux"]["gidMappings"] = maps;
        spec["linux"]["cgroupsPath"] = json!(format!("/{}", place.id));
        spec["linux"]["netDevices"] = json!({"corten0": {}});
        spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        let seen = place.directory.join("seen");
        let script = format!(
            "read s; p=${{s##*\\\"pid\\\":}}; p=${{p%%[,\\}}]*}}; nsenter -t $p -n ip -o link > {}",
            seen.display()
        );
        spec["hooks"] = json!({"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script],
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]});
        let container = builder.spec(serde_json::from_value::<Spec>(spec).unwrap()).run().unwrap();
        assert!(container.wait().unwrap().success());
        container.delete(false).unwrap();
        let seen = fs::read_to_string(seen).unwrap();
        assert!(seen.contains("corten0@"), "{seen}");
    });
}

#[test]
fn what_cannot_be_moved_is_named_and_stays() {
    apart(|| {
        let place = Place::new("refused");
        let error = place.run(&json!({"nothere": {}}), "true").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert_eq!(error.report(), "linux.netDevices[\"nothere\"]: find it: there is no such device");
        ip("addr add 192.0.2.7/24 dev corten0");
        ip("link set corten0 up");
        let error = place.run(&json!({"corten0": {"name": "lo"}}), "true").unwrap_err().report();
        let expected = "linux.netDevices[\"corten0\"]: move it into the container: File exists";
        assert!(error.starts_with(expected), "{error}");
        assert_eq!(fs::read_dir(place.directory.join("state")).unwrap().count(), 0, "state");
    });
}
