//! Create: runtime.md, "Lifecycle" steps 1 to 6.

use super::{
    Container, ContainerBuilder, Status,
    attend::Attend,
    console::Ends,
    exit, id_mapped,
    made::Made,
    notify, ownership, readiness,
    record::{self, Record},
    start,
    stdio::{self, Pipes},
    store::{Lock, Store},
};
use crate::{
    Error, ErrorKind, Result, annotations,
    cgroup::{Cgroup, CgroupManager},
    config,
    fs::{path, procfs},
    hooks::{self, Inside, Kind, Output},
    init::{
        Birth, Clone,
        sequence::{self, First, Request, Wait},
        user_namespace,
    },
    namespace::{Namespaces, devices, flag, id_maps::IdMaps},
    plan::Program,
    resctrl::Group,
    rootfs::{self, NetworkComes},
    seccomp::{self, Filter},
    spec::{Hooks, LinuxResources, Process, Spec},
    sys::network::Home,
};
use nix::unistd::{geteuid, getuid};
use std::{
    env,
    ffi::OsString,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::PathBuf,
    time::SystemTime,
};

/// How far a container is brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// It waits for a start.
    Created,
    /// Its program runs.
    Running,
}

/// A configuration that has been found right, and what was decided from it before anything is made.
pub(super) struct Checked {
    pub(super) spec: Spec,
    pub(super) process: Process,
    pub(super) bundle: PathBuf,
    rootfs: PathBuf,
    cgroup: Cgroup,
    intel_rdt: Option<Group>,
    pub(super) namespaces: Namespaces,
    filter: Option<Filter>,
    /// The configuration's text, to be kept.
    pub(super) text: Vec<u8>,
}

/// Makes the container.
pub(super) fn create(mut builder: ContainerBuilder, until: Until) -> Result<Made> {
    let pipes = builder.streams.take().map(stdio::open).transpose()?;
    let (streams, pipes) = pipes.unzip();
    builder.stdio = streams;
    // The id is checked before anything that may depend on it.
    Store::name(&builder.root, &builder.id)?;
    let checked = check(&mut builder)?;
    let ends = Ends::open(&builder.console, checked.process.terminal)?;
    let record = record(&builder, &checked);
    notify::check(&record, checked.filter.as_ref().and_then(|filter| filter.listener.as_ref()))?;
    let (store, lock) = Store::create(&builder.root, &builder.id)?;
    let mut making = Making { store: Some(store), record, lock: Some(lock) };
    let mut made = making.make(&builder, checked, ends, until)?;
    made.pipes = pipes.unwrap_or_default();
    made.delete_on_drop = builder.delete_on_drop;
    Ok(made)
}

/// Plans the first process and makes nothing.
pub(super) fn plan_only(mut builder: ContainerBuilder) -> Result<Program> {
    let checked = check(&mut builder)?;
    let mut program = Program::new();
    let hooks = Inside::new(checked.spec.hooks.as_ref(), &Output::default(), &mut program)?;
    // No process is made only to show what would be done.
    let stand_in = |_: &IdMaps| procfs::handle();
    let id_mapped = id_mapped::ready(&checked.spec, of(&checked.namespaces), &mut program, stand_in)?;
    let network = devices::way(&checked.spec, &mut program)?;
    let environment = host_environment();
    let environment: Vec<_> = environment.iter().map(|variable| variable.as_bytes()).collect();
    let view = checked.cgroup.view();
    let parted = !checked.namespaces.needs_relay() && checked.cgroup.can_be_parted();
    let network_comes = network_comes(&checked.namespaces, parted, false);
    let request = Request {
        spec: &checked.spec,
        process: &checked.process,
        id: &builder.id,
        procfs: procfs::handle()?,
        filter: checked.filter,
        terminal: None,
        await_cgroup: view.has_v1() || checked.cgroup.waits_for_process(),
        new_keyring: builder.new_keyring,
        asks_when_ready: true,
        environment: &builder.environment,
        kept: 0,
    };
    let first = First {
        bundle: &checked.bundle,
        rootfs: &checked.rootfs,
        namespaces: checked.namespaces,
        view: &view,
        cgroup_comes_late: parted || checked.cgroup.waits_for_process(),
        root_change: builder.root_change,
        id_mapped: &id_mapped,
        hooks: hooks.as_ref(),
        host_environment: &environment,
        network: network.as_ref().map(|(_, slot)| *slot),
        network_comes,
        wait: None,
    };
    sequence::plan_container(request, first, &mut program)?;
    Ok(program)
}

