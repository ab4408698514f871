//! Files that are never seen half written.

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Writes `content` to a file beside `path` and renames it: who reads `path` sees the old content or the new.
///
/// An old file is exchanged and then removed: file systems as ext4 take a rename over it for a promise to have the new
/// content on the disk at once, which costs more than all the rest and is worth nothing to files that end with the host.
pub(crate) fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    name.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(name);
    let result = write_new(&temporary, content, mode).and_then(|()| replace(&temporary, path));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// The same for a file that is written again and again by one writer at a time: what it replaces is kept beside it, as
/// [`spare`] names it, for the next content. ext4 has ever longer searches for a free inode where many were just removed.
///
/// Who reads while it is written twice may see nothing or the newest content, and has to read once more.
pub(crate) fn rewrite(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let spare = spare(path);
    write_new(&spare, content, mode)?;
    match renameat2(AT_FDCWD, &spare, AT_FDCWD, path, RenameFlags::RENAME_EXCHANGE) {
        Ok(()) => Ok(()),
        Err(_) => fs::rename(&spare, path),
    }
}

/// The first [`rewrite`] of a file that is not there yet: it replaces nothing and keeps nothing.
pub(crate) fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let spare = spare(path);
    write_new(&spare, content, mode)?;
    fs::rename(&spare, path)
}

/// Where [`rewrite`] keeps what it replaced.
pub(crate) fn spare(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

fn replace(temporary: &Path, path: &Path) -> io::Result<()> {
    let exchanged = renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RenameFlags::RENAME_EXCHANGE);
    match exchanged {
        Ok(()) => fs::remove_file(temporary),
        // There is none, or the file system cannot do it.
        Err(_) => fs::rename(temporary, path),
    }
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode).custom_flags(libc::O_NOFOLLOW);
    options.open(path)?.write_all(content)
}
