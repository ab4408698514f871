//! The cases of the task service, a file per topic.

mod answers;
mod bad_input;
mod bootstrap;
mod details;
mod events;
mod exec;
mod faults;
mod groups;
mod hold_ups;
mod killed;
mod rootfs;
mod streams;

use crate::harness::Suite;

/// All of them.
pub(crate) fn all() -> Suite {
    let mut suite = Suite::default();
    let topics = [
        answers::add,
        bootstrap::add,
        details::add,
        exec::add,
        events::add,
        streams::add,
        rootfs::add,
        groups::add,
        bad_input::add,
        faults::add,
        killed::add,
        hold_ups::add,
    ];
    topics.iter().for_each(|add| add(&mut suite));
    suite
}
