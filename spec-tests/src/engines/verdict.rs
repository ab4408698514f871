//! What is made of a case's outcome with the runtime and with the reference.

use super::{Engine, Told};
use crate::harness::Kind;
use std::{collections::BTreeMap, fmt::Write, path::Path};

fn passes(told: &Told) -> bool {
    told.kind == Kind::Passed
}

/// What the reference does not pass here is no fault of the runtime's. `theirs` is none where there is no reference.
pub(super) fn judge(ours: Option<&Told>, theirs: Option<Option<&Told>>) -> (Kind, String) {
    match (ours, theirs) {
        (Some(told), _) if passes(told) => (Kind::Passed, String::new()),
        (Some(told), Some(Some(other))) if passes(other) => (Kind::Failed, told.words.clone()),
        (_, Some(Some(other))) if !passes(other) => {
            (Kind::Skipped, format!("the reference does not pass it here: {}", other.words))
        }
        (Some(told), _) => (told.kind, told.words.clone()),
        (None, _) => (Kind::Failed, "it was not tried: no time was left".to_owned()),
    }
}

/// All cases so far.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

impl Sum {
    /// Prints a case's end and counts it.
    pub(super) fn tell(&mut self, engine: &Engine, case: &str, kind: Kind, words: &str) {
        let (word, count) = match kind {
            Kind::Passed => ("ok  ", &mut self.passed),
            Kind::Failed => ("FAIL", &mut self.failed),
            Kind::Skipped => ("skip", &mut self.skipped),
        };
        *count += 1;
        let words = if words.is_empty() { String::new() } else { format!(": {}", words.replace('\n', "; ")) };
        println!("{word} {}/{case}{words}", engine.name);
    }
}

/// How many cases of each engine both runtimes pass.
#[derive(Default)]
pub(super) struct Comparison(Vec<[String; 4]>);

impl Comparison {
    /// One more engine.
    pub(super) fn add(
        &mut self,
        engine: &Engine,
        cases: &[String],
        ours: &BTreeMap<String, Told>,
        theirs: Option<&BTreeMap<String, Told>>,
    ) {
        let passed =
            |told: &BTreeMap<String, Told>| told.values().filter(|told| passes(told)).count().to_string();
        self.0.push([
            engine.name.to_owned(),
            cases.len().to_string(),
            theirs.map(passed).unwrap_or_default(),
            passed(ours),
        ]);
    }

    /// A table in Markdown.
    pub(super) fn table(&self, reference: &Path, runtime: &Path) -> String {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut table =
            format!("| engine | cases | {} | {} |\n|---|---|---|---|\n", name(reference), name(runtime));
        for row in &self.0 {
            let _ = writeln!(table, "| {} |", row.join(" | "));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: Kind) -> Told {
        Told { name: String::new(), kind, words: format!("{kind:?}"), milliseconds: 0 }
    }

    #[test]
    fn only_what_the_reference_passes_is_asked_of_the_runtime() {
        use Kind::{Failed, Passed, Skipped};
        for (ours, theirs, verdict) in [
            (Some(Passed), None, Passed),
            (Some(Failed), None, Failed),
            (Some(Skipped), None, Skipped),
            (None, None, Failed),
            (Some(Passed), Some(Some(Failed)), Passed),
            (Some(Failed), Some(Some(Passed)), Failed),
            (Some(Skipped), Some(Some(Passed)), Failed),
            (Some(Failed), Some(Some(Failed)), Skipped),
            (Some(Failed), Some(None), Failed),
            (None, Some(Some(Passed)), Failed),
        ] {
            let (ours, theirs) = (ours.map(told), theirs.map(|theirs| theirs.map(told)));
            assert_eq!(
                judge(ours.as_ref(), theirs.as_ref().map(Option::as_ref)).0,
                verdict,
                "{ours:?} {theirs:?}"
            );
        }
    }
}
