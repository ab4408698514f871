//! What holds a container up holds up no other, nor what is to end it: hooks that sleep, a file system that hangs, readers
//! that stop reading, a full disk.

use super::groups::pod;
use crate::{
    harness::{Bundle, Suite, Verdict, check, check_eq, fail, within},
    hostile::{Fuse, Manner},
    shim::{
        client::words,
        daemon::Bootstrap,
        fifo::{self, Output},
        messages::{
            CloseIoRequest, Code, CreateTaskRequest, DeleteResponse, Empty, PidResponse, StateResponse,
            status,
        },
        probe::{Probe, RUN, State, Task, probe},
    },
};
use nix::mount::{MsFlags, mount};
use serde_json::json;
use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

const SANDBOX: &str = "io.kubernetes.cri.sandbox-id";
/// What answers at once takes no longer on a busy machine.
const SOON: Duration = Duration::from_secs(1);

pub(super) fn add(suite: &mut Suite) {
    let mut group = suite.group("hold-ups", "faults");
    group.must(
        "slow-poststart",
        "a hook that sleeps in Start",
        probe(|p| slow_hook(p, "poststart", "Start")),
    );
    group.must(
        "slow-poststop",
        "a hook that sleeps in Delete",
        probe(|p| slow_hook(p, "poststop", "Delete")),
    );
    for (name, manner) in [("silent", Manner::Silent), ("unread", Manner::Unread), ("held", Manner::Held)] {
        let body = probe(move |p| hung_root(p, manner));
        group.must(&format!("root-that-hangs-{name}"), "a root file system that hangs", body);
    }
    group.must(
        "root-that-hangs-killed",
        "delete of one whose root file system hangs",
        probe(hung_and_killed),
    );
    group.must("log-unread", "the log's reader does not read", probe(|p| log(p, true)));
    group.must("log-without-reader", "the log has no reader", probe(|p| log(p, false)));
    group.must("output-unread", "output that nobody reads, and Delete", probe(|p| output(p, false)));
    group.must("output-read-late", "output that is read while Delete waits", probe(|p| output(p, true)));
    group.must("full-disk", "no room for the state", probe(full_disk));
    group.must("full-disk-meanwhile", "no room any more for the state", probe(full_meanwhile));
}

/// A container of the same shim as `other`.
fn beside(probe: &Probe, other: &Task) -> Verdict<Bundle> {
    let mut bundle = probe.bundle()?;
    bundle.config["annotations"] = other.bundle.config["annotations"].clone();
    Ok(bundle)
}

/// The whole life of a container, as quick as if it were alone.
fn is_served(task: &Task) -> Verdict {
    let begin = Instant::now();
    task.is(status::RUNNING)?;
    task.add_exec("e", &["exit", "0"])?;
    task.start_exec("e")?;
    task.client.call::<Empty>("Wait", &task.exec("e"))?;
    let _: DeleteResponse = task.client.call("Delete", &task.exec("e"))?;
    task.client.call::<Empty>("Pause", &task.me())?;
    task.client.call::<Empty>("Resume", &task.me())?;
    check_eq!(task.stop()?, 137, "the exit status");
    task.delete()?;
    check!(begin.elapsed() < 2 * SOON, "the other container was held up for {:?}", begin.elapsed());
    Ok(())
}

fn slow_hook(probe: &Probe, kind: &str, method: &str) -> Verdict {
    let tasks = pod(probe, SANDBOX, State::Running, 2)?;
    let mut bundle = beside(probe, &tasks[0])?;
    bundle.config["hooks"][kind] = json!([{"path": "/bin/sleep", "args": ["sleep", "3"]}]);
    let slow = probe.task_of(bundle)?;
    slow.create()?;
    if method == "Delete" {
        slow.start()?;
        slow.stop()?;
    }
    let begin = Instant::now();
    let stream = slow.begin(method, "")?;
    thread::sleep(Duration::from_millis(100));
    let client = slow.connection()?;
    let state: StateResponse = client.call("State", &slow.me())?;
    check!(state.pid > 0, "State tells of no process");
    if method == "Start" {
        client.call::<Empty>("Kill", &slow.kill_request("", 9))?;
    }
    check!(begin.elapsed() < SOON, "State and Kill of the slow one took {:?}", begin.elapsed());
    is_served(&tasks[1])?;
    let done = slow.client.end::<Empty>(stream)?;
    check!(done.is_ok(), "{method}: {done:?}");
    check!(begin.elapsed() >= Duration::from_secs(3), "the hook did not sleep");
    if method == "Start" {
        check_eq!(slow.wait()?, 137, "the exit status");
    }
    Ok(())
}

