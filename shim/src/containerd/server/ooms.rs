//! The kernel's kills for want of memory.

use super::Server;
use crate::container::Container;

impl Server {
    /// Begins to watch a container.
    pub(crate) fn watch_oom(&mut self, _id: &str) {}

    pub(super) fn hear_oom(&mut self, _number: u32) {}

    /// Looks once more, as the process' end may be heard of first.
    pub(super) fn look_for_oom(&mut self, _id: &str) {}

    /// Watches a container no more.
    pub(crate) fn forget_oom(&mut self, _container: &mut Container) {}
}
