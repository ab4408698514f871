//! Known departures of a runtime: cases that fail and why. They are skipped as long as they fail; one that passes fails
//! the run, so that the lists stay true.

use super::{Cgroups, Kind, Outcome};
use std::{collections::BTreeMap, fs, io, mem, path::Path};

/// A list of known departures, read from a file:
///
/// ```text
/// # a comment
/// group/case: the reason
/// group/case?: one that fails at times only
/// [v2]
/// group/case: one that fails on that version of cgroups alone
/// ```
#[derive(Default)]
pub(crate) struct Known(BTreeMap<String, Vec<Departure>>);

struct Departure {
    reason: String,
    only: Option<Cgroups>,
    at_times: bool,
}

impl Known {
    /// Reads `path`.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        Self::parse(&fs::read_to_string(path)?).map_err(|line| {
            io::Error::other(format!(
                "{}: neither `case: reason` nor [v1], [v2], [all]: {line}",
                path.display()
            ))
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut known = Self::default();
        let mut only = None;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match (line, line.split_once(": ")) {
                ("[all]", _) => only = None,
                ("[v1]", _) => only = Some(Cgroups::V1),
                ("[v2]", _) => only = Some(Cgroups::V2),
                (_, Some((case, reason))) => {
                    let (case, at_times) = case.strip_suffix('?').map_or((case, false), |case| (case, true));
                    let departure = Departure { reason: reason.trim().to_owned(), only, at_times };
                    known.0.entry(case.to_owned()).or_default().push(departure);
                }
                _ => return Err(line.to_owned()),
            }
        }
        Ok(known)
    }

    /// Makes a failure that is known a skip, and a known departure that passes a failure. `kind` is how cgroups were
    /// mounted; a hybrid machine counts as version 1.
    pub(super) fn judge(&self, outcome: &mut Outcome, kind: Cgroups) {
        let words = mem::take(&mut outcome.words);
        (outcome.kind, outcome.words) = self.judged(&outcome.name, kind == Cgroups::V2, outcome.kind, words);
    }

    /// The same of the case `name` that ended as `kind`, for the reason `words`.
    pub(crate) fn judged(&self, name: &str, v2: bool, kind: Kind, words: String) -> (Kind, String) {
        let version = if v2 { Cgroups::V2 } else { Cgroups::V1 };
        let mut listed = self.0.get(name).into_iter().flatten();
        let Some(departure) = listed.find(|d| d.only.is_none_or(|only| only == version)) else {
            return (kind, words);
        };
        let Departure { reason, at_times, .. } = departure;
        match kind {
            Kind::Failed => (Kind::Skipped, format!("known departure: {reason} ({words})")),
            Kind::Passed if !at_times => {
                (Kind::Failed, format!("listed as a known departure, but it passes: {reason}"))
            }
            _ => (kind, words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Level;

    fn judged(text: &str, kind: Kind, cgroups: Cgroups) -> Kind {
        let mut outcome = Outcome {
            group: "a",
            name: "a/b".into(),
            level: "MUST".into(),
            clause: String::new(),
            kind,
            words: String::new(),
            milliseconds: 0,
            rank: Level::Must,
        };
        Known::parse(text).unwrap().judge(&mut outcome, cgroups);
        outcome.kind
    }

    #[test]
    fn a_known_departure_is_skipped_while_it_fails() {
        assert_eq!(judged("a/b: so", Kind::Failed, Cgroups::V1), Kind::Skipped);
        assert_eq!(judged("a/b: so", Kind::Passed, Cgroups::V1), Kind::Failed);
        assert_eq!(judged("a/b?: so", Kind::Passed, Cgroups::V1), Kind::Passed);
        assert_eq!(judged("a/c: so", Kind::Failed, Cgroups::V1), Kind::Failed);
    }

    #[test]
    fn a_section_holds_for_its_version() {
        assert_eq!(judged("[v2]\na/b: so", Kind::Failed, Cgroups::Hybrid), Kind::Failed);
        assert_eq!(judged("[v2]\na/b: so", Kind::Failed, Cgroups::V2), Kind::Skipped);
        assert_eq!(judged("[v2]\nx/y: so\n[all]\na/b: so", Kind::Failed, Cgroups::V1), Kind::Skipped);
    }

    #[test]
    fn what_is_no_entry_is_an_error() {
        assert!(Known::parse("a/b").is_err());
    }
}
