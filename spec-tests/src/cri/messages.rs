//! The messages of `runtime.v1`, with the fields that are used here.

use prost::Message;

/// Gives structures that are prost messages.
macro_rules! messages {
    ($($name:ident { $($field:ident: $type:ty = $kind:tt,)* })*) => {
        $(
            #[derive(Clone, PartialEq, Message)]
            pub(crate) struct $name {
                $(#[prost $kind] pub(crate) $field: $type,)*
            }
        )*
    };
}

messages! {
    Empty {}
    NamespaceOption {
        network: i32 = (int32, tag = "1"),
        pid: i32 = (int32, tag = "2"),
        ipc: i32 = (int32, tag = "3"),
    }
    LinuxSandboxSecurityContext {
        namespace_options: Option<NamespaceOption> = (message, optional, tag = "1"),
    }
    LinuxPodSandboxConfig {
        cgroup_parent: String = (string, tag = "1"),
        security_context: Option<LinuxSandboxSecurityContext> = (message, optional, tag = "2"),
    }
    PodSandboxMetadata {
        name: String = (string, tag = "1"),
        uid: String = (string, tag = "2"),
        namespace: String = (string, tag = "3"),
        attempt: u32 = (uint32, tag = "4"),
    }
    PodSandboxConfig {
        metadata: Option<PodSandboxMetadata> = (message, optional, tag = "1"),
        log_directory: String = (string, tag = "3"),
        linux: Option<LinuxPodSandboxConfig> = (message, optional, tag = "8"),
    }
    RunPodSandboxRequest {
        config: Option<PodSandboxConfig> = (message, optional, tag = "1"),
        runtime_handler: String = (string, tag = "2"),
    }
    IdResponse {
        id: String = (string, tag = "1"),
    }
    ContainerRequest {
        id: String = (string, tag = "1"),
    }
    ContainerMetadata {
        name: String = (string, tag = "1"),
        attempt: u32 = (uint32, tag = "2"),
    }
    ImageSpec {
        image: String = (string, tag = "1"),
    }
    LinuxContainerResources {
        memory_limit_in_bytes: i64 = (int64, tag = "4"),
        memory_swap_limit_in_bytes: i64 = (int64, tag = "10"),
    }
    LinuxContainerSecurityContext {
        namespace_options: Option<NamespaceOption> = (message, optional, tag = "3"),
    }
    LinuxContainerConfig {
        resources: Option<LinuxContainerResources> = (message, optional, tag = "1"),
        security_context: Option<LinuxContainerSecurityContext> = (message, optional, tag = "2"),
    }
    ContainerConfig {
        metadata: Option<ContainerMetadata> = (message, optional, tag = "1"),
        image: Option<ImageSpec> = (message, optional, tag = "2"),
        command: Vec<String> = (string, repeated, tag = "3"),
        log_path: String = (string, tag = "11"),
        linux: Option<LinuxContainerConfig> = (message, optional, tag = "15"),
    }
    CreateContainerRequest {
        pod_sandbox_id: String = (string, tag = "1"),
        config: Option<ContainerConfig> = (message, optional, tag = "2"),
        sandbox_config: Option<PodSandboxConfig> = (message, optional, tag = "3"),
    }
    StopContainerRequest {
        container_id: String = (string, tag = "1"),
        timeout: i64 = (int64, tag = "2"),
    }
    ExecSyncRequest {
        container_id: String = (string, tag = "1"),
        cmd: Vec<String> = (string, repeated, tag = "2"),
        timeout: i64 = (int64, tag = "3"),
    }
    ExecSyncResponse {
        stdout: Vec<u8> = (bytes = "vec", tag = "1"),
        stderr: Vec<u8> = (bytes = "vec", tag = "2"),
        exit_code: i32 = (int32, tag = "3"),
    }
    ContainerStatus {
        state: i32 = (int32, tag = "3"),
        exit_code: i32 = (int32, tag = "7"),
        reason: String = (string, tag = "10"),
    }
    ContainerStatusResponse {
        status: Option<ContainerStatus> = (message, optional, tag = "1"),
    }
    Value {
        value: u64 = (uint64, tag = "1"),
    }
    Amount {
        value: Option<Value> = (message, optional, tag = "2"),
    }
    ContainerStats {
        cpu: Option<Amount> = (message, optional, tag = "2"),
        memory: Option<Amount> = (message, optional, tag = "3"),
    }
    StatsResponse {
        stats: Option<ContainerStats> = (message, optional, tag = "1"),
    }
}
