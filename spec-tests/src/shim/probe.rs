//! What a case works with: tasks, in whatever state it asks for.

use super::{
    client::{Answer, Client},
    daemon::{Bootstrap, Daemon, NAMESPACE},
    messages::{
        Any, CheckpointTaskRequest, CloseIoRequest, ConnectResponse, CreateTaskRequest, DeleteResponse,
        Empty, ExecProcessRequest, KillRequest, PidResponse, ProcessRequest, ResizePtyRequest,
        ShutdownRequest, StateResponse, UpdateTaskRequest, WaitResponse, status,
    },
};
use crate::{
    harness::{Bundle, Stop, Test, Verdict, check_eq, fail, within},
    payload,
};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Where shims keep their sockets and runtimes their state; empty in each case's mount namespace.
pub(crate) const RUN: &str = "/run/containerd";

/// One case's daemon and tasks.
pub(crate) struct Probe<'t> {
    pub(crate) test: &'t Test,
    pub(crate) daemon: Daemon,
    made: RefCell<Vec<Made>>,
}

/// What is to be ended after a case.
struct Made {
    id: String,
    bundle: PathBuf,
    address: String,
    service: &'static str,
    /// Whether Create was asked for.
    created: bool,
}

/// Makes a case of `body`: what it leaves behind after its tasks were ended in the daemon's way is a failure.
pub(crate) fn probe(body: impl Fn(&Probe) -> Verdict) -> impl Fn(&Test) -> Verdict {
    move |test| {
        fs::create_dir_all(RUN)?;
        mount(Some("none"), RUN, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
        let daemon = Daemon::new(test.dir(), test.runtime())?;
        let probe = Probe { test, daemon, made: RefCell::default() };
        let reaper = Reaper::start();
        let done = body(&probe).and_then(|()| probe.tidy());
        let done = done.map_err(|stop| probe.with_log(stop));
        umount2(RUN, MntFlags::MNT_DETACH)?;
        drop(reaper);
        done
    }
}

/// What shims orphan, and the servers themselves, come to the suite, which reaps them as process 1 of a machine does: the
/// first process of a pid namespace cannot end before.
pub(super) struct Reaper {
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Reaper {
    /// Reaps until it is dropped.
    pub(super) fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&over);
        let reap = move || {
            while !end.load(Ordering::Relaxed) {
                for pid in zombies() {
                    let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
                }
                thread::sleep(Duration::from_millis(3));
            }
        };
        Self { over, thread: Some(thread::spawn(reap)) }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// The children that have ended and that nobody else waits for: the suite's own calls are in its process group.
fn zombies() -> Vec<Pid> {
    let children = fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id()));
    let ended = |pid: &&str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let (state, group) = (fields.next(), fields.nth(1));
        state == Some("Z") && (stat.contains("(payload)") || group == Some(pid))
    };
    let found = children.unwrap_or_default();
    found.split_whitespace().filter(ended).flat_map(str::parse).map(Pid::from_raw).collect()
}

impl<'t> Probe<'t> {
    /// A bundle whose process waits for signals.
    pub(crate) fn bundle(&self) -> Verdict<Bundle> {
        self.test.waiting()
    }

    /// A shim for a bundle of its own, with no container yet.
    pub(crate) fn task(&self) -> Verdict<Task<'_, 't>> {
        self.task_of(self.bundle()?)
    }

    /// A shim for this bundle.
    pub(crate) fn task_of(&self, bundle: Bundle) -> Verdict<Task<'_, 't>> {
        self.task_with(bundle, &Bootstrap::default())
    }

    /// A shim for this bundle, started in this way.
    pub(crate) fn task_with(&self, bundle: Bundle, bootstrap: &Bootstrap) -> Verdict<Task<'_, 't>> {
        let id = format!("{}-{}", self.test.tag(), self.test.next());
        let bundle = self.place(bundle, &id)?;
        let (address, client) = self.daemon.connect(&bundle.dir, &id, bootstrap)?;
        Ok(self.adopt(bundle, &id, address, client))
    }

