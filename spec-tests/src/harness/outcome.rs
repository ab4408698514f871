//! What came of all cases.

use super::Level;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The runtime does what the clause says.
    Passed,
    /// It does not.
    Failed,
    /// The case was not tried, or is a known departure.
    Skipped,
}

/// One case's end.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    /// The topic.
    pub(crate) group: &'static str,
    /// The case's name.
    pub(crate) name: String,
    /// MUST, SHOULD, MAY or CLI.
    pub(crate) level: String,
    /// Where the clause stands.
    pub(crate) clause: String,
    /// How it ended.
    pub(crate) kind: Kind,
    /// Why, unless it passed.
    pub(crate) words: String,
    /// How long it took.
    pub(crate) milliseconds: u128,
    /// For the order of levels.
    #[serde(skip)]
    pub(crate) rank: Level,
}

/// How many ended how.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Count {
    /// Of these outcomes.
    pub(crate) fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let mut count = Self::default();
        for outcome in outcomes {
            match outcome.kind {
                Kind::Passed => count.passed += 1,
                Kind::Failed => count.failed += 1,
                Kind::Skipped => count.skipped += 1,
            }
        }
        count
    }

    /// The plain closing line.
    pub(crate) fn line(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The outcomes by what `key` gives of each.
pub(crate) fn by<'a, K: Ord>(
    outcomes: &'a [Outcome],
    key: impl Fn(&'a Outcome) -> K,
) -> BTreeMap<K, Vec<&'a Outcome>> {
    let mut all: BTreeMap<K, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        all.entry(key(outcome)).or_default().push(outcome);
    }
    all
}
