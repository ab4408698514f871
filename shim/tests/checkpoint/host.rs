//! What belongs to the host: sources of mounts, cgroups, labels.

use crate::{
    ground::{COUNT, assert_goes_on, checkpoint, counting, refused, restore, wait_for_count},
    support::Bundle,
};
use std::{fs, os::unix::fs::symlink, path::PathBuf, process::Command};

#[test]
fn names_of_an_image_stand_for_nothing_else() {
    let Some(bundle) = counting("names") else { return };
    // The image leads the mount to a place whose name would end criu's key early and name another source.
    fs::create_dir_all(bundle.file("rootfs/y]:/etc")).unwrap();
    symlink("/y]:/etc", bundle.file("rootfs/data")).unwrap();
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    let image = bundle.file("image");
    refused(&bundle, &["checkpoint", "--image-path", &image, "x"], "criu cannot be told of a name with");
    assert_goes_on(&bundle, "x");
    assert_eq!(fs::read_dir(&image).unwrap().count(), 0);
    bundle.ok(&["delete", "--force", "x"]);
    // A symlink that is just another place is no trouble, and what it leads to is the configuration's source all the same.
    fs::write(bundle.file("data/file"), "of the configuration").unwrap();
    fs::remove_file(bundle.file("rootfs/data")).unwrap();
    fs::create_dir_all(bundle.file("rootfs/dev/null is not here")).unwrap();
    symlink("/dev/../elsewhere", bundle.file("rootfs/data")).unwrap();
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    checkpoint(&bundle, &[], "x");
    restore(&bundle, &[], "x");
    assert_eq!(bundle.ok(&["exec", "x", "cat", "/elsewhere/file"]), "of the configuration");
    bundle.ok(&["delete", "--force", "x"]);
    // The source is that of the configuration at restore, and must be there.
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        mounts.iter_mut().find(|mount| mount["destination"] == "/data").unwrap()["source"] = "gone".into();
    });
    let restore = ["restore", "--detach", "--bundle", bundle.path(), "--image-path", &image, "x"];
    refused(&bundle, &restore, "No such file or directory");
    bundle
        .edit(|spec| spec["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/data"));
    refused(&bundle, &restore, "mounts: none binds anything at /data, as the image has it");
    assert_eq!(bundle.ok(&["list", "--quiet"]), "");
}

/// A container without any privilege lets each of two mounts be found at the other's place: what it may only read must not come
/// back as what it may write.
#[test]
fn mounts_are_not_taken_for_each_other() {
    let Some(bundle) = counting("swapped") else { return };
    fs::create_dir(bundle.file("scratch")).unwrap();
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| mount["destination"] != "/data");
        for (destination, source, mode) in [("/a/read", "data", "ro"), ("/b/write", "scratch", "rw")] {
            let source = bundle.file(source);
            mounts.push(serde_json::json!({ "destination": destination, "source": source, "options": ["bind", mode] }));
        }
        spec["root"]["readonly"] = false.into();
        spec["process"]["args"][2] = format!("sleep 1; mv /a /c; mv /b /d; mkdir /a /b; {COUNT}").into();
    });
    for applet in ["mv", "mkdir"] {
        symlink("busybox", bundle.file("rootfs/bin/") + applet).unwrap();
    }
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    let root = |path: &str| bundle.file("rootfs") + path;
    symlink("/d/write", root("/a/read")).unwrap();
    symlink("/c/read", root("/b/write")).unwrap();
    // Mounts that are where the configuration does not say are none that criu is told of, and it saves none such.
    let image = bundle.file("image");
    refused(&bundle, &["checkpoint", "--image-path", &image, "x"], "mnt: ");
    assert_goes_on(&bundle, "x");
}

#[test]
fn a_new_root_gets_the_places_of_mounts() {
    let Some(bundle) = counting("new-root") else { return };
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        let hosts = mounts.iter().find(|mount| mount["destination"] == "/data").unwrap()["source"].clone();
        let file = format!("{}/file", hosts.as_str().unwrap());
        mounts
            .push(serde_json::json!({ "destination": "/etc/of/file", "source": file, "options": ["bind"] }));
    });
    fs::write(bundle.file("data/file"), "bound").unwrap();
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    checkpoint(&bundle, &[], "x");
    // As on another host: the image's files and nothing that a runtime has made.
    for made in ["etc", "data", "tmp", "proc", "dev", "sys"] {
        let _ = fs::remove_dir_all(bundle.file("rootfs").to_owned() + "/" + made);
    }
    restore(&bundle, &[], "x");
    assert_goes_on(&bundle, "x");
    assert_eq!(bundle.ok(&["exec", "x", "cat", "/etc/of/file", "/data/file"]), "boundbound");
}

#[test]
fn cgroups_are_managed_as_asked() {
    let Some(bundle) = counting("cgroups") else { return };
    for mode in ["soft", "full", "ignore"] {
        bundle.start("x");
        wait_for_count(&bundle, "x", 1);
        let flag = format!("--manage-cgroups-mode={mode}");
        checkpoint(&bundle, &[&flag], "x");
        restore(&bundle, &[&flag], "x");
        assert_goes_on(&bundle, "x");
        let groups = fs::read_to_string(format!("/proc/{}/cgroup", bundle.state("x")["pid"])).unwrap();
        assert!(groups.contains("corten-test-criu-cgroups"), "{mode}: {groups}");
        bundle.ok(&["delete", "--force", "x"]);
    }
}

