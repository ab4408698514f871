//! Paths of the container: resolved once, beneath the root's descriptor, and only the descriptor used from then on.

use super::sys::{self, CStr, Fault, Fd, Res, errno, fault};
use crate::{
    arch::nr,
    guards::{self, Guard},
    wire::Text,
};

/// The longest path that the kernel takes, its NUL included.
const PATH_MAX: usize = 4096;
/// How many symlinks a path may go through, as in the kernel.
const MAX_LINKS: usize = 40;

/// What of a target's path may be a symlink.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Any part.
    Follow,
    /// Any part but the last.
    NoFollowLast,
    /// None, and it must be a directory: for proc and sysfs, whose place an image must not choose.
    Directory,
}

impl Strictness {
    pub(super) fn from_wire(value: u8) -> Self {
        match value {
            0 => Self::Follow,
            1 => Self::NoFollowLast,
            _ if guards::on(Guard::ProcDirectory) => Self::Directory,
            _ => Self::Follow,
        }
    }

    fn flags(self) -> (u64, u64) {
        match self {
            Self::Follow => (0, 0),
            Self::NoFollowLast => (sys::O_NOFOLLOW, 0),
            Self::Directory => (sys::O_DIRECTORY, sys::RESOLVE_NO_SYMLINKS),
        }
    }
}

/// What is made where a target is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Directory,
    File,
}

/// An O_PATH descriptor of `path` beneath `root`.
pub(super) fn open(root: i32, path: CStr, strictness: Strictness) -> Res<Fd> {
    let (flags, resolve) = strictness.flags();
    if !guards::on(Guard::InRoot) {
        return unguarded::open_anywhere(root, path, flags);
    }
    let resolve = resolve | sys::RESOLVE_IN_ROOT | sys::RESOLVE_NO_MAGICLINKS;
    let fd = sys::openat2(root, path, sys::O_PATH | flags, 0, resolve)?;
    if guards::on(Guard::OneResolution) { Ok(fd) } else { unguarded::open_again(&fd) }
}

/// The same; what is missing of the path is made: directories of mode 755, and at its end a directory or an empty file.
pub(super) fn open_or_make(root: i32, path: Text, strictness: Strictness, missing: Missing) -> Res<Fd> {
    match open(root, path.into(), strictness) {
        Err(Fault { errno: errno::ENOENT, .. }) => make(root, path, strictness, missing),
        other => other,
    }
}

/// A path of the container under way: no heap, so it lies here.
struct Buffer {
    bytes: [u8; PATH_MAX],
    length: usize,
}