/// A task whose root file system hangs, in the middle of its Create, and the stream of that.
fn hanging<'p, 't>(probe: &'p Probe<'t>, other: &Task, manner: Manner) -> Verdict<(Task<'p, 't>, Fuse, u32)> {
    probe.test.machine.needs_file("/dev/fuse", "FUSE")?;
    let mut bundle = beside(probe, other)?;
    bundle.config["process"]["env"] = json!(["PATH=/bin"]);
    let task = probe.task_of(bundle)?;
    let fuse = Fuse::at(&task.bundle.rootfs(), manner)?;
    let stream = task.begin("Create", "")?;
    thread::sleep(Duration::from_millis(300));
    Ok((task, fuse, stream))
}

fn hung_root(probe: &Probe, manner: Manner) -> Verdict {
    let tasks = pod(probe, SANDBOX, State::Running, 2)?;
    let (task, mut fuse, stream) = hanging(probe, &tasks[0], manner)?;
    let client = task.connection()?;
    let begin = Instant::now();
    client.refused("State", &task.me(), Code::NotFound)?;
    check!(begin.elapsed() < SOON, "State took {:?}", begin.elapsed());
    is_served(&tasks[1])?;
    fuse.end();
    match task.client.end::<PidResponse>(stream)? {
        Ok(_) => fail("a container was made of a root file system that hangs"),
        Err(told) => {
            check!(!told.message.is_empty(), "{}", words(&told));
            client.refused("State", &task.me(), Code::NotFound).map(drop)
        }
    }
}

fn hung_and_killed(probe: &Probe) -> Verdict {
    let tasks = pod(probe, SANDBOX, State::Running, 1)?;
    let (task, mut fuse, _) = hanging(probe, &tasks[0], Manner::Unread)?;
    tasks[0].kill_shim()?;
    let begin = Instant::now();
    probe.daemon.delete(&tasks[0].bundle.dir, &tasks[0].id)?.ok()?;
    probe.daemon.delete(&task.bundle.dir, &task.id)?.ok()?;
    check!(begin.elapsed() < Duration::from_secs(5), "`delete` took {:?}", begin.elapsed());
    fuse.end();
    Ok(())
}

/// Fills what is behind `path` until it takes no more.
fn fill_fifo(path: &Path) -> Verdict {
    let mut file = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    loop {
        match file.write(&[b'x'; 4096]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return fail(format!("{}: {error}", path.display())),
        }
    }
}

/// With `-debug` there is a lot to tell, and nobody to tell it.
fn log(probe: &Probe, reader: bool) -> Verdict {
    let flags = Bootstrap { flags: vec!["-debug".into()], ..Bootstrap::default() };
    let task = probe.task_with(probe.bundle()?, &flags)?;
    match reader {
        true => fill_fifo(&task.bundle.dir.join("log"))?,
        false => probe.daemon.forget(&task.id)?,
    }
    let begin = Instant::now();
    // Events that cannot be told are something to tell.
    probe.daemon.events.hang_up(&probe.daemon.event_socket())?;
    task.bring(State::Running)?;
    task.client.call::<Empty>("Pause", &task.me())?;
    task.client.call::<Empty>("Resume", &task.me())?;
    check!(task.client.ask::<Empty>("Create", &task.create_request())?.is_err(), "Create twice");
    is_served(&task)?;
    check!(begin.elapsed() < Duration::from_secs(4), "it took {:?}", begin.elapsed());
    probe.daemon.events.serve(&probe.daemon.event_socket())?;
    Ok(())
}

