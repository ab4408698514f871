//! What the examples beside `src` have in common: an image, so that none of them downloads one.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process,
};

/// The commands that the image has.
const COMMANDS: [&str; 24] = [
    "cat", "date", "dd", "df", "echo", "env", "false", "head", "hostname", "id", "ls", "mkdir", "mount",
    "ping", "ps", "sh", "sleep", "stty", "touch", "true", "uname", "vi", "wc", "yes",
];

/// A folder for an example's files that is removed with it: a root file system of busybox alone, and the states of
/// containers.
#[derive(Debug)]
pub struct Image {
    folder: PathBuf,
}

impl Image {
    /// Makes it for the example `name` of the host's /bin/busybox, which Debian's `busybox-static` brings.
    ///
    /// # Errors
    /// There is no busybox, or no room.
    pub fn busybox(name: &str) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("corten-{name}-{}", process::id()));
        let image = Self { folder };
        let bin = image.rootfs().join("bin");
        fs::create_dir_all(&bin)?;
        fs::copy("/bin/busybox", bin.join("busybox"))
            .map_err(|error| io::Error::new(error.kind(), format!("/bin/busybox: {error}")))?;
        for command in COMMANDS {
            symlink("busybox", bin.join(command))?;
        }
        for folder in ["dev", "mnt", "proc", "run", "sys", "tmp"] {
            fs::create_dir(image.rootfs().join(folder))?;
        }
        Ok(image)
    }

    /// The root file system.
    pub fn rootfs(&self) -> PathBuf {
        self.folder.join("rootfs")
    }

    /// Where the states of containers go: not among those of the host.
    pub fn states(&self) -> PathBuf {
        self.folder.join("states")
    }

    /// The folder that both are in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
