//! Checkpoint: a container's processes are saved to files by CRIU, from which [`ContainerBuilder::restore`] brings them back.
//! Not of the specification; runc-checkpoint(8).
//!
//! [`ContainerBuilder::restore`]: super::ContainerBuilder::restore

use super::{
    Container, Status,
    external::Mounts,
    image::{self, Contents, Image},
    readiness,
};
use crate::{
    Error, ErrorKind, Result, annotations,
    criu::{self, Kind, ManageCgroups, Options, Session, Setup},
    fs::mountinfo,
    namespace::{self, flag},
    spec::{LinuxNamespaceType, Spec},
};
use nix::sys::stat::{SFlag, stat};
use std::{
    fs::{self, File},
    io::Write,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::{Path, PathBuf},
};

/// What checkpoint and restore have in common. The image's directory is the one thing that must be given.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// use runtime_core::CheckpointOptions;
///
/// let mut options = CheckpointOptions::new("/srv/image");
/// options.criu.work_path = Some("/var/log/criu".into());
/// options.criu.tcp_established = true;
/// options.criu.file_locks = true;
/// container.checkpoint(options)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CriuOptions {
    /// Where the image is.
    pub image_path: PathBuf,
    /// Where CRIU's log and working files go; the image's directory if it is not set.
    pub work_path: Option<PathBuf>,
    /// The criu program: a path, or a name to be found in PATH.
    pub program: PathBuf,
    /// Allows open TCP connections.
    pub tcp_established: bool,
    /// Connections are closed instead of being restored (restore only).
    pub tcp_close: bool,
    /// Allows Unix sockets whose other end is outside of the container.
    pub ext_unix_sk: bool,
    /// Allows processes whose session or terminal is of outside, as those of a shell.
    pub shell_job: bool,
    /// Allows file locks.
    pub file_locks: bool,
    /// Memory is copied when it is first used: userfaultfd(2), and `criu lazy-pages`.
    pub lazy_pages: bool,
    /// Pages that are in this image are dropped from those before it; at restore, from the image as they are used.
    pub auto_dedup: bool,
    /// Allows open files that have been removed, but are linked under another name.
    pub link_remap: bool,
    /// What becomes of cgroups.
    pub manage_cgroups: ManageCgroups,
}

impl CriuOptions {
    /// Nothing but the image's directory.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// use runtime_core::{CheckpointOptions, CriuOptions};
    ///
    /// let mut criu = CriuOptions::new("/srv/image");
    /// criu.program = "/opt/criu/sbin/criu".into();
    /// let mut options = CheckpointOptions::new("/srv/image");
    /// options.criu = criu;
    /// container.checkpoint(options)?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new(image_path: impl Into<PathBuf>) -> Self {
        Self {
            image_path: image_path.into(),
            work_path: None,
            program: criu::program(),
            tcp_established: false,
            tcp_close: false,
            ext_unix_sk: false,
            shell_job: false,
            file_locks: false,
            lazy_pages: false,
            auto_dedup: false,
            link_remap: false,
            manage_cgroups: ManageCgroups::default(),
        }
    }

    /// The options of criu that follow from these, and the directory of its log.
    pub(super) fn prepare(&self, image: &Image, log_file: &'static str, spec: &Spec) -> Result<Prepared> {
        let open = |path: &Path| {
            let file =
                File::open(path).map_err(|error| Error::io(format!("{}: open", path.display()), error));
            file.map(OwnedFd::from)
        };
        let images = open(image.path())?;
        let work_path = self.work_path.as_deref().map(|path| image::make(path, "work")).transpose()?;
        let work = work_path.as_deref().map(open).transpose()?;
        let options = Options {
            images_dir_fd: images.as_raw_fd(),
            work_dir_fd: work.as_ref().map(OwnedFd::as_raw_fd),
            log_file,
            config_file: config_file(spec),
            tcp_established: self.tcp_established,
            tcp_close: self.tcp_close,
            ext_unix_sk: self.ext_unix_sk,
            shell_job: self.shell_job,
            file_locks: self.file_locks,
            lazy_pages: self.lazy_pages,
            auto_dedup: self.auto_dedup,
            link_remap: self.link_remap,
            manage_cgroups: self.manage_cgroups,
            // What is in a network namespace is whose who made it: an engine's, by hooks.
            empty_ns: flag::NETWORK,
            ..Options::default()
        };
        let log = work_path.as_deref().unwrap_or(image.path()).join(log_file);
        let mut dirs = vec![(image.path().to_owned(), images)];
        dirs.extend(work_path.zip(work));
        Ok(Prepared { options, log, dirs })
    }
}

/// Options for criu, what they name by number, and where the log will be.
pub(super) struct Prepared {
    pub(super) options: Options,
    pub(super) log: PathBuf,
    pub(super) dirs: Vec<(PathBuf, OwnedFd)>,
}

