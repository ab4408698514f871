//! `Start` of a container, `Pause`, `Resume`, `Update`, `Checkpoint` and its deletion: one after the other for each
//! container, beside those of all others.

use crate::{
    connection::ReplyTo,
    container::{Container, Operation, Phase},
    done::Outcome,
    error::{Error, Result},
    making::{self, Made},
    server::Server,
};
use corten_ttrpc::{
    Message,
    events::{TaskCheckpointed, TaskPaused, TaskResumed, TaskStart},
    options,
    task::{CheckpointTaskRequest, StartRequest, StartResponse},
};
use runtime_core::{CheckpointOptions, Container as Runtime, ManageCgroups, Signal, load_resources};
use std::path::Path;

impl Server {
    pub(super) fn start(&mut self, to: ReplyTo, request: &StartRequest) -> Result<()> {
        match request.exec_id.as_str() {
            "" => self.operate(to, &request.id, Operation::Start),
            exec => self.start_exec(to, &request.id, exec),
        }
    }

    /// Does `operation` when those before it are done.
    pub(super) fn operate(&mut self, to: ReplyTo, id: &str, operation: Operation) -> Result<()> {
        let container = self.container(id)?;
        if container.busy {
            container.queue.push_back((operation, to));
            return Ok(());
        }
        self.begin(to, id, operation)
    }

    fn begin(&mut self, to: ReplyTo, id: &str, operation: Operation) -> Result<()> {
        let container = self.container(id)?;
        allowed(&operation, container)?;
        if matches!(operation, Operation::Start) {
            container.init.phase = Phase::Starting;
        }
        container.busy = true;
        if matches!(operation, Operation::Start)
            && let Some(making) = container.restore.take()
        {
            return self.work(id, to, move || Outcome::Restored(making.restore()));
        }
        let (root, name, bundle) = (container.root.clone(), id.to_owned(), container.bundle.clone());
        let begun = self.work(id, to, move || {
            let result = carry_out(&operation, &root, &name, &bundle);
            Outcome::Operated(operation, result)
        });
        if begun.is_err()
            && let Ok(container) = self.container(id)
        {
            container.busy = false;
            if container.init.phase == Phase::Starting {
                container.init.phase = Phase::Created;
            }
        }
        begun
    }

    pub(super) fn operated(&mut self, id: &str, operation: &Operation, to: ReplyTo, result: Result<()>) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.busy = false;
        match operation {
            Operation::Start => self.started(id, to, result),
            Operation::Delete => self.deleted(id, to, result),
            Operation::Pause => {
                if result.is_ok() {
                    container.paused = true;
                    self.publish(&TaskPaused { container_id: id.to_owned() });
                }
                self.done(to, result);
            }
            Operation::Resume => {
                if result.is_ok() {
                    container.paused = false;
                    self.publish(&TaskResumed { container_id: id.to_owned() });
                }
                self.done(to, result);
            }
            Operation::Checkpoint(request) => {
                if result.is_ok() {
                    let (container_id, checkpoint) = (id.to_owned(), request.path.clone());
                    self.publish(&TaskCheckpointed { container_id, checkpoint });
                }
                self.done(to, result);
            }
            Operation::Update(_) => self.done(to, result),
        }
        self.go_on(id);
    }

    /// Begins what waits for its turn.
    pub(super) fn go_on(&mut self, id: &str) {
        while let Ok(container) = self.container(id)
            && !container.busy
            && let Some((operation, to)) = container.queue.pop_front()
        {
            if let Err(error) = self.begin(to, id, operation) {
                self.answer(to, Err(error));
            }
        }
    }

    pub(super) fn restored(&mut self, id: &str, to: ReplyTo, result: Result<Made>) {
        if let Ok(container) = self.container(id) {
            container.busy = false;
        }
        let pid = result.as_ref().map_or(0, |made| made.pid);
        let result = result.map(|made| self.take_first(id, made));
        self.started(id, to, result);
        self.ended_already(pid);
        self.go_on(id);
    }

    /// Kills what the first process of a container has left.
    pub(crate) fn sweep(&mut self, id: &str) {
        let Ok(container) = self.container(id) else { return };
        container.sweeping = true;
        let (root, name) = (container.root.clone(), id.to_owned());
        let begun = self.work(id, ReplyTo::NOBODY, move || {
            let swept = Runtime::load(&root, &name).and_then(|runtime| runtime.kill_all(Signal::KILL));
            Outcome::Swept(swept.map_err(Error::from))
        });
        if begun.is_err() {
            self.swept(id, begun);
        }
    }

    pub(super) fn swept(&mut self, id: &str, result: Result<()>) {
        if let Err(error) = result {
            log::warn!("container {id}: end the rest of it: {error}");
        }
        if let Ok(container) = self.container(id) {
            container.sweeping = false;
            self.release_if_alone(id);
        }
    }

    fn started(&mut self, id: &str, to: ReplyTo, result: Result<()>) {
        let Ok(container) = self.container(id) else { return };
        let pid = container.init.pid;
        match result {
            Ok(()) => {
                container.init.phase = Phase::Running;
                self.publish(&TaskStart { container_id: id.to_owned(), pid });
                self.reply(to, &StartResponse { pid });
            }
            Err(error) => {
                // Its process ends, or has ended; that is told as any other end.
                container.init.phase = Phase::Created;
                self.answer(to, Err(error));
            }
        }
        self.tell_early_end(id, None);
    }
}

