//! What programs rely on of the public types, and that the library's face is the one that was looked at.

use runtime_core::*;
use std::fmt::Debug;

/// All may go to other threads, be shared with them, and be printed while one looks for a mistake.
#[test]
fn all_types_are_send_sync_and_debug() {
    fn fits<T: Send + Sync + Debug>() {}
    fits::<CgroupManager>();
    fits::<Console>();
    fits::<Container>();
    fits::<ContainerBuilder>();
    fits::<Created>();
    fits::<Error>();
    fits::<ErrorKind>();
    fits::<Event>();
    fits::<Events>();
    fits::<ExitStatus>();
    fits::<Job>();
    fits::<NotifySocket>();
    fits::<OomEvents>();
    fits::<Output>();
    fits::<Plan>();
    fits::<Process>();
    fits::<ProcessBuilder>();
    fits::<Running>();
    fits::<Signal>();
    fits::<State>();
    fits::<Stats>();
    fits::<Status>();
    fits::<Stdio>();
    fits::<seccomp::Filter>();
    #[cfg(feature = "checkpoint")]
    {
        fits::<CheckpointOptions>();
        fits::<Criu>();
        fits::<CriuOptions>();
        fits::<RestoreOptions>();
    }
    #[cfg(feature = "notify")]
    {
        fits::<agent::Agent>();
        fits::<agent::Notification>();
        fits::<agent::Notifications>();
        fits::<agent::ProcessState>();
    }
}