/// Reads the configuration and finds out all that can be wrong with it.
pub(super) fn check(builder: &mut ContainerBuilder) -> Result<Checked> {
    let bundle = path::real(&builder.bundle).map_err(|error| {
        let message = format!("bundle {}: find it", builder.bundle.display());
        Error::new(ErrorKind::NotFound, message).with_source(error)
    })?;
    let (mut spec, text) = match builder.spec.take() {
        Some(given) => given?,
        None => {
            let file = builder.config.clone().unwrap_or_else(|| bundle.join("config.json"));
            let text = config::read(&file)?;
            (config::parse(&text, &file)?, text)
        }
    };
    config::validate(&spec)?;
    let rootfs = rootfs::path(&spec, &bundle)?;
    let linux = spec.linux.as_ref();
    let profile = linux.and_then(|linux| linux.seccomp.as_ref());
    let filter = profile.map(|profile| seccomp::compile(profile, &notify::options(&spec))).transpose()?;
    let path = linux.and_then(|linux| linux.cgroups_path.as_deref());
    let path = path.filter(|path| !path.as_os_str().is_empty());
    let cgroup = Cgroup::with_annotations(builder.cgroup_manager, path, &builder.id, &spec.annotations)?;
    if let Some(resources) = linux.and_then(|linux| linux.resources.as_ref()) {
        cgroup.check(resources)?;
    }
    let intel_rdt = Group::of(&spec, &builder.id)?;
    let namespaces = Namespaces::open(&spec)?;
    builder.notify &= namespaces.own() & flag::MOUNT != 0;
    if builder.notify {
        readiness::add_mount(&mut spec, &Store::name(&builder.root, &builder.id)?.notify_directory())?;
        builder.environment.push(readiness::variable());
    }
    let missing = || Error::new(ErrorKind::InvalidConfig, "process: must be set");
    let process = spec.process.clone().ok_or_else(missing)?;
    Ok(Checked { spec, process, bundle, rootfs, cgroup, intel_rdt, namespaces, filter, text })
}

pub(super) fn record(builder: &ContainerBuilder, checked: &Checked) -> Record {
    let later =
        |hooks: &Hooks| [Kind::Poststart, Kind::Poststop].iter().any(|kind| !kind.of(Some(hooks)).is_empty());
    Record {
        oci_version: checked.spec.version.clone(),
        id: builder.id.clone(),
        bundle: checked.bundle.clone(),
        rootfs: checked.rootfs.clone(),
        created: record::rfc3339(SystemTime::now()),
        owner: getuid().as_raw(),
        owner_name: None,
        annotations: checked.spec.annotations.clone(),
        process: None,
        namespaces: checked.namespaces.own(),
        new_namespaces: checked.namespaces.new,
        cgroup: checked.cgroup.clone(),
        stdio: Vec::new(),
        intel_rdt: checked.intel_rdt.clone(),
        hooks: checked.spec.hooks.clone().filter(later),
    }
}

/// The flags of its new namespaces, and the user namespace that is joined.
fn of(namespaces: &Namespaces) -> (u32, Option<&OwnedFd>) {
    (namespaces.new, namespaces.joined_user())
}

fn host_environment() -> Vec<OsString> {
    env::vars_os()
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            name
        })
        .collect()
}

/// A container under way. Dropped before it is done, all that was made is removed again.
pub(super) struct Making {
    pub(super) store: Option<Store>,
    pub(super) record: Record,
    pub(super) lock: Option<Lock>,
}

impl Drop for Making {
    fn drop(&mut self) {
        let Some(store) = self.store.take() else { return };
        let _ = self.record.cgroup.kill_all(libc::SIGKILL);
        let group = self.record.intel_rdt.as_ref().map_or(Ok(()), Group::delete);
        for result in [self.record.cgroup.delete().map_err(Error::from), group, store.remove()] {
            if let Err(error) = result {
                log::warn!("clean up after a failed create: {}", error.report());
            }
        }
    }
}

