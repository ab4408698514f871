//! Mounts: the calls of the mount API, and pivot_root(2).

#![allow(missing_docs, reason = "a function without a comment is the system call of its name")]

use super::{
    AT_EMPTY_PATH, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW, CStr, Fd, O_CLOEXEC, Res, call, fd_arg, new_fd,
};
use crate::arch::nr;

pub fn mount_propagation(path: CStr, flags: u64) -> Res<()> {
    let flags = usize::try_from(flags).unwrap_or(0);
    call(nr::MOUNT, [0, path.pointer(), 0, flags, 0, 0]).map(drop)
}

pub fn mount(source: CStr, target: CStr, kind: CStr, flags: u64, data: CStr) -> Res<()> {
    let flags = usize::try_from(flags).unwrap_or(0);
    let (source, target, kind) = (source.pointer(), target.pointer(), kind.pointer());
    call(nr::MOUNT, [source, target, kind, flags, data.pointer(), 0]).map(drop)
}

pub fn mount_move_here_to_root() -> Res<()> {
    const MS_MOVE: usize = 8192;
    call(nr::MOUNT, [c".".as_ptr() as usize, c"/".as_ptr() as usize, 0, MS_MOVE, 0, 0]).map(drop)
}

/// umount2(2) with MNT_DETACH.
pub fn detach(path: CStr) -> Res<()> {
    call(nr::UMOUNT2, [path.pointer(), 2, 0, 0, 0, 0]).map(drop)
}

/// pivot_root(".", ".").
pub fn pivot_root_here() -> Res<()> {
    let here = c".".as_ptr() as usize;
    call(nr::PIVOT_ROOT, [here, here, 0, 0, 0, 0]).map(drop)
}

/// open_tree(2) with OPEN_TREE_CLONE.
pub fn clone_tree(directory: i32, path: CStr, recursive: bool, no_follow: bool) -> Res<Fd> {
    let flags = clone_flags(path, recursive, no_follow);
    call(nr::OPEN_TREE, [fd_arg(directory), path.pointer(), flags, 0, 0, 0]).map(new_fd)
}

fn clone_flags(path: CStr, recursive: bool, no_follow: bool) -> usize {
    const OPEN_TREE_CLONE: usize = 1;
    #[allow(clippy::cast_possible_truncation)]
    let mut flags = OPEN_TREE_CLONE | O_CLOEXEC as usize;
    flags |= if recursive { AT_RECURSIVE } else { 0 };
    flags |= if no_follow { AT_SYMLINK_NOFOLLOW } else { 0 };
    flags | if path.0.first().is_none_or(|byte| *byte == 0) { AT_EMPTY_PATH } else { 0 }
}

/// move_mount(2) of the mount `mount` onto the file `target`.
pub fn move_mount(mount: i32, target: i32) -> Res<()> {
    const F_EMPTY_PATH: usize = 4;
    const T_EMPTY_PATH: usize = 0x40;
    let empty = c"".as_ptr() as usize;
    call(nr::MOVE_MOUNT, [fd_arg(mount), empty, fd_arg(target), empty, F_EMPTY_PATH | T_EMPTY_PATH, 0])
        .map(drop)
}

/// move_mount(2) of the mount `mount` onto `name` in `directory`, which is not followed if it is a symlink.
pub fn move_mount_to(mount: i32, directory: i32, name: CStr) -> Res<()> {
    const F_EMPTY_PATH: usize = 4;
    let (from, to) = (c"".as_ptr() as usize, name.pointer());
    call(nr::MOVE_MOUNT, [fd_arg(mount), from, fd_arg(directory), to, F_EMPTY_PATH, 0]).map(drop)
}

/// The same of a mount whose root is a directory; of any other the kernel says ENOTDIR.
pub fn move_directory_to(mount: i32, directory: i32, name: CStr) -> Res<()> {
    let (from, to) = (c".".as_ptr() as usize, name.pointer());
    call(nr::MOVE_MOUNT, [fd_arg(mount), from, fd_arg(directory), to, 0, 0]).map(drop)
}

/// `struct mount_attr`.
#[repr(C)]
pub struct MountAttr {
    pub set: u64,
    pub clear: u64,
    pub propagation: u64,
    pub user_namespace: u64,
}

pub fn mount_setattr(mount: i32, recursive: bool, attributes: &MountAttr) -> Res<()> {
    let flags = AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    let pointer = core::ptr::from_ref(attributes) as usize;
    let arguments = [fd_arg(mount), c"".as_ptr() as usize, flags, pointer, size_of::<MountAttr>(), 0];
    call(nr::MOUNT_SETATTR, arguments).map(drop)
}

/// [`clone_tree`] with other attributes: open_tree_attr(2), which Linux has from 6.15 on, and else the two calls that it
/// stands for.
pub fn clone_tree_with(
    directory: i32,
    path: CStr,
    recursive: bool,
    no_follow: bool,
    attributes: &MountAttr,
) -> Res<Fd> {
    let pointer = core::ptr::from_ref(attributes) as usize;
    let flags = clone_flags(path, recursive, no_follow);
    let arguments = [fd_arg(directory), path.pointer(), flags, pointer, size_of::<MountAttr>(), 0];
    call(nr::OPEN_TREE_ATTR, arguments).map(new_fd).or_else(|_| {
        let tree = clone_tree(directory, path, recursive, no_follow)?;
        mount_setattr(tree.raw(), recursive, attributes)?;
        Ok(tree)
    })
}

pub fn fsopen(kind: CStr) -> Res<Fd> {
    const FSOPEN_CLOEXEC: usize = 1;
    call(nr::FSOPEN, [kind.pointer(), FSOPEN_CLOEXEC, 0, 0, 0, 0]).map(new_fd)
}

/// fsconfig(2) with FSCONFIG_SET_FLAG, or with FSCONFIG_SET_STRING where there is a value.
pub fn fsconfig_set(context: i32, key: CStr, value: Option<CStr>) -> Res<()> {
    let (command, value) = value.map_or((0, 0), |value| (1, value.pointer()));
    call(nr::FSCONFIG, [fd_arg(context), command, key.pointer(), value, 0, 0]).map(drop)
}

/// fsconfig(2) with FSCONFIG_CMD_CREATE.
pub fn fsconfig_create(context: i32) -> Res<()> {
    call(nr::FSCONFIG, [fd_arg(context), 6, 0, 0, 0, 0]).map(drop)
}

pub fn fsmount(context: i32, attributes: u64) -> Res<Fd> {
    const FSMOUNT_CLOEXEC: usize = 1;
    let attributes = usize::try_from(attributes).unwrap_or(0);
    call(nr::FSMOUNT, [fd_arg(context), FSMOUNT_CLOEXEC, attributes, 0, 0, 0]).map(new_fd)
}
