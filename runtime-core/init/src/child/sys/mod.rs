//! The kernel as the init program sees it: each call checked, its failure a [`Fault`] that names it. The only part of the
//! child's path, beside `arch`, with `unsafe`.

#![allow(missing_docs, reason = "a function without a comment is the system call of its name")]

mod files;
mod mounts;
mod process;
mod streams;

pub use files::*;
pub use mounts::*;
pub use process::*;
pub use streams::*;

use crate::arch::{self, nr};

/// A system call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number.
    pub call: usize,
    /// Its errno, a positive number.
    pub errno: i32,
}

/// What a call gives.
pub type Res<T> = Result<T, Fault>;

/// The errno values that decisions are made by; the same on both architectures.
pub mod errno {
    #![allow(missing_docs)]
    pub const EPERM: i32 = 1;
    pub const ENOENT: i32 = 2;
    pub const EINTR: i32 = 4;
    pub const ENOMEM: i32 = 12;
    pub const EIO: i32 = 5;
    pub const EBADF: i32 = 9;
    pub const EAGAIN: i32 = 11;
    pub const EACCES: i32 = 13;
    pub const EEXIST: i32 = 17;
    pub const EXDEV: i32 = 18;
    pub const ENOTDIR: i32 = 20;
    pub const EISDIR: i32 = 21;
    pub const EINVAL: i32 = 22;
    pub const EROFS: i32 = 30;
    pub const ENAMETOOLONG: i32 = 36;
    pub const ENOSYS: i32 = 38;
    pub const ELOOP: i32 = 40;
    pub const EOPNOTSUPP: i32 = 95;
    pub const ETIME: i32 = 62;
    pub const EPROTO: i32 = 71;
    pub const ECHILD: i32 = 10;
}

/// An open descriptor, closed when it goes.
#[derive(Debug)]
pub struct Fd(i32);

impl Fd {
    /// Takes over descriptor `raw`.
    pub fn own(raw: i32) -> Self {
        Self(raw)
    }
    /// Its number.
    pub fn raw(&self) -> i32 {
        self.0
    }
    /// Gives its number and leaves it open.
    pub fn leak(self) -> i32 {
        let raw = self.0;
        core::mem::forget(self);
        raw
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        close(self.0);
    }
}
/// The current directory for the `*at` calls.
pub const AT_FDCWD: i32 = -100;
/// An empty path means the descriptor itself.
const AT_EMPTY_PATH: usize = 0x1000;
const AT_SYMLINK_NOFOLLOW: usize = 0x100;
const AT_RECURSIVE: usize = 0x8000;

/// A C string: bytes that a NUL follows.
#[derive(Clone, Copy)]
pub struct CStr<'a>(&'a [u8]);

impl<'a> CStr<'a> {
    /// A C string of `bytes`, which end with NUL.
    pub fn new(bytes: &'a [u8]) -> Self {
        debug_assert!(bytes.last() == Some(&0));
        Self(bytes)
    }
    /// Itself without the slashes that it begins with.
    pub fn relative(self) -> Self {
        let slashes = self.0.iter().take_while(|byte| **byte == b'/').count();
        let rest = &self.0[slashes..];
        if rest.first().is_none_or(|byte| *byte == 0) { Self(b".\0") } else { Self(rest) }
    }
    fn pointer(self) -> usize {
        self.0.as_ptr() as usize
    }
}

impl<'a> From<crate::wire::Text<'a>> for CStr<'a> {
    fn from(text: crate::wire::Text<'a>) -> Self {
        Self(text.0)
    }
}

fn call(number: usize, a: [usize; 6]) -> Res<usize> {
    // SAFETY: private, and each caller in this file passes what the call takes, from references that outlive it.
    let result = unsafe { arch::syscall(number, a) };
    if result < 0 {
        return Err(Fault { call: number, errno: i32::try_from(-result).unwrap_or(errno::EIO) });
    }
    Ok(result.cast_unsigned())
}

fn fd_arg(fd: i32) -> usize {
    (fd as isize).cast_unsigned()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
fn new_fd(number: usize) -> Fd {
    Fd(number as i32)
}

/// A failure that no call gave.
pub fn fault(call: usize, errno: i32) -> Fault {
    Fault { call, errno }
}

pub fn close(fd: i32) {
    let _ = call(nr::CLOSE, [fd_arg(fd), 0, 0, 0, 0, 0]);
}

/// From `first` to `last`, both included.
pub fn close_range(first: i32, last: i32) {
    let _ = call(nr::CLOSE_RANGE, [fd_arg(first), fd_arg(last), 0, 0, 0, 0]);
}
