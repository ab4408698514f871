//! The real thing: cgroups made, filled, limited, frozen, killed and removed, on the host's own layout and, in a mount namespace
//! of its own each, on cgroup v2 alone and on v1 alone. Needs root.

mod bites;
mod events;
mod life;
mod limits;

use super::*;
use std::{
    io::Write,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

fn resources(json: &str) -> LinuxResources {
    serde_json::from_str(json).unwrap()
}

/// A cgroup path that no other test has.
fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("corten-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn cgroup_at(path: &str) -> Cgroup {
    Cgroup::new(CgroupManager::Cgroupfs, Some(Path::new(path)), "unused").unwrap()
}

/// A cgroup that is removed with all in it, however the test ends.
struct Made(Cgroup);

impl Made {
    fn new() -> Self {
        let mut cgroup = cgroup_at(&format!("/{}", name()));
        cgroup.create().unwrap();
        Self(cgroup)
    }

    fn with(json: &str) -> Self {
        let made = Self::new();
        made.check(&resources(json)).unwrap();
        made.apply(&resources(json)).unwrap();
        made
    }

    /// The content of `file`, in whichever hierarchy has it.
    fn file(&self, file: &str) -> String {
        self.try_file(file).unwrap_or_else(|| panic!("no {file}"))
    }

    fn try_file(&self, file: &str) -> Option<String> {
        let found = self.paths().find_map(|(_, dir)| std::fs::read_to_string(dir.join(file)).ok());
        found.map(|text| text.trim().to_owned())
    }

    /// Whether the host has `controller`.
    fn has(&self, controller: &str) -> bool {
        let v1 = self.0.trees.iter().any(|tree| tree.has(controller));
        v1 || self
            .try_file("cgroup.controllers")
            .is_some_and(|all| all.split(' ').any(|name| name == controller))
    }

    /// Whether the host lacks `controller`, which it then says.
    fn lacks(&self, controller: &str) -> bool {
        let lacks = !self.has(controller);
        if lacks {
            println!("skipped: no controller {controller} here");
        }
        lacks
    }

    fn v1(&self) -> bool {
        !matches!(self.view(), View::Unified { .. })
    }
}

impl std::ops::Deref for Made {
    type Target = Cgroup;

    fn deref(&self) -> &Cgroup {
        &self.0
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let ended = self.0.kill_all(libc::SIGKILL).and_then(|()| self.0.delete());
        if !std::thread::panicking() {
            ended.unwrap();
            assert!(!self.0.exists());
        }
    }
}

/// A shell that waits for a line before it goes on with `script`, so that it can be moved first.
fn waiting(script: &str) -> Child {
    let script = format!("read _; {script}");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn pid(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

/// Runs `script` in `cgroup`; its exit status, or 128 and the signal that ended it.
fn run_in(cgroup: &Cgroup, script: &str) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    let mut child = waiting(script);
    cgroup.attach(pid(&child)).unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let status = child.wait().unwrap();
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
}

fn refused(cgroup: &Cgroup, json: &str) -> String {
    cgroup.check(&resources(json)).unwrap_err().to_string()
}

#[test]
#[ignore = "prints how long the steps of one container take, for a look now and then"]
fn timing() {
    let once = |cgroup: &mut Cgroup| {
        let plain = resources(r#"{"devices":[{"allow":false,"access":"rwm"}]}"#);
        let mut marks = vec![std::time::Instant::now()];
        let mut mark = || marks.push(std::time::Instant::now());
        *cgroup = cgroup_at(&format!("/{}", name()));
        mark();
        cgroup.check(&plain).unwrap();
        mark();
        cgroup.create().unwrap();
        mark();
        cgroup.apply(&plain).unwrap();
        mark();
        cgroup.delete().unwrap();
        mark();
        marks.windows(2).map(|pair| (pair[1] - pair[0]).as_micros()).collect::<Vec<_>>()
    };
    let mut cgroup = cgroup_at("/unused");
    for _ in 0..5 {
        println!("new, check, create, apply, delete: {:?} us", once(&mut cgroup));
    }
}

/// Each scenario as a test of its own on each kind of host.
macro_rules! on_every_kind_of_host {
    ($($room:ident::$name:ident,)*) => {
        const SCENARIOS: &[(&str, fn())] = &[$((stringify!($name), $room::$name)),*];

        mod on_the_hosts_own_layout {
            $(#[test] fn $name() { super::on_a_host("", stringify!($name)); })*
        }

        mod on_cgroup_v2_alone {
            $(#[test] fn $name() { super::on_a_host(super::V2_ALONE, stringify!($name)); })*
        }

        mod on_cgroup_v1_alone {
            $(#[test] fn $name() {
                if std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
                    println!("skipped: this host has cgroup v2 alone");
                } else {
                    super::on_a_host(super::V1_ALONE, stringify!($name));
                }
            })*
        }
    };
}

on_every_kind_of_host! {
    life::a_life,
    life::only_what_was_made_is_removed,
    life::a_cgroup_in_use_is_refused,
    life::freezing_stops_and_killing_ends_all,
    life::a_signal_reaches_all,
    life::sub_cgroups_are_entered_counted_and_removed,
    life::a_cgroup_is_given_to_its_user,
    life::inner_cgroups_are_without_processes,
    life::the_view_and_birth_fit_the_host,
    limits::devices_are_refused,
    limits::missing_controllers_are_named,
    limits::memory_limits_are_raised_and_lowered,
    limits::processor_limits_are_raised_and_lowered,
    limits::the_number_of_processes_is_limited,
    limits::huge_pages_and_unified_keys_are_limited,
    limits::block_devices_have_limits,
    bites::a_quota_slows_a_spinner,
    bites::shares_divide_a_processor,
    bites::processors_are_confined,
    bites::memory_is_limited,
    bites::a_throttled_disk_is_slower,
    bites::huge_pages_run_out,
    events::running_out_of_memory_is_told,
}

const V2_ALONE: &str = "umount -R /sys/fs/cgroup\nmount -t cgroup2 none /sys/fs/cgroup";
const V1_ALONE: &str = "if [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified; fi";

#[test]
#[ignore = "run by others, each on another kind of host"]
fn scenario() {
    let wanted = std::env::var(SCENARIO).unwrap();
    println!();
    SCENARIOS.iter().find(|(name, _)| *name == wanted).unwrap().1();
}

/// Says which scenario [`scenario`] is to be.
const SCENARIO: &str = "CORTEN_TEST_SCENARIO";

/// Runs `scenario` in a mount namespace of its own, after `prepare`.
fn on_a_host(prepare: &str, scenario: &str) {
    assert!(geteuid().is_root(), "this test makes cgroups and mounts: run it as root");
    let script = format!("{prepare}\nexec \"$@\"");
    let me = std::env::current_exe().unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-ec", &script, "_"])
        .arg(me)
        .args(["--exact", "cgroup::tests::scenario", "--ignored", "--nocapture"])
        .env(SCENARIO, scenario)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    println!("{}", text(&output.stdout));
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("1 passed"));
}

#[test]
#[ignore = "run by the test below, as a user without rights"]
fn as_nobody() {
    assert!(!geteuid().is_root());
    let mut cgroup = Cgroup::new(CgroupManager::Cgroupfs, None, &name()).unwrap();
    let usual = resources(r#"{"devices":[{"allow":false,"access":"rwm"}]}"#);
    cgroup.check(&usual).unwrap();
    cgroup.create().unwrap();
    cgroup.apply(&usual).unwrap();
    cgroup.attach(1).unwrap();
    assert!(cgroup.stats().is_ok() && cgroup.pids().unwrap().is_empty() && !cgroup.exists());
    let error = cgroup.apply(&resources(r#"{"memory":{"limit":1000000}}"#)).unwrap_err();
    assert!(error.to_string().starts_with("linux.resources.memory.limit: "), "{error}");
    cgroup.kill_all(libc::SIGKILL).unwrap();
    cgroup.delete().unwrap();
    // Where one is asked for by name it has to be made.
    let error: crate::Error = cgroup_at(&format!("/{}", name())).create().unwrap_err().into();
    assert_eq!(error.kind(), crate::ErrorKind::Permission, "{error:?}");
}

#[test]
fn without_rights_cgroups_are_done_without() {
    assert!(geteuid().is_root(), "this test gives up root: run it as root");
    let dir = PathBuf::from(format!("/tmp/{}", name()));
    std::fs::create_dir(&dir).unwrap();
    let copy = dir.join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&copy)
        .args(["--exact", "cgroup::tests::as_nobody", "--ignored", "--nocapture"])
        .output();
    std::fs::remove_dir_all(&dir).unwrap();
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("1 passed"));
}

#[test]
fn mounts_elsewhere_are_found() {
    // The controllers away from /sys/fs/cgroup, below a directory with a space in its name.
    let dir = format!("/tmp/{} elsewhere", name());
    std::fs::create_dir(&dir).unwrap();
    let outcome = std::panic::catch_unwind(|| {
        let script = format!(
            "mount -t tmpfs none '{dir}'\n\
             if [ -e /sys/fs/cgroup/cgroup.procs ]; then\n\
             mkdir '{dir}/unified'; mount --move /sys/fs/cgroup '{dir}/unified'; exec \"$@\"\n\
             fi\n\
             for old in /sys/fs/cgroup/*; do\n\
             if [ -L $old ]; then continue; fi\n\
             new=\"{dir}/${{old##*/}}\"; mkdir \"$new\"; mount --move $old \"$new\"\n\
             done\n\
             umount /sys/fs/cgroup"
        );
        for scenario in ["a_life", "devices_are_refused", "the_view_and_birth_fit_the_host"] {
            on_a_host(&script, scenario);
        }
    });
    std::fs::remove_dir(&dir).unwrap();
    outcome.unwrap();
}

#[test]
fn a_disabled_manager_does_nothing() {
    let mut cgroup = Cgroup::new("disabled".parse().unwrap(), Some(Path::new("/x")), "x").unwrap();
    cgroup.check(&resources(r#"{"memory":{"limit":1}}"#)).unwrap();
    cgroup.create().unwrap();
    cgroup.attach(1).unwrap();
    assert!(!cgroup.exists() && cgroup.pids().unwrap().is_empty() && cgroup.clone_into().unwrap().is_none());
    assert_eq!(cgroup.view(), View::None);
    cgroup.delete().unwrap();
    assert!("cgroups".parse::<CgroupManager>().is_err());
    assert_eq!(CgroupManager::Cgroupfs.to_string(), "cgroupfs");
}

#[test]
fn paths_are_those_of_runc() {
    let place = |path: Option<&str>| {
        let cgroup = Cgroup::new(CgroupManager::Cgroupfs, path.map(Path::new), "c1").unwrap();
        cgroup.paths().collect::<Vec<_>>()
    };
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = |controllers: &str| {
        let lines = own.lines().map(|line| line.splitn(3, ':').skip(1).collect::<Vec<_>>());
        let path = lines
            .into_iter()
            .find(|fields| fields[0] == controllers)
            .map(|fields| fields[1].to_owned())
            .unwrap();
        PathBuf::from(path)
    };
    let absolute = place(Some("/docker/abc"));
    assert!(absolute.iter().all(|(_, dir)| dir.ends_with("docker/abc")), "{absolute:?}");
    let alone = absolute.len() == 1;
    for (path, inner) in [(None, "c1"), (Some(""), "c1"), (Some("x/y"), "x/y")] {
        for ((controllers, dir), (_, absolute)) in place(path).into_iter().zip(&absolute) {
            let mount = absolute.parent().unwrap().parent().unwrap();
            let own = own(&controllers);
            let own = if alone { own.parent().unwrap_or(&own) } else { &own };
            assert_eq!(dir, mount.join(own.strip_prefix("/").unwrap()).join(inner));
        }
    }
    for path in ["/a/../../b", "../x", "/"] {
        assert!(Cgroup::new(CgroupManager::Cgroupfs, Some(Path::new(path)), "c1").is_err(), "{path}");
    }
}
