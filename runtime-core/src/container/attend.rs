//! The parent's part of a birth: what it does beside the init program's own work, and when that asks.

use super::{
    ContainerBuilder, Status, console,
    create::{self, Making},
    ownership,
    record::{ProcessId, Record},
    stdio,
};
use crate::{
    Error, ErrorKind, Result, annotations,
    fs::atomic,
    hooks::{self, Inside, Kind, Output},
    init::{Birth, Event},
    namespace::{devices, id_maps::IdMaps},
    process::{oom, rlimits},
    spec::{LinuxResources, Process, Spec},
    sys::network::Home,
};
use corten_init::message::Phase;
use std::{os::fd::OwnedFd, path::Path};

/// What the parent needs to know while it attends a birth.
pub(super) struct Attend<'a> {
    pub(super) builder: &'a ContainerBuilder,
    pub(super) spec: &'a Spec,
    /// The configuration as it is kept.
    pub(super) text: &'a [u8],
    pub(super) process: &'a Process,
    pub(super) maps: &'a IdMaps,
    pub(super) hooks: Option<Inside>,
    pub(super) hook_output: Output,
    pub(super) resources: &'a LinuxResources,
    /// The host's user that the cgroup is given to.
    pub(super) owner: Option<u32>,
    /// The v1 part of the cgroup is not there yet.
    pub(super) parted: bool,
    pub(super) await_cgroup: bool,
    /// It will not ask for anything but its cgroup: what the parent has to do for it is done beside its own work.
    pub(super) unasked: bool,
    pub(super) born_inside: bool,
    /// A first process makes way for the one that stays.
    pub(super) relay: bool,
    /// What comes out of it is a socket of the container's network namespace.
    pub(super) network: Option<OwnedFd>,
    /// The process waits for its network namespace: this thread's own, which it comes back to.
    pub(super) home: Option<Home>,
}

impl Making {
    /// Does the parent's part of a birth, until the process is ready for its start or has begun it.
    pub(super) fn attend(&mut self, attend: &mut Attend<'_>, birth: &mut Birth) -> Result<()> {
        // Beside the init program's own work; nothing of the container's or of a hook runs before it is done.
        if let Some(home) = attend.home.take() {
            let made = home.make_another(|made| birth.answer_with(Phase::Network, &made));
            made.map_err(|error| Error::io("linux.namespaces: make a network namespace", error))??;
        }
        if attend.parted {
            self.record.cgroup.create_legacy()?;
        }
        if !self.record.cgroup.waits_for_process() {
            self.record.cgroup.apply(attend.resources)?;
            attend.owner.map_or(Ok(()), |uid| self.record.cgroup.delegate(uid))?;
        }
        if !attend.relay {
            self.adopt(attend, birth)?;
        }
        loop {
            match birth.next(Some(attend.spec))? {
                Event::Known => self.adopt(attend, birth)?,
                Event::Reached(Phase::IdMaps) => {
                    attend.maps.write(birth.pid())?;
                    birth.answer(Phase::IdMaps)?;
                }
                Event::Reached(Phase::Mounted) => {
                    if let Some(way) = &attend.network {
                        devices::move_all(attend.spec, birth.pid(), way)?;
                    }
                    self.run_hooks(attend, birth.pid())?;
                    birth.answer(Phase::Mounted)?;
                }
                Event::Reached(Phase::Limits) => {
                    rlimits::apply(attend.process, birth.pid())?;
                    birth.answer(Phase::Limits)?;
                }
                Event::Reached(Phase::Created) => {
                    self.put_on_record(attend.builder, attend.spec, birth.pid())?;
                    return birth.answer(Phase::Created);
                }
                // It had nothing to ask when it was ready.
                event @ (Event::Executing | Event::Listening) => {
                    birth.put_back(event);
                    return Ok(());
                }
                Event::Reached(_) => {}
                Event::Closed => {
                    return Err(Error::new(
                        ErrorKind::Io,
                        "the container's process ended before it was ready",
                    ));
                }
            }
        }
    }

