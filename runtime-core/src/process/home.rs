//! HOME: a process whose environment lacks it gets what its user has in the container's own passwd(5), as engines expect.

use crate::fs::passwd;
use nix::{
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::{SFlag, fstat},
};
use oci_spec::runtime::Process;
use std::{fs::File, os::fd::AsFd};

/// The variable, unless the process has one. `root` is the container's root directory.
pub(crate) fn variable(process: &Process, root: impl AsFd) -> Option<String> {
    let set = process.env().iter().flatten().any(|variable| variable.starts_with("HOME="));
    (!set).then(|| format!("HOME={}", look_up(process.user().uid(), root).unwrap_or_else(|| "/".to_owned())))
}

fn look_up(uid: u32, root: impl AsFd) -> Option<String> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let file = openat2(root, "etc/passwd", how).ok()?;
    let regular = SFlag::from_bits_truncate(fstat(&file).ok()?.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG;
    let home = regular.then(|| passwd::find(File::from(file), uid)).flatten()?.home;
    (home.starts_with('/') && !home.contains('\0')).then_some(home)
}
