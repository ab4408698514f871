//! Values of the specification's types from JSON, and back. What is wrong is told with its place, as
//! `linux.resources.memory.limit`, and with what was expected there.

use super::{node::Node, position::Position};
use serde::{Deserialize, de::Unexpected};
use std::{
    collections::BTreeMap,
    fmt::{self, Display, Write},
    path::PathBuf,
};

/// A value that does not fit, and the way to it: at each level the number of the element or member, the innermost first.
#[derive(Debug)]
pub(crate) struct Fault {
    trail: Vec<usize>,
    message: String,
    /// The value is incomplete, rather than wrong from its beginning.
    pub(super) incomplete: bool,
}

pub(crate) type Outcome<T = ()> = Result<T, Box<Fault>>;

impl Fault {
    fn new(message: impl Display) -> Box<Self> {
        Box::new(Self { trail: Vec::new(), message: message.to_string(), incomplete: false })
    }

    /// The same, seen from one level higher.
    fn beneath(mut self: Box<Self>, number: usize) -> Box<Self> {
        self.trail.push(number);
        self
    }

    /// The way from the document's root.
    pub(super) fn trail(&self) -> impl Iterator<Item = usize> {
        self.trail.iter().rev().copied()
    }

    /// `PATH: what is wrong`, in the document that this is about.
    fn told(&self, document: &Node<'_>) -> String {
        let mut text = String::new();
        let mut at = document;
        for number in self.trail() {
            at = match at {
                Node::List(elements) => {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "[{number}]");
                    elements.get(number).unwrap_or(&Node::Null)
                }
                Node::Object(members) => {
                    let Some((name, member)) = members.get(number) else { break };
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(name);
                    member
                }
                _ => break,
            };
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text + &self.message
    }
}

/// What a property can be.
pub(crate) trait Property: Default {
    /// Whether a property that may be left out is so when it is the empty text. That is how the writers in Go say it.
    const EMPTY_IS_NONE: bool = false;

    /// Takes the value.
    fn set(&mut self, node: &Node<'_>) -> Outcome;

    /// The value.
    fn node(&self) -> Node<'_>;

    /// Whether there is nothing to be written.
    fn is_absent(&self) -> bool {
        false
    }

    /// The element of a list, unless it is one that does not count. Says why not.
    fn element(node: &Node<'_>) -> Outcome<Option<Self>> {
        let mut value = Self::default();
        value.set(node)?;
        Ok(Some(value))
    }
}

/// How a property differs from most, which may be missing and are left out where they say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It must be there.
    Required,
    /// It is always written.
    Written,
}

/// An object of the specification: what the macro `objects!` makes of each.
pub(crate) trait Object {
    /// Its name, for a complaint.
    fn name(&self) -> &'static str;
    /// Its properties that have a mark.
    fn marks(&self) -> &'static [(&'static str, Mark)];
    /// Takes the value of one property. Others than those that it knows are ignored, as the specification wants.
    fn take(&mut self, name: &str, value: &Node<'_>) -> Outcome;
}

/// The same when it is written: a trait of its own, so that a program that only reads has none of it.
pub(crate) trait Written {
    /// Gives all its properties.
    fn give<'a>(&'a self, to: &mut Writer<'a>);
}

/// The properties of an object that is to be written.
pub(crate) struct Writer<'a>(Vec<super::node::Member<'a>>);

impl<'a> Writer<'a> {
    /// Writes a property, unless it says nothing and `always` is not said.
    pub(crate) fn property<P: Property>(&mut self, name: &'static str, always: bool, value: &'a P) {
        if always || !value.is_absent() {
            self.0.push((name.into(), value.node()));
        }
    }
}

