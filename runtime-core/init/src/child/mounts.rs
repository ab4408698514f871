//! The container's tree of mounts, by descriptors: fsopen, open_tree, mount_setattr, move_mount, pivot_root.

use super::{
    State, beside, channel,
    paths::{self, Missing, Strictness},
    sys::{self, CStr, Fault, Fd, MountAttr, Res, errno, fault},
};
use crate::{
    arch::nr,
    guards::{self, Guard},
    step::{NO_SLOT, Slot},
    wire::{Text, Texts},
};

const MS_PRIVATE: u64 = 1 << 18;
const MS_SLAVE: u64 = 1 << 19;
const MS_REC: u64 = 1 << 14;
const MOUNT_ATTR_RDONLY: u64 = 1;
/// How often a symlink is replaced that others, as containers with the same root, make again.
const ATTEMPTS: usize = 16;

/// Clones the tree at `path` over itself, or only opens it.
pub(super) fn root(state: &mut State, path: Text, slot: Slot, mount: bool) -> Res<()> {
    let flags = sys::O_PATH | sys::O_DIRECTORY;
    let directory = sys::openat(sys::AT_FDCWD, path.into(), flags, 0)?;
    let fd = if mount {
        let tree = sys::clone_tree(directory.raw(), CStr::new(b"\0"), true, false)?;
        sys::move_mount(tree.raw(), directory.raw())?;
        tree
    } else {
        directory
    };
    state.fill(slot, fd);
    Ok(())
}

/// Makes the mount that holds `path` private: the first of the path's parents that is a mount point.
pub(super) fn parent_private(path: Text) -> Res<()> {
    let mut buffer = [0_u8; 4096];
    let place = buffer[..4095].get_mut(..path.0.len()).ok_or(fault(nr::MOUNT, errno::ENAMETOOLONG))?;
    place.copy_from_slice(path.0);
    let mut end = path.0.len();
    loop {
        buffer[end] = 0;
        let here = if end == 0 { CStr::new(b"/\0") } else { CStr::new(&buffer[..=end]) };
        match sys::mount_propagation(here, MS_PRIVATE) {
            Err(Fault { errno: errno::EINVAL, .. }) if end > 0 => {}
            other => return other,
        }
        end = buffer[..end].iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    }
}

/// A new file system. What the kernel's log says of a refused option goes into the report.
pub(super) fn new_filesystem(
    state: &mut State,
    slot: Slot,
    kind: Text,
    source: Text,
    options: Texts,
    attributes: u64,
) -> Res<()> {
    let context = sys::fsopen(kind.into())?;
    let mount =
        configure(context.raw(), source, options).and_then(|()| sys::fsmount(context.raw(), attributes));
    match mount {
        Ok(mount) => {
            state.fill(slot, mount);
            Ok(())
        }
        Err(fault) => {
            let mut log = [0_u8; 232];
            let length = channel::filesystem_log(context.raw(), &mut log);
            channel::report_failure_with(state, fault, 0, &log[..length]);
            sys::exit(1)
        }
    }
}

fn configure(context: i32, source: Text, options: Texts) -> Res<()> {
    if !source.0.is_empty() {
        sys::fsconfig_set(context, CStr::new(b"source\0"), Some(source.into()))?;
    }
    for option in options.iter() {
        match option.0.iter().position(|byte| *byte == b'=') {
            None => sys::fsconfig_set(context, option.into(), None)?,
            Some(at) => {
                let mut key = [0_u8; 64];
                let place = key[..63].get_mut(..at).ok_or(fault(nr::FSCONFIG, errno::ENAMETOOLONG))?;
                place.copy_from_slice(&option.0[..at]);
                let value = Text(&option.0[at + 1..]);
                sys::fsconfig_set(context, CStr::new(&key[..=at]), Some(value.into()))?;
            }
        }
    }
    sys::fsconfig_create(context)
}

/// What mount(2) is told.
pub(super) struct Classic<'a> {
    pub(super) kind: Text<'a>,
    pub(super) source: Text<'a>,
    pub(super) data: Text<'a>,
    pub(super) flags: u64,
}

/// mount(2) onto `target`.
pub(super) fn mount_onto(state: &mut State, slot: Slot, what: &Classic, target: Text, root: Slot) -> Res<()> {
    let place = paths::open_or_make(state.fd(root), target, Strictness::Follow, Missing::Directory)?;
    let (kind, source) = (what.kind.into(), what.source.into());
    at_path_of(state, &place, |path| sys::mount(source, path, kind, what.flags, what.data.into()))?;
    let mount = paths::open(state.fd(root), target.into(), Strictness::Follow)?;
    state.fill(slot, mount);
    Ok(())
}

