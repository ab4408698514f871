//! A plan in the making: the steps that the init program will carry out, in the form in which it reads them, and for each
//! the place in config.json that it comes from, for errors.

use crate::{Error, ErrorKind, spec::Spec};
use corten_init::{
    step::{NO_SLOT, SLOT_FREE, SLOTS, Shape, Slot, Step},
    wire::{Input, Sink, Text, Value, Wire},
};
use std::{fmt, os::fd::OwnedFd, path::Path};

/// The property that a step comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A property with one value, by its JSON path.
    Property(&'static str),
    /// An entry of a list.
    Item(&'static str, usize),
}

impl Place {
    /// The place as errors name it. A mount's destination and a hook's program are told beside the number.
    pub(crate) fn describe(self, spec: Option<&Spec>) -> String {
        match self {
            Self::Property(path) => path.to_owned(),
            Self::Item(list, index) => {
                let name = format!("{list}[{index}]");
                let mount = (list == "mounts").then(|| spec?.mounts.get(index)).flatten();
                mount.map_or(name.clone(), |mount| format!("{name} ({})", shown(&mount.destination)))
            }
        }
    }
}

/// A path as part of one line that is not too long: it may be whatever an image or a user wants.
pub(crate) fn shown(path: &Path) -> String {
    const MOST: usize = 256;
    let text = path.to_string_lossy();
    let mut shown: String =
        text.chars().take(MOST).map(|letter| if letter.is_control() { '?' } else { letter }).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

/// A plan: steps, their places, and the descriptors that are handed over to the init program.
#[derive(Default)]
pub(crate) struct Program {
    bytes: Bytes,
    places: Vec<Place>,
    handed: Vec<OwnedFd>,
    filled: Slot,
}

#[derive(Default)]
struct Bytes(Vec<u8>);

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Program {
    /// An empty plan.
    pub(crate) fn new() -> Self {
        Self { bytes: Bytes(Vec::with_capacity(8192)), places: Vec::with_capacity(128), ..Self::default() }
    }

    /// Appends a step that `place` asks for.
    pub(crate) fn step(&mut self, place: Place, step: &Step<'_>) {
        step.encode(&mut self.bytes);
        self.places.push(place);
    }

    /// A slot that holds `fd` from the start.
    pub(crate) fn hand_over(&mut self, fd: OwnedFd) -> Slot {
        self.handed.push(fd);
        SLOT_FREE + Slot::try_from(self.handed.len() - 1).unwrap_or(NO_SLOT)
    }

    /// A slot that a step will fill. They are counted down from the table's end.
    pub(crate) fn slot(&mut self) -> Result<Slot, Error> {
        self.filled += 1;
        let last = Slot::try_from(SLOTS).unwrap_or(NO_SLOT);
        match last - self.filled {
            slot if usize::from(slot) > self.handed.len() + 64 => Ok(slot),
            _ => Err(Error::new(ErrorKind::Unsupported, format!("mounts: more than {SLOTS} at once"))),
        }
    }

    /// The steps as the init program reads them.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes.0
    }

    /// The descriptors of the slots from [`SLOT_FREE`].
    pub(crate) fn handed(&self) -> &[OwnedFd] {
        &self.handed
    }

    /// Where step number `index` comes from.
    pub(crate) fn place(&self, index: u32) -> Option<Place> {
        self.places.get(usize::try_from(index).ok()?).copied()
    }

    /// Step number `index`.
    pub(crate) fn find(&self, index: u32) -> Option<Step<'_>> {
        self.steps().nth(usize::try_from(index).ok()?)
    }

    /// The steps in order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let mut input = Input::new(&self.bytes.0);
        std::iter::from_fn(move || Step::decode(&mut input))
    }
}

/// A step as its fields say it, for who shows it.
struct Shown<'a> {
    shape: &'static Shape,
    fields: Vec<Value<'a>>,
}

impl<'a> Shown<'a> {
    fn take(input: &mut Input<'a>) -> Option<Self> {
        let code = u8::take(input)?;
        let shape = Step::SHAPES.iter().find(|shape| shape.code == code)?;
        let fields = shape.fields.iter().map(|(_, kind)| Value::take(*kind, input));
        Some(Self { shape, fields: fields.collect::<Option<_>>()? })
    }

    fn named(&self) -> impl Iterator<Item = (usize, &'static str, &Value<'a>)> {
        let names = self.shape.fields.iter().map(|(name, _)| *name);
        names.zip(&self.fields).enumerate().map(|(index, (name, value))| (index, name, value))
    }
}

