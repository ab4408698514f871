//! What `create`, `run` and `plan` share: the flags that say how a container is made.

use super::Host;
use crate::{
    cli::{Args, Given},
    failure::Failure,
    sys,
};
use runtime_core::{Console, ContainerBuilder};

/// The container that the flags describe.
pub(super) fn builder(args: &Args, host: &Host, id: &str) -> Result<ContainerBuilder, Failure> {
    let flags = &args.flags;
    let bundle = flags.path("bundle").unwrap_or_else(|| ".".into());
    let mut builder = ContainerBuilder::new(id)
        .root(host.root.clone())
        .bundle(bundle)
        .cgroup_manager(host.cgroup_manager)
        .no_pivot(flags.is_on("no-pivot"))
        .no_new_keyring(flags.is_on("no-new-keyring"))
        .preserve_fds(preserve_fds(flags)?);
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

/// How many descriptors from 3 up the process gets. All must be open: what opens later, as our log, is none of them.
pub(super) fn preserve_fds(flags: &Given) -> Result<u32, Failure> {
    const MOST: u32 = 1 << 20;
    let Some(count) = flags.number::<u32>("preserve-fds")? else { return Ok(0) };
    let first_closed =
        (0..count.min(MOST)).find(|index| !i32::try_from(index + 3).is_ok_and(sys::is_inherited));
    match first_closed {
        _ if count > MOST => {
            Err(Failure::usage(format!("--preserve-fds {count}: there are not so many descriptors")))
        }
        Some(index) => {
            Err(Failure::usage(format!("--preserve-fds {count}: descriptor {} is not open", index + 3)))
        }
        None => Ok(count),
    }
}
