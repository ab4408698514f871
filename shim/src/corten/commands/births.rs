//! What `create`, `run` and `plan` share: the flags that say how a container is made.

use super::{Host, descriptors::Descriptors, notify};
use crate::{
    cli::{Args, Given},
    failure::Failure,
};
use runtime_core::{Console, ContainerBuilder};

/// The container that the flags describe.
pub(super) fn builder(args: &Args, host: &Host, id: &str) -> Result<ContainerBuilder, Failure> {
    let flags = &args.flags;
    let bundle = flags.path("bundle").unwrap_or_else(|| ".".into());
    let descriptors = Descriptors::of(flags)?;
    let mut builder = ContainerBuilder::new(id)
        .lend_thread(true)
        .root(host.root.clone())
        .bundle(bundle)
        .cgroup_manager(host.cgroup_manager)
        .no_pivot(flags.is_on("no-pivot"))
        .no_new_keyring(flags.is_on("no-new-keyring"))
        .preserve_fds(descriptors.count)
        .environment(descriptors.environment)
        .notify(notify::manager().is_some());
    if let Some(config) = flags.path("config") {
        builder = builder.config(config);
    }
    if let Some(path) = flags.path("pid-file") {
        builder = builder.pid_file(path);
    }
    if let Some(path) = flags.path("pidfd-socket") {
        builder = builder.pidfd_socket(path);
    }
    Ok(builder)
}

/// The console that `--console-socket` asks for, or else `otherwise`.
pub(super) fn console(flags: &Given, otherwise: Console) -> Console {
    flags.path("console-socket").map_or(otherwise, Console::Socket)
}