impl Making {
    pub(super) fn store(&self) -> Result<&Store> {
        self.store.as_ref().ok_or_else(|| Error::new(ErrorKind::Io, "the container is gone"))
    }

    fn make(
        &mut self,
        builder: &ContainerBuilder,
        checked: Checked,
        ends: Ends,
        until: Until,
    ) -> Result<Made> {
        // On record before it exists.
        self.store()?.write_first(&self.record)?;
        if builder.notify {
            readiness::make(&self.store()?.notify_directory())?;
        }
        let Checked { spec, process, bundle, namespaces, filter, text, .. } = checked;
        let relay = namespaces.needs_relay();
        let parted = !relay && self.record.cgroup.can_be_parted();
        match parted {
            true => self.record.cgroup.create_unified()?,
            false => self.record.cgroup.create()?,
        }
        if let Some(group) = &self.record.intel_rdt
            && let Err(error) = group.create(&spec)
        {
            // It is not ours, or has been removed again.
            self.record.intel_rdt = None;
            return Err(error);
        }
        let owner = ownership::of(&spec, &namespaces);
        let born_inside = match relay && is_for_one(&spec) {
            true => None,
            false => self.record.cgroup.clone_into()?,
        };
        let view = self.record.cgroup.view();
        let await_cgroup =
            builder.cgroup_manager != CgroupManager::Disabled && (born_inside.is_none() || view.has_v1());
        let mut program = Program::new();
        let hook_output = Output::open(&self.record.annotations)?;
        let hooks = Inside::new(spec.hooks.as_ref(), &hook_output, &mut program)?;
        let kept = if hooks.is_some() { Inside::SLOTS } else { 0 };
        let wait = match until {
            Until::Created => Some(Wait {
                listener: program.hand_over(self.store()?.listen()?),
                lock: program.hand_over(self.store()?.init_lock()?),
            }),
            Until::Running => None,
        };
        let id_mapped = id_mapped::ready(&spec, of(&namespaces), &mut program, user_namespace::make)?;
        let network = devices::way(&spec, &mut program)?;
        let environment = if hooks.is_some() { host_environment() } else { Vec::new() };
        let environment: Vec<_> = environment.iter().map(|variable| variable.as_bytes()).collect();
        let maps = IdMaps::of(&spec);
        let unasked = until == Until::Running && is_unasked(builder, &spec, &self.record);
        let mut network_comes = network_comes(&namespaces, parted, builder.lends_thread);
        let home = match network_comes {
            NetworkComes::FromParent => Home::open().ok(),
            _ => None,
        };
        if network_comes == NetworkComes::FromParent && home.is_none() {
            network_comes = NetworkComes::WithClone;
        }
        let Ends { theirs, .. } = &ends;
        let terminal = theirs.as_ref().map(OwnedFd::try_clone).transpose();
        let request = Request {
            spec: &spec,
            process: &process,
            id: &builder.id,
            procfs: procfs::handle()?,
            filter,
            terminal: terminal.map_err(|error| Error::io("dup", error))?,
            await_cgroup,
            new_keyring: builder.new_keyring,
            asks_when_ready: !unasked,
            environment: &builder.environment,
            kept: kept + wait.map_or(0, |_| 2),
        };
        let first = First {
            bundle: &bundle,
            rootfs: &self.record.rootfs,
            namespaces,
            view: &view,
            cgroup_comes_late: parted || self.record.cgroup.waits_for_process(),
            root_change: builder.root_change,
            id_mapped: &id_mapped,
            hooks: hooks.as_ref(),
            host_environment: &environment,
            network: network.as_ref().map(|(_, slot)| *slot),
            network_comes,
            wait,
        };
        let flags = sequence::plan_container(request, first, &mut program)?;
        let clone = Clone {
            stdio: streams(builder.stdio.as_ref()),
            preserve_fds: builder.preserve_fds,
            namespaces: flags,
            cgroup: born_inside.as_ref().map(AsFd::as_fd),
            relay,
        };
        let mut birth = Birth::begin(program, &clone).map_err(|error| unprivileged(error, &self.record))?;
        let unlimited = LinuxResources::default();
        let mut attend = Attend {
            builder,
            spec: &spec,
            text: &text,
            process: &process,
            maps: &maps,
            hooks,
            hook_output,
            resources: spec.linux.as_ref().and_then(|linux| linux.resources.as_ref()).unwrap_or(&unlimited),
            owner,
            parted,
            await_cgroup,
            unasked,
            born_inside: born_inside.is_some(),
            relay,
            network: network.map(|(way, _)| way),
            home,
        };
        let mut ready =
            self.attend(&mut attend, &mut birth).map_err(|error| birth.explain(error, Some(&spec)));
        if until == Until::Running {
            ready =
                ready.and_then(|()| start::await_execution(&mut birth, &spec, &self.record, Status::Created));
        }
        ready
            .map_err(|error| match &mut attend.hooks {
                Some(inside) => inside.explain(error),
                None => error,
            })
            .map_err(|error| out_of_memory(error, &self.record.cgroup, attend.resources))?;
        if until == Until::Created {
            self.store()?.write_summary(&self.record);
        }
        let terminal = ends.receive()?;
        let (_, pidfd) = birth.finish()?;
        self.done(pidfd, terminal, until)
    }

