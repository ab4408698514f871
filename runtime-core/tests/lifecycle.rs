//! The life of a container as an embedding program sees it: events, streams, the ends of processes.

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::geteuid,
};
use runtime_core::{
    Container, ContainerBuilder, ErrorKind, Event, Events, Job, Running, Signal, Status, Stdio,
};
use std::{
    fs,
    os::{fd::AsFd, unix::fs::symlink},
    path::{Path, PathBuf},
    process, thread,
    time::Duration,
};

/// A rootfs of busybox and a state directory, removed with it.
struct Ground(PathBuf);

impl Ground {
    fn new(name: &str) -> Option<Self> {
        if !geteuid().is_root() || !Path::new("/bin/busybox").exists() {
            println!("skipped: it wants root and /bin/busybox");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("corten-test-lifecycle-{name}-{}", process::id()));
        let bin = folder.join("rootfs/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy("/bin/busybox", bin.join("busybox")).unwrap();
        for command in ["cat", "sh", "sleep", "true"] {
            symlink("busybox", bin.join(command)).unwrap();
        }
        Some(Self(folder))
    }

    fn builder(&self, name: &str, args: &[&str]) -> ContainerBuilder {
        let id = format!("corten-test-lifecycle-{name}-{}", process::id());
        let mut spec = Job::new(self.0.join("rootfs"), args.iter().copied()).spec();
        spec.linux.as_mut().unwrap().cgroups_path = Some(format!("/{id}").into());
        ContainerBuilder::new(id)
            .root(self.0.join("states"))
            .spec(spec)
            .stdin(Stdio::Null)
            .delete_on_drop(true)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// All that is told until `time` has passed without anything.
fn told(events: &mut Events, time: u16) -> Vec<Event> {
    let mut all = Vec::new();
    while poll(&mut [PollFd::new(events.as_fd(), PollFlags::POLLIN)], PollTimeout::from(time)).unwrap() > 0 {
        while let Some(event) = events.read().unwrap() {
            all.push(event);
        }
    }
    all
}

#[test]
fn all_that_happens_is_told_in_its_order() {
    let Some(ground) = Ground::new("events") else { return };
    let created = ground.builder("events", &["sleep", "100"]).create().unwrap();
    let mut events = created.events().unwrap();
    assert_eq!(told(&mut events, 50), []);
    let container = created.start().unwrap();
    assert_eq!(told(&mut events, 200), [Event::Started]);
    // Looked at, it is as it was.
    assert_eq!(container.status().unwrap(), Status::Running);
    assert_eq!(told(&mut events, 50), []);
    container.pause().unwrap();
    assert_eq!(told(&mut events, 200), [Event::Paused]);
    container.resume().unwrap();
    assert_eq!(told(&mut events, 200), [Event::Resumed]);
    container.exec(container.process(["true"]).unwrap()).unwrap().wait().unwrap();
    assert_eq!(told(&mut events, 50), [], "further processes are none of its events");
    container.kill(Signal::KILL).unwrap();
    container.wait().unwrap();
    assert_eq!(told(&mut events, 200), [Event::Stopped]);
    container.delete(false).unwrap();
    assert_eq!(told(&mut events, 200), [Event::Deleted]);
    assert!(events.next().is_none());
}

/// By another program's eyes: the container is only a name there.
#[test]
fn an_iterator_waits_and_comes_to_an_end() {
    let Some(ground) = Ground::new("iterator") else { return };
    let container = ground.builder("iterator", &["sleep", "100"]).run().unwrap();
    let other = Container::load(ground.0.join("states"), container.id()).unwrap();
    let events = other.events().unwrap();
    let reader = thread::spawn(move || events.map(Result::unwrap).collect::<Vec<_>>());
    thread::sleep(Duration::from_millis(50));
    container.pause().unwrap();
    thread::sleep(Duration::from_millis(50));
    container.delete(true).unwrap();
    let all = reader.join().unwrap();
    assert_eq!(all.first(), Some(&Event::Paused), "{all:?}");
    assert_eq!(all[all.len() - 2..], [Event::Stopped, Event::Deleted], "{all:?}");
    assert_eq!(other.events().unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn memory_that_runs_out_is_an_event() {
    let Some(ground) = Ground::new("memory") else { return };
    let id = format!("corten-test-lifecycle-memory-{}", process::id());
    let script = "cat; cat /dev/zero | head -c 100000000 | tail -c 90000000 > /dev/null; sleep 100";
    let job = Job::new(ground.0.join("rootfs"), ["sh", "-c", script]).memory(8 << 20);
    let mut spec = job.spec();
    spec.linux.as_mut().unwrap().cgroups_path = Some(format!("/{id}").into());
    for command in ["head", "tail"] {
        symlink("busybox", ground.0.join("rootfs/bin").join(command)).unwrap();
    }
    let builder = ContainerBuilder::new(id).root(ground.0.join("states")).spec(spec).delete_on_drop(true);
    let mut container = match builder.stdin(Stdio::Piped).run() {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            return println!("skipped: {}", error.report());
        }
        container => container.unwrap(),
    };
    let mut events = container.events().unwrap();
    drop(container.take_stdin());
    match events.next().unwrap().unwrap() {
        Event::OutOfMemory(1..) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn streams_and_ends_of_further_processes() {
    let Some(ground) = Ground::new("exec") else { return };
    let container = ground.builder("exec", &["sleep", "100"]).run().unwrap();
    let exec = |args: &[&str]| container.process(args.iter().copied()).unwrap();
    let loud = exec(&["sh", "-c", "echo out; echo err >&2; exit 3"]);
    let mut process =
        container.exec(loud.stdin(Stdio::Null).stdout(Stdio::Piped).stderr(Stdio::Piped)).unwrap();
    let output = process.wait_with_output().unwrap();
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(output.status.code(), Some(3));
    // Its standard input ends with the wait.
    let copy = exec(&["cat"]).stdin(Stdio::Piped).stdout(Stdio::Piped);
    let mut copy = container.exec(copy).unwrap();
    assert!(copy.wait_timeout(Duration::from_millis(20)).unwrap().is_none());
    assert!(copy.wait_with_output().unwrap().status.success());
    assert_eq!(copy.wait().unwrap_err().kind(), ErrorKind::InvalidState, "once");
    let owned = container.pidfd_owned().unwrap();
    let forever = thread::scope(|scope| {
        let waits = scope.spawn(|| container.wait_timeout(Duration::MAX).unwrap());
        thread::sleep(Duration::from_millis(20));
        container.kill(Signal::KILL).unwrap();
        waits.join().unwrap()
    });
    assert_eq!(forever.unwrap().signal(), Some(9));
    poll(&mut [PollFd::new(owned.as_fd(), PollFlags::POLLIN)], PollTimeout::from(5000_u16)).unwrap();
    assert_eq!(container.wait().unwrap_err().kind(), ErrorKind::InvalidState);
}

/// A value that its thread does not keep to itself may be used from others.
#[test]
fn one_container_from_many_threads() {
    let Some(ground) = Ground::new("shared") else { return };
    let container: Running = ground.builder("shared", &["sleep", "100"]).run().unwrap();
    thread::scope(|scope| {
        for number in 0..8 {
            let container = &container;
            scope.spawn(move || {
                let script = format!("exit {number}");
                let process = container.process(["sh", "-c", &script]).unwrap();
                let status = container.exec(process).unwrap().wait().unwrap();
                assert_eq!(status.code(), Some(number));
            });
        }
    });
}

/// What an overview tells, which must be what each container says of itself.
fn overview(ground: &Ground) -> Vec<(String, Status)> {
    let root = ground.0.join("states");
    let all = Container::overview(&root).unwrap();
    let one_by_one = Container::list(&root).unwrap();
    assert_eq!(all.len(), one_by_one.len());
    for (short, container) in all.iter().zip(&one_by_one) {
        assert_eq!(short.state, container.state().unwrap());
        let said = (container.rootfs(), container.created(), container.owner());
        assert_eq!((short.rootfs.as_path(), short.created.as_str(), short.owner.clone()), said);
    }
    all.into_iter().map(|short| (short.state.id, short.state.status)).collect()
}

#[test]
fn an_overview_tells_what_each_says_of_itself() {
    let Some(ground) = Ground::new("overview") else { return };
    let statuses = || overview(&ground).into_iter().map(|(_, status)| status).collect::<Vec<_>>();
    let (one, other) = (["sleep", "100"], ["true"]);
    // In the order of their names; the last has no init.lock.
    let first = ground.builder("a", &one).create().unwrap();
    let second = ground.builder("b", &one).create().unwrap();
    let third = ground.builder("c", &other).create().unwrap();
    let fourth = ground.builder("d", &one).run().unwrap();
    assert_eq!(statuses(), [Status::Created, Status::Created, Status::Created, Status::Running]);
    let first = first.start().unwrap();
    first.pause().unwrap();
    // Frozen before its start.
    second.pause().unwrap();
    let third = third.start().unwrap();
    third.wait().unwrap();
    assert_eq!(statuses(), [Status::Paused, Status::Paused, Status::Stopped, Status::Running]);
    first.resume().unwrap();
    second.resume().unwrap();
    assert_eq!(statuses(), [Status::Running, Status::Created, Status::Stopped, Status::Running]);

    // Without a summary, or with half of one, the record says it.
    for (id, cut) in [(first.id(), 0), (second.id(), 20)] {
        let file = ground.0.join("states").join(id).join("init.lock");
        let file = fs::OpenOptions::new().write(true).open(file).unwrap();
        assert!(file.metadata().unwrap().len() > 20);
        file.set_len(cut).unwrap();
    }
    assert_eq!(statuses(), [Status::Running, Status::Created, Status::Stopped, Status::Running]);
    second.delete().unwrap();
    assert_eq!(overview(&ground).len(), 3);

    let root = ground.0.join("states");
    assert_eq!(Container::ids(&root).unwrap(), [first.id(), third.id(), fourth.id()]);
    let some = Container::overview_of(&root, &[fourth.id(), "none", first.id()]).unwrap();
    assert_eq!(some.iter().map(|one| one.state.id.as_str()).collect::<Vec<_>>(), [fourth.id(), first.id()]);
    let error = Container::overview_of(&root, &[first.id(), "../a"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

/// What no kernel could be asked for is refused in words, and nothing is left behind.
#[test]
fn numbers_that_cannot_be_are_errors() {
    let Some(ground) = Ground::new("numbers") else { return };
    for count in [u32::MAX, i32::MAX.unsigned_abs(), i32::MAX.unsigned_abs() - 3] {
        let error = ground.builder("numbers", &["true"]).preserve_fds(count).run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{count}: {error:?}");
    }
    assert_eq!(fs::read_dir(ground.0.join("states")).unwrap().count(), 0);
}

/// The kernel takes an errno of 0 for a success.
#[cfg(feature = "notify")]
#[test]
fn a_refusal_without_an_errno_is_no_permission() {
    use runtime_core::agent::Agent;

    let Some(ground) = Ground::new("refusal") else { return };
    let (socket, id) =
        (ground.0.join("agent.sock"), format!("corten-test-lifecycle-refusal-{}", process::id()));
    let profile = format!(
        r#"{{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": {socket:?},
             "syscalls": [{{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}}]}}"#
    );
    let agent = Agent::bind(&socket).unwrap();
    let refused = thread::spawn(move || {
        let (_, calls) = agent.accept().unwrap();
        let kinds =
            calls.zip([0, -1, i32::MIN]).map(|(call, errno)| call.unwrap().refuse(errno).unwrap_err().kind());
        kinds.collect::<Vec<_>>()
    });
    symlink("busybox", ground.0.join("rootfs/bin/mkdir")).unwrap();
    let job = Job::new(ground.0.join("rootfs"), ["sh", "-c", "mkdir /1; mkdir /2; mkdir /3; test ! -e /1"]);
    let job = job.seccomp(serde_json::from_str(&profile).unwrap());
    let builder = ContainerBuilder::new(id).root(ground.0.join("states")).spec(job).delete_on_drop(true);
    let output = builder.stdin(Stdio::Null).stderr(Stdio::Piped).run().unwrap().wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("Function not implemented").count(), 3, "{said}");
    assert_eq!(refused.join().unwrap(), [ErrorKind::InvalidArgument; 3]);
}
