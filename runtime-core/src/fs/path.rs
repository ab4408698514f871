//! A path of the host as the kernel knows it.

use nix::{
    fcntl::{OFlag, open},
    sys::stat::Mode,
};
use std::{
    fs, io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

/// What the kernel ends the path of a removed file with: proc_pid_fd(5).
const REMOVED: &[u8] = b" (deleted)";

/// The absolute path of what is at `path`, without symlinks in it. The kernel walks there once and tells the way that it
/// took; realpath(3) asks at each component.
///
/// # Errors
/// There is nothing at `path`, or this process cannot come there from its root.
pub(crate) fn real(path: &Path) -> io::Result<PathBuf> {
    let fd = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    let real = fs::read_link(format!("/proc/thread-self/fd/{}", fd.as_raw_fd()))?;
    let name = real.as_os_str().as_encoded_bytes();
    let removed = name.ends_with(REMOVED) && nix::sys::stat::fstat(&fd)?.st_nlink == 0;
    if removed || !real.is_absolute() {
        return Err(io::Error::from_raw_os_error(libc::ENOENT));
    }
    Ok(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symlinks_and_dots_are_gone() {
        let dir = tempdir();
        fs::create_dir(dir.join("real")).unwrap();
        std::os::unix::fs::symlink("real", dir.join("link")).unwrap();
        for path in ["link", "real/../link/.", "./real/"] {
            assert_eq!(real(&dir.join(path)).unwrap(), fs::canonicalize(dir.join("real")).unwrap());
        }
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_is_not_there_or_has_no_path_is_an_error() {
        let dir = tempdir();
        let odd = dir.join("odd (deleted)");
        fs::create_dir(&odd).unwrap();
        assert_eq!(real(&odd).unwrap(), fs::canonicalize(&odd).unwrap());
        let open = fs::File::open(&odd).unwrap();
        fs::remove_dir(&odd).unwrap();
        let (pipe, _writer) = io::pipe().unwrap();
        for fd in [open.as_raw_fd(), pipe.as_raw_fd()] {
            let error = real(Path::new(&format!("/proc/self/fd/{fd}"))).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
        assert_eq!(real(&odd).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::remove_dir_all(dir).unwrap();
    }

    /// A directory of its own for the test that asks.
    fn tempdir() -> PathBuf {
        let name = std::thread::current().name().unwrap_or("test").replace("::", "-");
        let dir = std::env::temp_dir().join(format!("corten-{}-{name}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        dir
    }
}
