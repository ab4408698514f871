//! Restore: a container is made from an image of a checkpoint, and its processes go on where they were saved. Not of the
//! specification; runc-restore(8).
//!
//! The order of a restore: what create does up to the first process, with a cgroup and a record of its own; then CRIU makes the
//! processes, as children of the caller, and says when namespaces are there (hooks) and when all is (the record, limits). Only
//! then do they run.

use super::{
    ContainerBuilder,
    checkpoint::{self, CriuOptions, EXTERNAL_NAMESPACES, Prepared},
    console::Ends,
    create::{self, Checked, Making, Until},
    external,
    image::{Contents, Image, What},
    made::Made,
    points, readiness,
    record::Record,
    stdio,
    store::Store,
};
use crate::{
    Error, ErrorKind, Result,
    criu::{self, Kind, ManageCgroups, Options, Response, Session, Setup, since},
    fs::socket,
    hooks::Output,
    namespace::{self, flag},
    process::labels,
    resctrl::Group,
    rootfs,
    spec::LinuxNamespaceType,
    sys::{self, command::PrivateMounts, pidfd},
};
use nix::{
    fcntl::{OFlag, open},
    sys::stat::Mode,
};
use std::{
    ffi::CString,
    fs,
    os::{
        fd::{AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
};

/// What a restore is to be. Beside the image's directory all is optional: `RestoreOptions::new("/srv/image")`.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{ContainerBuilder, RestoreOptions};
///
/// let mut options = RestoreOptions::new("/srv/image");
/// options.lsm_profile = Some("apparmor:web".to_owned());
/// let container = ContainerBuilder::new("web").bundle("/srv/web").restore(&options)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// What a checkpoint has too, and with the same values.
    pub criu: CriuOptions,
    /// The AppArmor profile or SELinux label in place of the saved one, as `apparmor:NAME` or `selinux:LABEL`.
    pub lsm_profile: Option<String>,
    /// The SELinux context in place of that of saved mounts that have one.
    pub lsm_mount_context: Option<String>,
}

impl RestoreOptions {
    /// Nothing but the image's directory.
    ///
    /// ```no_run
    /// # fn main() -> runtime_core::Result<()> {
    /// use runtime_core::{ContainerBuilder, RestoreOptions};
    ///
    /// let image = RestoreOptions::new("/srv/image");
    /// let container = ContainerBuilder::new("web").bundle("/srv/web").restore(&image)?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new(image_path: impl Into<PathBuf>) -> Self {
        Self { criu: CriuOptions::new(image_path), lsm_profile: None, lsm_mount_context: None }
    }
}

