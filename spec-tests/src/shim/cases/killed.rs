//! A shim that is killed in the middle of a request, at many moments of it: what `delete` is left with, it removes.

use crate::{
    harness::{Suite, Verdict, check},
    shim::{
        daemon::Bootstrap,
        messages::Mount,
        probe::{Probe, State, Task, files, gone, probe},
    },
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How far the request has come when the shim is killed, in microseconds.
const MOMENTS: [u64; 14] = [0, 150, 300, 500, 750, 1000, 1400, 1900, 2600, 3500, 5000, 8000, 13_000, 25_000];

pub(super) fn add(suite: &mut Suite) {
    let mut group = suite.group("killed", "faults");
    let methods = [
        ("Create", State::Unknown),
        ("Start", State::Created),
        ("Kill", State::Running),
        ("Pause", State::Running),
        ("Resume", State::Paused),
        ("Update", State::Running),
        ("Stats", State::Running),
        ("Pids", State::Running),
        ("Checkpoint", State::Running),
        ("Delete", State::Stopped),
    ];
    for (method, state) in methods {
        let body = probe(move |p| in_call(p, state, |task| task.begin(method, "").map(drop)));
        group.must(&format!("in-{method}"), "delete after the shim was killed", body);
    }
    group.must(
        "in-exec-Start",
        "delete after the shim was killed",
        probe(|p| {
            in_call(p, State::Running, |task| {
                task.add_exec("e1", &["wait"])?;
                task.begin("Start", "e1").map(drop)
            })
        }),
    );
    group.must("in-Create-overlay", "delete after the shim was killed", probe(|p| in_create_of(p, &[])));
    let maps = &["uidmap=0:0:100000", "gidmap=0:0:100000"];
    group.must(
        "in-Create-mapped-overlay",
        "delete after the shim was killed",
        probe(|p| in_create_of(p, maps)),
    );
    group.must("delete-itself", "delete that is killed, and called again", probe(delete_itself));
}

fn sigkill(pid: u32) -> Verdict {
    Ok(kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGKILL)?)
}

/// Kills the shim `micros` after `begin`.
fn strike(task: &Task, micros: u64, begin: impl FnOnce(&Task) -> Verdict) -> Verdict {
    let shim = task.shim_pid()?;
    begin(task)?;
    wait(micros);
    sigkill(shim)?;
    gone(shim)
}

/// Waits for less than a sleep takes.
fn wait(micros: u64) {
    let end = Instant::now() + Duration::from_micros(micros);
    while Instant::now() < end {
        thread::yield_now();
    }
}

/// Nothing of the task is left: no process, cgroup, mount, state or socket.
fn removed(task: &Task, micros: u64) -> Verdict {
    let left = files(Path::new(crate::shim::probe::RUN));
    check!(left.is_empty(), "{micros} us after the request: left behind: {left:?}");
    let dir = task.bundle.dir.to_string_lossy().into_owned();
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let mounts: Vec<&str> = table.lines().filter(|line| line.contains(&dir)).collect();
    check!(mounts.is_empty(), "{micros} us after the request: mounts: {mounts:?}");
    let path = task.bundle.config["linux"]["cgroupsPath"].as_str().unwrap_or_default();
    for hierarchy in &task.probe.test.machine.hierarchies {
        let cgroup = hierarchy.at.join(path.trim_start_matches('/'));
        check!(!cgroup.exists(), "{micros} us after the request: {} is there", cgroup.display());
    }
    Ok(())
}

fn delete(task: &Task) -> Verdict {
    task.probe.daemon.delete(&task.bundle.dir, &task.id)?.ok().map(drop)
}

fn in_call(probe: &Probe, state: State, begin: impl Fn(&Task) -> Verdict) -> Verdict {
    for micros in MOMENTS {
        let task = probe.task()?;
        task.bundle.write()?;
        task.bring(state)?;
        strike(&task, micros, &begin)?;
        delete(&task)?;
        removed(&task, micros)?;
    }
    // By the same name there can be a container again.
    let task = probe.task_in(State::Running)?;
    strike(&task, 0, |_| Ok(()))?;
    delete(&task)?;
    let (address, client) = probe.daemon.connect(&task.bundle.dir, &task.id, &Bootstrap::default())?;
    let again = probe.adopt(task.bundle, &task.id, address, client);
    again.bring(State::Deleted)
}

/// `Create` with an overlay as its root file system.
fn in_create_of(probe: &Probe, options: &[&str]) -> Verdict {
    for micros in MOMENTS {
        let bundle = probe.bundle()?;
        let image = probe.test.dir().join(format!("image{}", probe.test.next()));
        fs::rename(bundle.rootfs(), &image)?;
        fs::create_dir(bundle.rootfs())?;
        let dirs = ["upper", "work"].map(|name| image.with_extension(name));
        dirs.iter().try_for_each(fs::create_dir)?;
        let [upper, work] = dirs.map(|dir| dir.display().to_string());
        let own =
            [format!("lowerdir={}", image.display()), format!("upperdir={upper}"), format!("workdir={work}")];
        let options = options.iter().map(|&option| option.to_owned()).chain(own).collect();
        let task = probe.task_of(bundle)?;
        let mut request = task.create_request();
        request.rootfs =
            vec![Mount { kind: "overlay".into(), source: "overlay".into(), target: String::new(), options }];
        strike(&task, micros, |task| task.client.begin("Create", &request).map(drop))?;
        delete(&task)?;
        removed(&task, micros)?;
        check!(image.join("bin").is_dir(), "{micros} us after the request: the image is empty");
    }
    Ok(())
}

/// containerd 2 gives `delete` five seconds: what it had not done by then, it does when it is called again.
fn delete_itself(probe: &Probe) -> Verdict {
    for micros in MOMENTS {
        let task = probe.task_in(State::Running)?;
        strike(&task, 0, |_| Ok(()))?;
        let flags = vec!["-bundle".to_owned(), task.bundle.dir.to_string_lossy().into_owned()];
        let bootstrap = Bootstrap { flags, ..Bootstrap::default() };
        let command = probe.daemon.command(&task.bundle.dir, &task.id, &["delete"], &bootstrap);
        let running = probe.daemon.call(command, "delete").spawn()?;
        wait(micros);
        sigkill(running.pid().unsigned_abs())?;
        let _ = running.done()?;
        delete(&task)?;
        removed(&task, micros)?;
    }
    Ok(())
}
