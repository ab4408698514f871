//! Files of the host: atomic writes, mounts, passwd files, real paths, the verified procfs handle, sockets with long paths.

pub(crate) mod atomic;
#[cfg(feature = "checkpoint")]
pub(crate) mod mountinfo;
pub(crate) mod passwd;
pub(crate) mod path;
pub(crate) mod procfs;
pub(crate) mod socket;
