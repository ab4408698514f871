//! `containerd-shim-corten-v1` as containerd calls it: its verbs, and the task service over ttrpc.

#[allow(dead_code, reason = "shared with tests that use more of it")]
mod support;

use corten_ttrpc::{
    Code, Decoder, Kind, Message, Request, Response, encode,
    options::{OPTIONS, Options},
    task::{
        ConnectRequest, ConnectResponse, CreateTaskRequest, DeleteRequest, DeleteResponse, KillRequest,
        SERVICE_V2, SERVICE_V3, ShutdownRequest, StartRequest, StartResponse, WaitRequest, WaitResponse,
    },
    types::{Any, Empty, RuntimeInfo},
};
use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Mutex,
};
use support::{Bundle, text, wait_until};

/// Its containers are children of no test's business, but of the nearest subreaper when it is killed: one such test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn shim(bundle: &str, args: &[&str], input: &[u8]) -> Output {
    let namespace = format!("corten-test-{}", std::process::id());
    let mut command = Command::new(env!("CARGO_BIN_EXE_containerd-shim-corten-v1"));
    command.args(["-namespace", &namespace, "-address", bundle, "-publish-binary", "/bin/false"]).args(args);
    command.current_dir(bundle).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_shim_whose_address_cannot_be_told_does_not_stay() {
    let dir = std::env::temp_dir().join(format!("corten-unheard-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.json"), r#"{"ociVersion": "1.0.2"}"#).unwrap();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_containerd-shim-corten-v1"));
    command.args([
        "-namespace",
        "corten-test",
        "-id",
        "unheard",
        "-publish-binary",
        "/bin/false",
        "-address",
    ]);
    command.arg(dir.join("daemon")).arg("start").current_dir(&dir);
    let output = command.stdin(Stdio::null()).stdout(full).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("No space left on device"), "{}", text(&output.stderr));
    let address = fs::read_to_string(dir.join("address")).unwrap();
    let socket = PathBuf::from(address.strip_prefix("unix://").unwrap());
    let served = UnixStream::connect(&socket).is_ok();
    if served {
        let lost = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == dir));
        for process in lost.filter_map(|entry| entry.file_name().to_str().and_then(|pid| pid.parse().ok())) {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), nix::sys::signal::SIGKILL).unwrap();
        }
    }
    assert!(!served, "the shim serves {}", socket.display());
    assert!(!socket.exists());
    fs::remove_dir_all(dir).unwrap();
}

/// A connection to a shim.
struct Client {
    socket: UnixStream,
    stream: u32,
}

impl Client {
    fn connect(path: &Path) -> Self {
        Self { socket: UnixStream::connect(path).unwrap(), stream: 1 }
    }

    fn try_call<M: Message + Default>(
        &mut self,
        method: &str,
        message: &impl Message,
    ) -> Result<M, (Code, String)> {
        // Both services are the same; each is used in its turn.
        let service = if self.stream % 4 == 1 { SERVICE_V2 } else { SERVICE_V3 };
        let request = Request {
            service: service.to_owned(),
            method: method.to_owned(),
            payload: message.encode_to_vec(),
            ..Request::default()
        };
        let mut bytes = Vec::new();
        encode(self.stream, Kind::Request, 0, &request.encode_to_vec(), &mut bytes).unwrap();
        self.stream += 2;
        self.socket.write_all(&bytes).unwrap();
        let (mut decoder, mut buffer) = (Decoder::new(), [0; 4096]);
        loop {
            let count = self.socket.read(&mut buffer).unwrap();
            assert!(count > 0, "{method}: the shim hung up");
            if let Some(frame) = decoder.next(&mut &buffer[..count]).unwrap() {
                assert_eq!((frame.kind, frame.stream), (Kind::Response, self.stream - 2));
                let payload = Response::decode(frame.data.as_slice()).unwrap().into_result()?;
                return Ok(M::decode(payload.as_slice()).unwrap());
            }
        }
    }

