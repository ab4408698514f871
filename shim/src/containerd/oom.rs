//! Processes killed for want of memory.

/// Tells when the kernel kills a process of a container.
#[derive(Debug)]
pub(crate) struct OomWatch;