/// Fills an object from the document's. A null is a property left out.
pub(crate) fn fill(object: &mut dyn Object, node: &Node<'_>) -> Outcome {
    let Node::Object(members) = node else {
        return Err(wrong_type(node, format_args!("struct {}", object.name())));
    };
    for (number, (name, value)) in members.iter().enumerate() {
        if !matches!(value, Node::Null) {
            object.take(name, value).map_err(|fault| fault.beneath(number))?;
        }
    }
    for (name, mark) in object.marks() {
        let given = |(known, value): &(_, Node<'_>)| known == name && *value != Node::Null;
        if *mark == Mark::Required && !members.iter().any(given) {
            let mut fault = Fault::new(format_args!("missing field `{name}`"));
            fault.incomplete = true;
            return Err(fault);
        }
    }
    Ok(())
}

/// An object as a tree.
pub(crate) fn give(object: &dyn Written) -> Node<'_> {
    let mut writer = Writer(Vec::new());
    object.give(&mut writer);
    Node::Object(writer.0)
}

/// A value from a tree.
pub(super) fn from_node<P: Property>(node: &Node<'_>) -> Result<P, String> {
    let mut value = P::default();
    value.set(node).map_err(|fault| fault.told(node))?;
    Ok(value)
}

/// A value from JSON.
///
/// # Errors
/// What is wrong, and where: its place, its line and column.
pub(crate) fn from_slice<P: Property>(bytes: &[u8]) -> Result<P, String> {
    let mut value = P::default();
    read(&mut |node| value.set(node), bytes)?;
    Ok(value)
}

fn read(set: &mut dyn FnMut(&Node<'_>) -> Outcome, bytes: &[u8]) -> Result<(), String> {
    // All at once is quicker than text by text.
    let text = str::from_utf8(bytes).map_err(|error| {
        format!("invalid unicode code point{}", Position::after(error.valid_up_to() + 1, bytes))
    })?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let document = Node::deserialize(&mut reader).and_then(|node| reader.end().map(|()| node));
    let document = document.map_err(|error| error.to_string())?;
    set(&document).map_err(|fault| format!("{}{}", fault.told(&document), Position::of(&fault, bytes)))
}

/// The word's number among `words`.
pub(crate) fn choose(node: &Node<'_>, words: &[&str]) -> Outcome<usize> {
    let Some(word) = node.text() else { return Err(wrong_type(node, "a string")) };
    words.iter().position(|known| *known == word).ok_or_else(|| {
        let mut message = format!("unknown variant `{word}`, expected ");
        let separator = match words.len() {
            2 => " or ",
            1 => "",
            _ => {
                message.push_str("one of ");
                ", "
            }
        };
        for (number, word) in words.iter().enumerate() {
            let separator = if number == 0 { "" } else { separator };
            let _ = write!(message, "{separator}`{word}`");
        }
        Fault::new(message)
    })
}

fn wrong_type(node: &Node<'_>, expected: impl Display) -> Box<Fault> {
    Fault::new(format_args!("invalid type: {}, expected {expected}", Told(node)))
}

fn wrong_value(node: &Node<'_>, expected: &str) -> Box<Fault> {
    Fault::new(format_args!("invalid value: {}, expected {expected}", Told(node)))
}

/// A value as serde's own messages quote it.
struct Told<'a>(&'a Node<'a>);

impl Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = match self.0 {
            Node::Null => return f.write_str("null"),
            Node::Bool(value) => Unexpected::Bool(*value),
            Node::Unsigned(value) => Unexpected::Unsigned(*value),
            Node::Signed(value) => Unexpected::Signed(*value),
            Node::Float(value) => Unexpected::Float(*value),
            Node::Text(text) => Unexpected::Str(text),
            Node::List(_) => Unexpected::Seq,
            Node::Object(_) | Node::NotText => Unexpected::Map,
        };
        told.fmt(f)
    }
}

fn integer(node: &Node<'_>, low: i64, high: u64, kind: &'static str) -> Outcome<i128> {
    match *node {
        Node::Unsigned(value) if value <= high => Ok(value.into()),
        Node::Signed(value) if value >= low => Ok(value.into()),
        Node::Unsigned(_) | Node::Signed(_) => Err(wrong_value(node, kind)),
        _ => Err(wrong_type(node, kind)),
    }
}