/// A process that writes more than there is room for, as nobody reads.
fn output(probe: &Probe, late: bool) -> Verdict {
    let tasks = pod(probe, SANDBOX, State::Running, 2)?;
    let mut bundle = beside(probe, &tasks[0])?;
    bundle.payload(&["echo"]);
    let task = probe.task_of(bundle)?;
    let dir = probe.test.dir().join("fifos");
    fs::create_dir_all(&dir)?;
    let (stdin, out) = (fifo::input(&dir, "in")?, Output::new(dir.join("out"))?);
    task.create_as(&CreateTaskRequest { stdin: stdin.clone(), stdout: out.name(), ..task.create_request() })?;
    task.start()?;
    let mut writer = fifo::write_end(&stdin)?;
    writer.write_all(&vec![b'x'; 1 << 20])?;
    drop(writer);
    // The process writes once it has read all.
    let close = CloseIoRequest { id: task.id.clone(), exec_id: String::new(), stdin: true };
    task.client.call::<Empty>("CloseIO", &close)?;
    thread::sleep(Duration::from_millis(300));
    let begin = Instant::now();
    check_eq!(task.stop()?, 137, "the exit status");
    check!(begin.elapsed() < SOON, "Kill and Wait took {:?}", begin.elapsed());
    let begin = Instant::now();
    let stream = task.begin("Delete", "")?;
    is_served(&tasks[1])?;
    check!(
        task.client.within(stream, Duration::from_millis(10))?.is_none(),
        "Delete did not wait for its output"
    );
    if late {
        let all = within(Duration::from_secs(5), || (out.bytes().len() > 64 << 10).then_some(()));
        check!(all.is_some(), "{} bytes came", out.bytes().len());
    }
    let deadline = Duration::from_secs(14);
    let told = within(deadline, || {
        out.path.exists().then_some(())?;
        if late {
            out.bytes();
        }
        task.client.within(stream, Duration::from_millis(20)).ok().flatten()
    });
    check!(
        told.is_some_and(|told| told.status.is_none_or(|s| s.code == 0)),
        "Delete gave no answer or an error"
    );
    let took = begin.elapsed();
    let bounds = if late { 0..5 } else { 9..13 };
    check!(bounds.contains(&took.as_secs()), "Delete took {took:?}");
    Ok(())
}

/// The tmpfs of sockets and states takes no more than a few pages.
fn fill_disk() -> Verdict {
    mount(None::<&str>, RUN, None::<&str>, MsFlags::MS_REMOUNT, Some("size=256k,mode=755"))?;
    let mut file = fs::File::create(Path::new(RUN).join("filler"))?;
    while file.write(&[b'x'; 4096]).is_ok() {}
    Ok(())
}

fn full_disk(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    fill_disk()?;
    let Err(told) = task.client.ask::<PidResponse>("Create", &task.create_request())? else {
        return fail("a container was made without room for its state");
    };
    check!(told.message.contains("No space left"), "{}", words(&told));
    task.client.refused("State", &task.me(), Code::NotFound)?;
    let left: Vec<_> = fs::read_dir(Path::new(RUN).join("corten")).into_iter().flatten().flatten().collect();
    check!(
        left.iter().all(|dir| fs::read_dir(dir.path()).is_ok_and(|mut dir| dir.next().is_none())),
        "state is left"
    );
    fs::remove_file(Path::new(RUN).join("filler"))?;
    task.bring(State::Running)
}

fn full_meanwhile(probe: &Probe) -> Verdict {
    let tasks = pod(probe, SANDBOX, State::Running, 2)?;
    fill_disk()?;
    is_served(&tasks[1])?;
    tasks[0].kill_shim()?;
    probe.daemon.delete(&tasks[0].bundle.dir, &tasks[0].id)?.ok()?;
    Ok(fs::remove_file(Path::new(RUN).join("filler"))?)
}
