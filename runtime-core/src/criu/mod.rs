//! CRIU, criu(8): the program that saves processes to files and brings them back. It is run as `criu swrk FD` and asked over
//! a socket, by the messages of its images/rpc.proto.

mod log;
mod messages;
mod swrk;
mod wire;

pub use messages::ManageCgroups;
pub(crate) use messages::{Features, Kind, Options, Response};
pub(crate) use swrk::{Session, Setup, own_streams};

use crate::{Error, ErrorKind, Result};
use std::{
    fmt,
    fs::{self, DirBuilder, File},
    os::{fd::AsRawFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
};

/// CRIU's version.
///
/// ```
/// use runtime_core::CriuVersion;
///
/// let version = CriuVersion::new(3, 17, 1);
/// assert!(version >= CriuVersion::new(3, 15, 0));
/// assert_eq!(version.to_string(), "3.17.1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CriuVersion(u32, u32, u32);

impl CriuVersion {
    /// The version `major.minor.sublevel`, to compare others with.
    ///
    /// ```
    /// use runtime_core::CriuVersion;
    ///
    /// assert!(CriuVersion::new(4, 0, 0) > CriuVersion::new(3, 19, 0));
    /// ```
    #[must_use]
    pub const fn new(major: u32, minor: u32, sublevel: u32) -> Self {
        Self(major, minor, sublevel)
    }

    /// The first number.
    ///
    /// ```
    /// assert_eq!(runtime_core::CriuVersion::new(4, 1, 2).major(), 4);
    /// ```
    #[must_use]
    pub const fn major(self) -> u32 {
        self.0
    }

    /// The second number.
    ///
    /// ```
    /// assert_eq!(runtime_core::CriuVersion::new(4, 1, 2).minor(), 1);
    /// ```
    #[must_use]
    pub const fn minor(self) -> u32 {
        self.1
    }

    /// The third number, 0 in versions of two.
    ///
    /// ```
    /// assert_eq!(runtime_core::CriuVersion::new(4, 1, 2).sublevel(), 2);
    /// ```
    #[must_use]
    pub const fn sublevel(self) -> u32 {
        self.2
    }
}

impl fmt::Display for CriuVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(major, minor, 0) => write!(f, "{major}.{minor}"),
            Self(major, minor, sublevel) => write!(f, "{major}.{minor}.{sublevel}"),
        }
    }
}

/// What CRIU says of itself and of this host.
///
/// ```no_run
/// use runtime_core::Criu;
///
/// match Criu::ask("criu") {
///     Err(error) => println!("no checkpoints here: {}", error.report()),
///     Ok(criu) => println!("CRIU {}, lazy pages: {}", criu.version, criu.lazy_pages),
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Criu {
    /// Its version.
    pub version: CriuVersion,
    /// Whether pre-dumps are possible: the kernel tells which pages were written to.
    pub mem_track: bool,
    /// Whether lazy pages are possible: the kernel has userfaultfd(2).
    pub lazy_pages: bool,
    /// What of the kernel it lacks, if anything: `criu check`.
    pub lacking: Option<String>,
}

impl Criu {
    /// Asks the CRIU at `program`, a path or a name to be found in PATH.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if there is no such program, or it does not answer as CRIU does.
    ///
    /// # Example
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{Criu, CriuVersion};
    ///
    /// let criu = Criu::ask("/usr/sbin/criu")?;
    /// if let Some(lacking) = criu.lacking {
    ///     println!("this kernel lacks something: {lacking}");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn ask(program: impl AsRef<Path>) -> Result<Self> {
        let program = program.as_ref();
        let version = version(program)?;
        let features = features(program)?;
        let lacking = check(program)?;
        Ok(Self { version, mem_track: features.mem_track, lazy_pages: features.lazy_pages, lacking })
    }
}

/// Above this version something works.
pub(crate) mod since {
    use super::CriuVersion;
    /// All that is taken for granted: joined network and pid namespaces, the freezer of cgroup v2, notification of lazy pages.
    pub(crate) const OLDEST: CriuVersion = CriuVersion(3, 15, 0);
    /// Another LSM profile or mount context at restore.
    pub(crate) const LSM: CriuVersion = CriuVersion(3, 16, 0);
}

/// The version of the CRIU at `program`, which must be one that can be used.
pub(crate) fn version(program: &Path) -> Result<CriuVersion> {
    let [major, minor, sublevel] = ask(program, Kind::Version)?.version;
    let version = CriuVersion(major, minor, sublevel);
    if version < since::OLDEST {
        let message = format!("criu {version}: {} or later is needed", since::OLDEST);
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Ok(version)
}

/// What this kernel has for CRIU.
pub(crate) fn features(program: &Path) -> Result<Features> {
    Ok(ask(program, Kind::FeatureCheck)?.features)
}

/// `criu check`: what the kernel lacks. Its words are in its log, which wants a directory.
fn check(program: &Path) -> Result<Option<String>> {
    let dir = std::env::temp_dir().join(format!("corten-criu-{}", std::process::id()));
    let failed = |error| Error::io(format!("{}: make", dir.display()), error);
    DirBuilder::new().mode(0o700).create(&dir).map_err(failed)?;
    let asked = File::open(&dir).map_err(failed).and_then(|file| {
        let images_dir_fd = file.as_raw_fd();
        let options = Options { images_dir_fd, log_file: "check.log", ..Options::default() };
        let mut session = Session::begin(program, Setup::default())?;
        session.ask(Kind::Check, Some(&options))?;
        Ok(session.receive()?.0)
    });
    let why = log::reason(&dir.join("check.log"));
    let _ = fs::remove_dir_all(&dir);
    let failed = !asked?.success;
    Ok(failed.then(|| why.unwrap_or_else(|| "criu check fails".to_owned())))
}

fn ask(program: &Path, kind: Kind) -> Result<Response> {
    let mut session = Session::begin(program, Setup::default())?;
    session.ask(kind, None)?;
    let (response, _) = session.receive()?;
    Ok(response)
}

/// The error of a criu that has failed, by its `response` or else by an `end` without one: with the line of its log that says
/// why, and the log's place.
pub(crate) fn failure(end: Option<&Error>, response: Option<&Response>, log: &Path) -> Error {
    let said = response.and_then(|response| response.message.as_deref().map(str::trim)).map(str::to_owned);
    let errno = response.and_then(|response| response.errno).filter(|errno| *errno != 0);
    let errno = errno.map(|errno| nix::errno::Errno::from_raw(errno).desc().to_owned());
    let why = log::reason(log).or(said).or(errno);
    let text = match (end.map(Error::report), why) {
        (Some(end), Some(why)) => format!("{end}: {why}"),
        (Some(end), None) => end,
        (None, why) => format!("criu: {}", why.unwrap_or_else(|| "it does not say why".to_owned())),
    };
    Error::new(ErrorKind::Io, format!("{text} (log: {})", log.display()))
}

/// The name that a program is looked for by if nothing else is said.
pub(crate) fn program() -> PathBuf {
    PathBuf::from("criu")
}
