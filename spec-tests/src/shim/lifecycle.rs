//! A container's whole life by plain requests, for measurements and the soak.

use super::{
    client::Client,
    daemon::{Bootstrap, Daemon, NAMESPACE},
    messages::{
        CreateTaskRequest, DeleteResponse, Empty, ExecProcessRequest, KillRequest, PidResponse,
        ProcessRequest, ShutdownRequest, WaitResponse,
    },
    probe::spec,
};
use crate::{
    harness::{Test, Verdict, check_eq},
    payload,
};
use serde_json::json;
use std::{fs, path::PathBuf};

/// A bundle in its place, and the container that it is for.
pub(super) struct Place {
    pub(super) id: String,
    pub(super) dir: PathBuf,
}

impl Place {
    /// A new bundle of a daemon whose process waits; a member of `pod`, if there is one.
    pub(super) fn new(test: &Test, daemon: &Daemon, pod: Option<&str>) -> Verdict<Self> {
        let mut bundle = test.waiting()?;
        if let Some(pod) = pod {
            bundle.config["annotations"] = json!({"io.kubernetes.cri.sandbox-id": pod});
        }
        let id = format!("{}-{}", test.tag(), test.next());
        let dir = daemon.dir.join(NAMESPACE).join(&id);
        fs::create_dir_all(daemon.dir.join(NAMESPACE))?;
        fs::rename(&bundle.dir, &dir)?;
        bundle.dir.clone_from(&dir);
        bundle.write()?;
        Ok(Self { id, dir })
    }

    /// A connection to its shim, which is started if need be.
    pub(super) fn connect(&self, daemon: &Daemon) -> Verdict<Client> {
        Ok(daemon.connect(&self.dir, &self.id, &Bootstrap::default())?.1)
    }

    fn process(&self, exec_id: &str) -> ProcessRequest {
        ProcessRequest { id: self.id.clone(), exec_id: exec_id.to_owned() }
    }

    /// Create and Start; the process id.
    pub(super) fn run(&self, client: &Client) -> Verdict<u32> {
        let bundle = self.dir.to_string_lossy().into_owned();
        let request = CreateTaskRequest { id: self.id.clone(), bundle, ..CreateTaskRequest::default() };
        client.call::<PidResponse>("Create", &request)?;
        Ok(client.call::<PidResponse>("Start", &self.process(""))?.pid)
    }

    /// An exec process from its beginning to its end.
    pub(super) fn exec(&self, client: &Client) -> Verdict {
        let process = json!({"args": [payload::PATH, "exit", "3"], "cwd": "/", "user": {"uid": 0, "gid": 0}});
        let request = ExecProcessRequest {
            id: self.id.clone(),
            exec_id: "e".into(),
            spec: Some(spec("Process", &process)),
            ..ExecProcessRequest::default()
        };
        client.call::<Empty>("Exec", &request)?;
        client.call::<PidResponse>("Start", &self.process("e"))?;
        check_eq!(
            client.call::<WaitResponse>("Wait", &self.process("e"))?.exit_status,
            3,
            "the exit status of exec"
        );
        client.call::<DeleteResponse>("Delete", &self.process("e")).map(drop)
    }

    /// Kill, Wait and Delete.
    pub(super) fn end(&self, client: &Client) -> Verdict {
        let kill = KillRequest { id: self.id.clone(), signal: 9, ..KillRequest::default() };
        client.call::<Empty>("Kill", &kill)?;
        check_eq!(
            client.call::<WaitResponse>("Wait", &self.process(""))?.exit_status,
            137,
            "the exit status"
        );
        client.call::<DeleteResponse>("Delete", &self.process("")).map(drop)
    }

    /// Asks the shim to end.
    pub(super) fn shut_down(&self, client: &Client) {
        // It may end before its answer is out.
        let _ = client.ask::<Empty>("Shutdown", &ShutdownRequest { id: self.id.clone(), now: false });
    }

    /// `delete` by the daemon, and the bundle is no more.
    pub(super) fn remove(&self, daemon: &Daemon) -> Verdict {
        daemon.delete(&self.dir, &self.id)?.ok()?;
        daemon.forget(&self.id)?;
        Ok(fs::remove_dir_all(&self.dir)?)
    }
}
