//! Files of the host: atomic writes, the verified procfs handle, sockets with long paths.

pub(crate) mod atomic;
pub(crate) mod procfs;
pub(crate) mod socket;
