//! The cases of the task service, a file per topic.

mod answers;

use crate::harness::Suite;

/// All of them.
pub(crate) fn all() -> Suite {
    let mut suite = Suite::default();
    answers::add(&mut suite);
    suite
}
