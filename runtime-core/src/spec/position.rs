//! Where in the text of a document a value is. Looked for only when there is something to say about it.

use super::read::Fault;
use std::fmt;

/// A line and a column, both from 1: of the end of a value, or of the bracket that begins an object or list.
pub(super) struct Position {
    line: usize,
    column: usize,
}

impl Position {
    /// Where the fault is. The bytes are JSON: they have been read.
    pub(super) fn of(fault: &Fault, bytes: &[u8]) -> Self {
        let mut text = Text { bytes, at: 0 };
        for number in fault.trail() {
            text.enter(number);
        }
        text.skip_space();
        if matches!(text.peek(), b'{' | b'[') && !fault.incomplete {
            text.at += 1;
        } else {
            text.skip_value();
        }
        Self::after(text.at, bytes)
    }

    /// After so many of the bytes.
    pub(super) fn after(count: usize, bytes: &[u8]) -> Self {
        let before = &bytes[..count.min(bytes.len())];
        let line_starts = before.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        Self { line: before.iter().filter(|b| **b == b'\n').count() + 1, column: before.len() - line_starts }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " at line {} column {}", self.line, self.column)
    }
}

struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Text<'_> {
    /// The next byte, NUL at the end.
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or_default()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n' | b',' | b':') {
            self.at += 1;
        }
    }

    /// Goes to the value of this number in the list or object that is next.
    fn enter(&mut self, number: usize) {
        self.skip_space();
        let is_object = self.peek() == b'{';
        self.at += 1;
        for _ in 0..number * (1 + usize::from(is_object)) {
            self.skip_value();
        }
        if is_object {
            self.skip_value();
        }
    }

    fn skip_value(&mut self) {
        let mut depth = 0_usize;
        self.skip_space();
        while self.at < self.bytes.len() {
            match self.peek() {
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                b'"' => self.skip_text(),
                _ => self.skip_word(),
            }
            if depth == 0 {
                return;
            }
            self.skip_space();
        }
    }

    fn skip_text(&mut self) {
        self.at += 1;
        while !matches!(self.peek(), b'"') && self.at < self.bytes.len() {
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
    }

    /// A number, `true`, `false` or `null`.
    fn skip_word(&mut self) {
        self.at += 1;
        while matches!(self.peek(), b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'+' | b'-') {
            self.at += 1;
        }
    }
}
