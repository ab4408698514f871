//! The public items of a library and what is written about them, from rustdoc's JSON: the parts of its form that are read here have
//! been the same for years, and where one is missing the test says so.

use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

/// A module, type, trait, constant, function or method that a program can name.
pub(crate) struct Item {
    /// Without the library's own name.
    pub(crate) path: String,
    pub(crate) has_example: bool,
    /// It returns a `Result`.
    pub(crate) is_fallible: bool,
    pub(crate) tells_errors: bool,
    pub(crate) tells_panics: bool,
    /// Send, Sync and Debug, where it is a type.
    pub(crate) is_shared: bool,
}

/// All of them, from the file that rustdoc has written. Nothing where it is written in another form than can be read.
pub(crate) fn items(file: &Path) -> Option<Vec<Item>> {
    let description: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let mut library = Library { description: &description, seen: BTreeSet::new(), items: Vec::new() };
    if library.walk(&description["root"], "").is_none() {
        println!("skipped: this toolchain's rustdoc says what cannot be read");
        return None;
    }
    Some(library.items)
}

struct Library<'a> {
    description: &'a Value,
    seen: BTreeSet<String>,
    items: Vec<Item>,
}

impl<'a> Library<'a> {
    fn find(&self, id: &Value) -> Option<&'a Value> {
        self.description["index"].get(id.to_string())
    }

    /// Takes the item up, and all that is in it.
    fn walk(&mut self, id: &Value, parent: &str) -> Option<()> {
        // Of another library.
        let Some(item) = self.find(id) else { return Some(()) };
        let (kind, inner) = item["inner"].as_object()?.iter().next()?;
        if kind == "use" {
            return self.walk(&inner["id"], parent);
        }
        if !self.seen.insert(id.to_string()) {
            return Some(());
        }
        let name = item["name"].as_str()?;
        let path = match (parent, kind.as_str()) {
            ("", "module") if self.items.is_empty() => String::new(),
            ("", _) => name.to_owned(),
            _ => format!("{parent}::{name}"),
        };
        self.add(item, kind, &path);
        match kind.as_str() {
            "module" => inner["items"].as_array()?.iter().try_for_each(|id| self.walk(id, &path)),
            "struct" | "enum" | "union" => self.walk_type(inner, &path),
            "trait" => inner["items"].as_array()?.iter().try_for_each(|id| self.walk(id, &path)),
            _ => Some(()),
        }
    }

    /// The methods of a type, and whether it is what all types should be.
    fn walk_type(&mut self, inner: &Value, path: &str) -> Option<()> {
        let mut lacks = BTreeSet::from(["Send", "Sync", "Debug"]);
        let own = self.items.len() - 1;
        for id in inner["impls"].as_array()? {
            let block = &self.find(id)?["inner"]["impl"];
            match block["trait"]["path"].as_str() {
                Some(name) if block["is_negative"] == false => {
                    lacks.remove(name.rsplit("::").next()?);
                }
                Some(_) => {}
                None => {
                    let is_public =
                        |id: &&Value| self.find(id).is_some_and(|item| item["visibility"] == "public");
                    let methods: Vec<_> = block["items"].as_array()?.iter().filter(is_public).collect();
                    methods.into_iter().try_for_each(|id| self.walk(id, path))?;
                }
            }
        }
        self.items.get_mut(own)?.is_shared = lacks.is_empty();
        Some(())
    }

    fn add(&mut self, item: &Value, kind: &str, path: &str) {
        let text = item["docs"].as_str().unwrap_or_default();
        let returned = &item["inner"][kind]["sig"]["output"]["resolved_path"]["path"];
        let has = |heading: &str| text.lines().any(|line| line.trim() == heading);
        self.items.push(Item {
            path: path.to_owned(),
            has_example: has_example(text),
            is_fallible: returned.as_str().is_some_and(|path| path.rsplit("::").next() == Some("Result")),
            tells_errors: has("# Errors"),
            tells_panics: has("# Panics"),
            is_shared: true,
        });
    }
}

/// Whether one of the blocks of code is Rust and not passed over.
fn has_example(text: &str) -> bool {
    let mut fences = text.lines().filter_map(|line| line.trim_start().strip_prefix("```"));
    std::iter::from_fn(|| {
        let opening = fences.next()?;
        fences.next();
        Some(opening)
    })
    .any(|words| words.split(',').all(|word| ["", "rust", "no_run", "should_panic"].contains(&word.trim())))
}
