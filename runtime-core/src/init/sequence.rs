//! The order of a birth, top to bottom: which step comes after which, and why.

use crate::{
    Result, annotations,
    cgroup::View,
    hooks::{self, Inside, Kind},
    namespace::{Joined, Namespaces, devices, flag, id_maps::IdMaps, names, sysctl, time},
    plan::{Place, Program, text},
    process::{
        capabilities::Sets,
        home, labels,
        program::{self as executable, Target},
        rlimits, scheduling,
        user::{self, Groups},
    },
    rootfs::{CgroupComes, Change, NetworkComes, RootChange, Rootfs, idmap},
    seccomp::Filter,
    spec::{Process, Spec},
};
use corten_init::{
    message::Phase,
    step::{SLOT_FREE, Slot, Step},
    wire::Bytes,
};
use nix::unistd::geteuid;
use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// All that decides the birth of a process.
pub(crate) struct Request<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) process: &'a Process,
    pub(crate) id: &'a str,
    /// The host's procfs, verified.
    pub(crate) procfs: OwnedFd,
    pub(crate) filter: Option<Filter>,
    /// Where the terminal's master goes: a connected socket.
    pub(crate) terminal: Option<OwnedFd>,
    /// The parent moves the process into its cgroups: it is not born there.
    pub(crate) await_cgroup: bool,
    pub(crate) new_keyring: bool,
    /// Whether the parent has something to do when all is ready but the start.
    pub(crate) asks_when_ready: bool,
    /// Variables that the runtime adds to the environment.
    pub(crate) environment: &'a [String],
    /// The first descriptors handed over, which stay open to the end.
    pub(crate) kept: u16,
}

/// What the first process of a container has beside that.
pub(crate) struct First<'a> {
    pub(crate) bundle: &'a Path,
    /// The root file system on the host, without symlinks on the way.
    pub(crate) rootfs: &'a Path,
    pub(crate) namespaces: Namespaces,
    pub(crate) view: &'a View,
    /// The container's cgroup is not there before the parent says so.
    pub(crate) cgroup_comes_late: bool,
    pub(crate) root_change: RootChange,
    pub(crate) id_mapped: &'a [idmap::Ready],
    pub(crate) hooks: Option<&'a Inside>,
    /// The host's environment, for hooks that are the host's and have none of their own.
    pub(crate) host_environment: &'a [&'a [u8]],
    /// Where a socket of the container's network namespace is sent to, for devices that are moved there.
    pub(crate) network: Option<Slot>,
    /// Who makes the network namespace.
    pub(crate) network_comes: NetworkComes,
    /// Without it the program is executed at once.
    pub(crate) wait: Option<Wait>,
}

/// What the init program of a container that is created waits with.
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    /// Where a `start` will connect.
    pub(crate) listener: Slot,
    /// The file that it locks until its execve.
    pub(crate) lock: Slot,
}

const PROCESS: Place = Place::Property("process");
const NAMESPACES: Place = Place::Property("linux.namespaces");

