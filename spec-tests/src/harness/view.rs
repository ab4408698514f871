//! Short ways to the parts of a payload's report.

use super::{Verdict, fail};
use serde_json::Value;

/// The texts of a list.
pub(crate) fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What cases ask a report for.
pub(crate) trait View {
    /// The mount that is on top at `path`, as its line in mountinfo.
    fn mount(&self, path: &str) -> Verdict<&Value>;
    /// The answer to a probe, which must not be an error.
    fn probe(&self, probe: &str) -> Verdict<&Value>;
    /// The error that a probe ended in, if it did.
    fn error(&self, probe: &str) -> Option<&str>;
    /// The link of this namespace.
    fn namespace(&self, file: &str) -> &str;
}

impl View for Value {
    fn mount(&self, path: &str) -> Verdict<&Value> {
        let mounts = self["mounts"].as_array().into_iter().flatten();
        mounts
            .rev()
            .find(|m| m["at"] == path)
            .map_or_else(|| fail(format!("nothing is mounted at {path}")), Ok)
    }

    fn probe(&self, probe: &str) -> Verdict<&Value> {
        let answer = &self["probes"][probe];
        match answer["error"].as_str() {
            Some(error) => fail(format!("{probe}: {error}")),
            None if answer.is_null() => fail(format!("{probe}: no answer")),
            None => Ok(answer),
        }
    }

    fn error(&self, probe: &str) -> Option<&str> {
        self["probes"][probe]["error"].as_str()
    }

    fn namespace(&self, file: &str) -> &str {
        self["namespaces"][file].as_str().unwrap_or_default()
    }
}
