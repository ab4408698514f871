//! How a shim starts, finds the one that is there already, and tells of itself.

use crate::{
    harness::{Suite, Verdict, check, check_eq, core_cookie, fail, skip, within},
    shim::{
        client::{Client, TASK_V3},
        daemon::{Bootstrap, NAMESPACE, address},
        messages::{
            Any, BootstrapParams, BootstrapResult, ConnectResponse, Empty, Extension, RuncOptions,
            RuntimeInfo, RuntimeOptions, UpdateTaskRequest, any,
        },
        probe::{Probe, State, gone, probe},
    },
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, seteuid},
};
use prost::Message;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const RUNC_OPTIONS: &str = "containerd.runc.v1.Options";
const RUNTIME_OPTIONS: &str = "runtimeoptions.v1.Options";

pub(super) fn add(suite: &mut Suite) {
    let mut group = suite.group("bootstrap", "bootstrap");
    group.must("socket", "the socket's path and mode", probe(socket));
    group.must("server", "the server's process", probe(server));
    group.must(
        "input-runc-options",
        "options on standard input",
        probe(|p| takes(p, any(RUNC_OPTIONS, &runc()))),
    );
    group.must(
        "input-runtime-options",
        "options on standard input",
        probe(|p| takes(p, any(RUNTIME_OPTIONS, &toml("")))),
    );
    group.must("input-params", "BootstrapParams", probe(params));
    group.must("input-params-of-another", "BootstrapParams of another id", probe(params_of_another));
    group.must("input-garbage", "bytes that are no message", probe(garbage));
    group.must("task-v3", "the service of containerd 2", probe(task_v3));
    group.must("start-twice", "the socket is in use and answers", probe(start_twice));
    group.must("stale-socket", "nobody answers at the socket", probe(stale_socket));
    group.must("shim-cgroup", "ShimCgroup", probe(shim_cgroup));
    group.must(
        "root-runc-options",
        "Root in Create's options",
        probe(|p| {
            let dir = p.test.dir().join("own-root");
            root(
                p,
                &dir,
                &any(RUNC_OPTIONS, &RuncOptions { root: dir.to_string_lossy().into_owned(), ..runc() }),
            )
        }),
    );
    group.must(
        "root-runtime-options",
        "Root in Create's options",
        probe(|p| {
            let dir = p.test.dir().join("own-root");
            root(p, &dir, &any(RUNTIME_OPTIONS, &toml(&format!("Root = \"{}\"\n", dir.display()))))
        }),
    );
    group.must("options-of-no-known-type", "options that nobody knows", probe(unknown_options));
    group.must("input-huge", "more on standard input than anybody sends", probe(huge_input));
    group.must("sched-core", "SCHED_CORE", probe(sched_core));
    group.must("other-user", "a connection of another user", probe(other_user));
    group.must("config-changed", "config.json changed between start and Create", probe(config_changed));
    group.must("systemd-cgroup", "SystemdCgroup", probe(systemd_cgroup));
    group.must("debug", "-debug", probe(debug));
    group.must("info", "-info", probe(info));
    group.must("no-namespace", "-namespace", probe(no_namespace));
    group.must("delete-without-create", "delete", probe(delete_without_create));
}

fn runc() -> RuncOptions {
    RuncOptions { no_new_keyring: true, ..RuncOptions::default() }
}

fn toml(text: &str) -> RuntimeOptions {
    let config_body = format!("NoNewKeyring = true\n{text}").into_bytes();
    RuntimeOptions { type_url: "options".into(), config_body, ..RuntimeOptions::default() }
}

fn with_input(input: Vec<u8>) -> Bootstrap {
    Bootstrap { input, ..Bootstrap::default() }
}

fn socket(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    let path = task.address.trim_start_matches("unix://");
    check!(task.address.len() <= 106, "the address has {} bytes", task.address.len());
    let name = format!("{}/{NAMESPACE}/{}", probe.daemon.address(), task.id);
    let sum = Command::new("sh").args(["-c", "printf %s \"$1\" | sha256sum", "sh", &name]).output()?;
    let sum = String::from_utf8_lossy(&sum.stdout).split_whitespace().next().unwrap_or_default().to_owned();
    check_eq!(path, format!("/run/containerd/s/{sum}"), "the socket of {name}");
    check_eq!(fs::metadata(path)?.permissions().mode() & 0o777, 0o600, "the socket's mode");
    check_eq!(fs::read_to_string(task.bundle.dir.join("address"))?, task.address, "the address file");
    Ok(())
}