    /// The process that stays: into its cgroups, beside its own work on the mounts.
    fn adopt(&mut self, attend: &Attend<'_>, birth: &mut Birth) -> Result<()> {
        let pid = birth.pid();
        let doors = self.record.cgroup.doors(attend.born_inside)?;
        // In a pid namespace that it joined, others could get at the doors.
        let doors = doors.filter(|_| attend.await_cgroup && !attend.relay);
        match (attend.born_inside, &doors) {
            (_, Some(_)) => {}
            (true, None) => self.record.cgroup.attach_born(pid)?,
            (false, None) if self.record.cgroup.waits_for_process() => {
                let Record { cgroup, id, annotations, .. } = &mut self.record;
                cgroup.enter(pid, id, attend.resources, annotations)?;
                attend.owner.map_or(Ok(()), |uid| cgroup.delegate(uid))?;
            }
            (false, None) => self.record.cgroup.attach(pid)?,
        }
        self.record.intel_rdt.as_ref().map_or(Ok(()), |group| group.attach(pid))?;
        oom::apply(attend.process.oom_score_adj, pid)?;
        if attend.await_cgroup {
            birth.let_in(doors.unwrap_or_default())?;
        }
        self.store()?.write_config(attend.text)?;
        if !attend.process.terminal {
            self.record.stdio = stdio::names(&create::streams(attend.builder.stdio.as_ref()));
        }
        if !attend.unasked {
            // Until now the process would have died with this one; from now on its cgroup is on record.
            return self.store()?.write(&self.record);
        }
        self.put_on_record(attend.builder, attend.spec, pid)?;
        birth.answer(Phase::Created)
    }

    fn run_hooks(&self, attend: &mut Attend<'_>, pid: i32) -> Result<()> {
        if let Some(inside) = &mut attend.hooks {
            inside.fill(&self.state(Status::Creating, pid), &self.state(Status::Created, pid))?;
        }
        self.run_host_hooks(attend.spec, &attend.hook_output, pid)
    }

    fn state(&self, status: Status, pid: i32) -> Vec<u8> {
        serde_json::to_vec(&self.record.state_of(status, Some(pid))).unwrap_or_default()
    }

    /// The hooks of the runtime's namespaces.
    pub(super) fn run_host_hooks(&self, spec: &Spec, output: &Output, pid: i32) -> Result<()> {
        let (all, creating) = (spec.hooks.as_ref(), self.state(Status::Creating, pid));
        hooks::run(Kind::Prestart, all, &creating, output)?;
        hooks::run(Kind::CreateRuntime, all, &creating, output)
    }

    /// The process may live without us from here on: it is on record.
    pub(super) fn put_on_record(&mut self, builder: &ContainerBuilder, spec: &Spec, pid: i32) -> Result<()> {
        let root = ownership::root_of(spec, self.record.new_namespaces);
        self.record.cgroup.enter_delegated(pid, root)?;
        let lost = || Error::new(ErrorKind::Io, format!("process {pid}: read its start time from /proc"));
        self.record.process = Some(ProcessId::of(pid)?.ok_or_else(lost)?);
        self.store()?.write(&self.record)?;
        if let Some(file) = &builder.pid_file {
            write_pid(file, pid)?;
        }
        let receiver = annotations::find(spec, annotations::PIDFD_RECEIVER).map(Path::new);
        for path in builder.pidfd_socket.as_deref().into_iter().chain(receiver) {
            let pidfd = crate::sys::pidfd::open(pid).map_err(|error| Error::io("pidfd_open", error))?;
            console::send_pidfd(path, &pidfd)?;
        }
        Ok(())
    }
}

/// Writes a pid file, whole or not at all.
pub(super) fn write_pid(file: &Path, pid: i32) -> Result<()> {
    atomic::write(file, pid.to_string().as_bytes(), 0o644)
        .map_err(|error| Error::io(format!("pid file {}: write", file.display()), error))
}
