//! Lists of id mappings (user_namespaces(7), "Defining user and group ID mappings").

use crate::spec::LinuxIdMapping;

use super::super::place::{Faults, Place};

/// The most ranges of one map, since Linux 4.15.
const MAX_RANGES: usize = 340;

pub(super) fn check(faults: &mut Faults, at: &Place<'_>, mappings: &[LinuxIdMapping]) {
    if mappings.len() > MAX_RANGES {
        return faults
            .add(at, format_args!("must have at most {MAX_RANGES} ranges and not {}", mappings.len()));
    }
    for (index, mapping) in mappings.iter().enumerate() {
        let at = at.index(index);
        faults.expect(mapping.size > 0, &at.name("size"), "must not be 0");
        let ends = [("containerID", mapping.container_id), ("hostID", mapping.host_id)];
        for (name, first) in ends {
            if first.checked_add(mapping.size).is_none() {
                faults.add(
                    &at.name(name),
                    format_args!("{first} and a size of {} go past the last id", mapping.size),
                );
            }
        }
        for (other, earlier) in mappings[..index].iter().enumerate() {
            let pairs = [
                ("containerID", mapping.container_id, earlier.container_id),
                ("hostID", mapping.host_id, earlier.host_id),
            ];
            for (name, first, earlier_first) in pairs {
                if overlap((first, mapping.size), (earlier_first, earlier.size)) {
                    faults.add(&at.name(name), format_args!("must not overlap with that of element {other}"));
                }
            }
        }
    }
}

fn overlap(a: (u32, u32), b: (u32, u32)) -> bool {
    let end = |(first, size): (u32, u32)| u64::from(first) + u64::from(size);
    u64::from(a.0) < end(b) && u64::from(b.0) < end(a)
}