fn server(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    let pid = task.shim_pid()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    check_eq!(fields.get(2).copied(), Some(pid.to_string().as_str()), "the server's process group");
    let own: i32 = fs::read_to_string("/proc/self/oom_score_adj")?.trim().parse()?;
    let its: i32 = fs::read_to_string(format!("/proc/{pid}/oom_score_adj"))?.trim().parse()?;
    check_eq!(its, (own + 1).min(1000), "oom_score_adj, beside the parent's {own}");
    let links =
        fs::read_dir(format!("/proc/{pid}/fd"))?.flatten().flat_map(|entry| fs::read_link(entry.path()));
    let ours: Vec<PathBuf> =
        links.filter(|link| link.starts_with(&probe.daemon.dir) && !link.ends_with("log")).collect();
    check!(ours.is_empty(), "the server holds files of its starter: {ours:?}");
    check_eq!(fs::read_link(format!("/proc/{pid}/cwd"))?, task.bundle.dir, "the server's directory");
    Ok(())
}

/// A shim that was given these options runs a container.
fn takes(probe: &Probe, options: Any) -> Verdict {
    let task = probe.task_with(probe.bundle()?, &with_input(options.encode_to_vec()))?;
    let mut request = task.create_request();
    request.options = Some(options);
    task.create_as(&request)?;
    task.start()?;
    check_eq!(task.stop()?, 137, "the exit status");
    Ok(())
}

fn bootstrap_params(probe: &Probe, id: &str) -> Vec<u8> {
    BootstrapParams {
        instance_id: id.to_owned(),
        namespace: NAMESPACE.to_owned(),
        containerd_version: "2.3.0".into(),
        containerd_ttrpc_address: format!("{}.ttrpc", probe.daemon.address()),
        containerd_grpc_address: probe.daemon.address(),
        containerd_binary: "/usr/bin/containerd".into(),
        extensions: vec![Extension { value: Some(any(RUNC_OPTIONS, &runc())) }],
    }
    .encode_to_vec()
}

fn params(probe: &Probe) -> Verdict {
    let id = format!("{}-params", probe.test.tag());
    let bundle = probe.place(probe.bundle()?, &id)?;
    let done = probe.daemon.start(&bundle.dir, &id, &with_input(bootstrap_params(probe, &id)))?.ok()?;
    let bytes = fs::read(&done.out)?;
    let Ok(result) = BootstrapResult::decode(&bytes[..]) else {
        let client = Client::connect(&address(&done)?)?;
        probe.shut_down(&client, &id)?;
        return fail(format!("the reply is no BootstrapResult: {:?}", done.stdout()));
    };
    check_eq!((result.version, result.protocol.as_str()), (3, "ttrpc"), "version and protocol");
    let client = Client::connect(&result.address)?.of(TASK_V3);
    let task = probe.adopt(bundle, &id, result.address, client);
    task.bring(State::Stopped)
}

fn params_of_another(probe: &Probe) -> Verdict {
    let input = with_input(bootstrap_params(probe, "another"));
    let task = probe.task_with(probe.bundle()?, &input)?;
    task.bring(State::Stopped)
}

fn garbage(probe: &Probe) -> Verdict {
    let id = format!("{}-garbage", probe.test.tag());
    let bundle = probe.place(probe.bundle()?, &id)?;
    let done = probe.daemon.start(&bundle.dir, &id, &with_input(vec![0xff; 100]))?;
    if done.code() == 0 {
        return probe.shut_down(&Client::connect(&address(&done)?)?, &id);
    }
    done.refused().map(drop)
}

fn huge_input(probe: &Probe) -> Verdict {
    let id = format!("{}-huge", probe.test.tag());
    let bundle = probe.place(probe.bundle()?, &id)?;
    let options = RuncOptions { root: "/".repeat(12 << 20), ..runc() };
    let input = with_input(any(RUNC_OPTIONS, &options).encode_to_vec());
    let done = probe.daemon.start(&bundle.dir, &id, &input)?;
    if done.code() == 0 {
        return probe.shut_down(&Client::connect(&address(&done)?)?, &id);
    }
    done.refused().map(drop)
}

/// The shim and its containers have a cookie of their own, by which the scheduler lets nobody else onto the other thread of their
/// core.
fn sched_core(probe: &Probe) -> Verdict {
    let env = vec![("SCHED_CORE".to_owned(), "1".to_owned())];
    let bootstrap = Bootstrap { env, ..Bootstrap::default() };
    let Ok(own) = core_cookie(std::process::id()) else {
        // The kernel or the processor lacks it: what was asked for cannot be had.
        let id = format!("{}-core", probe.test.tag());
        let bundle = probe.place(probe.bundle()?, &id)?;
        return probe.daemon.start(&bundle.dir, &id, &bootstrap)?.refused().map(drop);
    };
    let task = probe.task_with(probe.bundle()?, &bootstrap)?;
    task.bring(State::Running)?;
    let cookie = core_cookie(task.shim_pid()?)?;
    check!(cookie != 0 && cookie != own, "the shim's cookie is {cookie:x}, the starter's {own:x}");
    check_eq!(core_cookie(task.state()?.pid)?, cookie, "the cookie of the container's process");
    Ok(())
}