/// What a checkpoint is to be. Beside the image's directory all is optional: `CheckpointOptions::new("/srv/image")`.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// use runtime_core::CheckpointOptions;
///
/// // Memory first, while the container runs; then what has changed, while it stands still.
/// let mut first = CheckpointOptions::new("/srv/image/first");
/// first.pre_dump = true;
/// container.checkpoint(first)?;
/// let mut last = CheckpointOptions::new("/srv/image/last");
/// last.parent_path = Some("../first".into());
/// container.checkpoint(last)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct CheckpointOptions {
    /// What a restore has too.
    pub criu: CriuOptions,
    /// The image of the pre-dump before this one, relative to the image's directory: memory that is in it is not saved again.
    pub parent_path: Option<PathBuf>,
    /// The container runs on.
    pub leave_running: bool,
    /// Saves memory alone, which is tracked from then on; the container runs on. A checkpoint with this image as its
    /// `parent_path` completes it.
    pub pre_dump: bool,
    /// Passes over TCP connections that are not yet established.
    pub tcp_skip_in_flight: bool,
    /// Address and port of the page server that memory is sent to; with `lazy_pages`, where it can be had.
    pub page_server: Option<(String, u16)>,
    /// Gets a NUL when memory can be had, with `lazy_pages`.
    pub status_fd: Option<OwnedFd>,
}

impl CheckpointOptions {
    /// Nothing but the image's directory, which is made if it is not there.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
    /// use runtime_core::CheckpointOptions;
    ///
    /// container.checkpoint(CheckpointOptions::new("/srv/image"))?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new(image_path: impl Into<PathBuf>) -> Self {
        Self {
            criu: CriuOptions::new(image_path),
            parent_path: None,
            leave_running: false,
            pre_dump: false,
            tcp_skip_in_flight: false,
            page_server: None,
            status_fd: None,
        }
    }

    /// Whether the container runs on afterwards.
    ///
    /// ```
    /// use runtime_core::CheckpointOptions;
    ///
    /// let mut options = CheckpointOptions::new("/srv/image");
    /// assert!(!options.leaves_running());
    /// options.leave_running = true;
    /// assert!(options.leaves_running());
    /// ```
    #[must_use]
    pub fn leaves_running(&self) -> bool {
        self.leave_running || self.pre_dump
    }
}

/// A file with options for CRIU that come before all others: that of this annotation (none if it is empty), or else this one, if
/// it exists.
const CONFIG_FILE: &str = "/etc/criu/corten.conf";

fn config_file(spec: &Spec) -> Option<String> {
    let path = annotations::find(spec, annotations::CRIU_CONFIG).unwrap_or(CONFIG_FILE);
    (!path.is_empty() && Path::new(path).exists()).then(|| path.to_owned())
}

/// Saves the container.
pub(super) fn checkpoint(container: &Container, mut wanted: CheckpointOptions) -> Result<()> {
    let _lock = container.store.lock()?;
    let status = container.status()?;
    let pid = match (status, container.record.process) {
        (Status::Running | Status::Paused, Some(process)) => process.pid,
        _ => return Err(container.wrong_state("cannot be checkpointed", status)),
    };
    criu::version(&wanted.criu.program)?;
    check_features(&wanted)?;
    let image = Image::create(&wanted.criu.image_path)?;
    let result = save(container, &mut wanted, pid, &image);
    if result.is_err() {
        image.remove_new();
        // A criu that was killed leaves all frozen.
        if status == Status::Running && container.record.cgroup.is_frozen()? {
            container.record.cgroup.thaw()?;
        }
    }
    result.map_err(|error| error.context(format!("checkpoint of container {}", container.id())))
}

fn check_features(wanted: &CheckpointOptions) -> Result<()> {
    if !wanted.pre_dump && !wanted.criu.lazy_pages {
        return Ok(());
    }
    let features = criu::features(&wanted.criu.program)?;
    let lacking =
        |what| Err(Error::new(ErrorKind::Unsupported, format!("criu cannot do this on this kernel: {what}")));
    match (features.mem_track, features.lazy_pages) {
        (false, _) if wanted.pre_dump => lacking("pre-dump, which takes tracking of memory"),
        (_, false) if wanted.criu.lazy_pages => lacking("lazy pages, which take userfaultfd"),
        _ => Ok(()),
    }
}

