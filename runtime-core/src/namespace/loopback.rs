//! The loopback device of a network namespace.

use super::{
    devices::link,
    enter,
    netlink::{Request, Socket},
};
use crate::{Error, Result};
use nix::sched::CloneFlags;

/// Its number in every namespace.
const INDEX: u32 = 1;

/// Sets it up in the network namespace of process `pid`: what listens at 127.0.0.1 could not be restored without.
pub(crate) fn set_up(pid: i32) -> Result<()> {
    let up = || Socket::open()?.carry_out(Request::new(libc::RTM_NEWLINK, 0, &link(INDEX, true)));
    enter::act_in(pid, CloneFlags::CLONE_NEWNET, "net", up)
        .map_err(|errno| Error::io("set up the loopback device", errno))
}
