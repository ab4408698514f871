//! Mounts that are added to a container and taken away while it runs. Not of the specification.

use super::{Container, exec, id_mapped};
use crate::{
    Error, ErrorKind, Result, config,
    fs::procfs,
    init::{
        Birth, Clone, Event,
        sequence::{self, Live},
        user_namespace,
    },
    namespace::flag,
    plan::Program,
    rootfs::Change,
    spec::{Mount, Spec},
    sys::standard_streams,
};
use nix::{
    fcntl::{OFlag, open},
    sys::stat::Mode,
};
use std::os::fd::OwnedFd;

/// Adds all of `mounts` or none.
pub(super) fn add(container: &Container, mounts: &[Mount]) -> Result<()> {
    let live = Target::of(container, mounts.to_vec())?;
    let _lock = container.store.lock()?;
    for index in 0..mounts.len() {
        if let Err(error) = live.change(Change::Add, index) {
            for index in (0..index).rev() {
                if let Err(error) = live.change(Change::Remove, index) {
                    log::warn!("take a mount back: {}", error.report());
                }
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Takes those at the destinations of `mounts` away.
pub(super) fn remove(container: &Container, mounts: &[Mount]) -> Result<()> {
    // Nothing but the destination counts.
    let bare = |mount: &Mount| Mount::new(&mount.destination).of_type("bind").from_source("/");
    let live = Target::of(container, mounts.iter().map(bare).collect())?;
    let _lock = container.store.lock()?;
    (0..mounts.len()).try_for_each(|index| live.change(Change::Remove, index))
}

/// A container whose mounts are changed.
struct Target<'a> {
    container: &'a Container,
    /// Its configuration, with the mounts in question in place of its own.
    spec: Spec,
    /// CLONE_NEW* flags of those of its namespaces that are to be joined.
    flags: u32,
}

impl<'a> Target<'a> {
    fn of(container: &'a Container, mounts: Vec<Mount>) -> Result<Self> {
        let flags = container.record.namespaces & (flag::MOUNT | flag::USER);
        if flags & flag::MOUNT == 0 {
            let why = "the container has no mount namespace of its own: what it sees is the host's";
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        let mut spec = container.spec()?;
        spec.mounts = mounts;
        config::validate_mounts(&spec)?;
        Ok(Self { container, spec, flags })
    }

    /// One entry: a process of the host's does it in the container's namespaces and ends.
    fn change(&self, change: Change, index: usize) -> Result<()> {
        let (_, init, _) = exec::target(self.container, true)?;
        let mut program = Program::new();
        let id_mapped = match change {
            Change::Add => {
                let user = self.user_namespace()?;
                id_mapped::ready(&self.spec, (0, user.as_ref()), &mut program, user_namespace::make)?
            }
            Change::Remove => Vec::new(),
        };
        let record = &self.container.record;
        let live = Live {
            spec: &self.spec,
            paths: (&record.bundle, &record.rootfs),
            id_mapped: &id_mapped,
            procfs: procfs::handle()?,
            init,
            flags: self.flags,
        };
        sequence::plan_mount(live, (change, index), &mut program)?;
        let stdio = standard_streams();
        let clone = Clone { stdio, preserve_fds: 0, namespaces: 0, cgroup: None, relay: false };
        let mut birth = Birth::begin(program, &clone)?;
        loop {
            match birth.next(Some(&self.spec))? {
                // It has done all and ends; dropped, it is reaped.
                Event::Executing => return Ok(()),
                Event::Closed => {
                    return Err(Error::new(ErrorKind::Io, "mounts: the init program ended early"));
                }
                Event::Reached(_) | Event::Known | Event::Listening => {}
            }
        }
    }

    /// The container's own user namespace: what id-mapped mounts have that name no ids.
    fn user_namespace(&self) -> Result<Option<OwnedFd>> {
        let pid = self.container.pid().filter(|_| self.flags & flag::USER != 0);
        let Some(pid) = pid else { return Ok(None) };
        let path = format!("/proc/{pid}/ns/user");
        let file = open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
        file.map(Some).map_err(|errno| Error::io(format!("open {path}"), errno))
    }
}