    /// Writes a bundle and moves it to its place: containerd names it after its container, and shims build on that.
    pub(crate) fn place(&self, mut bundle: Bundle, id: &str) -> Verdict<Bundle> {
        let all = self.daemon.dir.join(NAMESPACE);
        fs::create_dir_all(&all)?;
        fs::rename(&bundle.dir, all.join(id))?;
        bundle.dir = all.join(id);
        bundle.write()?;
        Ok(bundle)
    }

    /// A task of a shim that was started otherwise; it is ended after the case too.
    pub(crate) fn adopt(&self, bundle: Bundle, id: &str, address: String, client: Client) -> Task<'_, 't> {
        let id = id.to_owned();
        let (made, dir) = (id.clone(), bundle.dir.clone());
        self.made.borrow_mut().retain(|other| other.id != made);
        let service = client.service();
        let address_of = address.clone();
        let made = Made { id: made, bundle: dir, address: address_of, service, created: false };
        self.made.borrow_mut().push(made);
        Task { probe: self, id, bundle, address, client }
    }

    /// A task in this state.
    pub(crate) fn task_in(&self, state: State) -> Verdict<Task<'_, 't>> {
        let task = self.task()?;
        task.bring(state)?;
        Ok(task)
    }

    /// Asks a shim to end.
    pub(crate) fn shut_down(&self, client: &Client, id: &str) -> Verdict {
        let shutdown = ShutdownRequest { id: id.to_owned(), now: false };
        // The shim may end before its answer is out.
        let _: Result<Answer<Empty>, Stop> = client.ask("Shutdown", &shutdown);
        Ok(())
    }

    /// Ends all as a daemon does: kill, wait, delete, shut the shims down and call their `delete`.
    fn tidy(&self) -> Verdict {
        let made = self.made.borrow();
        let mut shims = BTreeMap::new();
        for Made { id, address, service, .. } in made.iter() {
            if let Ok(client) = Client::connect(address).map(|client| client.of(service)) {
                // A shim that ended as it was asked to is gone with its socket; one that crashed leaves it.
                match end(&client, id) {
                    Err(_) if !socket(address).exists() => continue,
                    other => other?,
                }
                shims.insert(address, (client, id));
            }
        }
        for (client, id) in shims.values() {
            self.shut_down(client, id)?;
        }
        for Made { id, bundle, .. } in made.iter().filter(|made| made.created) {
            self.daemon.delete(bundle, id)?.ok()?;
        }
        let left = within(Duration::from_secs(3), || files(Path::new(RUN)).is_empty().then_some(()));
        if left.is_none() {
            return fail(format!("left behind: {:?}", files(Path::new(RUN))));
        }
        Ok(())
    }

    /// What the shims logged as errors makes a failure clearer.
    fn with_log(&self, stop: Stop) -> Stop {
        let Stop::Fail(words) = stop else { return stop };
        let made = self.made.borrow();
        let logs = made.iter().map(|made| self.daemon.log(&made.id)).collect::<String>();
        let last: Vec<&str> =
            logs.lines().filter(|line| line.contains("error") || line.contains("panic")).collect();
        let last = last.get(last.len().saturating_sub(3)..).unwrap_or_default().join(" | ");
        Stop::Fail(if last.is_empty() { words } else { format!("{words} (log: {last})") })
    }
}

/// The path in a shim's address.
pub(crate) fn socket(address: &str) -> &Path {
    Path::new(address.trim_start_matches("unix://"))
}

/// Ends a container, whatever it does.
fn end(client: &Client, id: &str) -> Verdict {
    let task = ProcessRequest { id: id.to_owned(), exec_id: String::new() };
    let Ok(state) = client.ask::<StateResponse>("State", &task)? else { return Ok(()) };
    if state.status != status::STOPPED {
        let kill = KillRequest { id: id.to_owned(), signal: 9, all: true, ..KillRequest::default() };
        let _: Answer<Empty> = client.ask("Kill", &kill)?;
        let _: WaitResponse = client.call("Wait", &task)?;
    }
    let _: DeleteResponse = client.call("Delete", &task)?;
    Ok(())
}