/// For calls that take a path and no descriptor: that of the descriptor `file` in the verified procfs, relative to its handle,
/// so that nothing can stand in the way.
fn at_path_of(state: &State, file: &Fd, call: impl FnOnce(CStr) -> Res<()>) -> Res<()> {
    let here = sys::openat(sys::AT_FDCWD, CStr::new(b".\0"), sys::O_PATH | sys::O_DIRECTORY, 0)?;
    let mut path = *b"self/fd/\0\0\0\0\0\0\0\0\0\0\0\0";
    sys::write_number(&mut path[8..19], file.raw().unsigned_abs());
    sys::fchdir(state.fd(state.procfs))?;
    let done = call(CStr::new(&path));
    sys::fchdir(here.raw())?;
    done
}

/// Takes away the mount at `target`.
pub(super) fn unmount(state: &State, root: Slot, target: Text) -> Res<()> {
    let place = paths::open(state.fd(root), target.into(), Strictness::Follow)?;
    // What is still used in the container stays until it is used no more.
    at_path_of(state, &place, sys::detach)
}

/// mount_setattr(2) of the mount in `slot`.
pub(super) fn attributes(
    state: &State,
    slot: Slot,
    recursive: bool,
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: Slot,
) -> Res<()> {
    let namespace = if user_namespace == NO_SLOT { 0 } else { state.fd(user_namespace) };
    let user_namespace = u64::try_from(namespace).unwrap_or(0);
    change_attributes(state.fd(slot), recursive, &MountAttr { set, clear, propagation, user_namespace })
}

fn change_attributes(mount: i32, recursive: bool, change: &MountAttr) -> Res<()> {
    if change.set & MOUNT_ATTR_RDONLY != 0 && !guards::on(Guard::LateReadOnly) {
        return unguarded_attributes(mount, recursive, change);
    }
    sys::mount_setattr(mount, recursive, change)
}

/// A clone of the host's tree at `path`, with the `change` of its uppermost mount.
pub(super) fn clone_changed(path: Text, recursive: bool, no_follow: bool, change: &MountAttr) -> Res<Fd> {
    let host = sys::AT_FDCWD;
    if change.set | change.clear == 0 {
        return sys::clone_tree(host, path.into(), recursive, no_follow);
    }
    if !recursive {
        return sys::clone_tree_with(host, path.into(), false, no_follow, change);
    }
    let tree = sys::clone_tree(host, path.into(), true, no_follow)?;
    change_attributes(tree.raw(), false, change)?;
    Ok(tree)
}

/// By way of /proc/self/fd, as others did before they knew better: only where a test build has the guard switched off.
fn unguarded_attributes(mount: i32, recursive: bool, change: &MountAttr) -> Res<()> {
    let mut path = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0\0";
    sys::write_number(&mut path[14..25], mount.unsigned_abs());
    let place = sys::openat(sys::AT_FDCWD, CStr::new(&path), sys::O_PATH, 0)?;
    sys::mount_setattr(place.raw(), recursive, change)
}

/// mount_setattr(2) of the mount at `target`.
pub(super) fn remount(root: i32, target: Text, recursive: bool, change: &MountAttr) -> Res<()> {
    let place = paths::open(root, target.into(), Strictness::Follow)?;
    sys::mount_setattr(place.raw(), recursive, change)
}

/// Attaches `mount` at `target`, made if it is missing.
pub(super) fn attach(state: &mut State, mount: i32, target: Text, strictness: u8, root: Slot) -> Res<()> {
    let strictness = Strictness::from_wire(strictness);
    if beside::attach(state, mount, target, strictness, root) {
        return Ok(());
    }
    let is_directory = sys::stat_fd(mount)?.is(sys::S_IFDIR);
    let missing = if is_directory { Missing::Directory } else { Missing::File };
    let place = paths::open_or_make(state.fd(root), target, strictness, missing)?;
    if is_directory {
        beside::forget(state);
    }
    sys::move_mount(mount, place.raw()).map_err(|refused| {
        // The kernel only says that its argument is invalid.
        match (is_directory, sys::stat_fd(place.raw()).is_ok_and(|place| place.is(sys::S_IFDIR))) {
            (true, false) => fault(nr::MOVE_MOUNT, errno::ENOTDIR),
            (false, true) => fault(nr::MOVE_MOUNT, errno::EISDIR),
            _ => refused,
        }
    })
}

/// Makes the directories of `target`.
pub(super) fn directory(root: i32, target: Text) -> Res<()> {
    paths::open_or_make(root, target, Strictness::Follow, Missing::Directory).map(drop)
}

