//! D-Bus values and how they lie in a message: the D-Bus specification, "Type System" and "Marshaling". Every value begins at
//! an offset from the message's start that is a multiple of its alignment.

use super::{Malformed, signature};

/// A value of any type but a file descriptor.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Value {
    Byte(u8),
    Bool(bool),
    I16(i16),
    U16(u16),
    I32(i32),
    U32(u32),
    I64(i64),
    U64(u64),
    Double(f64),
    Text(String),
    Path(String),
    Signature(String),
    /// The signature of one element, and all elements.
    Array(String, Vec<Self>),
    Struct(Vec<Self>),
    Entry(Box<(Self, Self)>),
    Variant(Box<Self>),
}

impl Value {
    /// A list of values that each have the signature `element`.
    pub(in super::super) fn array(element: &str, elements: impl IntoIterator<Item = Self>) -> Self {
        Self::Array(element.to_owned(), elements.into_iter().collect())
    }

    /// A text.
    pub(in super::super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A list of bytes.
    pub(in super::super) fn bytes(bytes: impl IntoIterator<Item = u8>) -> Self {
        Self::array("y", bytes.into_iter().map(Self::Byte))
    }

    /// The text, if it is one.
    pub(in super::super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Path(text) | Self::Signature(text) => Some(text),
            _ => None,
        }
    }

    /// Its type.
    pub(in super::super) fn signature(&self) -> String {
        let letter = match self {
            Self::Byte(_) => "y",
            Self::Bool(_) => "b",
            Self::I16(_) => "n",
            Self::U16(_) => "q",
            Self::I32(_) => "i",
            Self::U32(_) => "u",
            Self::I64(_) => "x",
            Self::U64(_) => "t",
            Self::Double(_) => "d",
            Self::Text(_) => "s",
            Self::Path(_) => "o",
            Self::Signature(_) => "g",
            Self::Variant(_) => "v",
            Self::Array(element, _) => return format!("a{element}"),
            Self::Struct(fields) => {
                return format!("({})", fields.iter().map(Self::signature).collect::<String>());
            }
            Self::Entry(entry) => return format!("{{{}{}}}", entry.0.signature(), entry.1.signature()),
        };
        letter.to_owned()
    }

    /// Appends it to a message, in little-endian order.
    pub(super) fn write(&self, message: &mut Vec<u8>) {
        match self {
            Self::Byte(value) => message.push(*value),
            Self::Bool(value) => put(message, u32::from(*value).to_le_bytes()),
            Self::I16(value) => put(message, value.to_le_bytes()),
            Self::U16(value) => put(message, value.to_le_bytes()),
            Self::I32(value) => put(message, value.to_le_bytes()),
            Self::U32(value) => put(message, value.to_le_bytes()),
            Self::I64(value) => put(message, value.to_le_bytes()),
            Self::U64(value) => put(message, value.to_le_bytes()),
            Self::Double(value) => put(message, value.to_le_bytes()),
            Self::Text(text) | Self::Path(text) => {
                put(message, length(text.len()).to_le_bytes());
                message.extend_from_slice(text.as_bytes());
                message.push(0);
            }
            Self::Signature(text) => write_signature(text, message),
            Self::Array(element, elements) => {
                put(message, [0; 4]);
                let length_at = message.len() - 4;
                pad(message, alignment(element));
                let begin = message.len();
                elements.iter().for_each(|element| element.write(message));
                let size = length(message.len() - begin).to_le_bytes();
                message[length_at..length_at + 4].copy_from_slice(&size);
            }
            Self::Struct(fields) => {
                pad(message, 8);
                fields.iter().for_each(|field| field.write(message));
            }
            Self::Entry(entry) => {
                pad(message, 8);
                entry.0.write(message);
                entry.1.write(message);
            }
            Self::Variant(value) => {
                write_signature(&value.signature(), message);
                value.write(message);
            }
        }
    }
}

/// A length in a message. None of ours is near 4 GiB; one that were would be refused by its reader.
pub(super) fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn write_signature(text: &str, message: &mut Vec<u8>) {
    message.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    message.extend_from_slice(text.as_bytes());
    message.push(0);
}

fn put<const SIZE: usize>(message: &mut Vec<u8>, bytes: [u8; SIZE]) {
    pad(message, SIZE);
    message.extend_from_slice(&bytes);
}

/// Fills up to a multiple of `alignment`.
pub(super) fn pad(message: &mut Vec<u8>, alignment: usize) {
    message.resize(message.len().next_multiple_of(alignment), 0);
}

