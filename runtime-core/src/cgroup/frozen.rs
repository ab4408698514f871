//! Whether a cgroup is frozen, asked of one or of many in a row.

use super::{
    dir,
    error::{Error, Result},
};
use nix::{
    errno::Errno,
    fcntl::{OFlag, open, openat},
    sys::stat::Mode,
    unistd::read,
};
use std::{os::fd::OwnedFd, path::Path};

/// The file of v2 and that of v1.
pub(super) const FILES: [&str; 2] = ["cgroup.events", "freezer.state"];

/// Whether the content of the file of the cgroup's kind says so: by itself, or by one above it.
pub(super) fn says_so(unified: bool, content: &[u8]) -> bool {
    match unified {
        true => content.split(|byte| *byte == b'\n').any(|line| line == b"frozen 1"),
        false => content.trim_ascii() != b"THAWED",
    }
}

/// The path of such a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FreezerFile<'a> {
    path: &'a str,
    unified: bool,
    /// Where the directory above the cgroup ends.
    above: usize,
}

impl<'a> FreezerFile<'a> {
    /// One that is at `path`, if that is such a file's.
    pub(crate) fn new(path: &'a str) -> Option<Self> {
        let (dir, file) = path.rsplit_once('/')?;
        let unified = FILES.iter().position(|name| *name == file)? == 0;
        Some(Self { path, unified, above: dir.rfind('/')? })
    }
}

/// Asks for many that are mostly in one directory: from the second on that is kept open, so that paths are short.
#[derive(Debug, Default)]
pub(crate) struct Frozen {
    above: String,
    dir: Option<OwnedFd>,
}

impl Frozen {
    /// Whether the cgroup of `file` is frozen. One that is gone, or is just being removed, is not.
    pub(crate) fn is(&mut self, file: FreezerFile<'_>) -> Result<bool> {
        let mut content = [0; 512];
        let length = match self.beneath(file, &mut content) {
            // A directory that was removed and made anew is another.
            Some(Ok(length)) => Ok(length),
            _ => open(file.path, flags(OFlag::O_RDONLY), Mode::empty())
                .and_then(|fd| read_once(&fd, &mut content)),
        };
        match length {
            Ok(length) => Ok(says_so(file.unified, &content[..length])),
            Err(Errno::ENOENT | Errno::ENODEV) => Ok(false),
            Err(_) if !Path::new(file.path).parent().is_some_and(Path::is_dir) => Ok(false),
            Err(errno) => Err(Error::io(format!("read {}", file.path), errno)),
        }
    }

    fn beneath(&mut self, file: FreezerFile<'_>, content: &mut [u8]) -> Option<Result<usize, Errno>> {
        let above = file.path.get(..file.above)?;
        if self.above != above {
            *self = Self { above: above.to_owned(), dir: None };
            return None;
        }
        let dir = match &mut self.dir {
            Some(dir) => dir,
            none => none.insert(open(above, flags(OFlag::O_PATH | OFlag::O_DIRECTORY), Mode::empty()).ok()?),
        };
        let fd = openat(dir, file.path.get(file.above + 1..)?, flags(OFlag::O_RDONLY), Mode::empty());
        Some(fd.and_then(|fd| read_once(&fd, content)))
    }
}

fn flags(flags: OFlag) -> OFlag {
    dir::flags(flags)
}

/// What the kernel says is shorter than any buffer: one read is all.
fn read_once(fd: &OwnedFd, content: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match read(fd, content) {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}