    fn call<M: Message + Default>(&mut self, method: &str, message: &impl Message) -> M {
        self.try_call(method, message).unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    fn create(&mut self, id: &str, bundle: &Bundle) {
        let options = Options { root: bundle.file("state"), ..Options::default() };
        let request = CreateTaskRequest {
            id: id.to_owned(),
            bundle: bundle.path().to_owned(),
            options: Some(Any::new(OPTIONS, &options)),
            ..CreateTaskRequest::default()
        };
        let _: Empty = self.call("Create", &request);
    }

    fn start(&mut self, id: &str) -> u32 {
        self.call::<StartResponse>("Start", &StartRequest { id: id.to_owned(), ..Default::default() }).pid
    }

    fn wait(&mut self, id: &str) -> u32 {
        self.call::<WaitResponse>("Wait", &WaitRequest { id: id.to_owned(), ..Default::default() })
            .exit_status
    }

    fn delete(&mut self, id: &str) -> u32 {
        let request = DeleteRequest { id: id.to_owned(), ..Default::default() };
        self.call::<DeleteResponse>("Delete", &request).exit_status
    }

    fn life(&mut self, id: &str, bundle: &Bundle) {
        self.create(id, bundle);
        self.start(id);
        assert_eq!((self.wait(id), self.delete(id)), (3, 3));
    }
}

/// A bundle whose containers each have the cgroup of their own id, and an id for them.
fn bundle(name: &str, script: &str) -> Option<(Bundle, String)> {
    let bundle = Bundle::new(name, false, script)?;
    bundle.edit(|spec| drop(spec["linux"]["cgroupsPath"].take()));
    Some((bundle, format!("corten-test-{name}-{}", std::process::id())))
}

/// Starts a shim for the container `id`; its socket.
fn start(bundle: &Bundle, id: &str) -> PathBuf {
    let output = shim(bundle.path(), &["-id", id, "start"], &[]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    PathBuf::from(text(&output.stdout).strip_prefix("unix://").unwrap())
}

/// Descriptors, threads, children, and KiB of anonymous memory of a process.
fn figures(pid: u32) -> (usize, usize, usize, u64) {
    let count = |dir: &str| fs::read_dir(format!("/proc/{pid}/{dir}")).unwrap().count();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let anonymous = anonymous.trim().trim_end_matches(" kB").parse().unwrap();
    (count("fd"), count("task"), children.split_whitespace().count(), anonymous)
}

#[test]
fn containers_one_by_one_and_at_once_leave_nothing() {
    let Some((bundle, leader)) = bundle("shim-many", "if [ -e /leader ]; then exec sleep 1000; fi; exit 3")
    else {
        return;
    };
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let flag = bundle.file("rootfs/leader");
    fs::write(&flag, "").unwrap();
    let socket = start(&bundle, &leader);
    assert_eq!(start(&bundle, &leader), socket, "a second start finds the same shim");
    let mut client = Client::connect(&socket);
    client.create(&leader, &bundle);
    client.start(&leader);
    let connected: ConnectResponse = client.call("Connect", &ConnectRequest { id: leader.clone() });
    let mut corten = Command::new(env!("CARGO_BIN_EXE_corten"));
    let state = corten.args(["--root", &namespace_root(&bundle), "state", &leader]).output().unwrap();
    let state: serde_json::Value = serde_json::from_slice(&state.stdout).unwrap();
    assert_eq!((&state["status"], &state["pid"]), (&"running".into(), &connected.task_pid.into()));
    wait_until(|| fs::read_to_string(format!("/proc/{}/comm", connected.task_pid)).unwrap() == "sleep\n");
    fs::remove_file(flag).unwrap();

    client.life(&format!("{leader}-first"), &bundle);
    wait_until(|| figures(connected.shim_pid).1 == 1);
    let before = figures(connected.shim_pid);
    for number in 0..40 {
        client.life(&format!("{leader}-{}", number % 7), &bundle);
    }
    std::thread::scope(|scope| {
        for number in 0..24 {
            let (bundle, socket, leader) = (&bundle, &socket, &leader);
            scope.spawn(move || Client::connect(socket).life(&format!("{leader}-at-once-{number}"), bundle));
        }
    });
    // Connections, and memory that is given back when there is nothing to do.
    wait_until(|| {
        let after = figures(connected.shim_pid);
        (after.0, after.1, after.2) == (before.0, before.1, before.2) && after.3 < before.3 + 1024
    });

    let kill = KillRequest { id: leader.clone(), signal: 9, ..Default::default() };
    let _: Empty = client.call("Kill", &kill);
    assert_eq!((client.wait(&leader), client.delete(&leader)), (137, 137));
    let again = client
        .try_call::<DeleteResponse>("Delete", &DeleteRequest { id: leader.clone(), ..Default::default() });
    assert_eq!(again.unwrap_err().0, Code::NotFound);
    let _: Empty = client.call("Shutdown", &ShutdownRequest { id: leader, now: false });
    wait_until(|| !socket.exists() && !Path::new(&format!("/proc/{}", connected.shim_pid)).exists());
    let left: Vec<_> = fs::read_dir(namespace_root(&bundle)).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

fn namespace_root(bundle: &Bundle) -> String {
    bundle.file(&format!("state/corten-test-{}", std::process::id()))
}

#[test]
fn delete_ends_the_containers_of_a_killed_shim() {
    let Some((bundle, leader)) = bundle("shim-killed", "exec sleep 1000") else { return };
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    bundle.edit(|spec| spec["annotations"]["io.kubernetes.cri.sandbox-id"] = "the-pod".into());
    let socket = start(&bundle, &leader);
    let mut client = Client::connect(&socket);
    let member = format!("{leader}-member");
    let pids = [&leader, &member].map(|id| {
        client.create(id, &bundle);
        client.start(id)
    });
    let shim_pid = client.call::<ConnectResponse>("Connect", &ConnectRequest { id: leader.clone() }).shim_pid;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(shim_pid.cast_signed()), nix::sys::signal::SIGKILL)
        .unwrap();
    wait_until(|| UnixStream::connect(&socket).is_err());

    let output = shim(bundle.path(), &["-id", &leader, "-bundle", bundle.path(), "delete"], &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = DeleteResponse::decode(output.stdout.as_slice()).unwrap();
    assert_eq!((told.pid, told.exit_status), (pids[0], 137));
    assert!(!socket.exists(), "the socket is left");
    let runs = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
    };
    wait_until(|| !pids.iter().any(|pid| runs(*pid)));
    assert_eq!(fs::read_dir(namespace_root(&bundle)).unwrap().count(), 0);
    let again = shim(bundle.path(), &["-id", &leader, "delete"], &[]);
    assert!(again.status.success(), "{}", text(&again.stderr));
}

#[test]
fn it_tells_what_it_is() {
    let version = shim("/", &["-v"], &[]);
    assert!(version.status.success() && text(&version.stdout).contains(env!("CARGO_PKG_VERSION")));
    let options = Any::new(OPTIONS, &Options { systemd_cgroup: true, ..Options::default() });
    let info =
        RuntimeInfo::decode(shim("/", &["-info"], &options.encode_to_vec()).stdout.as_slice()).unwrap();
    assert_eq!((info.name.as_str(), info.options), ("io.containerd.corten.v1", Some(options)));
    let features: serde_json::Value = serde_json::from_slice(&info.features.unwrap().value).unwrap();
    assert_eq!(features["linux"]["mountExtensions"]["idmap"]["enabled"], true);
    let wrong = shim("/", &["-what"], &[]);
    assert!(!wrong.status.success() && text(&wrong.stderr).contains("-what"));
}