/// All that is no directory below `dir`.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            _ => found.push(entry.path()),
        }
    }
    found
}

/// What a task goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its shim runs, but it was never created.
    Unknown,
    Created,
    Running,
    Paused,
    /// Its process ended by SIGKILL.
    Stopped,
    Deleted,
}

/// A container of a shim, and a connection to that.
pub(crate) struct Task<'p, 't> {
    pub(crate) probe: &'p Probe<'t>,
    pub(crate) id: String,
    pub(crate) bundle: Bundle,
    pub(crate) address: String,
    pub(crate) client: Client,
}

impl Task<'_, '_> {
    /// Brings a task that was never created to this state.
    pub(crate) fn bring(&self, state: State) -> Verdict {
        if state == State::Unknown {
            return Ok(());
        }
        self.create()?;
        if state == State::Created {
            return Ok(());
        }
        self.start()?;
        match state {
            State::Paused => self.client.call::<Empty>("Pause", &self.me()).map(drop),
            State::Stopped => self.stop().map(drop),
            State::Deleted => {
                self.stop()?;
                self.delete().map(drop)
            }
            _ => Ok(()),
        }
    }

    /// The request of everything that takes no more than an id.
    pub(crate) fn me(&self) -> ProcessRequest {
        self.exec("")
    }

    /// The same for an exec process.
    pub(crate) fn exec(&self, exec_id: &str) -> ProcessRequest {
        ProcessRequest { id: self.id.clone(), exec_id: exec_id.to_owned() }
    }

    /// A request of Create without streams.
    pub(crate) fn create_request(&self) -> CreateTaskRequest {
        let bundle = self.bundle.dir.to_string_lossy().into_owned();
        CreateTaskRequest { id: self.id.clone(), bundle, ..CreateTaskRequest::default() }
    }

    /// Create without streams; the process id.
    pub(crate) fn create(&self) -> Verdict<u32> {
        self.create_as(&self.create_request())
    }

    /// Create; the process id.
    pub(crate) fn create_as(&self, request: &CreateTaskRequest) -> Verdict<u32> {
        self.bundle.write()?;
        if let Some(made) = self.probe.made.borrow_mut().iter_mut().find(|made| made.id == request.id) {
            made.created = true;
        }
        Ok(self.client.call::<PidResponse>("Create", request)?.pid)
    }

    /// Start, and the payload, if it waits for signals, is ready for them.
    pub(crate) fn start(&self) -> Verdict<u32> {
        let pid = self.client.call::<PidResponse>("Start", &self.me())?.pid;
        if self.bundle.config["process"]["args"][1] == "wait" {
            ready(pid)?;
        }
        Ok(pid)
    }

    /// State.
    pub(crate) fn state(&self) -> Verdict<StateResponse> {
        self.client.call("State", &self.me())
    }

    /// Fails the case unless the task has this status.
    pub(crate) fn is(&self, status: i32) -> Verdict {
        check_eq!(self.state()?.status, status, "the status of {}", self.id);
        Ok(())
    }

    /// Kill of the first process.
    pub(crate) fn kill(&self, signal: u32) -> Verdict {
        self.client.call::<Empty>("Kill", &self.kill_request("", signal)).map(drop)
    }

    /// A request of Kill.
    pub(crate) fn kill_request(&self, exec_id: &str, signal: u32) -> KillRequest {
        KillRequest { id: self.id.clone(), exec_id: exec_id.to_owned(), signal, all: false }
    }

    /// Wait; the exit status.
    pub(crate) fn wait(&self) -> Verdict<u32> {
        Ok(self.client.call::<WaitResponse>("Wait", &self.me())?.exit_status)
    }

    /// Kill with SIGKILL, and Wait.
    pub(crate) fn stop(&self) -> Verdict<u32> {
        self.kill(9)?;
        self.wait()
    }

    /// Delete.
    pub(crate) fn delete(&self) -> Verdict<DeleteResponse> {
        self.client.call("Delete", &self.me())
    }

