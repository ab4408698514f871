//! The loopback device of a network namespace.

use super::{
    devices::link,
    netlink::{Request, Socket},
};
use crate::{Error, Result};
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sched::{CloneFlags, setns},
    sys::stat::Mode,
};
use std::thread;

/// Its number in every namespace.
const INDEX: u32 = 1;

/// Sets it up in the network namespace of process `pid`: what listens at 127.0.0.1 could not be restored without. A thread of
/// its own enters the namespace, so that the caller is never in it.
pub(crate) fn set_up(pid: i32) -> Result<()> {
    let path = format!("/proc/{pid}/ns/net");
    let inside = || -> Result<(), Errno> {
        let namespace = open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        Socket::open()?.carry_out(Request::new(libc::RTM_NEWLINK, 0, &link(INDEX, true)))
    };
    let result = thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, inside);
        thread.map_err(|_| Errno::EAGAIN).and_then(|thread| thread.join().unwrap_or(Err(Errno::EINVAL)))
    });
    result.map_err(|errno| Error::io("set up the loopback device", errno))
}
