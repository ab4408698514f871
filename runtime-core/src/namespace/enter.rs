//! What is done in a namespace of a process that runs already: by a thread of its own, so that the caller is never in it.

use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sched::{CloneFlags, setns, unshare},
    sys::stat::Mode,
};
use std::thread;

/// Does `act` in the namespace of process `pid` of type `kind`, called `name` in /proc/PID/ns.
pub(crate) fn act_in(
    pid: i32,
    kind: CloneFlags,
    name: &str,
    act: impl FnOnce() -> Result<(), Errno> + Send,
) -> Result<(), Errno> {
    let path = format!("/proc/{pid}/ns/{name}");
    let inside = || {
        let namespace = open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        // A mount namespace comes with a root and a working directory, which threads share.
        unshare(CloneFlags::CLONE_FS)?;
        setns(namespace, kind)?;
        act()
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, inside).map_err(|_| Errno::EAGAIN)?;
        thread.join().unwrap_or(Err(Errno::EINVAL))
    })
}
