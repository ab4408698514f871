//! The user namespaces of id-mapped mounts.

use crate::{Error, ErrorKind, Result, namespace::id_maps::IdMaps, plan::Program, rootfs::idmap, spec::Spec};
use corten_init::step::Slot;
use std::os::fd::OwnedFd;

/// The user namespaces that the mounts of `spec` need, handed over: one for each distinct mapping, made by `make`. The
/// container's own namespaces are new by `new`, and `joined` is a user namespace that is not.
pub(super) fn ready(
    spec: &Spec,
    (new, joined): (u32, Option<&OwnedFd>),
    program: &mut Program,
    make: impl Fn(&IdMaps) -> Result<OwnedFd>,
) -> Result<Vec<idmap::Ready>> {
    let mut made: Vec<(Option<IdMaps>, Slot)> = Vec::new();
    let mut ready = Vec::new();
    for idmap::Wanted { mount, maps } in idmap::wanted(spec, new)? {
        let slot = match made.iter().find(|(known, _)| *known == maps) {
            Some((_, slot)) => *slot,
            None => {
                let file = match (&maps, joined) {
                    (Some(maps), _) => make(maps),
                    (None, Some(file)) => file.try_clone().map_err(|error| Error::io("dup", error)),
                    (None, None) => Err(Error::new(ErrorKind::InvalidConfig, "needs id mappings")),
                };
                let slot = program
                    .hand_over(file.map_err(|error| error.context(format!("mounts[{mount}]: idmap")))?);
                made.push((maps, slot));
                slot
            }
        };
        ready.push(idmap::Ready { mount, slot });
    }
    Ok(ready)
}
