//! `Create`.

use crate::{
    connection::ReplyTo,
    container::{Container, Process},
    done::{Asked, Outcome},
    error::{Error, Result},
    making::{Made, Making},
    options,
    server::Server,
};
use corten_ttrpc::{
    events::{TaskCreate, TaskIo},
    task::{CreateTaskRequest, CreateTaskResponse},
};
use std::path::PathBuf;

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
        let CreateTaskRequest { terminal, stdin, stdout, stderr, .. } = request;
        let container = Container {
            root: options::root(&options, &self.identity.namespace),
            io_owner: (options.io_uid, options.io_gid),
            init: Process { io: TaskIo { stdin, stdout, stderr, terminal }, ..Process::default() },
            ..Container::new(id.clone(), bundle.clone())
        };
        let making = Making {
            id: id.clone(),
            bundle,
            root: container.root.clone(),
            namespace: self.identity.namespace.clone(),
            io: container.init.io.clone(),
            options,
            checkpoint: request.checkpoint,
        };
        let rootfs = request.rootfs;
        self.work(&id, to, move || {
            let result = making.make(&rootfs);
            let checkpoint = making.checkpoint.clone();
            let restore = (!checkpoint.is_empty()).then(|| Box::new(making));
            Outcome::Created(Asked { rootfs, checkpoint, restore }, result)
        })?;
        self.containers.insert(id, container);
        Ok(())
    }

    pub(super) fn created(&mut self, id: &str, to: ReplyTo, asked: Asked, result: Result<Made>) {
        let made = match result {
            Ok(made) => made,
            Err(error) => {
                self.containers.remove(id);
                return self.answer(to, Err(error));
            }
        };
        let Some(container) = self.containers.get_mut(id) else { return };
        container.creating = false;
        container.busy = false;
        container.restore = asked.restore;
        let pid = made.pid;
        let (bundle, io) = (container.bundle.display().to_string(), container.init.io.clone());
        self.take_first(id, made);
        self.publish(&TaskCreate {
            container_id: id.to_owned(),
            bundle,
            rootfs: asked.rootfs,
            io: Some(io),
            checkpoint: asked.checkpoint,
            pid,
        });
        self.reply(to, &CreateTaskResponse { pid });
        self.ended_already(pid);
    }

    /// Takes charge of the first process of a container.
    pub(super) fn take_first(&mut self, id: &str, made: Made) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.ends_with_first = made.ends_with_first;
        container.init.pid = made.pid;
        self.attach(id, None, made.streams);
        if let Some(events) = made.oom {
            self.watch_oom(id, events);
        }
    }
}
