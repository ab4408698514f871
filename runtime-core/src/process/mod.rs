//! What the container's process is: `process` of config.md, one file a property. The same code plans the first process of
//! a container and the ones that `exec` adds.

pub(crate) mod capabilities;
pub(crate) mod home;
pub(crate) mod labels;
pub(crate) mod oom;
pub(crate) mod program;
pub(crate) mod rlimits;
pub(crate) mod scheduling;
pub(crate) mod user;