/// A read-only clone of `target` over itself.
pub(super) fn read_only_path(root: i32, target: Text) -> Res<()> {
    let Some(place) = existing(root, target)? else { return Ok(()) };
    let read_only = MountAttr { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0, user_namespace: 0 };
    if !guards::on(Guard::OneResolution) {
        let tree = sys::clone_tree(place.raw(), CStr::new(b"\0"), true, false)?;
        sys::move_mount(tree.raw(), place.raw())?;
        let again = paths::open(root, target.into(), Strictness::Follow)?;
        let _ = sys::mount_setattr(again.raw(), true, &read_only); // what is no mount just now may be one next time
        return Ok(());
    }
    let tree = sys::clone_tree_with(place.raw(), CStr::new(b"\0"), true, false, &read_only)?;
    sys::move_mount(tree.raw(), place.raw())
}

/// Hides `target`. The first one takes the mount in the slot itself; only an attached mount can be cloned for the others.
pub(super) fn masked_path(
    state: &mut State,
    root: Slot,
    target: Text,
    directory: Slot,
    null: Slot,
) -> Res<()> {
    let Some(place) = existing(state.fd(root), target)? else { return Ok(()) };
    let is_directory = sys::stat_fd(place.raw())?.is(sys::S_IFDIR);
    let (slot, attached) = match is_directory {
        true => (directory, &mut state.masked_directory),
        false => (null, &mut state.masked_null),
    };
    if !is_directory && !guards::on(Guard::NullMask) {
        let null = sys::clone_tree(sys::AT_FDCWD, CStr::new(b"/dev/null\0"), false, false)?;
        return sys::move_mount(null.raw(), place.raw());
    }
    let first = !core::mem::replace(attached, true);
    let mount = state.fd(slot);
    if first {
        if !is_directory && !sys::stat_fd(mount)?.is_null() {
            return Err(fault(nr::MOVE_MOUNT, errno::EINVAL));
        }
        return sys::move_mount(mount, place.raw());
    }
    let clone = sys::clone_tree(mount, CStr::new(b"\0"), false, false)?;
    sys::move_mount(clone.raw(), place.raw())
}

