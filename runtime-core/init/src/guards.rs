//! The guards against hostile images and containers, by name, so that a test build can do without one of them and show
//! that the attack it stops is noticed: docs/hostile.md. In every build without the feature `unguarded` they are all on:
//! [`on`] is a constant, and there is nothing that could switch one off.

/// What stops an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Guard {
    /// The process is not dumpable from before it joins a container.
    Dumpable,
    /// The init program's file is sealed.
    Sealed,
    /// Whatever was open beside the init program's descriptors is made close-on-exec.
    CloseOnExec,
    /// Files of /proc are written through a handle that was proved to be procfs.
    ProcfsHandle,
    /// The target of a proc or sysfs mount is a directory without a symlink on the way.
    ProcDirectory,
    /// A path of the container is resolved beneath its root.
    InRoot,
    /// It is resolved once, and only the descriptor used from then on.
    OneResolution,
    /// What masks a file is the host's /dev/null, proved to be the device.
    NullMask,
    /// What becomes a standard stream in place of the host's /dev/null is proved to be the device.
    NullStream,
    /// The terminal is reached through its master, never by its path.
    TerminalPeer,
    /// A symlink at /dev/console is not followed.
    ConsoleLink,
    /// The working directory is reached by no magic link, and proved to be beneath the root.
    WorkingDirectory,
    /// A mount that becomes read-only at last is reached by its descriptor.
    LateReadOnly,
    /// Inheritable capabilities are those of the configuration.
    Inheritable,
    /// What shows the host's cgroups to a container that has none of its own is read-only all the way down.
    HostCgroups,
    /// A passwd file of an image is read if it is a regular file, to a bounded size, and without waiting.
    Passwd,
    /// bpf(2) is always given the whole of its attributes.
    BpfAttributes,
    /// A configuration is read to a bounded size from a regular file.
    ConfigSize,
    /// A forced delete waits for no more than a bounded time.
    BoundedDelete,
    /// A regular file that is copied up was proved to be one by its descriptor.
    CopyUp,
    /// A mount point that criu would take for more than a name is refused.
    CheckpointKeys,
}

/// Whether `guard` is there.
#[cfg(not(feature = "unguarded"))]
#[must_use]
pub const fn on(_: Guard) -> bool {
    true
}

#[cfg(feature = "unguarded")]
pub use unguarded::{MASK, on, switch_off};

#[cfg(feature = "unguarded")]
mod unguarded {
    use super::Guard;
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

    /// The guards that are off, a bit each.
    pub static MASK: AtomicU32 = AtomicU32::new(0);

    /// Whether `guard` is there.
    pub fn on(guard: Guard) -> bool {
        MASK.load(Relaxed) & (1 << guard as u32) == 0
    }

    /// Switches off the guard whose name in `Debug` form is `name`; false if there is none.
    pub fn switch_off(name: &str) -> bool {
        let found = ALL.iter().find(|(_, known)| *known == name);
        found.is_some_and(|(guard, _)| {
            MASK.fetch_or(1 << *guard as u32, Relaxed);
            true
        })
    }

    macro_rules! all {
        ($($guard:ident)*) => { &[$((Guard::$guard, stringify!($guard))),*] };
    }
    const ALL: &[(Guard, &str)] = all!(
        Dumpable Sealed CloseOnExec ProcfsHandle ProcDirectory InRoot OneResolution NullMask NullStream TerminalPeer
        ConsoleLink WorkingDirectory LateReadOnly Inheritable HostCgroups Passwd BpfAttributes ConfigSize BoundedDelete
        CopyUp CheckpointKeys
    );
}
