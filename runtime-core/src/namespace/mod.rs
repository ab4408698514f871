//! The container's namespaces: new ones and joined ones, linux.namespaces of config-linux.md.

pub(crate) mod devices;
pub(crate) mod id_maps;
pub(crate) mod names;
mod netlink;
pub(crate) mod sysctl;
pub(crate) mod time;

use crate::{
    Error, ErrorKind, Result,
    plan::{Place, Program},
    spec::{LinuxNamespace, LinuxNamespaceType, Spec},
    sys::pidfd,
};
use corten_init::step::{Slot, Step};
use nix::{fcntl, sys::stat::Mode};
use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// CLONE_NEW* flags, clone(2).
pub(crate) mod flag {
    #![allow(clippy::cast_sign_loss)]
    pub(crate) const TIME: u32 = 0x80;
    pub(crate) const MOUNT: u32 = libc::CLONE_NEWNS as u32;
    pub(crate) const CGROUP: u32 = libc::CLONE_NEWCGROUP as u32;
    pub(crate) const UTS: u32 = libc::CLONE_NEWUTS as u32;
    pub(crate) const IPC: u32 = libc::CLONE_NEWIPC as u32;
    pub(crate) const USER: u32 = libc::CLONE_NEWUSER as u32;
    pub(crate) const PID: u32 = libc::CLONE_NEWPID as u32;
    pub(crate) const NETWORK: u32 = libc::CLONE_NEWNET as u32;
}

/// All types, by name.
pub(crate) const TYPES: [LinuxNamespaceType; 8] = [
    LinuxNamespaceType::Cgroup,
    LinuxNamespaceType::Ipc,
    LinuxNamespaceType::Mount,
    LinuxNamespaceType::Network,
    LinuxNamespaceType::Pid,
    LinuxNamespaceType::Time,
    LinuxNamespaceType::User,
    LinuxNamespaceType::Uts,
];

/// The CLONE_NEW* flag and the name in config.json of a type of namespace.
pub(crate) fn describe(kind: LinuxNamespaceType) -> (u32, &'static str) {
    match kind {
        LinuxNamespaceType::Mount => (flag::MOUNT, "mount"),
        LinuxNamespaceType::Cgroup => (flag::CGROUP, "cgroup"),
        LinuxNamespaceType::Uts => (flag::UTS, "uts"),
        LinuxNamespaceType::Ipc => (flag::IPC, "ipc"),
        LinuxNamespaceType::User => (flag::USER, "user"),
        LinuxNamespaceType::Pid => (flag::PID, "pid"),
        LinuxNamespaceType::Network => (flag::NETWORK, "network"),
        LinuxNamespaceType::Time => (flag::TIME, "time"),
    }
}

/// The namespaces that a configuration asks for.
pub(crate) struct Namespaces {
    /// Flags of those that are made.
    pub(crate) new: u32,
    /// Those that are joined: the flag, the place in the list, the open file.
    joined: Vec<(u32, usize, OwnedFd)>,
}

impl Namespaces {
    /// Opens the paths of the namespaces to join and proves that each is of its type.
    pub(crate) fn open(spec: &Spec) -> Result<Self> {
        let mut namespaces = Self { new: 0, joined: Vec::new() };
        for (index, namespace) in list(spec).iter().enumerate() {
            let (flag, _) = describe(namespace.typ);
            match namespace.path.as_ref().filter(|path| !path.as_os_str().is_empty()) {
                None => namespaces.new |= flag,
                Some(_) => namespaces.joined.push((flag, index, open_one(namespace, index)?)),
            }
        }
        Ok(namespaces)
    }

    /// The file of a user namespace to join.
    pub(crate) fn joined_user(&self) -> Option<&OwnedFd> {
        self.joined.iter().find(|(flag, ..)| *flag == flag::USER).map(|(.., file)| file)
    }

    /// Flags of those that are joined.
    pub(crate) fn joined(&self) -> u32 {
        self.joined.iter().fold(0, |flags, (flag, ..)| flags | flag)
    }

    /// Flags of all that the container does not share with the runtime.
    pub(crate) fn own(&self) -> u32 {
        self.new | self.joined()
    }

    /// Whether a first process must prepare what only its child can be in: what is in force for children alone, or what
    /// must own the namespaces that follow.
    pub(crate) fn needs_relay(&self) -> bool {
        self.own() & (flag::USER | flag::TIME) != 0 || self.joined() & flag::PID != 0
    }

    /// Hands the files of the joined namespaces over: their flags, places and slots. With privilege the user namespace
    /// comes last, since it may not own the others; without it comes first, since it gives the privilege.
    pub(crate) fn hand_over(self, program: &mut Program, privileged: bool) -> Vec<Joined> {
        let last = |entry: &(u32, usize, OwnedFd)| (entry.0 == flag::USER) == privileged;
        let (last, first): (Vec<_>, Vec<_>) = self.joined.into_iter().partition(last);
        let slots = first.into_iter().chain(last).map(|(flag, index, fd)| Joined {
            flag,
            place: Place::Item("linux.namespaces", index),
            slot: program.hand_over(fd),
        });
        slots.collect()
    }
}

/// A namespace to join, its file in a slot.
pub(crate) struct Joined {
    /// Its CLONE_NEW* flag.
    pub(crate) flag: u32,
    /// Its entry in config.json.
    pub(crate) place: Place,
    /// Its file.
    pub(crate) slot: Slot,
}

impl Joined {
    /// Plans the join.
    pub(crate) fn plan(&self, program: &mut Program) {
        program.step(self.place, &Step::Join { fd: self.slot, flags: self.flag });
    }
}

/// linux.namespaces.
pub(crate) fn list(spec: &Spec) -> &[LinuxNamespace] {
    spec.linux.as_ref().map_or(&[], |linux| &linux.namespaces)
}

/// The path of the namespace of type `kind`, if one is joined.
#[cfg(feature = "checkpoint")]
pub(crate) fn path_of(spec: &Spec, kind: LinuxNamespaceType) -> Option<&Path> {
    let entry = list(spec).iter().find(|namespace| namespace.typ == kind)?;
    entry.path.as_deref().filter(|path| !path.as_os_str().is_empty())
}

fn open_one(namespace: &LinuxNamespace, index: usize) -> Result<OwnedFd> {
    let path = namespace.path.as_deref().unwrap_or(Path::new(""));
    let (wanted, name) = describe(namespace.typ);
    let place = format!("linux.namespaces[{index}].path ({})", path.display());
    // A FIFO in its place must not hang.
    let flags = fcntl::OFlag::O_RDONLY | fcntl::OFlag::O_CLOEXEC | fcntl::OFlag::O_NONBLOCK;
    let file = fcntl::open(path, flags, Mode::empty()).map_err(|errno| {
        let error = Error::io(format!("{place}: open"), errno);
        match errno {
            nix::errno::Errno::ENOENT => {
                Error::new(ErrorKind::InvalidConfig, place.clone()).with_source(errno)
            }
            _ => error,
        }
    })?;
    let found = pidfd::namespace_type(file.as_fd());
    if found.as_ref().ok().map(|flag| flag.cast_unsigned()) == Some(wanted) {
        return Ok(file);
    }
    let what = match found {
        Ok(_) => "is a namespace of another type",
        Err(_) => "is no namespace",
    };
    Err(Error::new(ErrorKind::InvalidConfig, format!("{place}: {what}, a {name} namespace is wanted")))
}