macro_rules! integers {
    ($($kind:ident $low:expr;)*) => {$(
        impl Property for $kind {
            fn set(&mut self, node: &Node<'_>) -> Outcome {
                #[allow(clippy::cast_lossless, clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "the largest is positive")]
                let value = integer(node, $low, $kind::MAX as u64, stringify!($kind))?;
                // Just found to be in its range.
                *self = value.try_into().unwrap_or_default();
                Ok(())
            }

            fn node(&self) -> Node<'_> {
                #[allow(irrefutable_let_patterns, clippy::unnecessary_fallible_conversions, reason = "as wide as the type is")]
                match u64::try_from(*self) {
                    Ok(value) => Node::Unsigned(value),
                    Err(_) => i64::try_from(*self).map_or(Node::Null, Node::Signed),
                }
            }
        }
    )*};
}

integers! {
    u16 0;
    u32 0;
    u64 0;
    i32 i32::MIN.into();
    i64 i64::MIN;
}

impl Property for bool {
    fn set(&mut self, node: &Node<'_>) -> Outcome {
        let Node::Bool(value) = node else { return Err(wrong_type(node, "a boolean")) };
        *self = *value;
        Ok(())
    }

    fn node(&self) -> Node<'_> {
        Node::Bool(*self)
    }

    fn is_absent(&self) -> bool {
        !self
    }
}

impl Property for String {
    const EMPTY_IS_NONE: bool = true;

    fn set(&mut self, node: &Node<'_>) -> Outcome {
        let Some(text) = node.text() else { return Err(wrong_type(node, "a string")) };
        *self = text.to_owned();
        Ok(())
    }

    fn node(&self) -> Node<'_> {
        Node::borrowed(self)
    }
}

impl Property for PathBuf {
    const EMPTY_IS_NONE: bool = true;

    fn set(&mut self, node: &Node<'_>) -> Outcome {
        let Some(text) = node.text() else { return Err(wrong_type(node, "path string")) };
        *self = text.into();
        Ok(())
    }

    fn node(&self) -> Node<'_> {
        self.to_str().map_or(Node::NotText, Node::borrowed)
    }
}

impl<P: Property> Property for Option<P> {
    fn set(&mut self, node: &Node<'_>) -> Outcome {
        if !P::EMPTY_IS_NONE || node.text().is_none_or(|text| !text.is_empty()) {
            self.insert(P::default()).set(node)?;
        }
        Ok(())
    }

    fn node(&self) -> Node<'_> {
        self.as_ref().map_or(Node::Null, Property::node)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<P: Property> Property for Vec<P> {
    fn set(&mut self, node: &Node<'_>) -> Outcome {
        let Node::List(elements) = node else { return Err(wrong_type(node, "a sequence")) };
        self.reserve_exact(elements.len());
        for (number, element) in elements.iter().enumerate() {
            if let Some(value) = P::element(element).map_err(|fault| fault.beneath(number))? {
                self.push(value);
            }
        }
        Ok(())
    }

    fn node(&self) -> Node<'_> {
        Node::List(self.iter().map(Property::node).collect())
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl<P: Property> Property for BTreeMap<String, P> {
    fn set(&mut self, node: &Node<'_>) -> Outcome {
        let Node::Object(members) = node else { return Err(wrong_type(node, "a map")) };
        for (number, (name, member)) in members.iter().enumerate() {
            let mut value = P::default();
            value.set(member).map_err(|fault| fault.beneath(number))?;
            self.insert(name.clone().into_owned(), value);
        }
        Ok(())
    }

    fn node(&self) -> Node<'_> {
        Node::Object(self.iter().map(|(name, value)| (name.as_str().into(), value.node())).collect())
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}
