//! Standard output: written at once, and without complaint where nobody reads it.

use crate::failure::Failure;
use serde::Serialize;
use std::{
    array,
    borrow::Cow,
    io::{self, ErrorKind, IsTerminal, Write},
};

/// Writes `text` to standard output. A reader that has gone (`corten list | head -1`) ends the program, as a good end.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::unheard(),
        _ => Failure::io("write to standard output", error),
    })
}

/// `value` as JSON on one line.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::usage(format!("write JSON: {error}")))
}

/// Writes `value` as JSON on one line.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print(&(json(value)? + "\n"))
}

/// Writes `value` as JSON for people.
pub(crate) fn print_pretty_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::usage(format!("write JSON: {error}")))?;
    print(&(text + "\n"))
}

/// Whether `stream` may be written to in colour: a terminal, and the user has not said NO_COLOR (no-color.org).
pub(crate) fn colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// What the value of a `--format` flag asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Json,
}

impl Format {
    /// Reads the value of a `--format` flag.
    pub(crate) fn read(text: &str) -> Result<Self, &'static str> {
        match text {
            "table" | "" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            _ => Err("invalid format option, table or json is wanted"),
        }
    }
}

const SPACES: &str = "                                ";

/// Lines of columns that stand below each other, as runc prints them: at least 12 wide, 3 apart. What would make another
/// line, or move on a terminal, is written out: a bundle's path may have line ends.
pub(crate) fn table<'a, const COLUMNS: usize>(
    rows: impl IntoIterator<Item = &'a [impl AsRef<str> + 'a; COLUMNS]>,
) -> String {
    let visible = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    let is_plain = |cell: &str| cell.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let width_of = |cell: &str| if is_plain(cell) { cell.len() } else { cell.chars().count() };
    let shown = |cell: &'a str| match is_plain(cell) {
        true => Cow::from(cell),
        false => cell.chars().map(visible).collect(),
    };
    let rows: Vec<_> = rows.into_iter().map(|row| row.each_ref().map(|cell| shown(cell.as_ref()))).collect();
    let mut widths = [12; COLUMNS];
    for row in &rows {
        widths = array::from_fn(|column| widths[column].max(width_of(&row[column]) + 3));
    }
    let mut text = String::with_capacity(rows.len() * widths.iter().sum::<usize>());
    for row in &rows {
        let start = text.len();
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(cell);
            let end = text.len() + width - if cell.is_ascii() { cell.len() } else { width_of(cell) };
            while text.len() < end {
                text.push_str(&SPACES[..SPACES.len().min(end - text.len())]);
            }
        }
        text.truncate(start + text[start..].trim_end().len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["ID", "BUNDLE"], ["a", "/very/long/path"], ["containers-id", "/"]];
        let lines = "ID              BUNDLE\na               /very/long/path\ncontainers-id   /\n";
        assert_eq!(table(&rows), lines);
        assert_eq!(table(&[["a\nb", "\x1b[2J"]]), "a\\nb        \\u{1b}[2J\n");
    }
}
