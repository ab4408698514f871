//! Making, filling, freezing, killing and removing.

use super::*;

pub(super) fn a_life() {
    let made = Made::with(r#"{"devices":[{"allow":false,"access":"rwm"}]}"#);
    assert!(made.exists());
    let mut child = waiting("sleep 100");
    made.attach(pid(&child)).unwrap();
    assert_eq!(made.pids().unwrap(), [pid(&child)]);
    let stored = serde_json::to_string(&made.0).unwrap();
    assert_eq!(serde_json::from_str::<Cgroup>(&stored).unwrap(), made.0);
    let stats = made.stats().unwrap();
    assert_eq!(stats.pids.current, 1);
    let json = serde_json::to_value(&stats).unwrap();
    assert_eq!(json["pids"]["current"], 1);
    made.kill_all(libc::SIGKILL).unwrap();
    assert_eq!(made.pids().unwrap(), [0; 0]);
    child.wait().unwrap();
    made.delete().unwrap();
    assert!(!made.exists());
    made.delete().unwrap();
    made.kill_all(libc::SIGKILL).unwrap();
    assert_eq!(made.pids().unwrap(), [0; 0]);
}

pub(super) fn only_what_was_made_is_removed() {
    let top = Made::new();
    let inner = format!("/{}", top.0.trees[0].dir().file_name().unwrap().to_str().unwrap());
    let mut nested = cgroup_at(&format!("{inner}/a/b/c"));
    nested.create().unwrap();
    assert!(nested.exists());
    nested.delete().unwrap();
    for (_, dir) in top.paths() {
        assert!(dir.is_dir() && !dir.join("a").exists(), "{}", dir.display());
    }
    // What someone else put beside it keeps the way to it.
    nested.create().unwrap();
    let mut beside = cgroup_at(&format!("{inner}/a/x"));
    beside.create().unwrap();
    nested.delete().unwrap();
    assert!(beside.exists());
    beside.delete().unwrap();
}

pub(super) fn a_cgroup_in_use_is_refused() {
    let made = Made::new();
    let mut child = waiting("true");
    made.attach(pid(&child)).unwrap();
    let mut again = made.0.clone();
    let error = again.create().unwrap_err();
    assert!(matches!(error, Error::NotEmpty { count: 1, .. }), "{error}");
    // Whoever cleans up after that must not touch the other container.
    again.kill_all(libc::SIGKILL).unwrap();
    again.delete().unwrap();
    assert!(again.freeze().is_err() && again.pids().unwrap().is_empty());
    let planned = cgroup_at(&format!("/{}", made.0.trees[0].dir().file_name().unwrap().to_str().unwrap()));
    planned.kill_all(libc::SIGKILL).unwrap();
    planned.delete().unwrap();
    assert!(made.exists());
    assert_eq!(made.pids().unwrap(), [pid(&child)]);
    child.kill().unwrap();
    child.wait().unwrap();
    again.create().unwrap();
    made.freeze().unwrap();
    let error = again.create().unwrap_err();
    assert!(matches!(error, Error::Frozen { .. }), "{error}");
    // Nor can anything run below it, and nothing is left of the attempt.
    let inner = format!("/{}/below", made.0.trees[0].dir().file_name().unwrap().to_str().unwrap());
    let mut below = cgroup_at(&inner);
    let error = below.create().unwrap_err();
    assert!(matches!(error, Error::Frozen { .. }), "{error}");
    assert!(!below.exists());
    made.thaw().unwrap();
    below.create().unwrap();
    below.delete().unwrap();
}

pub(super) fn freezing_stops_and_killing_ends_all() {
    let made = Made::new();
    let mut child = waiting("while :; do sleep 0.01; done");
    made.attach(pid(&child)).unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(!made.is_frozen().unwrap());
    made.freeze().unwrap();
    made.freeze().unwrap();
    assert!(made.is_frozen().unwrap());
    made.thaw().unwrap();
    assert!(!made.is_frozen().unwrap());
    made.freeze().unwrap();
    made.kill_all(libc::SIGKILL).unwrap();
    child.wait().unwrap();
    made.thaw().unwrap();
    // One that forks all the time, too.
    let mut bomb = waiting("f() { f & f & }; f; f; sleep 100");
    if made.v1() {
        made.update(&resources(r#"{"pids":{"limit":200}}"#)).unwrap();
        made.attach(pid(&bomb)).unwrap();
        bomb.stdin.take().unwrap().write_all(b"\n").unwrap();
        std::thread::sleep(Duration::from_millis(100));
        made.kill_all(libc::SIGKILL).unwrap();
        assert_eq!(made.pids().unwrap(), [0; 0]);
    } else {
        bomb.kill().unwrap();
    }
    bomb.wait().unwrap();
}

pub(super) fn a_signal_reaches_all() {
    let made = Made::new();
    let mut children: Vec<_> = (0..3).map(|_| waiting("exit 3")).collect();
    for child in &children {
        made.attach(pid(child)).unwrap();
    }
    made.kill_all(libc::SIGTERM).unwrap();
    for child in &mut children {
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
    }
    assert!(!made.is_frozen().unwrap());
}

pub(super) fn sub_cgroups_are_entered_counted_and_removed() {
    let made = Made::new();
    for (_, dir) in made.paths() {
        std::fs::create_dir_all(dir.join("a/b/c")).unwrap();
        std::fs::create_dir_all(dir.join("a/d")).unwrap();
        if dir.join("a/cpuset.cpus").exists() && made.v1() {
            for level in ["a", "a/b"] {
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    std::fs::write(dir.join(level).join(file), "0").unwrap();
                }
            }
        }
    }
    let mut child = waiting("sleep 100");
    made.attach_sub(pid(&child), "/a/b").unwrap();
    assert_eq!(made.pids().unwrap(), [pid(&child)]);
    let place = std::fs::read_to_string(format!("/proc/{}/cgroup", child.id())).unwrap();
    assert!(place.lines().filter(|line| line.ends_with("/a/b")).count() >= made.paths().count(), "{place}");
    assert!(matches!(made.attach_sub(pid(&child), "nope").unwrap_err(), Error::NotFound { .. }));
    assert!(matches!(made.attach_sub(pid(&child), "../x").unwrap_err(), Error::Argument(_)));
    assert!(matches!(made.attach_sub(pid(&child), "bogus:a").unwrap_err(), Error::Argument(_)));
    if made.v1() {
        made.attach_sub(pid(&child), "memory,pids:a").unwrap();
        let place = std::fs::read_to_string(format!("/proc/{}/cgroup", child.id())).unwrap();
        assert_eq!(place.lines().filter(|line| line.ends_with("/a")).count(), 2, "{place}");
    }
    made.kill_all(libc::SIGKILL).unwrap();
    child.wait().unwrap();
    // Deeper than a path may be long.
    let (_, dir) = made.paths().last().unwrap();
    let mut at = nix::fcntl::open(&dir, nix::fcntl::OFlag::O_RDONLY, nix::sys::stat::Mode::empty()).unwrap();
    let long = "x".repeat(200);
    for _ in 0..30 {
        nix::sys::stat::mkdirat(&at, long.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        at = nix::fcntl::openat(
            &at,
            long.as_str(),
            nix::fcntl::OFlag::O_RDONLY,
            nix::sys::stat::Mode::empty(),
        )
        .unwrap();
    }
    assert_eq!(made.pids().unwrap(), [0; 0]);
}

pub(super) fn the_view_and_birth_fit_the_host() {
    let made = Made::new();
    match made.view() {
        View::None => panic!("no view"),
        View::Unified { dir, mount, .. } => {
            assert!(dir.starts_with(mount) && made.clone_into().unwrap().is_some());
        }
        View::Legacy { hierarchies, .. } => {
            assert!(
                hierarchies
                    .iter()
                    .any(|hierarchy| hierarchy.name == "memory" && hierarchy.options == "memory")
            );
            assert!(
                hierarchies.iter().all(|hierarchy| hierarchy.dir.is_dir() && hierarchy.name != "unified")
            );
            assert!(hierarchies.iter().any(|hierarchy| hierarchy.options == "name=systemd"));
            let mut child = waiting("true");
            made.attach_born(pid(&child)).unwrap();
            assert_eq!(made.pids().unwrap(), [pid(&child)]);
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

pub(super) fn a_cgroup_is_given_to_its_user() {
    use std::os::unix::fs::MetadataExt;
    let made = Made::new();
    made.delegate(4_711).unwrap();
    let (_, dir) = made.paths().last().unwrap();
    let owner = |file: &str| std::fs::metadata(dir.join(file)).unwrap().uid();
    let user = if made.v1() { 0 } else { 4_711 };
    for file in [".", "cgroup.procs", "cgroup.subtree_control"].iter().filter(|file| dir.join(file).exists())
    {
        assert_eq!(owner(file), user, "{file}");
    }
    if !made.v1() {
        assert_eq!(owner("cgroup.max.depth"), 0);
    }
}

/// With controllers handed on below it, a v2 cgroup takes no processes, and one with processes hands on none.
pub(super) fn inner_cgroups_are_without_processes() {
    let made = Made::new();
    let Some(controller) =
        made.try_file("cgroup.controllers").and_then(|all| all.split_whitespace().next().map(str::to_owned))
    else {
        return;
    };
    let (_, dir) = made.paths().last().unwrap();
    let name = dir.file_name().unwrap().to_str().unwrap();
    let mut nested = cgroup_at(&format!("/{name}/a/b"));
    nested.create().unwrap();
    let passed_on = std::fs::read_to_string(dir.join("a/b/cgroup.controllers")).unwrap();
    assert_eq!(passed_on.trim(), made.file("cgroup.controllers"));
    let (mut first, mut second) = (waiting("true"), waiting("true"));
    nested.attach(pid(&first)).unwrap();
    let error = members::move_into(&dir, pid(&second)).unwrap_err();
    assert!(
        matches!(&error, Error::Io { source, .. } if source.raw_os_error() == Some(libc::EBUSY)),
        "{error}"
    );
    made.attach_beside(pid(&second), pid(&first)).unwrap();
    let place = std::fs::read_to_string(format!("/proc/{}/cgroup", second.id())).unwrap();
    assert!(place.ends_with(&format!("0::/{name}/a/b\n")), "{place}");
    nested.kill_all(libc::SIGKILL).unwrap();
    made.kill_all(libc::SIGKILL).unwrap();
    first.wait().unwrap();
    second.wait().unwrap();
    nested.delete().unwrap();

    let busy = Made::new();
    let mut child = waiting("true");
    busy.attach(pid(&child)).unwrap();
    let (_, dir) = busy.paths().last().unwrap();
    let mut below = cgroup_at(&format!("/{}/x", dir.file_name().unwrap().to_str().unwrap()));
    below.create().unwrap();
    if controller == "hugetlb" {
        let limit = resources(r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}"#);
        let error = below.apply(&limit).unwrap_err().to_string();
        let expected = format!(
            "linux.resources.hugepageLimits: {} cannot pass on the controller hugetlb: Device or resource busy, it has \
             processes of its own",
            dir.display()
        );
        assert_eq!(error, expected);
    }
    below.delete().unwrap();
    busy.kill_all(libc::SIGKILL).unwrap();
    child.wait().unwrap();
}
