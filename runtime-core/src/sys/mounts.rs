//! Which mount a file is on, statx(2), and a change of one, mount_setattr(2).

use std::{
    ffi::CStr,
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd},
};

/// The id of the mount that the file is on, and whether it is that mount's root.
pub(crate) fn mount_of(file: BorrowedFd<'_>) -> io::Result<(u64, bool)> {
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    let (flags, mask) = (libc::AT_EMPTY_PATH, libc::STATX_MNT_ID);
    // SAFETY: an empty path that ends with NUL, and a struct of ours for the kernel to fill in.
    let result = unsafe { libc::statx(file.as_raw_fd(), c"".as_ptr(), flags, mask, found.as_mut_ptr()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroes are a valid statx, and the kernel has filled it in.
    let found = unsafe { found.assume_init() };
    let is_root = found.stx_attributes & u64::from(libc::STATX_ATTR_MOUNT_ROOT.cast_unsigned()) != 0;
    Ok((found.stx_mnt_id, is_root))
}

/// Makes the mount at `path` read-only, mount_setattr(2).
pub(crate) fn set_read_only(path: &CStr) -> nix::Result<()> {
    let attributes =
        libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let size = size_of::<libc::mount_attr>();
    // SAFETY: a string that ends with NUL and a struct that is read, of the size that is told.
    let result = unsafe {
        libc::syscall(libc::SYS_mount_setattr, libc::AT_FDCWD, path.as_ptr(), 0, &raw const attributes, size)
    };
    nix::errno::Errno::result(result).map(drop)
}