    /// Connect; the shim's process id.
    pub(crate) fn shim_pid(&self) -> Verdict<u32> {
        Ok(self.client.call::<ConnectResponse>("Connect", &self.me())?.shim_pid)
    }

    /// Ends the shim by SIGKILL.
    pub(crate) fn kill_shim(&self) -> Verdict {
        let pid = self.shim_pid()?;
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGKILL)?;
        gone(pid)
    }

    /// A request of Exec: the payload with these arguments.
    pub(crate) fn exec_request(&self, exec_id: &str, arguments: &[&str]) -> ExecProcessRequest {
        let args: Vec<&str> = [payload::PATH].iter().chain(arguments).copied().collect();
        let process = json!({"args": args, "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}});
        ExecProcessRequest {
            id: self.id.clone(),
            exec_id: exec_id.to_owned(),
            spec: Some(spec("Process", &process)),
            ..ExecProcessRequest::default()
        }
    }

    /// Exec of the payload with these arguments.
    pub(crate) fn add_exec(&self, exec_id: &str, arguments: &[&str]) -> Verdict {
        self.client.call::<Empty>("Exec", &self.exec_request(exec_id, arguments)).map(drop)
    }

    /// Start of an exec process; the process id.
    pub(crate) fn start_exec(&self, exec_id: &str) -> Verdict<u32> {
        Ok(self.client.call::<PidResponse>("Start", &self.exec(exec_id))?.pid)
    }

    /// Asks `method` with a plain request of its kind; the answer is the caller's to await.
    pub(crate) fn begin(&self, method: &str, exec_id: &str) -> Verdict<u32> {
        let (id, exec) = (self.id.clone(), exec_id.to_owned());
        let path = self.probe.test.dir().join("image").to_string_lossy().into_owned();
        let client = &self.client;
        match method {
            "Create" => client.begin(method, &self.create_request()),
            "Checkpoint" => client.begin(method, &CheckpointTaskRequest { id, path, options: None }),
            "Kill" => client.begin(method, &self.kill_request(exec_id, 9)),
            "Exec" => client.begin(method, &self.exec_request("new", &["wait"])),
            "ResizePty" => {
                client.begin(method, &ResizePtyRequest { id, exec_id: exec, width: 80, height: 24 })
            }
            "CloseIO" => client.begin(method, &CloseIoRequest { id, exec_id: exec, stdin: true }),
            "Update" => {
                let resources = Some(spec("LinuxResources", &json!({"cpu": {"shares": 512}})));
                client.begin(method, &UpdateTaskRequest { id, resources })
            }
            "Shutdown" => client.begin(method, &ShutdownRequest { id, now: false }),
            _ => client.begin(method, &ProcessRequest { id, exec_id: exec }),
        }
    }

    /// A second connection.
    pub(crate) fn connection(&self) -> Verdict<Client> {
        Ok(Client::connect(&self.address)?.of(self.client.service()))
    }
}

/// A structure of the runtime specification in an `Any`, as JSON.
pub(crate) fn spec(name: &str, value: &Value) -> Any {
    let type_url = format!("types.containerd.io/opencontainers/runtime-spec/1/{name}");
    Any { type_url, value: value.to_string().into_bytes() }
}

/// Waits until the payload waits for signals, sigwaitinfo(2).
pub(crate) fn ready(pid: u32) -> Verdict {
    let waits = || {
        let place = fs::read_to_string(format!("/proc/{pid}/wchan")).ok()?;
        place.contains("sigtimedwait").then_some(())
    };
    within(Duration::from_secs(3), waits)
        .map_or_else(|| fail(format!("the payload ({pid}) never waited for signals")), Ok)
}

/// Whether a process of this id is there, ended but unreaped ones not counted.
pub(crate) fn alive(pid: u32) -> bool {
    let stat: io::Result<String> = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with(['Z', 'X']))
}

/// Waits until no process of this id is there.
pub(crate) fn gone(pid: u32) -> Verdict {
    within(Duration::from_secs(5), || (!alive(pid)).then_some(()))
        .map_or_else(|| fail(format!("process {pid} is still there")), Ok)
}