    pub(super) fn done(&mut self, child: OwnedFd, terminal: Option<OwnedFd>, until: Until) -> Result<Made> {
        let store = self.store()?.clone();
        if until == Until::Running {
            // A poststart hook may ask for what needs the lock itself.
            self.lock = None;
            start::run_poststart(&store, &self.record).inspect_err(|_| exit::reap_killed(&child))?;
            store.drop_spare();
        }
        self.store = None;
        let container = Container { store, record: self.record.clone() };
        Ok(Made { container, child, terminal, pipes: Pipes::default(), delete_on_drop: false })
    }
}

/// Whether pids.limit has no room for a process that makes way for the one that stays: that one is then moved in, which no limit
/// is against.
fn is_for_one(spec: &Spec) -> bool {
    let resources = spec.linux.as_ref().and_then(|linux| linux.resources.as_ref());
    let limit = resources.and_then(|resources| resources.pids?.limit);
    limit.is_some_and(|limit| (0..2).contains(&limit))
}

/// Who makes the new network namespace; in a new user namespace it comes with that.
fn network_comes(namespaces: &Namespaces, parted: bool, lends_thread: bool) -> NetworkComes {
    if namespaces.needs_relay() || namespaces.new & flag::NETWORK == 0 {
        NetworkComes::WithClone
    } else if parted {
        NetworkComes::Itself
    } else if lends_thread {
        NetworkComes::FromParent
    } else {
        NetworkComes::WithClone
    }
}

/// Whether the process that is born needs nothing more of its parent than what can be done beside its own work.
fn is_unasked(builder: &ContainerBuilder, spec: &Spec, record: &Record) -> bool {
    builder.pid_file.is_none()
        && builder.pidfd_socket.is_none()
        && annotations::find(spec, annotations::PIDFD_RECEIVER).is_none()
        && !hooks::any_before_start(spec.hooks.as_ref())
        && !record.cgroup.delegates()
}

/// Where the kernel has killed, its reason stands before what that led to.
fn out_of_memory(error: Error, cgroup: &Cgroup, resources: &LinuxResources) -> Error {
    if !cgroup.has_killed() {
        return error;
    }
    match resources.memory.as_ref().and_then(|memory| memory.limit) {
        Some(limit) => error.context(format!(
            "linux.resources.memory.limit: {limit} bytes are not enough, the kernel has killed the process"
        )),
        None => error.context("out of memory, the kernel has killed the process"),
    }
}

/// An ordinary user is told what is missing.
fn unprivileged(error: Error, record: &Record) -> Error {
    let without = record.namespaces & flag::USER == 0 && !geteuid().is_root();
    match (error.kind(), without) {
        (ErrorKind::Permission, true) => {
            error.context("linux.namespaces: without privileges a container needs a user namespace")
        }
        _ => error,
    }
}

/// The streams that the process gets: the caller's own where none are given.
pub(super) fn streams(given: Option<&[OwnedFd; 3]>) -> [BorrowedFd<'_>; 3] {
    match given {
        Some([stdin, stdout, stderr]) => [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
        None => crate::sys::standard_streams(),
    }
}
