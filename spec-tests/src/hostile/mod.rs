//! Attacks by images and containers: every published one on the peers, and more of our own. A case passes if the runtime
//! either refuses or does what was meant, and nothing outside the container was touched; docs/hostile.md tells of each.

mod cgroups;
mod descriptors;
mod devices;
mod exec;
mod fuse;
mod fuse_server;
mod ground;
mod home;
mod kernel;
mod mounts;
mod names;
mod places;
mod proc;
mod readiness;
mod records;

pub(crate) use fuse_server::{Fuse, Manner};

use crate::harness::Suite;

/// All of them.
pub(crate) fn all() -> Suite {
    let mut suite = Suite::default();
    // A runtime that refuses all would pass all else.
    let mut g = suite.group("ground", "of our own:");
    g.attack("plain-containers-run", "nothing hostile at all", None, |t| {
        t.report(&t.bundle()?)?;
        t.running()?.exec_report(&[], &[]).map(drop)
    });
    for add in [
        proc::add,
        mounts::add,
        devices::add,
        descriptors::add,
        exec::add,
        home::add,
        names::add,
        places::add,
        records::add,
        cgroups::add,
        readiness::add,
        fuse::add,
        kernel::add,
    ] {
        add(&mut suite);
    }
    suite
}

#[cfg(test)]
mod tests {
    use super::all;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_plain_and_unique_and_in_the_document() {
        let document = include_str!("../../../docs/hostile.md");
        let suite = all();
        let mut seen = BTreeSet::new();
        for case in &suite.cases {
            assert!(seen.insert(&case.name), "{} is there twice", case.name);
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            assert!(case.name.chars().all(plain), "{} has odd letters", case.name);
            // Those of one family are told of together.
            let told = document.contains(&format!("`{}`", case.name)) || case.group == "places";
            assert!(told, "docs/hostile.md does not tell of {}", case.name);
        }
    }
}
