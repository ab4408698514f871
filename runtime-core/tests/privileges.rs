//! What docs/privileges.md says about capabilities, tried: this program once more, by setpriv(1), with some of them.

use nix::unistd::geteuid;
use runtime_core::{ContainerBuilder, Job, Stdio};
use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{self, Command},
};

/// The folder that the program once more finds its image in.
const FOLDER: &str = "CORTEN_TEST_PRIVILEGES";

/// With these capabilities and no others a container is made, and something executed in it; what that says.
fn with(capabilities: &str) -> Option<String> {
    if !geteuid().is_root() || !Path::new("/bin/busybox").exists() {
        println!("skipped: it wants root and /bin/busybox");
        return None;
    }
    let label: String = capabilities.chars().filter(char::is_ascii_alphanumeric).collect();
    let folder = env::temp_dir().join(format!("corten-test-privileges-{label}-{}", process::id()));
    let bin = folder.join("rootfs/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::copy("/bin/busybox", bin.join("busybox")).unwrap();
    for command in ["sleep", "true"] {
        symlink("busybox", bin.join(command)).unwrap();
    }
    for name in ["dev", "proc", "sys"] {
        fs::create_dir(folder.join("rootfs").join(name)).unwrap();
    }
    let output = Command::new("setpriv")
        .args(["--bounding-set", capabilities])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "the_same_with_fewer_capabilities", "--nocapture"])
        .env(FOLDER, &folder)
        .output()
        .unwrap();
    fs::remove_dir_all(folder).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer =
        said.lines().find_map(|line| line.split_once("answer: ")).map(|(_, answer)| answer.to_owned());
    Some(answer.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr))))
}

/// What the others execute; it does nothing otherwise.
#[test]
fn the_same_with_fewer_capabilities() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let job = Job::new(folder.join("rootfs"), ["sleep", "100"]).capabilities([]);
    let mut spec = job.spec();
    spec.linux.as_mut().unwrap().cgroups_path = Some(format!("/{id}").into());
    let builder = ContainerBuilder::new(id).root(folder.join("states")).spec(spec).delete_on_drop(true);
    let answer = builder.stdin(Stdio::Null).run().and_then(|container| {
        let process = container.process(["true"])?.stdin(Stdio::Null);
        container.exec(process)?.wait()
    });
    println!("answer: {}", answer.map_or_else(|error| error.report(), |status| status.to_string()));
}

#[test]
fn four_capabilities_make_a_container_and_one_more_joins_it() {
    let Some(answer) = with("-all,+sys_admin,+setpcap,+mknod,+dac_override,+sys_chroot") else { return };
    assert_eq!(answer, "exit status 0");
}

#[test]
fn each_of_the_four_is_needed_and_its_place_is_told() {
    for (without, place) in [
        ("sys_admin", "clone the container's process"),
        ("setpcap", "process.capabilities"),
        ("mknod", "/dev/null: mknodat"),
        ("dac_override", "/sys/fs/cgroup"),
    ] {
        let Some(answer) = with(&format!("-{without}")) else { return };
        let denied = answer.contains("not permitted") || answer.contains("ermission denied");
        assert!(denied && answer.contains(place), "without {without}: {answer}");
    }
}