impl Buffer {
    fn new(parts: &[&[u8]]) -> Res<Self> {
        let mut buffer = Self { bytes: [0; PATH_MAX], length: 0 };
        for part in parts {
            let end = buffer.length + part.len();
            // One byte stays free for the NUL.
            let place = buffer.bytes[..PATH_MAX - 1].get_mut(buffer.length..end);
            place.ok_or(fault(nr::OPENAT2, errno::ENAMETOOLONG))?.copy_from_slice(part);
            buffer.length = end;
        }
        Ok(buffer)
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Calls `act` with the first `end` bytes as a C string.
    fn with_prefix<T>(&mut self, end: usize, act: impl FnOnce(CStr) -> T) -> T {
        let kept = core::mem::replace(&mut self.bytes[end], 0);
        let start = if end == 0 { b".\0".as_slice() } else { &self.bytes[..=end] };
        let result = act(CStr::new(start));
        self.bytes[end] = kept;
        result
    }
}

/// Walks down from the root and makes each missing part beneath the descriptor of its parent. A dangling symlink on the
/// way is followed in the root, as a lookup of an existing path would be.
fn make(root: i32, path: Text, strictness: Strictness, missing: Missing) -> Res<Fd> {
    let mut buffer = Buffer::new(&[path.0])?;
    let mut links = 0;
    let mut at = 0;
    let follow = if strictness == Strictness::Directory { strictness } else { Strictness::Follow };
    let mut parent = open(root, CStr::new(b".\0"), Strictness::Follow)?;
    while let Some((start, end)) = next_part(buffer.as_slice(), at) {
        let last = next_part(buffer.as_slice(), end).is_none();
        let rules = if last { strictness } else { follow };
        match buffer.with_prefix(end, |prefix| open(root, prefix, rules)) {
            Ok(fd) => parent = fd,
            Err(Fault { errno: errno::ENOENT, .. }) => {
                let mut name = Buffer::new(&[&buffer.as_slice()[start..end]])?;
                let length = name.length;
                let kind = if last { missing } else { Missing::Directory };
                let made = name.with_prefix(length, |name| make_one(parent.raw(), name, kind));
                match made {
                    Ok(fd) => parent = fd,
                    Err(Fault { errno: errno::EEXIST, .. }) => {
                        links += 1;
                        if links > MAX_LINKS {
                            return Err(fault(nr::OPENAT2, errno::ELOOP));
                        }
                        if strictness != Strictness::Directory {
                            match follow_link(parent.raw(), &mut name, &buffer, start, end) {
                                Ok(path) => buffer = path,
                                // No symlink: somebody else, as a container with the same root, has made it meanwhile.
                                Err(Fault { errno: errno::EINVAL | errno::ENOENT, .. }) => {}
                                Err(fault) => return Err(fault),
                            }
                        }
                        at = 0;
                        parent = open(root, CStr::new(b".\0"), Strictness::Follow)?;
                        continue;
                    }
                    Err(fault) => return Err(fault),
                }
            }
            Err(fault) => return Err(fault),
        }
        at = end;
    }
    Ok(parent)
}

/// Where the next part of `path` from `at` begins and ends.
fn next_part(path: &[u8], at: usize) -> Option<(usize, usize)> {
    let start = at + path.get(at..)?.iter().position(|byte| *byte != b'/')?;
    let end = path[start..].iter().position(|byte| *byte == b'/').map_or(path.len(), |length| start + length);
    Some((start, end))
}

/// Makes `name` in the directory `parent` and opens just that.
fn make_one(parent: i32, name: CStr, kind: Missing) -> Res<Fd> {
    let only_this = sys::RESOLVE_NO_SYMLINKS | sys::RESOLVE_BENEATH;
    match kind {
        Missing::Directory => {
            sys::mkdirat(parent, name, 0o755)?;
            sys::openat2(parent, name, sys::O_PATH | sys::O_DIRECTORY, 0, only_this)
        }
        Missing::File => {
            let flags = sys::O_CREAT | sys::O_EXCL | sys::O_NOFOLLOW | sys::O_RDONLY;
            drop(sys::openat(parent, name, flags, 0o644)?);
            sys::openat2(parent, name, sys::O_PATH | sys::O_NOFOLLOW, 0, only_this)
        }
    }
}

/// `path` with its part from `start` to `end`, a symlink named `name` in `parent`, replaced by what it points to.
fn follow_link(parent: i32, name: &mut Buffer, path: &Buffer, start: usize, end: usize) -> Res<Buffer> {
    let mut target = [0_u8; PATH_MAX];
    let length = name.length;
    let target = name.with_prefix(length, |name| sys::readlinkat(parent, name, &mut target))?;
    let before = if target.first() == Some(&b'/') { &[][..] } else { &path.as_slice()[..start] };
    Buffer::new(&[before, target, &path.as_slice()[end..]])
}

/// The directory that holds `target` beneath `root`, made if it is missing, and the last part's place in the text.
pub(super) fn parent_of(root: i32, target: Text) -> Res<(Fd, LastPart)> {
    let whole = target.0;
    let trimmed = whole.len() - whole.iter().rev().take_while(|byte| **byte == b'/').count();
    let start = whole[..trimmed].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let name = &whole[start..trimmed];
    if name.is_empty() || name == b"." || name == b".." {
        return Err(fault(nr::OPENAT2, errno::EINVAL));
    }
    let parent = Buffer::new(&[&whole[..start], b"."])?;
    let directory = open_or_make(root, Text(parent.as_slice()), Strictness::Follow, Missing::Directory)?;
    Ok((directory, LastPart::new(name)?))
}

/// One name, as a C string of its own.
pub(super) struct LastPart {
    bytes: [u8; 256],
}

impl LastPart {
    fn new(name: &[u8]) -> Res<Self> {
        let mut bytes = [0; 256];
        let place = bytes[..255].get_mut(..name.len()).ok_or(fault(nr::OPENAT2, errno::ENAMETOOLONG))?;
        place.copy_from_slice(name);
        Ok(Self { bytes })
    }

    pub(super) fn as_cstr(&self) -> CStr<'_> {
        let end = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(255);
        CStr::new(&self.bytes[..=end])
    }
}

/// What others did before they knew better; nothing calls it unless a test build has a guard switched off.
mod unguarded {
    use super::*;

    /// `path` joined to the root's, symlinks and all.
    pub(super) fn open_anywhere(root: i32, path: CStr, flags: u64) -> Res<Fd> {
        sys::openat(root, path.relative(), sys::O_PATH | flags, 0)
    }

    /// The path that was found, as a text, looked up a second time.
    pub(super) fn open_again(fd: &Fd) -> Res<Fd> {
        let mut link = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0\0";
        sys::write_number(&mut link[14..25], fd.raw().unsigned_abs());
        let mut text = [0_u8; PATH_MAX];
        let length = sys::readlinkat(sys::AT_FDCWD, CStr::new(&link), &mut text[..PATH_MAX - 1])?.len();
        sys::openat(sys::AT_FDCWD, CStr::new(&text[..=length]), sys::O_PATH, 0)
    }
}