/// A socket that has come open to others is no way in.
fn other_user(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let path = Path::new(task.address.trim_start_matches("unix://"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    for dir in path.ancestors().skip(1).take(2) {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    }
    // The kernel notes who connects by the effective user.
    seteuid(Uid::from_raw(65534))?;
    let client = Client::connect(&task.address);
    seteuid(Uid::from_raw(0))?;
    let client = client?;
    let _ = client.begin("Kill", &task.kill_request("", 9));
    check!(client.is_closed()?, "another user's connection is kept");
    task.is(crate::shim::messages::status::RUNNING)
}

/// The group is what `start` read; later words of config.json on it are none of the shim's.
fn config_changed(probe: &Probe) -> Verdict {
    let mut task = probe.task()?;
    task.bundle.config["annotations"] = serde_json::json!({"io.kubernetes.cri.sandbox-id": "another"});
    task.bundle.config["hostname"] = "changed".into();
    task.bring(State::Running)?;
    fs::write(task.bundle.dir.join("config.json"), [0xff; 5000])?;
    task.stop()?;
    task.delete().map(drop)
}

fn systemd_cgroup(probe: &Probe) -> Verdict {
    if !Path::new("/run/systemd/system").exists() {
        return skip("systemd does not run here");
    }
    let mut bundle = probe.bundle()?;
    let name = format!("{}-scope", probe.test.tag());
    bundle.config["linux"]["cgroupsPath"] = format!("system.slice:corten-test:{name}").into();
    let task = probe.task_of(bundle)?;
    let mut request = task.create_request();
    request.options = Some(any(RUNC_OPTIONS, &RuncOptions { systemd_cgroup: true, ..runc() }));
    task.create_as(&request)?;
    let pid = task.start()?;
    let unit = format!("corten-test-{name}.scope");
    let table = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    check!(table.contains(&format!("/system.slice/{unit}")), "its cgroups are {table:?}");
    let show = |what: &str| {
        let told = Command::new("systemctl").args(["show", "-p", what, "--value", &unit]).output()?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&told.stdout).trim().to_owned())
    };
    check_eq!(show("ActiveState")?, "active", "the scope");
    let resources = serde_json::json!({"pids": {"limit": 77}});
    let update = UpdateTaskRequest {
        id: task.id.clone(),
        resources: Some(crate::shim::probe::spec("LinuxResources", &resources)),
    };
    task.client.call::<Empty>("Update", &update)?;
    check_eq!(show("TasksMax")?, "77", "TasksMax after Update");
    for method in ["Pause", "Resume"] {
        task.client.call::<Empty>(method, &task.me())?;
    }
    check_eq!(task.stop()?, 137, "the exit status");
    task.delete()?;
    let gone = within(Duration::from_secs(5), || (show("ActiveState").ok()? != "active").then_some(()));
    check!(gone.is_some(), "{unit} is there after Delete");
    // One whose shim is killed.
    let again = probe.task_of(probe.bundle()?)?;
    let mut bundle = again.bundle.config.clone();
    bundle["linux"]["cgroupsPath"] = format!("system.slice:corten-test:{name}").into();
    fs::write(again.bundle.dir.join("config.json"), bundle.to_string())?;
    let mut request = again.create_request();
    request.options = Some(any(RUNC_OPTIONS, &RuncOptions { systemd_cgroup: true, ..runc() }));
    again.client.call::<Empty>("Create", &request)?;
    again.kill_shim()?;
    probe.daemon.delete(&again.bundle.dir, &again.id)?.ok()?;
    let gone = within(Duration::from_secs(5), || (show("ActiveState").ok()? != "active").then_some(()));
    check!(gone.is_some(), "{unit} is there after `delete`");
    Ok(())
}

fn task_v3(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    let client = task.connection()?.of(TASK_V3);
    let told: ConnectResponse = client.call("Connect", &task.me())?;
    check_eq!(told.shim_pid, task.shim_pid()?, "the shim's process id");
    Ok(())
}

fn start_twice(probe: &Probe) -> Verdict {
    let task = probe.task_in(State::Running)?;
    let again = probe.daemon.start(&task.bundle.dir, &task.id, &Bootstrap::default())?.ok()?;
    check_eq!(address(&again)?, task.address, "the address");
    let other: ConnectResponse = task.connection()?.call("Connect", &task.me())?;
    check_eq!(other.shim_pid, task.shim_pid()?, "the shim's process id");
    task.is(crate::shim::messages::status::RUNNING)
}