/// Plans a container's first process. Gives the flags to clone it with.
pub(crate) fn plan_container(
    mut request: Request<'_>,
    first: First<'_>,
    program: &mut Program,
) -> Result<u32> {
    let own = first.namespaces.own();
    let new = first.namespaces.new;
    let relay = first.namespaces.needs_relay();
    let privileged = geteuid().is_root();
    let sets = Sets::of(request.process, own & flag::USER != 0)?;
    let mut rootfs = Rootfs::new(
        request.spec,
        (first.bundle, first.rootfs),
        own,
        privileged,
        (first.root_change, first.id_mapped),
        program,
    )?;

    plan_handles(&request, true, program)?;
    rootfs.plan_early(program)?;
    let First {
        view,
        cgroup_comes_late,
        hooks,
        host_environment,
        network,
        network_comes,
        wait,
        namespaces,
        ..
    } = first;
    let joined = namespaces.hand_over(program, privileged);
    joined.iter().for_each(|namespace| namespace.plan(program));
    if relay {
        plan_relay(&request, &joined, new, program);
    }
    program.step(PROCESS, &Step::NewSession {});
    if new & flag::NETWORK != 0 && network_comes == NetworkComes::WithClone {
        // As all runtimes have it. One that is joined is as whoever made it wants it.
        program.step(NAMESPACES, &Step::LoopbackUp {});
    }
    plan_keyring(&request, program);
    let comes = match cgroup_comes_late {
        false => CgroupComes::BeforeMounts,
        // Hooks see the container's cgroups.
        true if network.is_some() || hooks::any_before_start(request.spec.hooks.as_ref()) => {
            CgroupComes::BeforeMount
        }
        true => CgroupComes::AfterPivot,
    };
    let awaited = rootfs.plan_tree(program, view, comes, network_comes)?;
    rootfs.plan_network(program);
    let mut awaits = request.await_cgroup && !awaited;
    let mut unshare = new & flag::CGROUP;
    if comes != CgroupComes::AfterPivot {
        plan_cgroup(std::mem::take(&mut awaits), std::mem::take(&mut unshare), program);
    }
    plan_hooks_before_pivot(&request, hooks, host_environment, network, program);
    let old_root = rootfs.plan_change(program)?;
    plan_terminal(&mut request, rootfs.root(), true, program);
    program.step(PROCESS, &Step::ReopenNull { root: rootfs.root() });
    names::plan(request.spec, program);
    sysctl::plan(request.spec, program);
    rootfs.plan_last(program)?;
    if let Some(old) = old_root {
        rootfs.plan_late_cgroup(program, view, old)?;
        awaits = false;
    }
    plan_cgroup(awaits, unshare, program);
    plan_process(&request, &sets, own, program)?;
    let phase = Phase::Created as u8;
    if let Some(Wait { lock, .. }) = wait {
        program.step(PROCESS, &Step::Lock { file: lock });
    }
    let ready = if request.asks_when_ready { Step::Ask { phase } } else { Step::Await { phase } };
    // Its cgroup is on record, and the parent may be gone as soon as it has answered.
    program.step(PROCESS, &Step::ParentDeath { kills: false });
    program.step(PROCESS, &ready);
    if let Some(Wait { listener, .. }) = wait {
        program.step(PROCESS, &Step::WaitForStart { listener });
    }
    if let Some(inside) = hooks {
        let environment = request.process.env.as_slice();
        let environment: Vec<_> = environment.iter().map(String::as_bytes).collect();
        inside.plan(Kind::StartContainer, request.spec.hooks.as_ref(), &environment, program);
    }
    plan_execute(&request, &sets, program);
    let born_in_network = network_comes == NetworkComes::WithClone;
    let made_later = flag::CGROUP | if born_in_network { 0 } else { flag::NETWORK };
    Ok(if relay { 0 } else { new & !made_later })
}

/// Plans a further process of a container, whose namespaces are those of `flags` and of the process `init`. Where it `enters` its
/// cgroups by itself, it does so first of all.
pub(crate) fn plan_exec(
    mut request: Request<'_>,
    init: &OwnedFd,
    flags: u32,
    enters: bool,
    program: &mut Program,
) -> Result<()> {
    let sets = Sets::of(request.process, flags & flag::USER != 0)?;
    // A process of the container that may trace others could get at the handle: it is there only if it is needed.
    plan_handles(&request, labels::any(request.process), program)?;
    let affinity = request.process.exec_cpu_affinity.as_ref();
    let initial = affinity.and_then(|affinity| affinity.initial.as_ref());
    scheduling::plan_affinity(initial, "process.execCPUAffinity.initial", program)?;
    // Before anybody in the container can see what it enters by.
    plan_cgroup(enters, 0, program);
    if flags != 0 {
        let init = init.try_clone().map_err(|error| crate::Error::io("dup", error))?;
        let fd = program.hand_over(init);
        program.step(NAMESPACES, &Step::Join { fd, flags });
    }
    if flags & flag::USER != 0 {
        let clear_groups = !annotations::keeps_groups(request.spec);
        program.step(NAMESPACES, &Step::BecomeRoot { clear_groups });
    }
    if exec_needs_relay(flags) {
        program.step(NAMESPACES, &Step::Fork { flags: 0 });
        program.step(PROCESS, &Step::ParentDeath { kills: true });
    }
    program.step(PROCESS, &Step::NewSession {});
    plan_keyring(&request, program);
    let root = program.slot()?;
    program.step(PROCESS, &Step::OpenRoot { slot: root });
    if request.await_cgroup {
        program.step(Place::Property("linux.cgroupsPath"), &Step::Await { phase: Phase::Cgroup as u8 });
    }
    let last = affinity.and_then(|affinity| affinity.cpu_affinity_final.as_ref());
    scheduling::plan_affinity(last, "process.execCPUAffinity.final", program)?;
    plan_terminal(&mut request, root, false, program);
    plan_process(&request, &sets, flags, program)?;
    program.step(PROCESS, &Step::ParentDeath { kills: false });
    if request.asks_when_ready {
        program.step(PROCESS, &Step::Ask { phase: Phase::Created as u8 });
    }
    plan_execute(&request, &sets, program);
    Ok(())
}