impl Program {
    fn shown(&self) -> impl Iterator<Item = (usize, String, Shown<'_>)> {
        let mut input = Input::new(&self.bytes.0);
        let steps = std::iter::from_fn(move || Shown::take(&mut input));
        steps
            .zip(&self.places)
            .enumerate()
            .map(|(number, (step, place))| (number, place.describe(None), step))
    }

    /// The plan as programs read it: one JSON object a step, each on a line.
    pub(crate) fn write_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        for (number, place, step) in self.shown() {
            let (place, name) = (json(&place)?, step.shape.name);
            write!(out, "{{\"number\":{number},\"place\":{place},\"step\":\"{name}\",\"fields\":{{")?;
            for (index, name, value) in step.named() {
                write!(out, "{}\"{name}\":", if index == 0 { "" } else { "," })?;
                write_value(out, value)?;
            }
            out.write_str("}}\n")?;
        }
        Ok(())
    }
}

/// The plan as people read it: one step a line, with the place that it comes from.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, place, step) in self.shown() {
            write!(f, "{number:4}  {place:<34} {}", step.shape.name)?;
            for (index, name, value) in step.named() {
                write!(f, "{} {name}: ", if index == 0 { " {" } else { "," })?;
                match value {
                    Value::Bytes(bytes) => write!(f, "{bytes:?}")?,
                    value => write_value(f, value)?,
                }
            }
            f.write_str(if step.fields.is_empty() { "\n" } else { " }\n" })?;
        }
        Ok(())
    }
}

/// A field as JSON: texts as far as they are UTF-8, bytes as hexadecimal digits.
fn write_value(out: &mut dyn fmt::Write, value: &Value<'_>) -> fmt::Result {
    match value {
        Value::Bool(yes) => write!(out, "{yes}"),
        Value::Number(number) => write!(out, "{number}"),
        Value::Text(text) => out.write_str(&json(&String::from_utf8_lossy(text.0))?),
        Value::Texts(texts) => {
            out.write_char('[')?;
            for (index, text) in texts.iter().enumerate() {
                out.write_str(if index == 0 { "" } else { "," })?;
                write_value(out, &Value::Text(text))?;
            }
            out.write_char(']')
        }
        Value::Bytes(bytes) => {
            out.write_char('"')?;
            bytes.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))?;
            out.write_char('"')
        }
    }
}

fn json(text: &str) -> Result<String, fmt::Error> {
    serde_json::to_string(text).map_err(|_| fmt::Error)
}

/// A string as a text of the plan.
pub(crate) fn text(string: &str) -> Text<'_> {
    Text(string.as_bytes())
}

/// A path as a text of the plan.
pub(crate) fn path_text(path: &Path) -> Text<'_> {
    Text(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use corten_init::wire::{Bytes, Texts};

    fn program() -> Program {
        let mut program = Program::new();
        let options: [&[u8]; 2] = [b"a=\"b\"", b"c"];
        let filesystem = Step::NewFilesystem {
            slot: 300,
            kind: text("tmpfs"),
            source: text("x"),
            options: Texts::Given(&options),
            attributes: 1 << 40,
        };
        program.step(Place::Item("mounts", 2), &filesystem);
        program.step(Place::Property("process"), &Step::Announce {});
        program
            .step(Place::Property("linux.seccomp"), &Step::Seccomp { flags: 1, program: Bytes(&[0, 171]) });
        program
    }

    #[test]
    fn people_read_one_step_a_line() {
        let shown = program().to_string();
        let lines: Vec<_> = shown.lines().collect();
        let options = r#"["a=\"b\"","c"]"#;
        let first = format!(
            "   0  {:<34} NewFilesystem {{ slot: 300, kind: \"tmpfs\", source: \"x\", options: {options}, \
             attributes: 1099511627776 }}",
            "mounts[2]"
        );
        assert_eq!(lines[0], first);
        assert!(lines[1].ends_with("process                            Announce"), "{}", lines[1]);
        assert!(lines[2].ends_with("Seccomp { flags: 1, program: 2 bytes }"), "{}", lines[2]);
    }

    #[test]
    fn programs_read_an_object_a_line() {
        let mut text = String::new();
        program().write_json(&mut text).unwrap();
        let objects: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects.len(), 3);
        assert_eq!(objects[0]["place"], "mounts[2]");
        assert_eq!(objects[0]["fields"]["options"], serde_json::json!(["a=\"b\"", "c"]));
        assert_eq!(objects[0]["fields"]["attributes"], 1_u64 << 40);
        assert_eq!((&objects[1]["number"], &objects[1]["step"]), (&1.into(), &"Announce".into()));
        assert_eq!(objects[2]["fields"]["program"], "00ab");
    }
}
