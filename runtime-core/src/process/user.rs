//! `process.user`: user, group, additional groups and umask, config.md "User".

use crate::{
    plan::{Place, Program},
    spec::Process,
};
use corten_init::{step::Step, wire::Bytes};

/// The umask of a process whose configuration has none, as other runtimes have it.
const DEFAULT_UMASK: u32 = 0o022;

/// What becomes of the additional groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Groups {
    /// Those of `process.user` and no others.
    Set,
    /// The same if there are any: the user namespace denies setgroups(2).
    SetIfAny,
    /// Those of the runtime's caller.
    Keep,
}

/// Plans the change of identity.
pub(crate) fn plan(process: &Process, program: &mut Program, groups: Groups) {
    let user = &process.user;
    let additional = user.additional_gids.as_slice();
    let list: Vec<u8> = additional.iter().flat_map(|gid| gid.to_ne_bytes()).collect();
    let set_groups = match groups {
        Groups::Set => true,
        Groups::SetIfAny => !list.is_empty(),
        Groups::Keep => false,
    };
    let step = Step::Identity { uid: user.uid, gid: user.gid, groups: Bytes(&list), set_groups };
    program.step(Place::Property("process.user"), &step);
}

/// Plans the umask.
pub(crate) fn plan_umask(process: &Process, program: &mut Program) {
    let mask = process.user.umask.unwrap_or(DEFAULT_UMASK);
    program.step(Place::Property("process.user.umask"), &Step::Umask { mask });
}
