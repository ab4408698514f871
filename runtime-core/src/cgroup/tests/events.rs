//! Out-of-memory events.

use super::*;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;

/// The size of dd's part is what is held in memory.
const FILL: &str = "dd if=/dev/zero of=/dev/null bs=100000000 count=1";

/// Reads as an event loop does, until something has come: a number of events, or the end.
fn next(events: &mut OomEvents) -> Option<u64> {
    loop {
        match events.read().unwrap() {
            Some(0) => {}
            other => return other,
        }
        let mut polled = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut polled, PollTimeout::from(5_000_u16)).unwrap(), 1, "nothing came");
    }
}

pub(super) fn running_out_of_memory_is_told() {
    let made = Made::new();
    if !made.has("memory") {
        let error = made.oom_events().unwrap_err().to_string();
        assert_eq!(error, "events: this host has no cgroup controller memory");
        println!("skipped: no controller memory here");
        return;
    }
    made.apply(&resources(r#"{"memory":{"limit":16777216,"swap":16777216}}"#)).unwrap();
    let mut holder = waiting("sleep 100");
    made.attach(pid(&holder)).unwrap();
    let mut events = made.oom_events().unwrap();
    assert_eq!(events.read().unwrap(), Some(0));
    for _ in 0..3 {
        assert_eq!(run_in(&made, &format!("exec {FILL}")), 128 + libc::SIGKILL);
        assert!(next(&mut events).unwrap() >= 1);
    }
    // What was before is not told again.
    let later = made.oom_events().unwrap();
    while events.read().unwrap().unwrap() > 0 {}
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || later.for_each(|count| tell.send(count.unwrap()).unwrap()));
    assert_eq!(run_in(&made, &format!("{FILL}; {FILL}; true")), 0);
    assert!(next(&mut events).unwrap() >= 1);
    // What is not told yet when the cgroup goes is lost with it.
    let mut kills = 0;
    while kills < 2 {
        let count = told.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_ne!(count, 0);
        kills += count;
    }
    assert!(kills <= 4, "{kills}");
    made.kill_all(libc::SIGKILL).unwrap();
    holder.wait().unwrap();
    made.delete().unwrap();
    while next(&mut events).is_some() {}
    assert_eq!(events.read().unwrap(), None);
    thread.join().unwrap();
    assert!(matches!(made.oom_events().unwrap_err(), Error::NotFound { .. }));
}
