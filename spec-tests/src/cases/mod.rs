//! The cases, a file per topic.

mod capabilities;
mod devices;
mod hooks;
mod lifecycle;
mod mount_options;
mod mounts;
mod namespaces;
mod paths;
mod process;
mod rlimits;
mod root;
mod scheduling;
mod state;
mod terminal;
mod user;
mod user_namespaces;

use crate::harness::Suite;

/// All of them.
pub(crate) fn all() -> Suite {
    let mut suite = Suite::default();
    for add in [
        process::add,
        scheduling::add,
        user::add,
        capabilities::add,
        rlimits::add,
        root::add,
        mounts::add,
        mount_options::add,
        devices::add,
        paths::add,
        namespaces::add,
        user_namespaces::add,
        terminal::add,
        lifecycle::add,
        state::add,
        hooks::add,
    ] {
        add(&mut suite);
    }
    suite
}
