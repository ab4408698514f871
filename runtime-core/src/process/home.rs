//! HOME: a process whose environment lacks it gets what its user has in the container's own passwd(5), as engines expect.

use nix::{
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::{SFlag, fstat},
};
use oci_spec::runtime::Process;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    os::fd::AsFd,
};

/// How much of a passwd file is looked at: an image may hold anything.
const MAX_PASSWD: u64 = 1 << 20;

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
    let lines = regular.then(|| BufReader::new(File::from(file).take(MAX_PASSWD)).lines())?;
    find(lines.map_while(Result::ok), uid)
}

/// The sixth field of the line whose third is `uid`.
fn find(lines: impl Iterator<Item = String>, uid: u32) -> Option<String> {
    let mut homes = lines.filter_map(|line| {
        let mut fields = line.split(':');
        let own = fields.nth(2)?.parse() == Ok(uid);
        let home = fields.nth(2).filter(|home| own && home.starts_with('/') && !home.contains('\0'))?;
        Some(home.to_owned())
    });
    homes.next()
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn the_users_line_is_found_among_junk() {
        let lines =
            ["", "x", "a:b:c:d:e:f:g", "root:x:0:0:root:/root:/bin/sh", "u:x:1000:1000::/home/u:/bin/sh"];
        let look = |uid| find(lines.iter().map(ToString::to_string), uid);
        assert_eq!(look(0).as_deref(), Some("/root"));
        assert_eq!(look(1000).as_deref(), Some("/home/u"));
        assert_eq!(look(7), None);
    }
}
