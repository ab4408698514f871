//! `spec-tests cri SOCKET COMMAND ...`: a small client of Kubernetes' Container Runtime Interface, for the cases of pods. It
//! does what a kubelet does, one request at a time.

mod grpc;
mod messages;

use messages::{
    ContainerConfig, ContainerMetadata, ContainerRequest, ContainerStatusResponse, CreateContainerRequest,
    Empty, ExecSyncRequest, ExecSyncResponse, IdResponse, ImageSpec, LinuxContainerConfig,
    LinuxContainerResources, LinuxContainerSecurityContext, LinuxPodSandboxConfig,
    LinuxSandboxSecurityContext, NamespaceOption, PodSandboxConfig, PodSandboxMetadata, RunPodSandboxRequest,
    StatsResponse, StopContainerRequest,
};
use std::{error::Error, io::Write, path::Path, process::ExitCode};

/// The namespaces of the node, and of each container.
const NODE: i32 = 2;
const CONTAINER: i32 = 1;

const USAGE: &str = "cri SOCKET run-pod NAME LOGS CGROUP HANDLER | create POD POD-NAME LOGS CGROUP NAME IMAGE MEMORY COMMAND... | \
                     start ID | exec ID COMMAND... | status ID | stats ID | stop ID SECONDS | remove ID | stop-pod ID | remove-pod ID";

/// Carries out one command; the exit code of `exec` is that of its process.
pub(crate) fn main(args: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let [socket, command, rest @ ..] = args.as_slice() else { return Err(USAGE.into()) };
    let client = grpc::Client::new(Path::new(socket), "runtime.v1.RuntimeService");
    match (*command, rest) {
        ("run-pod", [name, logs, cgroup, handler]) => {
            let config = Some(pod(name, logs, cgroup));
            let request = RunPodSandboxRequest { config, runtime_handler: (*handler).to_owned() };
            let told: IdResponse = client.call("RunPodSandbox", &request)?;
            println!("{}", told.id);
        }
        ("create", [id, pod_name, logs, cgroup, name, image, memory, command @ ..]) => {
            let request = CreateContainerRequest {
                pod_sandbox_id: (*id).to_owned(),
                config: Some(container(name, image, memory.parse()?, command)),
                sandbox_config: Some(pod(pod_name, logs, cgroup)),
            };
            let told: IdResponse = client.call("CreateContainer", &request)?;
            println!("{}", told.id);
        }
        ("start", [id]) => drop(client.call::<Empty>("StartContainer", &of(id))?),
        ("remove", [id]) => drop(client.call::<Empty>("RemoveContainer", &of(id))?),
        ("stop-pod", [id]) => drop(client.call::<Empty>("StopPodSandbox", &of(id))?),
        ("remove-pod", [id]) => drop(client.call::<Empty>("RemovePodSandbox", &of(id))?),
        ("stop", [id, seconds]) => {
            let request = StopContainerRequest { container_id: (*id).to_owned(), timeout: seconds.parse()? };
            client.call::<Empty>("StopContainer", &request)?;
        }
        ("exec", [id, command @ ..]) => {
            let cmd = command.iter().map(|&word| word.to_owned()).collect();
            let request = ExecSyncRequest { container_id: (*id).to_owned(), cmd, timeout: 20 };
            let told: ExecSyncResponse = client.call("ExecSync", &request)?;
            std::io::stdout().write_all(&told.stdout)?;
            std::io::stderr().write_all(&told.stderr)?;
            return Ok(ExitCode::from(u8::try_from(told.exit_code)?));
        }
        ("status", [id]) => {
            let told: ContainerStatusResponse = client.call("ContainerStatus", &of(id))?;
            let status = told.status.unwrap_or_default();
            let state =
                ["created", "running", "exited"].get(usize::try_from(status.state)?).unwrap_or(&"unknown");
            println!("{state} {} {}", status.exit_code, status.reason);
        }
        ("stats", [id]) => {
            let stats = client.call::<StatsResponse>("ContainerStats", &of(id))?.stats.unwrap_or_default();
            let value =
                |amount: Option<messages::Amount>| amount.and_then(|a| a.value).unwrap_or_default().value;
            println!("processor {} ns, memory {} bytes", value(stats.cpu), value(stats.memory));
        }
        _ => return Err(USAGE.into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn of(id: &str) -> ContainerRequest {
    ContainerRequest { id: id.to_owned() }
}

fn namespaces() -> Option<NamespaceOption> {
    Some(NamespaceOption { network: NODE, pid: CONTAINER, ipc: 0 })
}

fn pod(name: &str, logs: &str, cgroup: &str) -> PodSandboxConfig {
    PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: name.to_owned(),
            uid: format!("{name}-uid"),
            namespace: "default".into(),
            attempt: 0,
        }),
        log_directory: logs.to_owned(),
        linux: Some(LinuxPodSandboxConfig {
            cgroup_parent: cgroup.to_owned(),
            security_context: Some(LinuxSandboxSecurityContext { namespace_options: namespaces() }),
        }),
    }
}

fn container(name: &str, image: &str, memory: i64, command: &[&str]) -> ContainerConfig {
    ContainerConfig {
        metadata: Some(ContainerMetadata { name: name.to_owned(), attempt: 0 }),
        image: Some(ImageSpec { image: image.to_owned() }),
        command: command.iter().map(|&word| word.to_owned()).collect(),
        log_path: format!("{name}.log"),
        linux: Some(LinuxContainerConfig {
            resources: Some(LinuxContainerResources {
                memory_limit_in_bytes: memory,
                memory_swap_limit_in_bytes: memory,
            }),
            security_context: Some(LinuxContainerSecurityContext { namespace_options: namespaces() }),
        }),
    }
}