/// Whether the state of the container allows the operation.
fn allowed(operation: &Operation, container: &Container) -> Result<()> {
    let state = match container.init.phase {
        _ if container.is_over() => "stopped",
        Phase::Created | Phase::Starting | Phase::Failed => "created",
        Phase::Running if container.paused => "paused",
        Phase::Running => "running",
        Phase::Stopped => "stopped",
    };
    let may = match operation {
        Operation::Start => state == "created",
        Operation::Pause => state == "running",
        Operation::Resume => state == "paused",
        Operation::Update(_) => state != "stopped",
        Operation::Checkpoint(_) => matches!(state, "running" | "paused"),
        Operation::Delete => matches!(state, "created" | "stopped"),
    };
    let what = match operation {
        Operation::Start => "start",
        Operation::Pause => "pause",
        Operation::Resume => "resume",
        Operation::Update(_) => "update",
        Operation::Checkpoint(_) => "checkpoint",
        Operation::Delete => "delete",
    };
    match may {
        true => Ok(()),
        false => Err(Error::unknown(format!("cannot {what} a {state} process"))),
    }
}

fn carry_out(operation: &Operation, root: &Path, id: &str, bundle: &Path) -> Result<()> {
    let load = || Runtime::load(root, id);
    match operation {
        Operation::Start => {
            let started = load()?.start();
            started.map_err(|error| Error::from(error).context("OCI runtime start failed"))
        }
        Operation::Pause => Ok(load()?.pause()?),
        Operation::Resume => Ok(load()?.resume()?),
        Operation::Update(resources) => {
            let resources = load_resources(resources, Path::new("resources"))?;
            Ok(load()?.update(&resources)?)
        }
        Operation::Checkpoint(request) => Ok(load()?.checkpoint(checkpoint_options(request, bundle)?)?),
        Operation::Delete => making::unmake(root, id, bundle),
    }
}

/// The options of a checkpoint in the runtime's words.
fn checkpoint_options(request: &CheckpointTaskRequest, bundle: &Path) -> Result<CheckpointOptions> {
    let given = match &request.options {
        Some(any)
            if [options::CHECKPOINT_OPTIONS, options::OLD_CHECKPOINT_OPTIONS].contains(&any.type_name()) =>
        {
            let given = options::CheckpointOptions::decode(any.value.as_slice());
            given.map_err(|error| Error::unknown(format!("checkpoint options: {error}")))?
        }
        Some(any) if !any.type_url.is_empty() => {
            return Err(Error::unknown(format!("checkpoint options: unknown type {:?}", any.type_url)));
        }
        _ => options::CheckpointOptions::default(),
    };
    let image = if request.path.is_empty() { &given.image_path } else { &request.path };
    if image.is_empty() {
        return Err(Error::unknown("checkpoint: a path for the image is wanted"));
    }
    let mut wanted = CheckpointOptions::new(image);
    wanted.leave_running = !given.exit;
    wanted.criu.tcp_established = given.open_tcp;
    wanted.criu.ext_unix_sk = given.external_unix_sockets;
    wanted.criu.shell_job = given.terminal;
    wanted.criu.file_locks = given.file_locks;
    wanted.criu.work_path = Some(match given.work_path.as_str() {
        "" => bundle.join("criu-work"),
        path => path.into(),
    });
    // What is in the network namespace is never saved: it is whose who made it.
    if let Some(kind) = given.empty_namespaces.iter().find(|kind| !matches!(kind.as_str(), "network" | "net"))
    {
        return Err(Error::unknown(format!(
            "checkpoint options: empty namespace {kind}: network alone can be"
        )));
    }
    wanted.criu.manage_cgroups = match given.cgroups_mode.as_str() {
        "" | "soft" => ManageCgroups::Soft,
        "full" => ManageCgroups::Full,
        "strict" => ManageCgroups::Strict,
        "ignore" => ManageCgroups::Ignore,
        mode => return Err(Error::unknown(format!("checkpoint options: unknown cgroups mode {mode:?}"))),
    };
    Ok(wanted)
}
