//! docs/spec-coverage.md has a row for every property of config.json that oci-spec's types know, and what its rows name
//! exists: files, and cases of this suite.

mod properties;

use oci_spec::runtime::Spec;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Sections of other platforms: one row for the whole of each.
const FOREIGN: [&str; 4] = ["solaris", "vm", "windows", "zos"];

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rows of all tables: their cells.
fn rows(text: &str) -> Vec<(&str, [Vec<String>; 3], String)> {
    let mut section = "";
    let mut rows = Vec::new();
    for line in text.lines() {
        section = line.strip_prefix("## ").unwrap_or(section);
        let Some(line) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else { continue };
        let cells: Vec<_> = line.split(" | ").collect();
        let [what, _, file, shown, state] = cells[..] else { panic!("not five cells: {line}") };
        if ["Property", "What", "Annotation"].contains(&what) {
            continue;
        }
        rows.push((section, [what, file, shown].map(quoted), state.to_owned()));
    }
    rows
}

/// What stands in backquotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The properties of a row: those that begin with a dot or brackets are beneath the first.
fn named(cell: &[String]) -> Vec<String> {
    let Some((first, others)) = cell.split_first() else { return Vec::new() };
    let whole = |name: &String| match name.starts_with(['.', '[']) {
        true => format!("{first}{name}"),
        false => name.clone(),
    };
    std::iter::once(first.clone()).chain(others.iter().map(whole)).collect()
}

fn document() -> String {
    fs::read_to_string(top().join("docs/spec-coverage.md")).unwrap()
}

#[test]
fn every_property_has_one_row_and_every_row_a_property() {
    let mut known: BTreeSet<_> = properties::of::<Spec>().into_iter().collect();
    known.retain(|name| !FOREIGN.iter().any(|section| name.starts_with(&format!("{section}."))));
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for (section, [what, ..], _) in rows(&document()) {
        if section == "config.json" {
            named(&what).into_iter().for_each(|name| *times.entry(name).or_default() += 1);
        }
    }
    let missing: Vec<_> = known.iter().filter(|name| !times.contains_key(*name)).collect();
    let unknown: Vec<_> = times.keys().filter(|name| !known.contains(*name)).collect();
    let twice: Vec<_> = times.iter().filter(|(_, count)| **count > 1).map(|(name, _)| name).collect();
    assert!(missing.is_empty(), "no row in docs/spec-coverage.md: {missing:?}");
    assert!(unknown.is_empty(), "rows of no property: {unknown:?}");
    assert!(twice.is_empty(), "more than one row: {twice:?}");
}

#[test]
fn the_properties_are_found() {
    let known = properties::of::<Spec>();
    for name in
        ["ociVersion", "mounts[].options", "linux.resources.rdma.{}.hcaHandles", "hooks.poststop[].timeout"]
    {
        assert!(known.iter().any(|other| other == name), "{name}");
    }
    assert!(known.len() > 220, "only {} properties", known.len());
}

#[test]
fn the_files_of_the_rows_exist() {
    let library = top().join("runtime-core");
    for (_, [what, files, shown], state) in rows(&document()) {
        assert!(!files.is_empty() && !shown.is_empty(), "{what:?}: a file and what shows it are wanted");
        for file in files {
            assert!(library.join("src").join(&file).is_file(), "{what:?}: no file {file}");
        }
        for file in shown.iter().filter(|name| name.ends_with(".rs")) {
            let exists = library.join(file).is_file() || library.join("src").join(file).is_file();
            assert!(exists, "{what:?}: no file {file}");
        }
        let state = state.split([';', ':', ',', ' ']).next().unwrap();
        assert!(["works", "refused", "ignored"].contains(&state), "{what:?}: unknown state {state:?}");
    }
}

#[test]
fn the_cases_of_the_rows_exist() {
    let list =
        Command::new(env!("CARGO_BIN_EXE_spec-tests")).args(["conformance", "--list"]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let cases: Vec<_> = list.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(cases.len() > 800, "only {} cases", cases.len());
    for (_, [what, _, shown], _) in rows(&document()) {
        for name in shown.iter().filter(|name| !name.ends_with(".rs")) {
            let found = match name.strip_suffix('*') {
                Some(start) => cases.iter().any(|case| case.starts_with(start)),
                None => cases.contains(&name.as_str()),
            };
            assert!(found, "{what:?}: no case {name}");
        }
    }
}
