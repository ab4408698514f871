//! A user namespace that only a mount uses: a process is born into it, gets its mappings, and ends once the namespace's file
//! is open.

use super::{Birth, Clone, Event};
use crate::{
    Error, ErrorKind, Result,
    namespace::{flag, id_maps::IdMaps},
    plan::{Place, Program},
    spec::LinuxIdMapping,
    sys::pidfd,
};
use corten_init::{message::Phase, step::Step};
use nix::{
    fcntl::{OFlag, open},
    sys::stat::Mode,
};
use std::os::fd::{AsFd, OwnedFd};

/// The file of a new user namespace with these mappings.
///
/// # Errors
/// The kernel's answer to the clone, or to the mappings.
pub(crate) fn make(maps: &IdMaps) -> Result<OwnedFd> {
    let mut program = Program::new();
    // It waits for an answer that never comes: dropped, it is killed.
    program.step(Place::Property("mounts"), &Step::Ask { phase: Phase::IdMaps as u8 });
    let clone = Clone {
        stdio: crate::sys::standard_streams(),
        preserve_fds: 0,
        namespaces: flag::USER,
        cgroup: None,
        relay: false,
    };
    let mut birth = Birth::begin(program, &clone)?;
    let failed = || Error::new(ErrorKind::Io, "the process of a mount's user namespace ended early");
    if birth.next(None)? != Event::Reached(Phase::IdMaps) {
        return Err(failed());
    }
    maps.write(birth.pid())?;
    let path = format!("/proc/{}/ns/user", birth.pid());
    let file = open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| Error::io(format!("open {path}"), errno))?;
    let kind = pidfd::namespace_type(file.as_fd()).map_err(|error| Error::io("NS_GET_NSTYPE", error))?;
    if kind.cast_unsigned() == flag::USER { Ok(file) } else { Err(failed()) }
}

/// A user namespace with these mappings and without a process, for who makes id-mapped mounts by mount_setattr(2): an id of
/// the file system (`containerID`) becomes one of the host's (`hostID`).
///
/// # Errors
/// The kernel's answer to the clone, or to the mappings.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::spec::LinuxIdMapping;
///
/// let map = LinuxIdMapping { container_id: 0, host_id: 100_000, size: 65_536 };
/// let namespace = runtime_core::user_namespace(vec![map], vec![map])?;
/// # Ok(()) }
/// ```
pub fn user_namespace(uids: Vec<LinuxIdMapping>, gids: Vec<LinuxIdMapping>) -> Result<OwnedFd> {
    make(&IdMaps::new(uids, gids))
}
