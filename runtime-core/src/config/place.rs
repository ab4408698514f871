//! Where in the JSON something is, and the list of what is wrong there. Written out only when there is a complaint: a
//! place is a chain of steps on the stack, and a good configuration costs no allocation.

use std::fmt::{self, Display, Write};

use super::Error;

/// More complaints than these are only counted.
const MAX_FAULTS: usize = 20;

/// The longest value that a complaint quotes, in characters.
const MAX_QUOTE: usize = 60;

/// A JSON path, as `linux.devices[3].path`.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    before: Option<&'a Place<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Place<'a> {
    /// The start of a path: empty for the document itself.
    pub(super) fn new(start: &'a str) -> Self {
        Self { before: None, step: Step::Name(start) }
    }

    /// The property `name` of this object.
    pub(super) fn name(&'a self, name: &'a str) -> Self {
        Self { before: Some(self), step: Step::Name(name) }
    }

    /// The element `index` of this list.
    pub(super) fn index(&'a self, index: usize) -> Self {
        Self { before: Some(self), step: Step::Index(index) }
    }

    /// The value of `key` in this map, whose keys the user chooses.
    pub(super) fn key(&'a self, key: &'a str) -> Self {
        Self { before: Some(self), step: Step::Key(key) }
    }

    fn is_start(&self) -> bool {
        self.before.is_none() && matches!(self.step, Step::Name(""))
    }
}

impl Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = self.before {
            before.fmt(f)?;
        }
        match self.step {
            Step::Name(name) => {
                if self.before.is_some_and(|before| !before.is_start()) {
                    f.write_char('.')?;
                }
                f.write_str(name)
            }
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{}]", Quoted(key)),
        }
    }
}

/// A value in double quotes, on one line and not too long.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MAX_QUOTE) {
            None => write!(f, "{:?}", self.0),
            Some((cut, _)) => write!(f, "{:?}...", &self.0[..cut]),
        }
    }
}

/// The complaints so far.
#[derive(Default)]
pub(super) struct Faults {
    line: String,
    count: usize,
}

impl Faults {
    /// Notes that the value at `place` is wrong: `what` says what was expected.
    pub(super) fn add(&mut self, place: &Place<'_>, what: impl Display) {
        self.count += 1;
        if self.count <= MAX_FAULTS {
            let separator = if self.line.is_empty() { "" } else { "; " };
            // Writing to a String cannot fail.
            let _ = match place.is_start() {
                true => write!(self.line, "{separator}{what}"),
                false => write!(self.line, "{separator}{place}: {what}"),
            };
        }
    }

    /// Notes `what` unless the value at `place` is as it should be.
    pub(super) fn expect(&mut self, right: bool, place: &Place<'_>, what: &str) {
        if !right {
            self.add(place, what);
        }
    }

    /// All complaints as one error.
    pub(super) fn into_result(mut self) -> Result<(), Error> {
        if self.count > MAX_FAULTS {
            let _ = write!(self.line, "; and {} more", self.count - MAX_FAULTS);
        }
        if self.count == 0 { Ok(()) } else { Err(Error::Invalid(self.line)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_json_path() {
        let document = Place::new("");
        let linux = document.name("linux");
        let devices = linux.name("devices");
        let device = devices.index(3);
        assert_eq!(device.name("path").to_string(), "linux.devices[3].path");
        let sysctl = linux.name("sysctl");
        assert_eq!(sysctl.key("net.x\n").to_string(), "linux.sysctl[\"net.x\\n\"]");
        assert_eq!(Place::new("process").name("cwd").to_string(), "process.cwd");
    }

    #[test]
    fn complaints_are_joined_and_counted() {
        let mut faults = Faults::default();
        for index in 0..MAX_FAULTS + 2 {
            faults.add(&Place::new("a").index(index), "b");
        }
        let line = faults.into_result().unwrap_err().to_string();
        assert!(line.starts_with("a[0]: b; a[1]: b; "), "{line}");
        assert!(line.ends_with("; a[19]: b; and 2 more"), "{line}");
    }

    #[test]
    fn quotes_are_short_and_on_one_line() {
        assert_eq!(Quoted("a\nb").to_string(), r#""a\nb""#);
        let long = "ä".repeat(1000);
        assert_eq!(Quoted(&long).to_string(), format!("\"{}\"...", "ä".repeat(MAX_QUOTE)));
    }
}
