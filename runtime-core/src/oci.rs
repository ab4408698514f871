//! The types of the crate oci-spec as those of [`spec`](crate::spec), and back, for programs that have them. Both are the same
//! document, so it is written and read; only where that crate has a spelling or a number of its own, it is put right on the way.

use crate::{Error, ErrorKind, Result, spec};
use oci_spec::runtime;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Flags of a scheduler: the specification's spelling and that crate's.
const FLAGS: [(&str, &str); 2] = [
    ("SCHED_FLAG_RESET_ON_FORK", "SCHED_RESET_ON_FORK"),
    ("SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_D_L_OVERRUN"),
];

/// The same of properties of `intelRdt`.
const MONITORING: [(&str, &str); 2] = [("enableCMT", "enableCmt"), ("enableMBM", "enableMbm")];

/// Whose types are made.
#[derive(Clone, Copy, PartialEq)]
enum To {
    Ours,
    Theirs,
}

fn convert<T: DeserializeOwned>(from: &impl Serialize, to: To) -> Result<T> {
    let failed = |error| Error::new(ErrorKind::InvalidConfig, "convert the configuration").with_source(error);
    let mut document = serde_json::to_value(from).map_err(failed)?;
    respell(&mut document, to);
    serde_json::from_value(document).map_err(failed)
}

fn respell(tree: &mut Value, to: To) {
    match tree {
        Value::Array(elements) => elements.iter_mut().for_each(|element| respell(element, to)),
        Value::Object(members) => {
            if to == To::Theirs && members.get("pids").is_some_and(|pids| pids.get("limit").is_none()) {
                // To that crate it would be a limit of 0.
                members.remove("pids");
            }
            for (name, member) in members {
                match (name.as_str(), &mut *member) {
                    ("flags", Value::Array(flags)) => {
                        flags.iter_mut().for_each(|flag| respell_flag(flag, to));
                    }
                    ("capabilities", Value::Object(sets)) if to == To::Ours => {
                        // That crate has them in no order.
                        let sets = sets.values_mut().filter_map(Value::as_array_mut);
                        sets.for_each(|set| set.sort_by(|a, b| a.as_str().cmp(&b.as_str())));
                    }
                    ("intelRdt", Value::Object(rdt)) => respell_monitoring(rdt, to),
                    ("hugepageLimits", Value::Array(limits)) => {
                        limits.iter_mut().for_each(|limit| respell_limit(limit, to));
                    }
                    _ => {}
                }
                respell(member, to);
            }
        }
        _ => {}
    }
}

fn respell_flag(flag: &mut Value, to: To) {
    let pair = FLAGS.iter().find(|(ours, theirs)| *flag == *ours || *flag == *theirs);
    if let Some((ours, theirs)) = pair {
        *flag = Value::from(if to == To::Ours { *ours } else { *theirs });
    }
}

fn respell_monitoring(rdt: &mut Map<String, Value>, to: To) {
    for (ours, theirs) in MONITORING {
        let (from, into) = if to == To::Ours { (theirs, ours) } else { (ours, theirs) };
        if let Some(value) = rdt.remove(from) {
            rdt.insert(into.to_owned(), value);
        }
    }
}

/// uint64 in the specification, i64 in that crate; the largest of each means that there is no limit.
fn respell_limit(limit: &mut Value, to: To) {
    let Some(limit) = limit.get_mut("limit") else { return };
    match to {
        To::Ours if limit.as_i64().is_some_and(i64::is_negative) => *limit = Value::from(u64::MAX),
        To::Theirs if limit.as_i64().is_none() => *limit = Value::from(i64::MAX),
        _ => {}
    }
}

macro_rules! conversions {
    ($($name:ident)*) => {$(
        impl TryFrom<runtime::$name> for spec::$name {
            type Error = Error;

            /// The same document. Sections of other platforms are left out.
            ///
            /// # Errors
            /// [`ErrorKind::InvalidConfig`] if it cannot be written in JSON.
            fn try_from(from: runtime::$name) -> Result<Self> {
                convert(&from, To::Ours)
            }
        }

        impl TryFrom<spec::$name> for runtime::$name {
            type Error = Error;

            /// The same document.
            ///
            /// # Errors
            /// [`ErrorKind::InvalidConfig`] if it cannot be written in JSON, or has what that crate does not know.
            fn try_from(from: spec::$name) -> Result<Self> {
                convert(&from, To::Theirs)
            }
        }
    )*};
}

conversions! { Spec Process Mount Hooks Linux LinuxResources LinuxSeccomp Features }

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const BUNDLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../spec-tests/bundles");

    #[test]
    fn what_engines_write_comes_back_as_it_was() {
        let mut count = 0;
        for entry in fs::read_dir(BUNDLES).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let mut ours: spec::Spec = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                sort_capabilities(&mut ours);
                let theirs = runtime::Spec::try_from(ours.clone()).unwrap();
                assert_eq!(spec::Spec::try_from(theirs).unwrap(), ours, "{}", path.display());
                count += 1;
            }
        }
        assert!(count >= 5);
    }

    fn sort_capabilities(spec: &mut spec::Spec) {
        let sets = spec.process.as_mut().and_then(|process| process.capabilities.as_mut());
        if let Some(sets) = sets {
            let all = [
                &mut sets.bounding,
                &mut sets.effective,
                &mut sets.permitted,
                &mut sets.inheritable,
                &mut sets.ambient,
            ];
            all.into_iter().for_each(|set| set.sort_by_key(|capability| capability.as_str()));
        }
    }

    #[test]
    fn its_own_default_is_taken() {
        let theirs = runtime::Spec::default();
        let ours = spec::Spec::try_from(theirs.clone()).unwrap();
        assert_eq!(ours.hostname.as_deref(), Some("youki"));
        assert_eq!(ours.process.unwrap().args, ["sh"]);
        assert_eq!(ours.mounts.len(), theirs.mounts().as_ref().unwrap().len());
    }

    #[test]
    fn what_it_spells_in_its_own_way_is_put_right() {
        let text = r#"{"ociVersion": "1.3.0", "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["SCHED_RESET_ON_FORK"],
            "scheduler": {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN"]}},
            "linux": {"intelRdt": {"enableCMT": true}, "resources": {"pids": {},
            "hugepageLimits": [{"pageSize": "2MB", "limit": 18446744073709551615}]}}}"#;
        let ours: spec::Spec = serde_json::from_str(text).unwrap();
        let theirs = runtime::Spec::try_from(ours.clone()).unwrap();
        let resources = theirs.linux().as_ref().unwrap().resources().clone().unwrap();
        assert!(resources.pids().is_none());
        assert_eq!(resources.hugepage_limits().as_ref().unwrap()[0].limit(), i64::MAX);
        let again = spec::Spec::try_from(theirs).unwrap();
        assert_eq!(again.process, ours.process);
        assert!(again.linux.unwrap().intel_rdt.unwrap().enable_cmt);
        let negative = r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": -1}]}"#;
        let theirs: runtime::LinuxResources = serde_json::from_str(negative).unwrap();
        assert_eq!(spec::LinuxResources::try_from(theirs).unwrap().hugepage_limits[0].limit, u64::MAX);
    }

    #[test]
    fn what_cannot_be_converted_is_an_error() {
        use std::os::unix::ffi::OsStrExt;
        let bytes = std::ffi::OsStr::from_bytes(b"/\xff");
        let error = runtime::Mount::try_from(spec::Mount::new(bytes)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.report().contains("UTF-8"), "{}", error.report());
    }
}
