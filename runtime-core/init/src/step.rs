//! The steps of a plan: what a container's first process does before it becomes the container's program. Each is one act
//! that the parent has decided in full.
//!
//! Descriptors are named by [`Slot`]: the first ones the parent hands over, the others are filled by steps. Paths named
//! `target` are of the container and are resolved beneath its root's descriptor; all others are of the host.

#[macro_use]
mod define;

use crate::wire::{Bytes, Input, Sink, Text, Texts, Wire};
pub use define::Shape;

/// A place in the init program's table of descriptors.
pub type Slot = u16;

/// No descriptor.
pub const NO_SLOT: Slot = u16::MAX;
/// How many descriptors the init program can keep.
pub const SLOTS: usize = 4096;
/// The sealed file that holds the init program and, behind it, the plan.
pub const SLOT_PROGRAM: Slot = 0;
/// The socket to the parent.
pub const SLOT_SYNC: Slot = 1;
/// The first slot that a plan is free to use.
pub const SLOT_FREE: Slot = 2;

steps! {
    /// prctl(PR_SET_DUMPABLE): who may ptrace the process and who owns its files in /proc.
    1 Dumpable {
        /// False hides the process from all but the host's root.
        on: bool,
    }
    /// setns(2): joins the namespaces of `flags` (CLONE_NEW*) that `fd` names.
    2 Join {
        /// A namespace's file or a pidfd.
        fd: Slot,
        /// CLONE_NEW* flags.
        flags: u32,
    }
    /// unshare(2).
    3 Unshare {
        /// CLONE_NEW* flags.
        flags: u32,
    }
    /// Tells the parent that `phase` is reached and waits for its answer.
    4 Ask {
        /// One of [`crate::message::Phase`].
        phase: u8,
    }
    /// Waits until the parent says that `phase` is done.
    5 Await {
        /// One of [`crate::message::Phase`].
        phase: u8,
    }
    /// Becomes user and group `0` of the user namespace, without additional groups if `groups`.
    6 BecomeRoot {
        /// Whether to clear the additional groups too.
        clear_groups: bool,
    }
    /// Writes `text` to the process' own `timens_offsets`, time_namespaces(7).
    7 TimeOffsets {
        /// Lines of clock, seconds and nanoseconds.
        text: Text<'a>,
    }
    /// clone3(CLONE_PARENT): a child goes on with the next step, this process tells the parent its id and ends. After a
    /// join of a pid or time namespace only a child is inside.
    8 Fork {
        /// CLONE_NEW* flags.
        flags: u32,
    }
    /// prctl(PR_SET_PDEATHSIG): whether the process is killed when the runtime ends.
    62 ParentDeath {
        /// Whether it is.
        kills: bool,
    }
    /// Makes a network namespace, unshare(2), or waits for the one that the parent makes and joins it.
    64 EnterNetwork {
        /// Whether the parent makes it.
        comes: bool,
    }
    /// setsid(2).
    9 NewSession {}
    /// mount(2) with no source: the propagation of the whole tree of mounts.
    10 Propagation {
        /// MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE, and MS_REC.
        flags: u64,
    }
    /// Makes the mount that holds `path` private, as pivot_root(2) demands.
    11 ParentPrivate {
        /// The rootfs on the host.
        path: Text<'a>,
    }
    /// Clones the tree at `path` over itself and makes it the root beneath which targets are resolved.
    12 Root {
        /// The rootfs on the host.
        path: Text<'a>,
        /// Where its descriptor is kept.
        slot: Slot,
        /// Whether it becomes a mount of its own; else the folder itself is the root.
        mount: bool,
    }
    /// fsopen(2), fsconfig(2), fsmount(2): a new file system in `slot`, attached nowhere.
    13 NewFilesystem {
        /// Where the mount is kept.
        slot: Slot,
        /// The file system's type.
        kind: Text<'a>,
        /// Its source, as /proc/self/mountinfo will show it.
        source: Text<'a>,
        /// `key=value` or `key` alone.
        options: Texts<'a>,
        /// MOUNT_ATTR_* of the mount.
        attributes: u64,
    }
    /// open_tree(2) with OPEN_TREE_CLONE: a copy of the mount at host path `path` in `slot`, attached nowhere.
    14 Clone {
        /// Where the mount is kept.
        slot: Slot,
        /// A path of the host.
        path: Text<'a>,
        /// The old root that a [`Step::Pivot`] has kept, if the path is to be found beneath it.
        from: Slot,
        /// The mounts beneath too.
        recursive: bool,
        /// Do not follow a symlink at the end.
        no_follow: bool,
    }
    /// open_tree_attr(2): the same with other attributes from the start. Without it, before Linux 6.15, mount_setattr(2) is called
    /// too.
    74 CloneWith {
        /// Where the mount is kept.
        slot: Slot,
        /// A path of the host.
        path: Text<'a>,
        /// The old root that a [`Step::Pivot`] has kept, if the path is to be found beneath it.
        from: Slot,
        /// The mounts beneath too, with their attributes.
        recursive: bool,
        /// Do not follow a symlink at the end.
        no_follow: bool,
        /// MOUNT_ATTR_* to set.
        set: u64,
        /// MOUNT_ATTR_* to clear.
        clear: u64,
    }
    /// mount_setattr(2) of the mount in `slot`.
    15 Attributes {
        /// The mount.
        slot: Slot,
        /// The mounts beneath too.
        recursive: bool,
        /// MOUNT_ATTR_* to set.
        set: u64,
        /// MOUNT_ATTR_* to clear.
        clear: u64,
        /// MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0.
        propagation: u64,
        /// A user namespace for MOUNT_ATTR_IDMAP, or [`NO_SLOT`].
        user_namespace: Slot,
    }
    /// move_mount(2): attaches the mount in `slot` at `target`, which is made if it is missing: a directory, or an empty
    /// file if the mount's root is no directory.
    16 Attach {
        /// The mount.
        slot: Slot,
        /// A path of the container.
        target: Text<'a>,
        /// What of the target's path may be a symlink: 0 all, 1 not the last part, 2 none and it must be a directory.
        strictness: u8,
        /// The root of the tree of the container's files.
        root: Slot,
    }
    /// A bind mount as most are, by one step: open_tree(2) with OPEN_TREE_CLONE, mount_setattr(2), move_mount(2). It stands for
    /// [`Step::Clone`], [`Step::Attributes`], [`Step::Attach`] and [`Step::Release`].
    75 Bind {
        /// A path of the host.
        path: Text<'a>,
        /// The mounts beneath too.
        recursive: bool,
        /// Do not follow a symlink at the end of `path`.
        no_follow: bool,
        /// MOUNT_ATTR_* to set, of the uppermost mount alone.
        set: u64,
        /// MOUNT_ATTR_* to clear.
        clear: u64,
        /// A path of the container.
        target: Text<'a>,
        /// As in [`Step::Attach`].
        strictness: u8,
        /// The root of the tree of the container's files.
        root: Slot,
        /// MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0: what it becomes when it is attached.
        propagation: u64,
        /// Whether the mounts beneath become so too.
        propagate_all: bool,
    }
    /// Copies what the container's `target` held into the still detached tmpfs in `slot`.
    17 CopyUp {
        /// The tmpfs.
        slot: Slot,
        /// A path of the container.
        target: Text<'a>,
        /// The root of the tree of the container's files.
        root: Slot,
    }
    /// mknodat(2) of a device, or a check of the one that is there; its mode and owner are set. If `bind`, an empty file
    /// that is there, as an earlier container with a user namespace left it, gets the host's device of that path.
    18 Device {
        /// The root of the tree of the container's files.
        root: Slot,
        /// A path of the container.
        target: Text<'a>,
        /// S_IFCHR, S_IFBLK or S_IFIFO and the permissions.
        mode: u32,
        /// As makedev(3) gives it.
        device: u64,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// Whether the host has it by the same path.
        bind: bool,
    }
    /// symlinkat(2). One that exists is kept unless `replace`.
    19 Symlink {
        /// The root of the tree of the container's files.
        root: Slot,
        /// Where it points.
        points_to: Text<'a>,
        /// A path of the container.
        target: Text<'a>,
        /// Whether to remove what is there.
        replace: bool,
    }
    /// Opens a new terminal of the container's devpts, makes it the process' own and its standard streams, and sends the
    /// master to the socket in `socket`.
    20 Terminal {
        /// The root of the tree of the container's files.
        root: Slot,
        /// A connected socket.
        socket: Slot,
        /// Rows, 0 for the kernel's.
        height: u16,
        /// Columns, 0 for the kernel's.
        width: u16,
        /// Whether it is attached at /dev/console too.
        console: bool,
        /// Who will own it.
        uid: u32,
    }
    /// Where a standard stream is the host's /dev/null, opens the container's instead.
    21 ReopenNull {
        /// The root of the tree of the container's files.
        root: Slot,
    }
    /// A hook of config.json, run in the process' namespaces; waits for its end.
    22 Hook {
        /// The place in its list.
        index: u32,
        /// The program.
        path: Text<'a>,
        /// Its arguments, the name first.
        arguments: Texts<'a>,
        /// Its environment.
        environment: Texts<'a>,
        /// Milliseconds until it is killed, 0 for no limit.
        timeout: u32,
        /// The state in a file, for its standard input.
        state: Slot,
        /// A file for its standard output.
        output: Slot,
        /// A file for its standard error.
        errors: Slot,
    }
    /// pivot_root(2) to the root's descriptor and the end of the old tree.
    23 Pivot {
        /// The new root.
        root: Slot,
        /// Where the old root is kept for a [`Step::LeaveOldRoot`]; without it it is left at once.
        old: Slot,
        /// The old tree shares its mounts with the host's.
        shared: bool,
    }
    /// umount2(2) with MNT_DETACH of the old root.
    63 LeaveOldRoot {
        /// Its descriptor.
        old: Slot,
        /// The old tree shares its mounts with the host's.
        shared: bool,
    }
    /// mount(2) with MS_MOVE and chroot(2), for a host root that cannot be pivoted.
    24 MoveRoot {
        /// The new root.
        root: Slot,
    }
    /// chroot(2) alone, for a container without a mount namespace of its own.
    25 Chroot {
        /// The new root.
        root: Slot,
    }
    /// A path that is read-only from now on; one that is missing is passed over.
    26 ReadOnlyPath {
        /// The root of the tree of the container's files.
        root: Slot,
        /// A path of the container.
        target: Text<'a>,
    }
    /// A path that is hidden: a directory by the empty one in `directory`, all else by /dev/null in `null`. One that is
    /// missing is passed over.
    27 MaskedPath {
        /// The root of the tree of the container's files.
        root: Slot,
        /// A path of the container.
        target: Text<'a>,
        /// A read-only tmpfs.
        directory: Slot,
        /// A mount of the host's /dev/null.
        null: Slot,
    }
    /// sethostname(2).
    28 Hostname {
        /// The name.
        name: Text<'a>,
    }
    /// setdomainname(2).
    29 Domainname {
        /// The name.
        name: Text<'a>,
    }
    /// Writes a file below /proc/sys, through the verified procfs handle.
    30 Sysctl {
        /// The file relative to /proc.
        path: Text<'a>,
        /// Its new content.
        value: Text<'a>,
    }
    /// Joins a new session keyring, keyrings(7).
    31 Keyring {
        /// Its name.
        name: Text<'a>,
    }
    /// Writes a file of the process' own folder of /proc, through the verified handle: a label of an LSM.
    32 Label {
        /// The file relative to /proc/PID.
        path: Text<'a>,
        /// What is written.
        value: Text<'a>,
    }
    /// prlimit(2).
    33 Rlimit {
        /// RLIMIT_*.
        resource: u32,
        /// The limit in force.
        soft: u64,
        /// Up to where the process may raise it.
        hard: u64,
    }
    /// Gives the pipes among the standard streams to the container's user, so that it can open /dev/stdout again.
    34 OwnStdio {
        /// The user.
        uid: u32,
    }
    /// prctl(PR_SET_NO_NEW_PRIVS).
    35 NoNewPrivileges {}
    /// seccomp(2) with SECCOMP_SET_MODE_FILTER.
    36 Seccomp {
        /// SECCOMP_FILTER_FLAG_*.
        flags: u32,
        /// Instructions of 8 bytes.
        program: Bytes<'a>,
    }
    /// Drops the bounding capabilities that are not in `keep`.
    37 Bounding {
        /// A bit each.
        keep: u64,
    }
    /// setgroups(2) of `groups` (skipped if there are none and the kernel refuses), setresgid(2), setresuid(2); the
    /// permitted capabilities are kept.
    38 Identity {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
        /// Additional groups, 4 bytes each.
        groups: Bytes<'a>,
        /// Whether the additional groups are set at all.
        set_groups: bool,
    }
    /// capset(2) and the ambient set.
    39 Capabilities {
        /// In force.
        effective: u64,
        /// May be made so.
        permitted: u64,
        /// Kept by execve of a file that has them too.
        inheritable: u64,
        /// Kept by any execve.
        ambient: u64,
    }
    /// umask(2).
    40 Umask {
        /// The mask.
        mask: u32,
    }
    /// Changes to the working directory and proves that it is beneath the root.
    41 WorkingDirectory {
        /// A path of the container.
        path: Text<'a>,
        /// False for the try as root, whose refusal is passed over; true for the one as the container's user, made only
        /// if the first was refused.
        again: bool,
    }
    /// Finds out HOME from the container's passwd(5), for [`Step::Execute`].
    80 Home {
        /// The user's number.
        uid: u32,
    }
    /// sched_setattr(2).
    42 Scheduler {
        /// A `struct sched_attr`.
        attributes: Bytes<'a>,
    }
    /// ioprio_set(2).
    43 IoPriority {
        /// Class and priority.
        value: u32,
    }
    /// personality(2).
    44 Personality {
        /// The domain and flags.
        persona: u64,
    }
    /// set_mempolicy(2).
    45 MemoryPolicy {
        /// MPOL_* and its flags.
        mode: u32,
        /// The nodes' bit mask in words of 8 bytes.
        nodes: Bytes<'a>,
    }
    /// sched_setaffinity(2).
    46 Affinity {
        /// A bit mask of processors.
        mask: Bytes<'a>,
    }
    /// Closes the descriptors of all slots but the sync socket and `keep`.
    47 CloseSlots {
        /// The first of the slots that stay open.
        keep: Slot,
        /// How many.
        count: u16,
    }
    /// Looks for the program among `candidates`, so that its absence is known at create.
    48 FindProgram {
        /// Paths of the container, in order.
        candidates: Texts<'a>,
        /// What the user wrote.
        name: Text<'a>,
    }
    /// fcntl(2), F_SETLK: locks a file until this process executes another program, or ends. What other processes have of the
    /// open file does not matter.
    65 Lock {
        /// A file that is open for writing.
        file: Slot,
    }
    /// Tells the parent that the container is created and waits for a start on the listening socket.
    49 WaitForStart {
        /// A listening socket.
        listener: Slot,
    }
    /// execve(2) of the program that was found.
    50 Execute {
        /// Paths of the container, in order.
        candidates: Texts<'a>,
        /// Arguments, the name first.
        arguments: Texts<'a>,
        /// Environment.
        environment: Texts<'a>,
    }
    /// The verified handle of the host's procfs for later steps.
    51 Procfs {
        /// An O_PATH descriptor of its root.
        slot: Slot,
    }
    /// Opens a directory of the host without following a symlink at its end, to be the root beneath which a joined
    /// container's paths are resolved: `/` after a join of its mount namespace.
    52 OpenRoot {
        /// Where its descriptor is kept.
        slot: Slot,
    }
    /// Makes the directories of `target` that are missing.
    53 Directory {
        /// The root of the tree of the container's files.
        root: Slot,
        /// A path of the container.
        target: Text<'a>,
    }
    /// Says that nothing but the filter and execve follows: a parent that sees the socket close now knows of success.
    54 Announce {}
    /// Changes an attribute of the mount that is already at `target`.
    55 Remount {
        /// The root of the tree of the container's files.
        root: Slot,
        /// A path of the container.
        target: Text<'a>,
        /// The mounts beneath too.
        recursive: bool,
        /// MOUNT_ATTR_* to set.
        set: u64,
        /// MOUNT_ATTR_* to clear.
        clear: u64,
        /// MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0.
        propagation: u64,
    }
    /// Closes a slot's descriptor.
    56 Release {
        /// Which.
        slot: Slot,
    }
    /// capset(2) alone: gives up what installing a filter needed.
    57 DropCapabilities {
        /// In force.
        effective: u64,
        /// May be made so.
        permitted: u64,
        /// Kept by execve of a file that has them too.
        inheritable: u64,
    }
    /// mount(2) of a new file system onto `target`, which is made if it is missing: for options that fsconfig(2) has no room
    /// for. The mount is in `slot` then.
    70 MountOnto {
        /// Where the mount is kept.
        slot: Slot,
        /// The file system's type.
        kind: Text<'a>,
        /// Its source, as /proc/self/mountinfo will show it.
        source: Text<'a>,
        /// Its options, separated by commas.
        data: Text<'a>,
        /// MS_* of the file system.
        flags: u64,
        /// A path of the container.
        target: Text<'a>,
        /// The root of the tree of the container's files.
        root: Slot,
    }
    /// Opens an rtnetlink(7) socket, which belongs to the network namespace that the process is in, and sends it to `socket`.
    71 ShareNetlink {
        /// A connected socket.
        socket: Slot,
    }
    /// netdevice(7): sets up the loopback device of the network namespace that the process is in.
    73 LoopbackUp {}
    /// umount2(2) with MNT_DETACH of the mount that is at `target`: the uppermost, if several are.
    72 Unmount {
        /// The root of the tree of the container's files.
        root: Slot,
        /// A path of the container.
        target: Text<'a>,
    }
    /// Gives the still detached tmpfs in `slot` the mode of the directory that it will cover, if there is one.
    58 InheritMode {
        /// The tmpfs.
        slot: Slot,
        /// A path of the container.
        target: Text<'a>,
        /// The root of the tree of the container's files.
        root: Slot,
    }
    /// seccomp(2) of a filter with a listener, which the parent gets before the process goes on. It stands for
    /// [`Step::Announce`] too.
    59 Listen {
        /// SECCOMP_FILTER_FLAG_*, SECCOMP_FILTER_FLAG_NEW_LISTENER among them.
        flags: u32,
        /// Instructions of 8 bytes.
        program: Bytes<'a>,
        /// Whether the filter lets read(2) pass, to wait by it.
        reads: bool,
    }
}