/// A change of a container's mounts.
pub(crate) struct Live<'a> {
    pub(crate) spec: &'a Spec,
    /// The bundle and the root file system, on the host.
    pub(crate) paths: (&'a Path, &'a Path),
    pub(crate) id_mapped: &'a [idmap::Ready],
    /// The host's procfs, verified.
    pub(crate) procfs: OwnedFd,
    /// The container's first process.
    pub(crate) init: OwnedFd,
    /// CLONE_NEW* flags of those of its namespaces that are joined.
    pub(crate) flags: u32,
}

/// Plans a process that changes one of a container's mounts and ends.
pub(crate) fn plan_mount(
    live: Live<'_>,
    (change, index): (Change, usize),
    program: &mut Program,
) -> Result<()> {
    let Live { spec, paths, id_mapped, procfs, init, flags } = live;
    let mut rootfs = Rootfs::new(spec, paths, flags, true, (RootChange::Pivot, id_mapped), program)?;
    program.step(PROCESS, &Step::Dumpable { on: false });
    let slot = program.hand_over(procfs);
    program.step(PROCESS, &Step::Procfs { slot });
    rootfs.plan_live(change, index, program, |program| {
        let fd = program.hand_over(init);
        program.step(NAMESPACES, &Step::Join { fd, flags });
        if flags & flag::USER != 0 {
            let clear_groups = !annotations::keeps_groups(spec);
            program.step(NAMESPACES, &Step::BecomeRoot { clear_groups });
        }
        Ok(())
    })?;
    program.step(PROCESS, &Step::Announce {});
    Ok(())
}

/// Whether a further process of a container with namespaces of `flags` needs a first one to prepare it.
pub(crate) fn exec_needs_relay(flags: u32) -> bool {
    flags & (flag::PID | flag::TIME) != 0
}

/// The process dies with the runtime until it is on record, hides itself before it joins anything (CVE-2016-9962) and takes
/// the procfs handle, if it has a use for it.
fn plan_handles(request: &Request<'_>, procfs: bool, program: &mut Program) -> Result<()> {
    program.step(PROCESS, &Step::ParentDeath { kills: true });
    program.step(PROCESS, &Step::Dumpable { on: false });
    if procfs {
        let fd =
            request.procfs.as_fd().try_clone_to_owned().map_err(|error| crate::Error::io("dup", error))?;
        let slot = program.hand_over(fd);
        program.step(PROCESS, &Step::Procfs { slot });
    }
    Ok(())
}

/// The first process prepares what only its child can be in, and makes way for it.
fn plan_relay(request: &Request<'_>, joined: &[Joined], new: u32, program: &mut Program) {
    if new & flag::USER != 0 {
        program.step(NAMESPACES, &Step::Unshare { flags: flag::USER });
        // The files of /proc that take the mappings must be the caller's, not root's.
        program.step(NAMESPACES, &Step::Dumpable { on: true });
        let place = Place::Property("linux.uidMappings");
        program.step(place, &Step::Ask { phase: Phase::IdMaps as u8 });
        let clear_groups = groups(request.spec, true) == Groups::Set;
        program.step(place, &Step::BecomeRoot { clear_groups });
    } else if joined.iter().any(|namespace| namespace.flag == flag::USER) {
        let clear_groups = !annotations::keeps_groups(request.spec);
        program.step(NAMESPACES, &Step::BecomeRoot { clear_groups });
    }
    if new & flag::TIME != 0 {
        program.step(NAMESPACES, &Step::Unshare { flags: flag::TIME });
        // So must the file of the time offsets.
        program.step(NAMESPACES, &Step::Dumpable { on: true });
        time::plan(request.spec, program);
    }
    program.step(NAMESPACES, &Step::Dumpable { on: false });
    program.step(NAMESPACES, &Step::Fork { flags: new & !(flag::USER | flag::TIME | flag::CGROUP) });
    program.step(PROCESS, &Step::ParentDeath { kills: true });
}

fn plan_keyring(request: &Request<'_>, program: &mut Program) {
    if request.new_keyring {
        let name = format!("_ses.{}", request.id);
        program.step(PROCESS, &Step::Keyring { name: text(&name) });
    }
}

