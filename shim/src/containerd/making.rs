//! The making of a container, on a thread of its own: the root file system, the streams, the runtime's part.

use crate::{
    error::{Error, Result},
    options, rootfs,
    streams::{self, Owner, Streams},
};
use corten_ttrpc::{events::TaskIo, options::Options, types::Mount};
use runtime_core::{
    CgroupManager, Console, Container, ContainerBuilder, ErrorKind, OomEvents, RestoreOptions,
};
use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// A process that was made.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// 0 for a container that is restored when it is started.
    pub(crate) pid: u32,
    pub(crate) streams: Streams,
    pub(crate) ends_with_first: bool,
    pub(crate) oom: Option<OomEvents>,
}

/// All that a container is made from.
#[derive(Debug)]
pub(crate) struct Making {
    pub(crate) id: String,
    pub(crate) bundle: PathBuf,
    /// Where the runtime keeps its state.
    pub(crate) root: PathBuf,
    pub(crate) namespace: String,
    pub(crate) io: TaskIo,
    pub(crate) options: Options,
    /// The image that it is restored from; empty for none.
    pub(crate) checkpoint: String,
}

impl Making {
    /// Makes the container. One that is to be restored runs as soon as it is: only its root file system is made here.
    pub(crate) fn make(&self, mounts: &[Mount]) -> Result<Made> {
        options::note_root(&self.options, &self.bundle)?;
        let rootfs = self.bundle.join("rootfs");
        rootfs::mount_all(mounts, &rootfs)?;
        if !self.checkpoint.is_empty() {
            return Ok(Made { ends_with_first: true, ..Made::default() });
        }
        self.create().inspect_err(|_| {
            if !mounts.is_empty()
                && let Err(error) = rootfs::unmount_all(&rootfs)
            {
                log::warn!("{error}");
            }
        })
    }

    fn create(&self) -> Result<Made> {
        let (builder, streams) = self.prepare()?;
        let mut runtime =
            builder.create().map_err(|error| Error::from(error).context("OCI runtime create failed"))?;
        let terminal = runtime.take_terminal();
        self.made(runtime.detach(), terminal, streams)
    }

    /// Brings the container of the image back; its processes run on.
    pub(crate) fn restore(&self) -> Result<Made> {
        let (builder, streams) = self.prepare()?;
        let mut options = RestoreOptions::new(&self.checkpoint);
        options.criu.tcp_established = true;
        options.criu.ext_unix_sk = true;
        options.criu.file_locks = true;
        options.criu.shell_job = self.io.terminal;
        let work = self.options.criu_work_path.as_str();
        options.criu.work_path = Some(match work {
            "" => self.bundle.join("criu-work"),
            work => work.into(),
        });
        if !self.options.criu_path.is_empty() {
            options.criu.program = PathBuf::from(&self.options.criu_path);
        }
        let mut restored = builder
            .restore(&options)
            .map_err(|error| Error::from(error).context("OCI runtime restore failed"))?;
        let terminal = restored.take_terminal();
        self.made(restored.detach(), terminal, streams)
    }

    fn prepare(&self) -> Result<(ContainerBuilder, Streams)> {
        let options = &self.options;
        let builder = ContainerBuilder::new(&self.id)
            .root(&self.root)
            .bundle(&self.bundle)
            .no_pivot(options.no_pivot_root)
            .no_new_keyring(options.no_new_keyring)
            .cgroup_manager(match options.systemd_cgroup {
                true => CgroupManager::Systemd,
                false => CgroupManager::Cgroupfs,
            });
        if self.io.terminal {
            return Ok((builder.console(Console::Return), Streams::default()));
        }
        let ([stdin, stdout, stderr], streams) = streams::open(&self.io, &self.owner())?;
        Ok((builder.stdio(stdin, stdout, stderr), streams))
    }

    fn owner(&self) -> Owner<'_> {
        Owner { id: &self.id, namespace: &self.namespace, ids: (self.options.io_uid, self.options.io_gid) }
    }

    fn made(&self, runtime: Container, terminal: Option<OwnedFd>, mut streams: Streams) -> Result<Made> {
        if let Some(master) = terminal {
            streams = match streams::open_terminal(&self.io, &self.owner(), master) {
                Ok(streams) => streams,
                Err(error) => {
                    let _ = runtime.delete(true);
                    return Err(error);
                }
            };
        }
        let oom = match runtime.oom_events() {
            Ok(events) => Some(events),
            Err(error) => {
                // A host without the memory controller has no such events.
                let known = matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::NotFound);
                log::log!(
                    if known { log::Level::Debug } else { log::Level::Warn },
                    "container {}: out-of-memory events: {}",
                    self.id,
                    error.report()
                );
                None
            }
        };
        Ok(Made {
            pid: runtime.pid().unwrap_or_default().unsigned_abs(),
            ends_with_first: runtime.ends_with_first_process(),
            streams,
            oom,
        })
    }
}

/// Removes what the runtime has of a container, and its root file system.
pub(crate) fn unmake(root: &Path, id: &str, bundle: &Path) -> Result<()> {
    match Container::load(root, id).and_then(|runtime| runtime.delete(false)) {
        // It was never restored, or somebody else has removed it.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => other?,
    }
    rootfs::unmount_all(&bundle.join("rootfs"))
}
