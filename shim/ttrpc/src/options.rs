//! What a runtime is told about a container beside its `config.json`, and what it tells about a process.

/// The name of [`Options`] in an `Any`.
pub const OPTIONS: &str = "containerd.runc.v1.Options";
/// The name of [`CreateOptions`] in an `Any`.
pub const CREATE_OPTIONS: &str = "containerd.linux.runc.CreateOptions";
/// The name of [`RuntimeOptions`] in an `Any`.
pub const RUNTIME_OPTIONS: &str = "runtimeoptions.v1.Options";
/// The name of [`CheckpointOptions`] in an `Any`.
pub const CHECKPOINT_OPTIONS: &str = "containerd.runc.v1.CheckpointOptions";
/// The name of [`ProcessDetails`] in an `Any`.
pub const PROCESS_DETAILS: &str = "containerd.runc.v1.ProcessDetails";

/// `containerd.runc.v1.Options`, with the fields of all versions of containerd from 1.6 on.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Options {
    /// Move the root instead of pivoting.
    #[prost(bool, tag = "1")]
    pub no_pivot_root: bool,
    /// Keep the caller's session keyring.
    #[prost(bool, tag = "2")]
    pub no_new_keyring: bool,
    /// The cgroup that the shim itself is put into.
    #[prost(string, tag = "3")]
    pub shim_cgroup: String,
    /// The owner of the pipes of the container's streams.
    #[prost(uint32, tag = "4")]
    pub io_uid: u32,
    /// The group of those pipes.
    #[prost(uint32, tag = "5")]
    pub io_gid: u32,
    /// A runtime's binary.
    #[prost(string, tag = "6")]
    pub binary_name: String,
    /// The directory beneath which the state of containers lies.
    #[prost(string, tag = "7")]
    pub root: String,
    /// CRIU's binary (containerd 1.x).
    #[prost(string, tag = "8")]
    pub criu_path: String,
    /// Let systemd make the cgroups.
    #[prost(bool, tag = "9")]
    pub systemd_cgroup: bool,
    /// Where CRIU's images go.
    #[prost(string, tag = "10")]
    pub criu_image_path: String,
    /// Where CRIU works and logs.
    #[prost(string, tag = "11")]
    pub criu_work_path: String,
    /// The address of a task service that runs already.
    #[prost(string, tag = "12")]
    pub task_api_address: String,
    /// The version of that service.
    #[prost(uint32, tag = "13")]
    pub task_api_version: u32,
}

/// `containerd.linux.runc.CreateOptions`: what `ctr` of containerd 1.x sends to a runtime type that it does not know.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CreateOptions {
    /// Move the root instead of pivoting.
    #[prost(bool, tag = "1")]
    pub no_pivot_root: bool,
    /// With open TCP connections (restore).
    #[prost(bool, tag = "2")]
    pub open_tcp: bool,
    /// With Unix sockets that lead outside (restore).
    #[prost(bool, tag = "3")]
    pub external_unix_sockets: bool,
    /// With terminals (restore).
    #[prost(bool, tag = "4")]
    pub terminal: bool,
    /// With file locks (restore).
    #[prost(bool, tag = "5")]
    pub file_locks: bool,
    /// Namespaces that are restored empty.
    #[prost(string, repeated, tag = "6")]
    pub empty_namespaces: Vec<String>,
    /// How cgroups are restored.
    #[prost(string, tag = "7")]
    pub cgroups_mode: String,
    /// Keep the caller's session keyring.
    #[prost(bool, tag = "8")]
    pub no_new_keyring: bool,
    /// The cgroup that the shim itself is put into.
    #[prost(string, tag = "9")]
    pub shim_cgroup: String,
    /// The owner of the pipes of the container's streams.
    #[prost(uint32, tag = "10")]
    pub io_uid: u32,
    /// The group of those pipes.
    #[prost(uint32, tag = "11")]
    pub io_gid: u32,
    /// Where CRIU works and logs.
    #[prost(string, tag = "12")]
    pub criu_work_path: String,
    /// Where CRIU's images go.
    #[prost(string, tag = "13")]
    pub criu_image_path: String,
}

/// `runtimeoptions.v1.Options`: what CRI sends to a runtime type that it has no message for.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RuntimeOptions {
    /// The type of the configuration.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// A file with the configuration.
    #[prost(string, tag = "2")]
    pub config_path: String,
    /// The configuration itself: TOML of the daemon's own `config.toml`.
    #[prost(bytes = "vec", tag = "3")]
    pub config_body: Vec<u8>,
}

/// `containerd.runc.v1.CheckpointOptions`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CheckpointOptions {
    /// End the container afterwards.
    #[prost(bool, tag = "1")]
    pub exit: bool,
    /// With open TCP connections.
    #[prost(bool, tag = "2")]
    pub open_tcp: bool,
    /// With Unix sockets that lead outside.
    #[prost(bool, tag = "3")]
    pub external_unix_sockets: bool,
    /// With terminals.
    #[prost(bool, tag = "4")]
    pub terminal: bool,
    /// With file locks.
    #[prost(bool, tag = "5")]
    pub file_locks: bool,
    /// Namespaces that are restored empty.
    #[prost(string, repeated, tag = "6")]
    pub empty_namespaces: Vec<String>,
    /// How cgroups are restored: `soft`, `full`, `strict`.
    #[prost(string, tag = "7")]
    pub cgroups_mode: String,
    /// Where the images go.
    #[prost(string, tag = "8")]
    pub image_path: String,
    /// Where CRIU works.
    #[prost(string, tag = "9")]
    pub work_path: String,
}

/// `containerd.runc.v1.ProcessDetails`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ProcessDetails {
    /// The exec that the process belongs to.
    #[prost(string, tag = "1")]
    pub exec_id: String,
}
