//! The table of docs/conformance.md, made from JSON reports.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs, io,
};

/// Passed, failed, skipped by group.
type Column = BTreeMap<String, [u64; 3]>;

/// A Markdown table of groups and runtimes from `columns`, each `HEADING=FILE` with a report of `--format json`.
pub(crate) fn table(columns: &[String]) -> io::Result<String> {
    let mut headings = Vec::new();
    let mut all: Vec<Column> = Vec::new();
    for column in columns {
        let Some((heading, file)) = column.split_once('=') else {
            return Err(io::Error::other(format!("not HEADING=FILE: {column}")));
        };
        headings.push(heading);
        all.push(count(&serde_json::from_slice(&fs::read(file)?)?));
    }
    let groups: BTreeSet<&String> = all.iter().flat_map(|column| column.keys()).collect();
    let mut out = format!("| group | {} |\n|---|{}\n", headings.join(" | "), "---|".repeat(headings.len()));
    for group in groups {
        row(&mut out, group, all.iter().map(|column| column.get(group).copied().unwrap_or_default()));
    }
    let total = |column: &Column| {
        let add = |sum: [u64; 3], one: &[u64; 3]| [sum[0] + one[0], sum[1] + one[1], sum[2] + one[2]];
        column.values().fold([0; 3], add)
    };
    row(&mut out, "**all**", all.iter().map(total));
    Ok(out)
}

fn row(out: &mut String, group: &str, counts: impl Iterator<Item = [u64; 3]>) {
    let _ = write!(out, "| {group} |");
    for [passed, failed, skipped] in counts {
        let _ = write!(out, " {passed} / {failed} / {skipped} |");
    }
    out.push('\n');
}

fn count(report: &Value) -> Column {
    let mut column = Column::new();
    for case in report["cases"].as_array().into_iter().flatten() {
        let group = case["group"].as_str().unwrap_or_default().to_owned();
        let slot = match case["kind"].as_str() {
            Some("passed") => 0,
            Some("failed") => 1,
            _ => 2,
        };
        column.entry(group).or_default()[slot] += 1;
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn groups_are_counted() {
        let report = json!({"cases": [
            {"group": "a", "kind": "passed"}, {"group": "a", "kind": "failed"}, {"group": "b", "kind": "skipped"},
        ]});
        let column = count(&report);
        assert_eq!((column["a"], column["b"]), ([1, 1, 0], [0, 0, 1]));
    }
}
