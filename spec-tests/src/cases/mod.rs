//! The cases, a file per topic.

mod annotations;
mod capabilities;
mod cgroup_life;
mod cgroups;
mod config;
mod devices;
mod engines;
mod errors;
mod exec;
mod features;
mod hooks;
mod lifecycle;
mod mount_options;
mod mounts;
mod namespaces;
mod notify;
mod paths;
mod process;
mod readiness;
mod rlimits;
mod root;
mod scheduling;
mod seccomp;
mod state;
mod terminal;
mod user;
mod user_namespaces;

use crate::harness::Suite;

/// All of them.
pub(crate) fn all() -> Suite {
    let mut suite = Suite::default();
    for add in [
        process::add,
        scheduling::add,
        user::add,
        capabilities::add,
        rlimits::add,
        root::add,
        mounts::add,
        mount_options::add,
        devices::add,
        cgroups::add,
        cgroup_life::add,
        seccomp::add,
        notify::add,
        exec::add,
        paths::add,
        namespaces::add,
        user_namespaces::add,
        terminal::add,
        lifecycle::add,
        state::add,
        hooks::add,
        config::add,
        errors::add,
        features::add,
        annotations::add,
        readiness::add,
        engines::add,
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
    fn names_are_plain_and_unique() {
        let suite = all();
        let mut seen = BTreeSet::new();
        for case in &suite.cases {
            assert!(seen.insert(&case.name), "{} is there twice", case.name);
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            assert!(case.name.chars().all(plain), "{} has odd letters", case.name);
            assert!(case.name.starts_with(case.group) && case.name.split('/').count() == 2, "{}", case.name);
        }
        assert!(seen.len() >= 300, "{} cases", seen.len());
    }
}
