//! `process.user`: user, group, additional groups and umask, config.md "User".

use crate::plan::{Place, Program};
use corten_init::{step::Step, wire::Bytes};
use oci_spec::runtime::Process;

/// The umask of a process whose configuration has none, as other runtimes have it.
const DEFAULT_UMASK: u32 = 0o022;

/// Plans the change of identity. `set_groups` is false where the user namespace denies setgroups(2), or the caller's
/// groups are to be kept.
pub(crate) fn plan(process: &Process, program: &mut Program, set_groups: bool) {
    let user = process.user();
    let additional = user.additional_gids().as_deref().unwrap_or_default();
    let groups: Vec<u8> = additional.iter().flat_map(|gid| gid.to_ne_bytes()).collect();
    let step = Step::Identity {
        uid: user.uid(),
        gid: user.gid(),
        groups: Bytes(&groups),
        set_groups: set_groups || !groups.is_empty(),
    };
    program.step(Place::Property("process.user"), &step);
}

/// Plans the umask.
pub(crate) fn plan_umask(process: &Process, program: &mut Program) {
    let mask = process.user().umask().unwrap_or(DEFAULT_UMASK);
    program.step(Place::Property("process.user.umask"), &Step::Umask { mask });
}
