//! tmpcopyup: what the image has at a tmpfs' place is copied into the tmpfs before it is attached.

use super::{
    paths::{self, Strictness},
    sys::{self, CStr, Fault, Fd, Res, Stat, errno, fault},
};
use crate::{
    arch::nr,
    guards::{self, Guard},
    wire::Text,
};

/// How deep a tree may be.
const MAX_DEPTH: usize = 64;

/// Copies what `target` beneath `root` holds into `mount`. A target that is missing holds nothing.
pub(super) fn copy_up(root: i32, target: Text, mount: i32) -> Res<()> {
    let from = match paths::open(root, target.into(), Strictness::Follow) {
        Err(Fault { errno: errno::ENOENT, .. }) => return Ok(()),
        other => other?,
    };
    let only_this = sys::RESOLVE_BENEATH | sys::RESOLVE_NO_SYMLINKS | sys::RESOLVE_NO_XDEV;
    let here = CStr::new(b".\0");
    let source = sys::openat2(from.raw(), here, sys::O_RDONLY | sys::O_DIRECTORY, 0, only_this)?;
    let stat = sys::stat_fd(source.raw())?;
    copy_directory(source.raw(), mount, MAX_DEPTH)?;
    let copy = sys::openat(mount, here, sys::O_RDONLY | sys::O_DIRECTORY, 0)?;
    own(copy.raw(), stat)
}

/// Gives `mount` the mode of what `target` beneath `root` is, if it is there.
pub(super) fn inherit_mode(root: i32, target: Text, mount: i32) -> Res<()> {
    let covered = match paths::open(root, target.into(), Strictness::Follow) {
        Err(Fault { errno: errno::ENOENT, .. }) => return Ok(()),
        other => sys::stat_fd(other?.raw())?,
    };
    let top = sys::openat(mount, CStr::new(b".\0"), sys::O_RDONLY | sys::O_DIRECTORY, 0)?;
    sys::fchmod(top.raw(), covered.mode & 0o7777)
}

fn own(copy: i32, stat: Stat) -> Res<()> {
    sys::chownat(copy, CStr::new(b"\0"), stat.uid, stat.gid)?;
    sys::fchmod(copy, stat.mode & 0o7777)
}

fn copy_directory(from: i32, to: i32, depth: usize) -> Res<()> {
    let mut buffer = [0_u8; 2048];
    loop {
        let length = sys::getdents(from, &mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        let mut entries = &buffer[..length];
        while let Some((name, rest)) = entry(entries) {
            entries = rest;
            if name != b".\0" && name != b"..\0" {
                copy_entry(from, to, CStr::new(name), depth)?;
            }
        }
    }
}

/// The name, with its NUL, of the first `struct linux_dirent64`, and the entries behind it.
fn entry(entries: &[u8]) -> Option<(&[u8], &[u8])> {
    let size = usize::from(u16::from_ne_bytes(entries.get(16..18)?.try_into().ok()?));
    let name = entries.get(19..size)?;
    let end = name.iter().position(|byte| *byte == 0)?;
    Some((&name[..=end], entries.get(size..)?))
}

fn copy_entry(from: i32, to: i32, name: CStr, depth: usize) -> Res<()> {
    let file = sys::openat(from, name, sys::O_PATH | sys::O_NOFOLLOW, 0)?;
    let stat = sys::stat_fd(file.raw())?;
    let only_this = sys::RESOLVE_BENEATH | sys::RESOLVE_NO_SYMLINKS;
    match stat.mode & sys::S_IFMT {
        sys::S_IFDIR => {
            let deeper = depth.checked_sub(1).ok_or(fault(nr::OPENAT2, errno::ELOOP))?;
            let source = sys::openat2(from, name, sys::O_RDONLY | sys::O_DIRECTORY, 0, only_this)?;
            sys::mkdirat(to, name, 0o700)?;
            let copy = sys::openat2(to, name, sys::O_RDONLY | sys::O_DIRECTORY, 0, only_this)?;
            copy_directory(source.raw(), copy.raw(), deeper)?;
            own(copy.raw(), stat)
        }
        sys::S_IFREG => {
            let source = open_regular(from, name)?;
            let flags = sys::O_WRONLY | sys::O_CREAT | sys::O_EXCL | sys::O_NOFOLLOW;
            let copy = sys::openat(to, name, flags, 0o600)?;
            copy_content(&source, &copy)?;
            own(copy.raw(), stat)
        }
        sys::S_IFLNK => {
            let mut target = [0_u8; 4096];
            let length = sys::readlinkat(from, name, &mut target[..4095])?.len();
            sys::symlinkat(CStr::new(&target[..=length]), to, name)?;
            sys::chownat(to, name, stat.uid, stat.gid)
        }
        sys::S_IFSOCK => Ok(()), // a socket's file means nothing without its process
        _ => {
            sys::mknodat(to, name, stat.mode, stat.rdev)?;
            sys::chownat(to, name, stat.uid, stat.gid)?;
            sys::chmodat(to, name, stat.mode & 0o7777)
        }
    }
}

/// Opens a file that was regular when it was looked at, and proves that it still is: a FIFO in its place would hold this
/// process up.
fn open_regular(from: i32, name: CStr) -> Res<Fd> {
    const ESTALE: i32 = 116;
    let only_this = sys::RESOLVE_BENEATH | sys::RESOLVE_NO_SYMLINKS;
    if !guards::on(Guard::CopyUp) {
        return sys::openat2(from, name, sys::O_RDONLY, 0, only_this);
    }
    let flags = sys::O_RDONLY | sys::O_NONBLOCK | sys::O_NOCTTY;
    let source = sys::openat2(from, name, flags, 0, only_this)?;
    match sys::stat_fd(source.raw())?.is(sys::S_IFREG) {
        true => Ok(source),
        false => Err(fault(nr::OPENAT2, ESTALE)),
    }
}

fn copy_content(from: &Fd, to: &Fd) -> Res<()> {
    let mut buffer = [0_u8; 8192];
    loop {
        let length = sys::read(from.raw(), &mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            rest = &rest[sys::write(to.raw(), rest)?..];
        }
    }
}
