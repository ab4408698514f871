//! Children of the program that are copies of it, and live on.

use crate::{
    ALONE,
    ground::{Ground, descriptors},
};
use nix::{
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use runtime_core::{Event, Signal, Status, Stdio};
use std::{
    os::fd::{AsFd, BorrowedFd},
    ptr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Children that are nothing but copies of this process, descriptors included; ended with it.
struct Copies(Vec<libc::pid_t>);

impl Copies {
    fn add(&mut self) {
        // SAFETY: the child waits for its end.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: it waits, and ends; should it be held up by this, the test is so for that long and no longer.
            unsafe {
                libc::alarm(60);
                libc::pause();
                libc::_exit(0);
            }
        }
        self.0.push(pid);
    }

    /// Whether one of them has a descriptor of a file of this name.
    fn has(&self, name: &str) -> bool {
        let open = |pid: &libc::pid_t| descriptors(&pid.to_string()).into_values();
        self.0.iter().flat_map(open).any(|target| target.ends_with(name))
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        for pid in &self.0 {
            // SAFETY: children of this process' own, whose status nobody wants.
            unsafe {
                libc::kill(*pid, libc::SIGKILL);
                assert_eq!(libc::waitpid(*pid, ptr::null_mut(), 0), *pid);
            }
        }
    }
}

fn readable(fd: BorrowedFd<'_>) -> bool {
    poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], PollTimeout::from(10_000_u16)).unwrap() == 1
}

/// Does `act` while this process is copied every `pause`.
fn beside_forks<T>(pause: Duration, act: impl FnOnce() -> T) -> (T, Copies) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let forker = scope.spawn(|| {
            let mut copies = Copies(Vec::new());
            while !stop.load(Ordering::Relaxed) && copies.0.len() < 2000 {
                copies.add();
                thread::sleep(pause);
            }
            copies
        });
        let done = act();
        stop.store(true, Ordering::Relaxed);
        (done, forker.join().unwrap())
    })
}

#[test]
fn children_that_live_on_hold_up_nothing() {
    let _alone = ALONE.lock();
    let Some(ground) = Ground::new("children") else { return };
    let (times, _copies) = beside_forks(Duration::from_millis(1), || {
        let lives = (0..5).map(|number| {
            let begin = Instant::now();
            let container = ground.builder(&format!("children-{number}"), &["true"]).run().unwrap();
            container.wait().unwrap();
            container.delete(false).unwrap();
            begin.elapsed()
        });
        lives.collect::<Vec<_>>()
    });
    println!("lives beside children that stay: {times:.1?}");
    assert!(times.iter().all(|time| *time < Duration::from_secs(30)), "{times:?}");
}

/// A child with a copy of init.lock, by which a created container is known from a running one, changes nothing of what is told.
#[test]
fn children_that_live_on_do_not_make_a_container_look_created() {
    let _alone = ALONE.lock();
    let Some(ground) = Ground::new("looks") else { return };
    let create = |name: &str| {
        for _ in 0..200 {
            let builder = ground.builder(&format!("looks-{name}"), &["sleep", "1000"]);
            let builder = builder.stdout(Stdio::Null).delete_on_drop(true);
            let (created, copies) = beside_forks(Duration::ZERO, || builder.create().unwrap());
            assert_eq!(created.status().unwrap(), Status::Created);
            if copies.has("init.lock") {
                return (created, copies);
            }
            created.delete().unwrap();
        }
        panic!("of 200 containers none was created beside a fork");
    };
    let (created, copies) = create("started");
    let mut events = created.events().unwrap();
    let container = created.start().unwrap();
    assert_eq!(container.status().unwrap(), Status::Running);
    assert!(readable(events.as_fd()));
    assert_eq!(events.read().unwrap(), Some(Event::Started));
    assert!(copies.has("init.lock"));
    container.delete(true).unwrap();
    let (created, copies) = create("killed");
    created.kill(Signal::KILL).unwrap();
    assert!(readable(created.pidfd()));
    assert_eq!(created.status().unwrap(), Status::Stopped);
    assert!(copies.has("init.lock"));
    created.delete().unwrap();
}
