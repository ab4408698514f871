//! Processes killed for want of memory.

use runtime_core::OomEvents;

/// Tells when the kernel kills a process of a container.
#[derive(Debug)]
pub(crate) struct OomWatch {
    /// The runtime's events.
    pub(crate) events: OomEvents,
    /// What the loop knows it by.
    pub(crate) number: u32,
}