fn existing(root: i32, target: Text) -> Res<Option<Fd>> {
    match paths::open(root, target.into(), Strictness::Follow) {
        Ok(fd) => Ok(Some(fd)),
        Err(Fault { errno: errno::ENOENT | errno::ENOTDIR, .. }) => Ok(None),
        // A path that this user may not even look up is hidden enough.
        Err(Fault { errno: errno::EACCES, .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// What mknodat(2) makes: see [`Step::Device`](crate::step::Step::Device).
pub(super) struct Device {
    pub(super) mode: u32,
    pub(super) device: u64,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) bind: bool,
}

impl Device {
    fn is(&self, found: sys::Stat) -> bool {
        found.is(self.mode & sys::S_IFMT) && (found.rdev == self.device || self.device == 0)
    }
}

/// A device, or the proof that the one that is there is the same.
pub(super) fn device(state: &mut State, root: Slot, target: Text, device: &Device) -> Res<()> {
    if !core::mem::replace(&mut state.no_umask, true) {
        sys::umask(0);
    }
    match beside::directory(state, root, target) {
        Some((parent, name)) => device_in(parent, name, target, device),
        None => {
            let (parent, name) = paths::parent_of(state.fd(root), target)?;
            device_in(parent.raw(), name.as_cstr(), target, device)
        }
    }
}

fn device_in(parent: i32, name: CStr, target: Text, device: &Device) -> Res<()> {
    match sys::mknodat(parent, name, device.mode, device.device) {
        Err(Fault { errno: errno::EEXIST, .. }) => {
            let there = sys::openat(parent, name, sys::O_PATH | sys::O_NOFOLLOW, 0)?;
            let found = sys::stat_fd(there.raw())?;
            return match device.is(found) {
                true => Ok(()),
                false if device.bind && found.is(sys::S_IFREG) && found.size == 0 => {
                    bind_device(target, device, there.raw())
                }
                false => Err(fault(nr::MKNODAT, errno::EEXIST)),
            };
        }
        other => other?,
    }
    if device.uid != 0 || device.gid != 0 {
        sys::chownat(parent, name, device.uid, device.gid)?;
    }
    Ok(())
}

/// Not unlinked and made anew: another container may have its device mounted over the same file.
fn bind_device(path: Text, device: &Device, place: i32) -> Res<()> {
    let host = sys::clone_tree(sys::AT_FDCWD, path.into(), false, true)?;
    match device.is(sys::stat_fd(host.raw())?) {
        true => sys::move_mount(host.raw(), place),
        false => Err(fault(nr::MKNODAT, errno::EEXIST)),
    }
}

/// A symlink. One that exists is kept, or replaced beneath the descriptor of its directory.
pub(super) fn symlink(
    state: &mut State,
    root: Slot,
    points_to: Text,
    target: Text,
    replace: bool,
) -> Res<()> {
    match beside::directory(state, root, target) {
        Some((parent, name)) => symlink_in(parent, name, points_to, replace),
        None => {
            let (parent, name) = paths::parent_of(state.fd(root), target)?;
            symlink_in(parent.raw(), name.as_cstr(), points_to, replace)
        }
    }
}

fn symlink_in(parent: i32, name: CStr, points_to: Text, replace: bool) -> Res<()> {
    for _ in 0..ATTEMPTS {
        match sys::symlinkat(points_to.into(), parent, name) {
            Err(Fault { errno: errno::EEXIST, .. }) if !replace => return Ok(()),
            Err(Fault { errno: errno::EEXIST, .. }) => {}
            other => return other,
        }
        let mut there = [0_u8; 256];
        if sys::readlinkat(parent, name, &mut there).is_ok_and(|there| there == points_to.0) {
            return Ok(());
        }
        match sys::unlinkat(parent, name) {
            Err(Fault { errno: errno::ENOENT, .. }) => {}
            other => other?,
        }
    }
    Err(fault(nr::SYMLINKAT, errno::EEXIST))
}

/// pivot_root(2) without a directory for the old root: it is stacked over the new one, out of reach of paths, and detached, or
/// kept in the slot `old` for a while.
pub(super) fn pivot(state: &mut State, root: Slot, old: Slot, shared: bool) -> Res<()> {
    if old == NO_SLOT && !shared {
        sys::fchdir(state.fd(root))?;
        sys::pivot_root_here()?;
        // umount2(2) takes what lies uppermost here: the old root.
        sys::detach(CStr::new(b".\0"))?;
        return sys::chdir(CStr::new(b"/\0"));
    }
    let fd = sys::openat(sys::AT_FDCWD, CStr::new(b"/\0"), sys::O_PATH | sys::O_DIRECTORY, 0)?;
    sys::fchdir(state.fd(root))?;
    sys::pivot_root_here()?;
    if old == NO_SLOT {
        return detach_old_root(fd.raw(), shared);
    }
    state.fill(old, fd);
    sys::chdir(CStr::new(b"/\0"))
}

/// Detaches the old root that is in the slot `old`.
pub(super) fn leave_old_root(state: &mut State, old: Slot, shared: bool) -> Res<()> {
    detach_old_root(state.fd(old), shared)?;
    state.close(old);
    Ok(())
}

fn detach_old_root(old: i32, shared: bool) -> Res<()> {
    let here = CStr::new(b".\0");
    sys::fchdir(old)?;
    if shared {
        // So that the end of the old tree is not passed on to the host.
        sys::mount_propagation(here, MS_SLAVE | MS_REC)?;
    }
    sys::detach(here)?;
    sys::chdir(CStr::new(b"/\0"))
}

/// A clone of the host's mount at `path`, with a `change` of its attributes if there is one: beneath the old root `from`, when
/// the container's is in force already.
pub(super) fn clone(
    state: &mut State,
    slot: Slot,
    path: Text,
    from: Slot,
    (recursive, no_follow): (bool, bool),
    change: Option<&MountAttr>,
) -> Res<()> {
    let clone = |directory, path, no_follow| match change {
        None => sys::clone_tree(directory, path, recursive, no_follow),
        Some(change) => sys::clone_tree_with(directory, path, recursive, no_follow, change),
    };
    let mount = if from == NO_SLOT {
        clone(sys::AT_FDCWD, path.into(), no_follow)?
    } else {
        let flags = sys::O_PATH | if no_follow { sys::O_NOFOLLOW } else { 0 };
        let place = sys::openat2(state.fd(from), path.into(), flags, 0, sys::RESOLVE_IN_ROOT)?;
        clone(place.raw(), CStr::new(b"\0"), false)?
    };
    state.fill(slot, mount);
    Ok(())
}

/// Moves the root over `/`: the old root stays beneath it, out of reach of paths.
pub(super) fn move_root(root: i32) -> Res<()> {
    sys::fchdir(root)?;
    sys::mount_move_here_to_root()?;
    chroot_here()
}

/// chroot(2) to the root's descriptor.
pub(super) fn chroot(root: i32) -> Res<()> {
    sys::fchdir(root)?;
    chroot_here()
}

fn chroot_here() -> Res<()> {
    sys::chroot(CStr::new(b".\0"))?;
    sys::chdir(CStr::new(b"/\0"))
}