/// Makes the container from the image.
pub(super) fn restore(mut builder: ContainerBuilder, wanted: &RestoreOptions) -> Result<Made> {
    let (streams, pipes) = builder.streams.take().map(stdio::open).transpose()?.unzip();
    builder.stdio = streams;
    Store::name(&builder.root, &builder.id)?;
    let (image, contents) = Image::open(&wanted.criu.image_path)?;
    let descriptors = image.descriptors()?;
    let version = criu::version(&wanted.criu.program)?;
    if (wanted.lsm_profile.is_some() || wanted.lsm_mount_context.is_some()) && version < since::LSM {
        let message = format!("criu {version}: for another LSM profile {} is needed", since::LSM);
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    // Whether there is a socket for readiness the image says.
    let notify = contents.mounts.iter().any(|external| external.what == What::Notify);
    builder.notify = false;
    let checked = create::check(&mut builder)?;
    check_label(wanted, &checked)?;
    let ends = Ends::open(&builder.console, checked.process.terminal)?;
    let record = create::record(&builder, &checked);
    if wanted.criu.manage_cgroups == ManageCgroups::Strict && record.cgroup.exists() {
        let message =
            "linux.cgroupsPath: the cgroup is there already, and cgroups are to be managed strictly";
        return Err(Error::new(ErrorKind::AlreadyExists, message));
    }
    let (store, lock) = Store::create(&builder.root, &builder.id)?;
    let mut making = Making { store: Some(store), record, lock: Some(lock) };
    let mut restore = Restore {
        builder: &builder,
        wanted,
        checked: &checked,
        image: &image,
        contents: &contents,
        ends,
        hook_output: Output::open(&making.record.annotations)?,
        kept: Vec::new(),
    };
    let prepared = restore.prepare(&mut making, &descriptors, notify);
    let (prepared, mounts) =
        prepared.map_err(|error| error.context(format!("restore of container {}", builder.id)))?;
    let pid = restore.run(&mut making, prepared, mounts);
    let pid = pid.map_err(|error| error.context(format!("restore of container {}", builder.id)))?;
    let pidfd = pidfd::open(pid).map_err(|error| Error::io("pidfd_open", error))?;
    let terminal = restore.ends.receive()?;
    let mut made = making.done(pidfd, terminal, Until::Running)?;
    made.pipes = pipes.unwrap_or_default();
    made.delete_on_drop = builder.delete_on_drop;
    Ok(made)
}

/// The label that the processes will have. CRIU hangs over a profile that is missing.
fn check_label(wanted: &RestoreOptions, checked: &Checked) -> Result<()> {
    let Some(label) = wanted.lsm_profile.as_deref() else {
        let profile = labels::profile(&checked.process);
        return profile.map_or(Ok(()), |profile| labels::check_loaded("process.apparmorProfile", profile));
    };
    match label.split_once(':') {
        Some(("apparmor", "unconfined") | ("selinux", _)) => Ok(()),
        Some(("apparmor", profile)) => labels::check_loaded("LSM profile", profile),
        _ => {
            let message = format!("LSM profile {label}: apparmor:NAME or selinux:LABEL is wanted");
            Err(Error::new(ErrorKind::InvalidArgument, message))
        }
    }
}

/// A restore under way.
struct Restore<'a> {
    builder: &'a ContainerBuilder,
    wanted: &'a RestoreOptions,
    checked: &'a Checked,
    image: &'a Image,
    contents: &'a Contents,
    ends: Ends,
    hook_output: Output,
    /// Files of namespaces, which criu inherits.
    kept: Vec<OwnedFd>,
}