/// The cgroup of process `pid`, where it is a directory that can be seen.
fn cgroup(pid: &str) -> PathBuf {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let mut dirs = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        Some(format!("/sys/fs/cgroup/{}{}", parts.next()?, parts.next()?).into())
    });
    dirs.find(|dir: &PathBuf| dir.is_dir()).unwrap()
}

#[test]
fn cgroups_below_are_restored_as_asked() {
    let Some(bundle) = counting("cgroups-below") else { return };
    bundle.edit(|spec| spec["process"]["args"][2] = format!("sleep 1000 & {COUNT}").into());
    for (mode, restored) in [("soft", true), ("full", true), ("strict", true), ("ignore", false)] {
        bundle.start("x");
        wait_for_count(&bundle, "x", 1);
        let own = cgroup(&bundle.state("x")["pid"].to_string());
        let (below, sleeper) = (own.join("below"), || {
            let pids = bundle.ok(&["ps", "--format", "json", "x"]);
            let pids: Vec<u32> = serde_json::from_str(&pids).unwrap();
            let is_it = |pid: &u32| {
                fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == b"sleep\x001000\0")
            };
            pids.into_iter().find(is_it).unwrap().to_string()
        });
        fs::create_dir(&below).unwrap();
        fs::write(below.join("cgroup.procs"), sleeper()).unwrap();
        assert_eq!(cgroup(&sleeper()), below);
        let flag = format!("--manage-cgroups-mode={mode}");
        checkpoint(&bundle, &[&flag], "x");
        assert!(!own.exists(), "{mode}");
        if mode == "strict" {
            fs::create_dir(&own).unwrap();
            let image = bundle.file("image");
            let restore =
                ["restore", "--detach", "--bundle", bundle.path(), "--image-path", &image, &flag, "x"];
            refused(&bundle, &restore, "linux.cgroupsPath: the cgroup is there already");
            fs::remove_dir(&own).unwrap();
        }
        restore(&bundle, &[&flag], "x");
        assert_goes_on(&bundle, "x");
        assert_eq!(cgroup(&sleeper()), if restored { below } else { own }, "{mode}");
        bundle.ok(&["delete", "--force", "x"]);
    }
}

/// Profiles for `counting`'s process, which are there as long as this is.
struct Profiles(PathBuf);

impl Profiles {
    fn load(bundle: &Bundle) -> Option<Self> {
        let file = PathBuf::from(bundle.file("profiles"));
        let profile = |name: &str| {
            format!(
                "profile {name} flags=(attach_disconnected) {{ file, capability, network, mount, umount, signal, unix, ptrace, }}\n"
            )
        };
        fs::write(&file, ["corten-test-saved", "corten-test-other"].map(profile).concat()).unwrap();
        let loaded = Command::new("apparmor_parser").arg("--replace").arg(&file).output();
        loaded.is_ok_and(|output| output.status.success()).then_some(Self(file))
    }
}

impl Drop for Profiles {
    fn drop(&mut self) {
        let _ = Command::new("apparmor_parser").arg("--remove").arg(&self.0).output();
    }
}

#[test]
fn a_profile_is_restored_or_another_one() {
    let Some(bundle) = counting("profile") else { return };
    if fs::read_dir("/sys/kernel/security/apparmor").is_err() {
        println!("skipped: this kernel has no AppArmor");
        return;
    }
    let Some(_profiles) = Profiles::load(&bundle) else {
        println!("skipped: apparmor_parser cannot load a profile");
        return;
    };
    bundle.edit(|spec| spec["process"]["apparmorProfile"] = "corten-test-saved".into());
    let profile = || {
        let pid = &bundle.state("x")["pid"];
        fs::read_to_string(format!("/proc/{pid}/attr/apparmor/current")).unwrap()
    };
    bundle.start("x");
    wait_for_count(&bundle, "x", 1);
    assert_eq!(profile(), "corten-test-saved (enforce)\n");
    checkpoint(&bundle, &[], "x");
    restore(&bundle, &[], "x");
    assert_goes_on(&bundle, "x");
    assert_eq!(profile(), "corten-test-saved (enforce)\n");
    checkpoint(&bundle, &[], "x");
    let image = bundle.file("image");
    let command = ["restore", "--detach", "--bundle", bundle.path(), "--image-path", &image];
    for (wrong, words) in [
        ("corten-test-other", "apparmor:NAME or selinux:LABEL is wanted"),
        ("apparmor:corten-test-none", "AppArmor has no profile corten-test-none"),
    ] {
        refused(&bundle, &[&command[..], &["--lsm-profile", wrong, "x"]].concat(), words);
    }
    restore(&bundle, &["--lsm-profile", "apparmor:corten-test-other"], "x");
    assert_goes_on(&bundle, "x");
    assert_eq!(profile(), "corten-test-other (enforce)\n");
}