fn save(container: &Container, wanted: &mut CheckpointOptions, pid: i32, image: &Image) -> Result<()> {
    let (record, spec) = (&container.record, container.spec()?);
    let Prepared { mut options, log, dirs: _dirs } = wanted.criu.prepare(image, "dump.log", &spec)?;
    options.pid = Some(pid);
    options.root = record.rootfs.clone().into_os_string().into_vec();
    options.leave_running = wanted.leave_running;
    options.tcp_skip_in_flight = wanted.tcp_skip_in_flight;
    options.freeze_cgroup = record.cgroup.freezer_dir().map(|dir| dir.into_os_string().into_vec());
    options.page_server = wanted.page_server.clone();
    options.track_mem = wanted.pre_dump || wanted.parent_path.is_some();
    if let Some(parent) = &wanted.parent_path {
        check_parent(image, parent)?;
        options.parent_img = Some(parent.clone().into_os_string().into_vec());
    }
    let mut contents = Contents::default();
    add_namespaces(&spec, pid, &mut options, &mut contents)?;
    if !wanted.pre_dump {
        let notify = container.store.notify_directory();
        let notify = notify.is_dir().then_some((Path::new(readiness::INSIDE), notify.as_path()));
        let mounts = Mounts::of(pid, &spec, &record.bundle)?;
        let (mounts, told) = mounts.external(&spec, &record.cgroup.view(), notify)?;
        contents.mounts = mounts;
        options.external.extend(told);
        add_files(pid, &mut options, &mut contents)?;
        image.write(&contents, &record.stdio)?;
    }
    let kind = if wanted.pre_dump { Kind::PreDump } else { Kind::Dump };
    run(&wanted.criu.program, kind, &options, wanted.status_fd.take(), &log)
}

/// The image before this one, as criu will find it.
fn check_parent(image: &Image, parent: &Path) -> Result<()> {
    let invalid = |why: &str| {
        Err(Error::new(ErrorKind::InvalidArgument, format!("parent path {}: {why}", parent.display())))
    };
    if parent.is_absolute() {
        return invalid("it must be relative to the image directory");
    }
    match fs::metadata(image.path().join(parent)) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => invalid("it is not a directory"),
        Err(_) => invalid("there is no such directory"),
    }
}

/// The namespaces that can stay the host's: their types, and their names for criu.
pub(super) const EXTERNAL_NAMESPACES: [(LinuxNamespaceType, &str, &str); 2] =
    [(LinuxNamespaceType::Network, "net", "extRootNetNS"), (LinuxNamespaceType::Pid, "pid", "extRootPidNS")];

/// Namespaces that were joined by path are not the container's own.
fn add_namespaces(spec: &Spec, pid: i32, options: &mut Options, contents: &mut Contents) -> Result<()> {
    for (kind, name, key) in EXTERNAL_NAMESPACES {
        if namespace::path_of(spec, kind).is_none() {
            continue;
        }
        let path = format!("/proc/{pid}/ns/{name}");
        let found = stat(path.as_str()).map_err(|errno| Error::io(format!("{path}: stat"), errno))?;
        options.external.push(format!("{name}[{}]:{key}", found.st_ino).into_bytes());
        contents.namespaces.push(name.to_owned());
    }
    Ok(())
}

/// Standard streams that are files or FIFOs of the host, as where output goes to a log.
fn add_files(pid: i32, options: &mut Options, contents: &mut Contents) -> Result<()> {
    let path = |number: usize| format!("/proc/{pid}/fd/{number}");
    let own = mountinfo::of(pid).map_err(|error| Error::io(format!("/proc/{pid}/mountinfo: read"), error))?;
    for number in 0..3 {
        let Ok(found) = stat(path(number).as_str()) else { continue };
        if !matches!(
            SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT,
            SFlag::S_IFREG | SFlag::S_IFIFO
        ) {
            continue;
        }
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).unwrap_or_default();
        let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse::<u64>().ok());
        // A pipe has a path of the kernel's and no mount that anybody sees.
        let is_path = fs::read_link(path(number)).is_ok_and(|path| path.is_absolute());
        if let Some(id) = id.filter(|id| is_path && !own.iter().any(|mount| mount.id == *id)) {
            let name = format!("file[{id:x}:{:x}]", found.st_ino);
            options.external.push(name.clone().into_bytes());
            contents.files.push((number, name));
        }
    }
    Ok(())
}

fn run(
    program: &Path,
    kind: Kind,
    options: &Options,
    mut status_fd: Option<OwnedFd>,
    log: &Path,
) -> Result<()> {
    let mut session = Session::begin(program, Setup::default())?;
    session.ask(kind, Some(options))?;
    loop {
        let (response, _) = session.receive().map_err(|error| explain(&error, log))?;
        match response.script.as_deref() {
            Some("status-ready") => {
                if let Some(fd) = status_fd.take() {
                    File::from(fd)
                        .write_all(&[0])
                        .unwrap_or_else(|error| log::warn!("status-fd: write: {error}"));
                }
                session.notified(true)?;
            }
            Some(_) => session.notified(true)?,
            None if response.success => {
                // After a pre-dump it waits for more, and ends in anger when nothing comes.
                if !session.finish() && kind != Kind::PreDump {
                    log::warn!("criu has failed after the checkpoint was made (log: {})", log.display());
                }
                return Ok(());
            }
            None => return Err(criu::failure(None, Some(&response), log)),
        }
    }
}

/// An end without an answer: the log may tell more.
pub(super) fn explain(error: &Error, log: &Path) -> Error {
    criu::failure(Some(error), None, log)
}
