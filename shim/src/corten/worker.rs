//! A share of the work, done by a copy of this process on another processor. It tells what it found by a memory file; whatever goes
//! wrong with it, there is no answer, and who wanted one does that share itself.

use crate::sys::{self, Side};
use nix::{
    errno::Errno,
    sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity},
    sys::{
        memfd::{MFdFlags, memfd_create},
        wait::waitpid,
    },
    unistd::Pid,
};
use std::{
    fs::File,
    io::{Read, Seek, Write},
};

/// The last byte of an answer that is whole.
const END: u8 = b'\n';

/// A copy of this process, at work.
pub(crate) struct Worker {
    pid: Pid,
    told: File,
}

impl Worker {
    /// Has a copy of this process do `work`, which tells in a text what came of it. None where the kernel gives no copy.
    pub(crate) fn begin(work: impl FnOnce() -> Option<String>) -> Option<Self> {
        let told = File::from(memfd_create(c"worker", MFdFlags::MFD_CLOEXEC).ok()?);
        match sys::fork().ok()? {
            Side::Parent(pid) => {
                let pid = Pid::from_raw(pid);
                go_elsewhere(pid);
                Some(Self { pid, told })
            }
            Side::Child => sys::end_copy(|| {
                if let Some(mut text) = work() {
                    text.push(char::from(END));
                    // A part of it has no end.
                    let _ = (&told).write_all(text.as_bytes());
                }
            }),
        }
    }

    /// Waits for its end. What it told, if that is whole.
    pub(crate) fn end(mut self) -> Option<String> {
        while waitpid(self.pid, None) == Err(Errno::EINTR) {}
        let mut text = String::new();
        // The two have the file's position in common.
        self.told.rewind().ok()?;
        self.told.read_to_string(&mut text).ok()?;
        (text.pop()? == char::from(END)).then_some(text)
    }
}

/// Keeps the process `pid` off this processor, where the scheduler may have put it, and would leave it for milliseconds.
fn go_elsewhere(pid: Pid) {
    let own = Pid::from_raw(0);
    if let (Ok(mut set), Ok(here)) = (sched_getaffinity(own), sched_getcpu())
        && set.unset(here).is_ok()
    {
        // With no other left the kernel refuses.
        let _ = sched_setaffinity(pid, &set);
    }
}

/// How many processors this process may run on.
pub(crate) fn processors() -> usize {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu) == Ok(true)).count()
}
