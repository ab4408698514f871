//! What a program relies on that makes containers in its midst: other threads may do whatever they like, nothing of the
//! program changes, nothing of it gets into a container, and its size does not matter.

mod copies;
mod ground;
mod size;

use ground::{Ground, Program, descriptors};
use nix::{
    errno::Errno,
    libc,
    sys::{
        signal::SigSet,
        wait::{Id, WaitPidFlag, waitid},
    },
};
use runtime_core::{ErrorKind, Signal, Stdio};
use std::{
    fs,
    hint::black_box,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::PathBuf,
    process::Command,
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const THREADS: usize = 32;
/// Lives of a thread, one after the other.
const LIVES: usize = 3;

/// One test at a time: they look at what belongs to the whole program.
static ALONE: Mutex<()> = Mutex::new(());

/// Does `act` again and again until all is over; how often.
fn busy<'s>(
    scope: &'s thread::Scope<'s, '_>,
    stop: &'s AtomicBool,
    act: impl Fn(usize) + Send + 's,
) -> Busy<'s> {
    scope.spawn(move || {
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            act(count);
            count += 1;
        }
        count
    })
}

type Busy<'s> = thread::ScopedJoinHandle<'s, usize>;

fn allocate(count: usize) {
    black_box(vec![1_u8; (count * 7919) % 100_000]);
}

/// A child that is nothing but a copy, and one that executes a program; each reaped by itself.
fn fork_one(count: usize) {
    if count.is_multiple_of(2) {
        assert!(Command::new("/bin/true").status().unwrap().success());
        return;
    }
    // SAFETY: the child makes one call, which ends it.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: no destructor and no exit handler of the parent's runs.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: a child of this thread's own, whose status nobody wants.
    assert_eq!(unsafe { libc::waitpid(pid, ptr::null_mut(), 0) }, pid);
}

/// A file that every program this one starts would inherit: without close-on-exec.
fn open_for_all(_: usize) {
    // SAFETY: a text that ends with NUL; the descriptor is new, and owned from here on.
    let file = unsafe { OwnedFd::from_raw_fd(libc::open(c"/etc/passwd".as_ptr(), libc::O_RDONLY)) };
    thread::sleep(Duration::from_micros(200));
    assert!(file.as_raw_fd() > 2);
}

/// Another user for this one thread, and back: the plain calls, not the C library's, which change all threads.
fn change_credentials(_: usize) {
    let keep = u32::MAX;
    // SAFETY: plain numbers; the saved user stays root.
    unsafe {
        assert_eq!(libc::syscall(libc::SYS_setresgid, keep, 1000, keep), 0);
        assert_eq!(libc::syscall(libc::SYS_setresuid, keep, 1000, keep), 0);
        thread::sleep(Duration::from_micros(200));
        assert_eq!(libc::syscall(libc::SYS_setresuid, keep, 0, keep), 0);
        assert_eq!(libc::syscall(libc::SYS_setresgid, keep, 0, keep), 0);
    }
}

/// One life: started, a process executed in it, ended; each time all is looked at that the container has of its host.
fn live(ground: &Ground, thread: usize, life: usize) {
    let builder = ground.builder(&format!("{thread}-{life}"), &["sleep", "1000"]);
    let container = builder.stdout(Stdio::Null).stderr(Stdio::Null).run().unwrap();
    let pid = container.pid().unwrap();
    let null: Vec<_> = ["0", "1", "2"].map(|name| (name.to_owned(), PathBuf::from("/dev/null"))).into();
    assert_eq!(Vec::from_iter(descriptors(&pid.to_string())), null);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for line in
        ["Uid:\t0\t0\t0\t0", "Gid:\t0\t0\t0\t0", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"]
    {
        assert!(status.lines().any(|other| other == line), "{line} is not in\n{status}");
    }
    let list = container.process(["ls", "/proc/self/fd"]).unwrap();
    let list = list.stdin(Stdio::Null).stdout(Stdio::Piped).stderr(Stdio::Null);
    let output = container.exec(list).unwrap().wait_with_output().unwrap();
    // Three streams and the folder that it lists.
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n1\n2\n3\n");
    container.kill(Signal::KILL).unwrap();
    assert_eq!(container.wait().unwrap().signal(), Some(9));
    container.delete(false).unwrap();
}

#[test]
fn thirty_two_threads_make_containers_while_others_do_as_they_like() {
    let _alone = ALONE.lock();
    let Some(ground) = Ground::new("threads") else { return };
    live(&ground, 0, 0); // what is opened once and kept is open by now
    let before = Program::look();
    let (begin, stop, lives) = (Instant::now(), AtomicBool::new(false), AtomicUsize::new(0));
    let counts = thread::scope(|scope| {
        let others = [allocate, fork_one, open_for_all, change_credentials];
        let others: Vec<_> = others.into_iter().map(|act| busy(scope, &stop, act)).collect();
        let makers: Vec<_> = (1..=THREADS)
            .map(|thread| {
                let (ground, lives) = (&ground, &lives);
                scope.spawn(move || {
                    let blocked = SigSet::thread_get_mask().unwrap();
                    for life in 0..LIVES {
                        live(ground, thread, life);
                        lives.fetch_add(1, Ordering::Relaxed);
                    }
                    assert_eq!(SigSet::thread_get_mask().unwrap(), blocked);
                })
            })
            .collect();
        let made: Vec<_> = makers.into_iter().map(|maker| maker.join().is_ok()).collect();
        let time = begin.elapsed();
        stop.store(true, Ordering::Relaxed);
        let counts: Vec<_> = others.into_iter().map(|other| other.join().unwrap()).collect();
        assert!(made.into_iter().all(|made| made), "a thread failed");
        println!(
            "{} lives by {THREADS} threads in {time:.1?}, beside {} allocations, {} children, {} files, {} changes of user",
            lives.load(Ordering::Relaxed),
            counts[0],
            counts[1],
            counts[2],
            counts[3]
        );
        counts
    });
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    before.assert_unchanged();
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    assert_eq!(waitid(Id::All, flags), Err(Errno::ECHILD), "children");
    assert_eq!(fs::read_dir(ground.states()).unwrap().count(), 0, "state directories");
}

/// A create that fails half-way leaves nothing of the program changed either.
#[test]
fn failures_leave_the_program_as_it_was() {
    let _alone = ALONE.lock();
    let Some(ground) = Ground::new("failures") else { return };
    let fail = |name: &str, args: &[&str]| ground.builder(name, args).run().unwrap_err().kind();
    assert_eq!(fail("first", &["/no/such/program"]), ErrorKind::Exec);
    let before = Program::look();
    for number in 0..20 {
        assert_eq!(fail(&format!("exec-{number}"), &["/no/such/program"]), ErrorKind::Exec);
        let other = ground.builder(&format!("id/{number}"), &["true"]).run().unwrap_err();
        assert_eq!(other.kind(), ErrorKind::InvalidArgument);
    }
    before.assert_unchanged();
}
