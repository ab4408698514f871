//! `Create`.

use super::work::Outcome;
use crate::{
    connection::ReplyTo,
    container::{Container, Process},
    error::{Error, Result},
    options, rootfs,
    server::Server,
    streams::{self, Owner, Streams},
};
use corten_ttrpc::{
    events::{TaskCreate, TaskIo},
    options::Options,
    task::{CreateTaskRequest, CreateTaskResponse},
};
use runtime_core::{CgroupManager, Console, ContainerBuilder};
use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
};

/// A process that was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) pid: u32,
    pub(super) streams: Streams,
    /// Of a container: what is to be known of it and told about it.
    pub(super) container: Option<Box<Created>>,
}

/// A container that was made.
#[derive(Debug)]
pub(super) struct Created {
    pub(super) request: CreateTaskRequest,
    pub(super) ends_with_first: bool,
}

impl Server {
    pub(super) fn create(&mut self, to: ReplyTo, request: CreateTaskRequest) -> Result<()> {
        let id = request.id.clone();
        if self.containers.contains_key(&id) {
            return Err(Error::unknown(format!("container {id} already exists")));
        }
        let options = options::decode(request.options.as_ref())?;
        let bundle = PathBuf::from(&request.bundle);
        if !bundle.is_absolute() {
            return Err(Error::unknown(format!("bundle {:?}: must be absolute", request.bundle)));
        }
        let io = TaskIo {
            stdin: request.stdin.clone(),
            stdout: request.stdout.clone(),
            stderr: request.stderr.clone(),
            terminal: request.terminal,
        };
        let container = Container {
            id: id.clone(),
            bundle,
            root: options::root(&options, &self.identity.namespace),
            io_owner: (options.io_uid, options.io_gid),
            creating: true,
            ends_with_first: true,
            paused: false,
            init: Process { io, ..Process::default() },
            held: None,
            execs: BTreeMap::new(),
            busy: true,
            queue: VecDeque::new(),
            draining: None,
            oom: None,
            oom_killed: false,
        };
        let making = Making {
            root: container.root.clone(),
            namespace: self.identity.namespace.clone(),
            io: container.init.io.clone(),
            options,
            request,
        };
        self.work(&id, to, move || Outcome::Created(making.make()))?;
        self.containers.insert(id, container);
        Ok(())
    }

    pub(super) fn created(&mut self, id: &str, to: ReplyTo, result: Result<Made>) {
        let (made, created) = match result {
            Ok(Made { container: Some(created), pid, streams }) => ((pid, streams), created),
            Ok(_) => return,
            Err(error) => {
                self.containers.remove(id);
                return self.answer(to, Err(error));
            }
        };
        let Some(container) = self.containers.get_mut(id) else { return };
        let (pid, streams) = made;
        container.creating = false;
        container.busy = false;
        container.ends_with_first = created.ends_with_first;
        container.init.pid = pid;
        let io = container.init.io.clone();
        self.watch_oom(id);
        self.attach(id, None, streams);
        self.publish(&TaskCreate {
            container_id: id.to_owned(),
            bundle: created.request.bundle,
            rootfs: created.request.rootfs,
            io: Some(io),
            checkpoint: created.request.checkpoint,
            pid,
        });
        self.reply(to, &CreateTaskResponse { pid });
        self.ended_already(pid);
    }
}

/// All that a container is made from.
struct Making {
    request: CreateTaskRequest,
    options: Options,
    root: PathBuf,
    namespace: String,
    io: TaskIo,
}

impl Making {
    fn make(self) -> Result<Made> {
        if !self.request.checkpoint.is_empty() {
            return Err(Error::unknown("restore from a checkpoint: not supported"));
        }
        let bundle = PathBuf::from(&self.request.bundle);
        options::note_root(&self.options, &bundle)?;
        let rootfs = bundle.join("rootfs");
        rootfs::mount_all(&self.request.rootfs, &rootfs)?;
        let mounted = !self.request.rootfs.is_empty();
        self.make_upon(bundle).inspect_err(|_| {
            if mounted && let Err(error) = rootfs::unmount_all(&rootfs) {
                log::warn!("{error}");
            }
        })
    }

    fn make_upon(self, bundle: PathBuf) -> Result<Made> {
        let options = &self.options;
        let ids = (options.io_uid, options.io_gid);
        let owner = Owner { id: &self.request.id, namespace: &self.namespace, ids };
        let mut builder = ContainerBuilder::new(&self.request.id)
            .root(&self.root)
            .bundle(bundle)
            .no_pivot(options.no_pivot_root)
            .no_new_keyring(options.no_new_keyring)
            .cgroup_manager(match options.systemd_cgroup {
                true => CgroupManager::Systemd,
                false => CgroupManager::Cgroupfs,
            });
        let mut streams = Streams::default();
        if self.io.terminal {
            builder = builder.console(Console::Return);
        } else {
            let ([stdin, stdout, stderr], opened) = streams::open(&self.io, &owner)?;
            builder = builder.stdio(stdin, stdout, stderr);
            streams = opened;
        }
        let failed = |error| Error::from(error).context("OCI runtime create failed");
        let mut runtime = builder.create().map_err(failed)?;
        if let Some(master) = runtime.take_terminal() {
            streams = match streams::open_terminal(&self.io, &owner, master) {
                Ok(streams) => streams,
                Err(error) => {
                    let _ = runtime.delete();
                    return Err(error);
                }
            };
        }
        let pid = runtime.pid().unwrap_or_default().unsigned_abs();
        let ends_with_first = runtime.ends_with_first_process();
        let created = Created { request: self.request, ends_with_first };
        Ok(Made { pid, streams, container: Some(Box::new(created)) })
    }
}