/// The alignment of a value whose signature begins as `signature` does.
fn alignment(signature: &str) -> usize {
    match signature.as_bytes().first() {
        Some(b'n' | b'q') => 2,
        Some(b'i' | b'u' | b'b' | b's' | b'o' | b'a' | b'h') => 4,
        Some(b'x' | b't' | b'd' | b'(' | b'{') => 8,
        _ => 1,
    }
}

/// Reads values out of a message that may hold anything.
pub(super) struct Reader<'a> {
    message: &'a [u8],
    at: usize,
    big_endian: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8], at: usize, big_endian: bool) -> Self {
        Self { message, at, big_endian }
    }

    /// How far it has come.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).ok_or(Malformed)?;
        let bytes = self.message.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(bytes)
    }

    pub(super) fn align(&mut self, alignment: usize) -> Result<(), Malformed> {
        self.take(self.at.next_multiple_of(alignment) - self.at).map(drop)
    }

    fn number<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], Malformed> {
        self.align(SIZE)?;
        let mut bytes: [u8; SIZE] = self.take(SIZE)?.try_into().map_err(|_| Malformed)?;
        if self.big_endian {
            bytes.reverse();
        }
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.number().map(u32::from_le_bytes)
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.u32()?).map_err(|_| Malformed)
    }

    fn text(&mut self, length: usize) -> Result<String, Malformed> {
        let bytes = self.take(length)?;
        if self.take(1)? != [0] || bytes.contains(&0) {
            return Err(Malformed);
        }
        str::from_utf8(bytes).map(str::to_owned).map_err(|_| Malformed)
    }

    fn signature(&mut self) -> Result<String, Malformed> {
        let length = self.take(1)?[0];
        self.text(length.into())
    }

    /// All values of `signature`, one after the other.
    pub(super) fn values(&mut self, signature: &str, depth: usize) -> Result<Vec<Value>, Malformed> {
        signature::split(signature)?.into_iter().map(|one| self.value(one, depth)).collect()
    }

    /// One value of type `signature`, which is that of one complete type.
    pub(super) fn value(&mut self, signature: &str, depth: usize) -> Result<Value, Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed)?;
        let (first, rest) = signature.split_at_checked(1).ok_or(Malformed)?;
        let inner = || rest.get(..rest.len().wrapping_sub(1)).ok_or(Malformed);
        Ok(match first {
            "y" => Value::Byte(self.take(1)?[0]),
            "b" => Value::Bool(match self.u32()? {
                0 => false,
                1 => true,
                _ => return Err(Malformed),
            }),
            "n" => Value::I16(self.number().map(i16::from_le_bytes)?),
            "q" => Value::U16(self.number().map(u16::from_le_bytes)?),
            "i" => Value::I32(self.number().map(i32::from_le_bytes)?),
            "u" => Value::U32(self.u32()?),
            "x" => Value::I64(self.number().map(i64::from_le_bytes)?),
            "t" => Value::U64(self.number().map(u64::from_le_bytes)?),
            "d" => Value::Double(self.number().map(f64::from_le_bytes)?),
            // A descriptor is told by its place in a list that we do not take.
            "h" => Value::U32(self.u32()?),
            "s" => {
                let length = self.length()?;
                Value::Text(self.text(length)?)
            }
            "o" => {
                let length = self.length()?;
                Value::Path(self.text(length)?)
            }
            "g" => Value::Signature(self.signature()?),
            "a" => {
                let length = self.length()?;
                self.align(alignment(rest))?;
                let end = self.at.checked_add(length).filter(|end| *end <= self.message.len());
                let end = end.ok_or(Malformed)?;
                let mut elements = Vec::new();
                while self.at < end {
                    elements.push(self.value(rest, depth)?);
                }
                if self.at != end {
                    return Err(Malformed);
                }
                Value::Array(rest.to_owned(), elements)
            }
            "(" => {
                self.align(8)?;
                Value::Struct(self.values(inner()?, depth)?)
            }
            "{" => {
                self.align(8)?;
                match <[Value; 2]>::try_from(self.values(inner()?, depth)?) {
                    Ok([key, value]) => Value::Entry(Box::new((key, value))),
                    Err(_) => return Err(Malformed),
                }
            }
            "v" => {
                let signature = self.signature()?;
                match signature::split(&signature)?[..] {
                    [one] => Value::Variant(Box::new(self.value(one, depth)?)),
                    _ => return Err(Malformed),
                }
            }
            _ => return Err(Malformed),
        })
    }
}
