//! The forms in which the outcomes are told.

use super::outcome::{Count, Kind, Outcome, by};
use serde_json::json;
use std::fmt::Write;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// The Test Anything Protocol, version 13.
    Tap,
    /// One JSON document.
    Json,
    /// JUnit's XML.
    Junit,
}

impl Format {
    /// By its name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Self::Text,
            "tap" => Self::Tap,
            "json" => Self::Json,
            "junit" => Self::Junit,
            _ => return None,
        })
    }

    /// All outcomes in this form; `runtime` is the name of what was tried.
    pub(crate) fn write(self, runtime: &str, outcomes: &[Outcome]) -> String {
        match self {
            Self::Text => text(outcomes),
            Self::Tap => tap(outcomes),
            Self::Json => {
                format!("{}\n", json!({"runtime": runtime, "totals": Count::of(outcomes), "cases": outcomes}))
            }
            Self::Junit => junit(runtime, outcomes),
        }
    }
}

/// The clauses with how their cases ended, then the groups.
fn text(outcomes: &[Outcome]) -> String {
    let mut out = String::from("\nClauses\n");
    for ((clause, level), cases) in by(outcomes, |o| (&o.clause, o.rank)) {
        let _ =
            writeln!(out, "  {:<6} {clause}: {}", level.to_string(), Count::of(cases.iter().copied()).line());
        for outcome in cases.iter().filter(|o| o.kind != Kind::Passed) {
            let word = if outcome.kind == Kind::Failed { "failed" } else { "skipped" };
            let _ = writeln!(out, "           {word} {}: {}", outcome.name, outcome.words);
        }
    }
    out.push_str("\nGroups\n");
    for (group, cases) in by(outcomes, |o| o.group) {
        let _ = writeln!(out, "  {group:<16} {}", Count::of(cases).line());
    }
    out.push('\n');
    out
}

fn tap(outcomes: &[Outcome]) -> String {
    let mut out = format!("TAP version 13\n1..{}\n", outcomes.len());
    for (outcome, number) in outcomes.iter().zip(1..) {
        let Outcome { name, words, level, clause, .. } = outcome;
        let words = words.replace('\n', " ");
        let _ = match outcome.kind {
            Kind::Passed => writeln!(out, "ok {number} - {name} ({level} {clause})"),
            Kind::Skipped => writeln!(out, "ok {number} - {name} ({level} {clause}) # SKIP {words}"),
            Kind::Failed => writeln!(out, "not ok {number} - {name} ({level} {clause})\n# {words}"),
        };
    }
    out
}

fn junit(runtime: &str, outcomes: &[Outcome]) -> String {
    let total = Count::of(outcomes);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
        xml(runtime),
        outcomes.len(),
        total.failed,
        total.skipped
    );
    for outcome in outcomes {
        let seconds = format!("{}.{:03}", outcome.milliseconds / 1000, outcome.milliseconds % 1000);
        let (group, name) = outcome.name.split_once('/').unwrap_or(("", &outcome.name));
        let _ = write!(
            out,
            "  <testcase classname=\"{}\" name=\"{}\" time=\"{seconds}\">",
            xml(group),
            xml(name)
        );
        let words = xml(&format!("{} {}: {}", outcome.level, outcome.clause, outcome.words));
        let _ = match outcome.kind {
            Kind::Passed => Ok(()),
            Kind::Failed => write!(out, "<failure message=\"{words}\"/>"),
            Kind::Skipped => write!(out, "<skipped message=\"{words}\"/>"),
        };
        out.push_str("</testcase>\n");
    }
    out.push_str("</testsuite>\n");
    out
}

fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            letter if letter.is_control() => out.push('?'),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Level;

    fn outcome(kind: Kind, words: &str) -> Outcome {
        Outcome {
            group: "a",
            name: "a/b".into(),
            level: "MUST".into(),
            clause: "config.md root".into(),
            kind,
            words: words.into(),
            milliseconds: 1234,
            rank: Level::Must,
        }
    }

    #[test]
    fn tap_counts_from_one_and_keeps_a_skip_on_its_line() {
        let out = tap(&[outcome(Kind::Passed, ""), outcome(Kind::Skipped, "no\nway")]);
        assert!(out.starts_with("TAP version 13\n1..2\nok 1 - a/b"), "{out}");
        assert!(out.contains("ok 2 - a/b (MUST config.md root) # SKIP no way\n"), "{out}");
    }

    #[test]
    fn junit_escapes_what_xml_forbids() {
        let out = junit("r", &[outcome(Kind::Failed, "<a> & \"b\"\u{1}")]);
        assert!(out.contains("&lt;a&gt; &amp; &quot;b&quot;?"), "{out}");
        assert!(out.contains("time=\"1.234\""), "{out}");
    }

    #[test]
    fn the_text_ends_with_the_groups() {
        let out = text(&[outcome(Kind::Passed, ""), outcome(Kind::Failed, "x")]);
        assert!(out.contains("  MUST   config.md root: 1 passed, 1 failed, 0 skipped\n"), "{out}");
    }
}