/// Only when the process is in its cgroup is it where a cgroup namespace's root is to be.
fn plan_cgroup(awaits: bool, unshare: u32, program: &mut Program) {
    if awaits {
        program.step(Place::Property("linux.cgroupsPath"), &Step::Await { phase: Phase::Cgroup as u8 });
    }
    if unshare != 0 {
        program.step(NAMESPACES, &Step::Unshare { flags: unshare });
    }
}

/// The hooks of the runtime's namespaces are run by the parent while this process waits; those of the container's by itself.
fn plan_hooks_before_pivot(
    request: &Request<'_>,
    inside: Option<&Inside>,
    environment: &[&[u8]],
    network: Option<Slot>,
    program: &mut Program,
) {
    let hooks = request.spec.hooks.as_ref();
    // The network devices are moved before any hook runs.
    if let Some(way) = network {
        devices::plan(way, program);
    }
    if network.is_some() || hooks::any_before_start(request.spec.hooks.as_ref()) {
        program.step(Place::Property("hooks"), &Step::Ask { phase: Phase::Mounted as u8 });
    }
    if let Some(inside) = inside {
        inside.plan(Kind::CreateContainer, hooks, environment, program);
    }
}

fn plan_terminal(request: &mut Request<'_>, root: Slot, console: bool, program: &mut Program) {
    let Some(socket) = request.terminal.take() else { return };
    let size = &request.process.console_size;
    let cells = |length: u64| u16::try_from(length).unwrap_or(u16::MAX);
    let step = Step::Terminal {
        root,
        socket: program.hand_over(socket),
        height: size.map_or(0, |size| cells(size.height)),
        width: size.map_or(0, |size| cells(size.width)),
        console,
        uid: request.process.user.uid,
    };
    program.step(Place::Property("process.terminal"), &step);
}

/// The process becomes what its program will be; after this it has no privilege that the program has not.
fn plan_process(request: &Request<'_>, sets: &Sets, own: u32, program: &mut Program) -> Result<()> {
    let process = request.process;
    let privileges = process.no_new_privileges;
    let in_user_namespace = own & flag::USER != 0;
    scheduling::plan(process, program);
    scheduling::plan_container(request.spec, program)?;
    if !process.terminal {
        program.step(Place::Property("process.user"), &Step::OwnStdio { uid: process.user.uid });
    }
    if privileges {
        program.step(Place::Property("process.noNewPrivileges"), &Step::NoNewPrivileges {});
    }
    labels::plan(process, program)?;
    program.step(PROCESS, &Step::CloseSlots { keep: SLOT_FREE, count: request.kept });
    executable::plan_directory(process, program, false);
    home::plan(process, request.environment, program);
    if in_user_namespace {
        if !rlimits::list(process).is_empty() {
            program.step(Place::Property("process.rlimits"), &Step::Ask { phase: Phase::Limits as u8 });
        }
    } else {
        rlimits::plan(process, program);
    }
    sets.plan_bounding(program);
    user::plan(process, program, groups(request.spec, in_user_namespace));
    sets.plan(program, request.filter.is_some() && !privileges);
    executable::plan_directory(process, program, true);
    user::plan_umask(process, program);
    Target::of(process, request.environment).plan_search(program);
    Ok(())
}

/// What becomes of the additional groups.
fn groups(spec: &Spec, in_user_namespace: bool) -> Groups {
    match annotations::keeps_groups(spec) {
        true => Groups::Keep,
        false if in_user_namespace && !IdMaps::of(spec).allow_setgroups() => Groups::SetIfAny,
        false => Groups::Set,
    }
}

/// The filter goes in as late as can be: nothing but execve, and without no_new_privs a capset, has to get through it.
fn plan_execute(request: &Request<'_>, sets: &Sets, program: &mut Program) {
    let place = Place::Property("linux.seccomp");
    match &request.filter {
        Some(filter) if filter.listener.is_some() => {
            // The one other thread is the listener's helper, which must stay free.
            let together = libc::SECCOMP_FILTER_FLAG_TSYNC | libc::SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
            let flags = filter.flags & !u32::try_from(together).unwrap_or_default();
            let step = Step::Listen { flags, program: Bytes(&filter.to_bytes()), reads: filter.lets_read() };
            program.step(place, &step);
        }
        Some(filter) => {
            program.step(PROCESS, &Step::Announce {});
            program.step(place, &Step::Seccomp { flags: filter.flags, program: Bytes(&filter.to_bytes()) });
        }
        None => program.step(PROCESS, &Step::Announce {}),
    }
    if request.filter.is_some() && !request.process.no_new_privileges {
        sets.plan_last(program);
    }
    Target::of(request.process, request.environment).plan_execute(program);
}
