//! What Corten keeps in an image beside CRIU's own files: what of the container belongs to the host, and the name that each
//! such thing has in CRIU's files.
//!
//! The names are made here and say nothing: so no name that an image's author or a container chooses can stand for another
//! thing of the host (CVE-2026-119101, CVE-2026-115520). What each stands for is taken from config.json at restore.

use crate::{Error, ErrorKind, Result, fs::atomic};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, Error as _},
};
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// What is kept.
const FILE: &str = "corten.json";
/// The names of the standard streams, where engines look for them.
const DESCRIPTORS: &str = "descriptors.json";
/// CRIU's own: every image has it.
const INVENTORY: &str = "inventory.img";
/// More is no image of ours.
const MOST: u64 = 4 << 20;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Contents {
    /// Mounts of things of the host.
    pub(super) mounts: Vec<External>,
    /// Types of namespaces that were joined by path and stay the host's.
    pub(super) namespaces: Vec<String>,
    /// Standard streams that are files of the host: their number, and their name in CRIU's files.
    pub(super) files: Vec<(usize, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct External {
    /// Its name in CRIU's files.
    pub(super) key: String,
    pub(super) what: What,
    /// Where it was in the container.
    pub(super) point: String,
}

/// What of the host is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    /// The source of the entry of `mounts` with this destination, or what is mounted below it on the host.
    Mount { destination: PathBuf, below: PathBuf },
    /// The container's cgroup in the hierarchy of this name.
    Cgroup(String),
    /// A device.
    Device(PathBuf),
    /// The host's /dev/null over a path of linux.maskedPaths.
    Masked,
    /// The directory of NOTIFY_SOCKET.
    Notify,
}

/// A directory with an image.
pub(super) struct Image {
    path: PathBuf,
    /// What was there before the image was.
    before: Option<Vec<std::ffi::OsString>>,
}

impl Image {
    /// A directory to put an image in; it may have one already.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let path = make(path, "image")?;
        let before = names(&path).map_err(|error| failed("image", &path, "read", error))?;
        Ok(Self { path, before: Some(before) })
    }

    /// A directory with an image.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; [`ErrorKind::InvalidArgument`] if it has none, or one that Corten has not made.
    pub(super) fn open(path: &Path) -> Result<(Self, Contents)> {
        let path = absolute(path)?;
        let missing = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => {
                let message = format!("image directory {} does not exist", path.display());
                Error::new(ErrorKind::NotFound, message)
            }
            _ => failed("image", &path, "open", error),
        };
        if !fs::metadata(&path).map_err(missing)?.is_dir() {
            return Err(foreign(&path, "it is not a directory"));
        }
        if !path.join(INVENTORY).is_file() {
            return Err(foreign(&path, "it has no inventory.img: no checkpoint was completed in it"));
        }
        let image = Self { path, before: None };
        let contents = image.read(FILE)?;
        Ok((image, contents))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what is kept, and the names of the standard streams.
    pub(super) fn write(&self, contents: &Contents, descriptors: &[String]) -> Result<()> {
        self.write_one(FILE, contents)?;
        self.write_one(DESCRIPTORS, descriptors)
    }

    fn write_one(&self, name: &str, content: &(impl Serialize + ?Sized)) -> Result<()> {
        let bytes = serde_json::to_vec(content)
            .map_err(|error| failed("image", &self.path, "encode", error.into()))?;
        let path = self.path.join(name);
        atomic::write(&path, &bytes, 0o600).map_err(|error| failed("image", &path, "write", error))
    }

    /// The names of the standard streams.
    pub(super) fn descriptors(&self) -> Result<Vec<String>> {
        self.read(DESCRIPTORS)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let path = self.path.join(name);
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(MOST).read_to_end(&mut bytes));
        read.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                foreign(&self.path, &format!("it has no {name}: Corten has not made it"))
            }
            _ => failed("image", &path, "read", error),
        })?;
        let text = str::from_utf8(&bytes).map_err(serde_json::Error::custom);
        text.and_then(serde_json::from_str)
            .map_err(|error| foreign(&self.path, &format!("{name} is not valid")).with_source(error))
    }

    /// Removes the parts of an image that was not completed; the log stays.
    pub(super) fn remove_new(&self) {
        let Some(before) = &self.before else { return };
        for name in names(&self.path).unwrap_or_default() {
            let ours = name == FILE || name == DESCRIPTORS || name == "parent";
            let part = Path::new(&name).extension().is_some_and(|kind| kind == "img");
            if (ours || part) && !before.contains(&name) {
                let _ = fs::remove_file(self.path.join(name));
            }
        }
    }
}

fn names(path: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
}

fn foreign(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("image directory {}: {why}", path.display()))
}

fn failed(whose: &str, path: &Path, what: &str, error: io::Error) -> Error {
    Error::io(format!("{whose} directory {}: {what}", path.display()), error)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| failed("image", path, "find", error))
}

/// Makes a directory for images or logs, mode 0700, if it is not there.
pub(super) fn make(path: &Path, whose: &str) -> Result<PathBuf> {
    let path = absolute(path)?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&path)
        .map_err(|error| failed(whose, &path, "make", error))?;
    Ok(path)
}
