//! Statistics of a container, as containerd hands them to CRI and to `ctr task metrics`. Both versions are from
//! containerd/cgroups.

pub mod v1;
pub mod v2;
