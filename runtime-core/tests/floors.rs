//! The order of the library's rooms: each imports only from rooms on floors below its own, as ARCHITECTURE.md's table
//! says. A room is a file or folder of `src`; its floor is the number in the table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn rooms_import_only_from_floors_below() {
    let floors = floors();
    let names = reexports();
    let mut wrong = BTreeSet::new();
    for (room, file) in sources() {
        let floor = floors.get(&room).unwrap_or_else(|| panic!("ARCHITECTURE.md has no room {room}"));
        for first in imports(&read(&file), depth(&file)) {
            let Some(other) = names.get(&first).or_else(|| floors.contains_key(&first).then_some(&first))
            else {
                continue;
            };
            if *other != room && floors[other] >= *floor {
                let file = file.strip_prefix(ROOT).unwrap().display();
                wrong.insert(format!("{room} ({floor}) imports {other} ({}) in {file}", floors[other]));
            }
        }
    }
    assert!(wrong.is_empty(), "not from a floor below:\n{}", Vec::from_iter(wrong).join("\n"));
}

#[test]
fn every_room_of_the_table_exists() {
    let rooms: BTreeSet<_> = sources().into_iter().map(|(room, _)| room).collect();
    let table: BTreeSet<_> = floors().into_keys().collect();
    assert_eq!(rooms, table, "the rooms of src, and those of ARCHITECTURE.md");
}

#[test]
fn the_reader_of_imports_reads_them() {
    let code = "use crate::{Error, fs::{atomic, socket}, init::{Birth, sequence::{self}}};\n\
                pub(crate) fn f(x: crate::plan::Place) -> super::View {} // crate::comment\n\
                use super::super::{cgroup::Cgroup, *};\n\
                impl super::super::super::No {}";
    let expected = ["Error", "fs", "init", "plan", "cgroup", "*"].map(str::to_owned);
    assert_eq!(imports(code, 2), BTreeSet::from(expected));
}

/// The table of ARCHITECTURE.md: rows that begin with a number and a room's name in backquotes.
fn floors() -> BTreeMap<String, u32> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let floor = cells.next()?.parse().ok()?;
        let room = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        Some((room.trim_end_matches('/').trim_end_matches(".rs").to_owned(), floor))
    };
    let text = read(&Path::new(ROOT).join("../ARCHITECTURE.md"));
    let floors: BTreeMap<_, _> = text.lines().filter_map(row).collect();
    assert!(!floors.is_empty(), "ARCHITECTURE.md has no table of rooms");
    floors
}

/// Every source file with its room.
fn sources() -> Vec<(String, PathBuf)> {
    let src = Path::new(ROOT).join("src");
    let mut folders = vec![src.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let room = path.strip_prefix(&src).unwrap().components().next().unwrap();
                let room = room.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
                files.push((room, path));
            }
        }
    }
    files
}

/// How many modules deep the file is: what `super` climbs.
fn depth(file: &Path) -> usize {
    let parts = file.strip_prefix(Path::new(ROOT).join("src")).unwrap().components().count();
    match file.file_name().and_then(|name| name.to_str()) {
        Some("lib.rs" | "mod.rs") => parts - 1,
        _ => parts,
    }
}

/// What the crate's root gives under a shorter name (`crate::Error`), and the room that it comes from.
fn reexports() -> BTreeMap<String, String> {
    let code = read(&Path::new(ROOT).join("src/lib.rs"));
    let mut names = BTreeMap::new();
    for statement in code.split(';').filter_map(|statement| statement.split_once("pub use ")) {
        if let Some((room, list)) = statement.1.trim_start_matches("crate::").split_once("::") {
            let list = list.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|name| !name.is_empty());
            names.extend(list.map(|name| (name.to_owned(), room.trim().to_owned())));
        }
    }
    names
}

/// The first names after `crate::`, or after as many `super::` as lead to the crate's root.
fn imports(code: &str, depth: usize) -> BTreeSet<String> {
    let words = words(code);
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < words.len() {
        let mut climbed = 0;
        while words[at..].starts_with(&["super".to_owned(), "::".to_owned()]) {
            (at, climbed) = (at + 2, climbed + 1);
        }
        let from_crate = words[at..].starts_with(&["crate".to_owned(), "::".to_owned()]);
        at += if from_crate { 2 } else { 0 };
        match from_crate || (climbed == depth && climbed > 0) {
            true => first_names(&words[at..], &mut found),
            false => at += 1,
        }
    }
    found
}

/// `a::b` gives a; `{a, b::{c, d}}` gives a and b.
fn first_names(words: &[String], found: &mut BTreeSet<String>) {
    if words.first().is_none_or(|word| word != "{") {
        found.extend(words.first().cloned());
        return;
    }
    let mut level = 0;
    for pair in words.windows(2) {
        match pair[0].as_str() {
            "{" => level += 1,
            "}" => level -= 1,
            _ => {}
        }
        match level {
            0 => return,
            1 if matches!(pair[0].as_str(), "{" | ",") && pair[1] != "}" => {
                found.insert(pair[1].clone());
            }
            _ => {}
        }
    }
}

/// Names, `::` and single signs; comments are left out.
fn words(code: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for line in code.lines().map(|line| line.split("//").next().unwrap_or_default()) {
        let mut rest = line.trim_start();
        while let Some(sign) = rest.chars().next() {
            let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = match name {
                0 if rest.starts_with("::") => 2,
                0 => sign.len_utf8(),
                name => name,
            };
            words.push(rest[..length].to_owned());
            rest = rest[length..].trim_start();
        }
    }
    words
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