impl Restore<'_> {
    /// All that is there before the first process.
    fn prepare(
        &mut self,
        making: &mut Making,
        descriptors: &[String],
        notify: bool,
    ) -> Result<(Prepared, PrivateMounts)> {
        let store = making.store()?.clone();
        store.write(&making.record)?;
        store.write_config(&self.checked.text)?;
        if notify {
            readiness::make(&store.notify_directory())?;
        }
        making.record.cgroup.create()?;
        if let Some(group) = &making.record.intel_rdt
            && let Err(error) = group.create(&self.checked.spec)
        {
            making.record.intel_rdt = None;
            return Err(error);
        }
        store.write(&making.record)?;
        let root = store.criu_root()?;
        let mut prepared = self.wanted.criu.prepare(self.image, "restore.log", &self.checked.spec)?;
        let options = &mut prepared.options;
        options.root = root.clone().into_os_string().into_vec();
        options.rst_sibling = true;
        if options.manage_cgroups == ManageCgroups::Strict {
            // criu would not forgive the container's own; of those below none is there.
            options.manage_cgroups = ManageCgroups::Soft;
        }
        options.evasive_devices = true;
        options.lsm_profile = self.wanted.lsm_profile.clone();
        options.lsm_mount_context = self.wanted.lsm_mount_context.clone();
        self.add_namespaces(options)?;
        self.add_mounts(making, options)?;
        for (number, name) in descriptors.iter().enumerate().take(3) {
            if name.starts_with("pipe:[") {
                options.inherit_fd.push((name.clone(), i32::try_from(number).unwrap_or(0)));
            }
        }
        for (number, name) in self.contents.files.iter().filter(|(number, _)| *number < 3) {
            options.inherit_fd.push((name.clone(), i32::try_from(*number).unwrap_or(0)));
        }
        let text = |path: &Path| {
            CString::new(path.as_os_str().as_bytes())
                .map_err(|error| Error::io("root.path", std::io::Error::other(error)))
        };
        let directories = prepared.dirs.iter().map(|(path, fd)| Ok((text(path)?, fd.as_raw_fd())));
        let mounts = PrivateMounts {
            directories: directories.collect::<Result<_>>()?,
            source: text(&making.record.rootfs)?,
            target: text(&root)?,
        };
        Ok((prepared, mounts))
    }

    /// Namespaces that are joined by path.
    fn add_namespaces(&mut self, options: &mut Options) -> Result<()> {
        for (index, entry) in namespace::list(&self.checked.spec).iter().enumerate() {
            let kind = entry.typ;
            let path = entry.path.as_deref().filter(|path| !path.as_os_str().is_empty());
            let place = format!("linux.namespaces[{index}]");
            let wrong = |why: &str| Err(Error::new(ErrorKind::InvalidConfig, format!("{place}.path: {why}")));
            let external = EXTERNAL_NAMESPACES.iter().find(|(external, ..)| *external == kind);
            let in_image = |name: &str| self.contents.namespaces.iter().any(|known| known == name);
            match (path, external) {
                (None, Some((_, name, _))) if in_image(name) => {
                    return wrong("must be set: the image is of a container that had joined one");
                }
                (Some(_), Some((_, name, _))) if !in_image(name) => {
                    return wrong("must not be set: the image is of a container that had its own");
                }
                (Some(path), Some((_, _, key))) => {
                    let file = open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
                    let file = file.map_err(|errno| {
                        Error::io(format!("{place}.path ({}): open", path.display()), errno)
                    })?;
                    options.inherit_fd.push(((*key).to_owned(), file.as_raw_fd()));
                    self.kept.push(file);
                }
                (Some(path), None) => {
                    let name = match kind {
                        LinuxNamespaceType::Ipc => "ipc",
                        LinuxNamespaceType::Uts => "uts",
                        LinuxNamespaceType::User => "user",
                        LinuxNamespaceType::Time => "time",
                        _ => return wrong("criu cannot restore into a namespace of this type"),
                    };
                    options.join_ns.push((name, path.as_os_str().as_bytes().to_vec()));
                }
                (None, _) => {}
            }
        }
        Ok(())
    }

    /// Mounts of things of the host, and the places of all mounts.
    fn add_mounts(&self, making: &Making, options: &mut Options) -> Result<()> {
        let binds = rootfs::binds(&self.checked.spec, &self.checked.bundle)?;
        let (view, notify) = (making.record.cgroup.view(), making.store()?.notify_directory());
        let mut places = Vec::new();
        for external in &self.contents.mounts {
            let source = external::source(external, &self.checked.spec, &binds, &view, &notify)?;
            // systemd makes a cgroup with the first process in it.
            let directory = match external.what {
                What::Cgroup(_) => true,
                _ => fs::metadata(&source)
                    .map_err(|error| {
                        Error::io(format!("mount {}: find {}", external.point, source.display()), error)
                    })?
                    .is_dir(),
            };
            let key = format!("mnt[{}]:", external.key).into_bytes();
            options.external.push([key, source.clone().into_os_string().into_vec()].concat());
            places.push(points::Point { path: external.point.clone().into(), source, directory });
        }
        let all = self.checked.spec.mounts.as_slice();
        let others = all.iter().map(|mount| Path::new("/").join(&mount.destination));
        let others: Vec<_> =
            others.filter(|path| !binds.iter().any(|bind| bind.destination == *path)).collect();
        points::make_all(&making.record.rootfs, &others, &places)
    }

    /// Lets CRIU make the processes; the id of the first.
    fn run(&mut self, making: &mut Making, prepared: Prepared, mounts: PrivateMounts) -> Result<i32> {
        let Prepared { mut options, log, dirs: _dirs } = prepared;
        let streams = match &self.builder.stdio {
            Some(streams) => {
                Ok(create::streams(Some(streams)).map(|fd: BorrowedFd<'_>| fd.try_clone_to_owned()))
            }
            None => criu::own_streams().map(|streams| streams.map(Ok)),
        };
        let [stdin, stdout, stderr] = streams.map_err(|error| Error::io("dup", error))?;
        let copied = |fd: std::io::Result<OwnedFd>| fd.map_err(|error| Error::io("dup", error));
        let setup = Setup {
            stdio: Some([copied(stdin)?, copied(stdout)?, copied(stderr)?]),
            keep: self.kept.iter().collect(),
            mounts: Some(mounts),
        };
        let mut session = Session::begin(&self.wanted.criu.program, setup)?;
        // What it makes is born in the container's cgroups. Limits come when all of it is there: they are not for criu.
        let Record { cgroup, id, annotations, .. } = &mut making.record;
        match cgroup.waits_for_process() {
            true => cgroup.enter_without_limits(session.pid(), id, annotations)?,
            false => cgroup.attach(session.pid())?,
        }
        options.cgroup_roots = cgroups_of(session.pid())?;
        session.ask(Kind::Restore, Some(&options))?;
        let mut failed = None;
        loop {
            let heard = session.receive();
            let (response, fd) = heard.map_err(|error| checkpoint::explain(&error, &log))?;
            if response.script.is_some() {
                let done = self.notified(making, &response, fd);
                let success = done.is_ok();
                failed = failed.or(done.err());
                session.notified(success)?;
                continue;
            }
            if response.success && failed.is_none() {
                session.finish();
                return response.restored.ok_or_else(|| Error::new(ErrorKind::Io, "criu names no process"));
            }
            drop(session);
            return Err(failed.unwrap_or_else(|| criu::failure(None, Some(&response), &log)));
        }
    }

    /// CRIU says how far it is, and waits.
    fn notified(&mut self, making: &mut Making, response: &Response, fd: Option<OwnedFd>) -> Result<()> {
        match (response.script.as_deref(), response.notify_pid) {
            (Some("setup-namespaces"), Some(pid)) => {
                if self.checked.namespaces.new & flag::NETWORK != 0 {
                    // What listens at 127.0.0.1 could not be restored without.
                    sys::inside::set_loopback_up(pid)
                        .map_err(|error| Error::io("set up the loopback device", error))?;
                }
                making.run_host_hooks(&self.checked.spec, &self.hook_output, pid)
            }
            (Some("post-restore"), Some(pid)) => {
                let record = &mut making.record;
                let resources = self.checked.spec.linux.as_ref().and_then(|linux| linux.resources.clone());
                record.cgroup.apply_late(&resources.unwrap_or_default())?;
                record.intel_rdt.as_ref().map_or(Ok(()), |group: &Group| group.attach(pid))?;
                // CRIU gives processes a time namespace of their own, so that their clocks go on as they were.
                if differs(pid, "time_for_children") || differs(pid, "time") {
                    record.namespaces |= flag::TIME;
                    record.new_namespaces |= flag::TIME;
                }
                if self.checked.spec.root.as_ref().is_some_and(|root| root.readonly) {
                    // Only now: criu may need a directory in it to change to it, and does not say what it was.
                    sys::inside::set_root_read_only(pid)
                        .map_err(|error| Error::io("root.readonly: mount_setattr", error))?;
                }
                making.put_on_record(self.builder, &self.checked.spec, pid)
            }
            (Some("orphan-pts-master"), _) => match (&self.ends.theirs, fd) {
                (Some(socket), Some(master)) => socket::send_fd(socket, b"/dev/ptmx", &master)
                    .map_err(|error| Error::io("send the terminal", error)),
                (None, _) => {
                    let message = "process.terminal: must be true, the image has a terminal";
                    Err(Error::new(ErrorKind::InvalidConfig, message))
                }
                (_, None) => Err(Error::new(ErrorKind::Io, "criu sends no terminal")),
            },
            _ => Ok(()),
        }
    }
}

/// Whether the namespace of process `pid` is not ours.
fn differs(pid: i32, name: &str) -> bool {
    let namespace = |whose: &str| fs::read_link(format!("/proc/{whose}/ns/{name}")).ok();
    namespace(&pid.to_string()) != namespace("self")
}

/// The controllers, one by one, and the cgroup of process `pid` of each: /proc/PID/cgroup.
fn cgroups_of(pid: i32) -> Result<Vec<(String, String)>> {
    let path = format!("/proc/{pid}/cgroup");
    let text = fs::read_to_string(&path).map_err(|error| Error::io(format!("{path}: read"), error))?;
    let lines = text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let roots = lines.flat_map(|(controllers, path)| {
        controllers.split(',').map(|controller| (controller.to_owned(), path.to_owned())).collect::<Vec<_>>()
    });
    Ok(roots.collect())
}