fn stale_socket(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    let pid = task.shim_pid()?;
    kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGKILL)?;
    gone(pid)?;
    // A killed shim cannot remove its socket.
    let path = task.address.trim_start_matches("unix://");
    check!(
        Path::new(path).exists(),
        "the socket of a killed shim is gone: what is tried here did not come about"
    );
    let again = probe.daemon.start(&task.bundle.dir, &task.id, &Bootstrap::default())?.ok()?;
    check_eq!(address(&again)?, task.address, "the address");
    let task = probe.adopt(probe.bundle()?, &task.id, task.address.clone(), task.connection()?);
    check!(task.shim_pid()? != pid, "the killed shim answers");
    Ok(())
}

fn shim_cgroup(probe: &Probe) -> Verdict {
    let name = format!("{}/{}-shim", probe.test.cgroup_parent(), probe.test.tag());
    let dirs: Vec<PathBuf> =
        probe.test.machine.hierarchies.iter().map(|h| h.at.join(name.trim_start_matches('/'))).collect();
    for dir in &dirs {
        fs::create_dir_all(dir)?;
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Some(parent) = dir.parent().filter(|_| dir.join(file).exists()) {
                fs::write(dir.join(file), fs::read(parent.join(file))?)?;
            }
        }
    }
    let options = any(RUNC_OPTIONS, &RuncOptions { shim_cgroup: name.clone(), ..runc() });
    let task = probe.task_with(probe.bundle()?, &with_input(options.encode_to_vec()))?;
    let pid = task.shim_pid()?;
    let table = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let inside = table.lines().filter(|line| line.ends_with(&name)).count();
    probe.shut_down(&task.client, &task.id)?;
    gone(pid)?;
    dirs.iter().for_each(|dir| crate::harness::remove_cgroup(dir));
    check!(inside > 0, "the shim is in no cgroup {name}: {table:?}");
    Ok(())
}

fn root(probe: &Probe, dir: &Path, options: &Any) -> Verdict {
    let task = probe.task()?;
    let mut request = task.create_request();
    request.options = Some(options.clone());
    task.create_as(&request)?;
    let state = dir.join(NAMESPACE).join(&task.id);
    check!(state.is_dir(), "no state at {}", state.display());
    task.start()?;
    task.stop()?;
    task.delete()?;
    check!(!state.exists(), "state is left at {}", state.display());
    Ok(())
}

fn unknown_options(probe: &Probe) -> Verdict {
    let task = probe.task()?;
    let mut request = task.create_request();
    request.options = Some(Any { type_url: "no.such.Options".into(), value: vec![1, 2, 3] });
    match task.client.ask::<Any>("Create", &request)? {
        Ok(_) => fail("options of a type that nobody knows were taken"),
        Err(_) => Ok(()),
    }
}

fn debug(probe: &Probe) -> Verdict {
    let flags = Bootstrap { flags: vec!["-debug".into()], ..Bootstrap::default() };
    let task = probe.task_with(probe.bundle()?, &flags)?;
    task.bring(State::Stopped)
}

fn info(probe: &Probe) -> Verdict {
    let mut command = Command::new(&probe.daemon.shim);
    command.arg("-info");
    let done =
        probe.daemon.call(command, "-info").input(any(RUNC_OPTIONS, &runc()).encode_to_vec()).done()?.ok()?;
    let info = RuntimeInfo::decode(&fs::read(&done.out)?[..])?;
    check!(info.name.starts_with("io.containerd."), "the name {:?}", info.name);
    let Some(features) = info.features else { return fail("no features") };
    check_eq!(
        features.type_url,
        "types.containerd.io/opencontainers/runtime-spec/1/features/Features",
        "the type of the features"
    );
    let features: serde_json::Value = serde_json::from_slice(&features.value)?;
    check!(features["ociVersionMin"].is_string(), "features without ociVersionMin: {features}");
    if features["mountOptions"].is_null() {
        return skip("features without mount options");
    }
    Ok(())
}

fn no_namespace(probe: &Probe) -> Verdict {
    let mut command = Command::new(&probe.daemon.shim);
    command.args(["-id", "x", "start"]);
    probe.daemon.call(command, "start without -namespace").done()?.refused().map(drop)
}

fn delete_without_create(probe: &Probe) -> Verdict {
    let id = format!("{}-never", probe.test.tag());
    let bundle = probe.place(probe.bundle()?, &id)?;
    probe.daemon.prepare(&bundle.dir, &id)?;
    probe.daemon.delete(&bundle.dir, &id)?.ok().map(drop)
}
