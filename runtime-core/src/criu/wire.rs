//! The wire format of protocol buffers, as far as criu's messages use it: numbers, texts and messages in messages.
//! <https://protobuf.dev/programming-guides/encoding/>
//!
//! By hand: the messages are few, and it is some hundred lines.

use std::fmt;

/// A message in the making.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

const NUMBER: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

impl Writer {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    fn tag(&mut self, field: u32, kind: u64) {
        self.varint(u64::from(field) << 3 | kind);
    }

    /// An unsigned number or an enumeration.
    pub(super) fn number(&mut self, field: u32, value: u32) {
        self.tag(field, NUMBER);
        self.varint(value.into());
    }

    /// An `int32`: a negative one is ten bytes long.
    pub(super) fn signed(&mut self, field: u32, value: i32) {
        self.tag(field, NUMBER);
        self.varint(i64::from(value).cast_unsigned());
    }

    /// A truth value.
    pub(super) fn flag(&mut self, field: u32, value: bool) {
        self.number(field, value.into());
    }

    /// A text or bytes.
    pub(super) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.tag(field, BYTES);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// A message in this one.
    pub(super) fn message(&mut self, field: u32, inner: &Self) {
        self.bytes(field, &inner.0);
    }

    /// What was written.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// A fixed-size number, which no message here has.
    Other,
}

impl<'a> Value<'a> {
    /// A number as an `int32`: the lower half, as protocol buffers have it.
    pub(super) fn signed(self) -> Option<i32> {
        let Self::Number(value) = self else { return None };
        let [a, b, c, d, ..] = value.to_le_bytes();
        Some(i32::from_le_bytes([a, b, c, d]))
    }

    pub(super) fn flag(self) -> Option<bool> {
        matches!(self, Self::Number(_)).then_some(self != Self::Number(0))
    }

    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub(super) fn text(self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// The bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a message of protocol buffers")
    }
}

impl std::error::Error for Malformed {}

/// The fields of a message, one after the other. It ends after the first that is malformed.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let &[byte] = self.take(1)? else { return Err(Malformed) };
            let bits = u64::from(byte & 0x7f);
            // Of the tenth byte one bit fits.
            if shift == 63 && bits > 1 {
                return Err(Malformed);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), Malformed> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number));
        let value = match tag & 7 {
            NUMBER => Value::Number(self.varint()?),
            BYTES => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Value::Bytes(self.take(length)?)
            }
            FIXED64 => self.take(8).map(|_| Value::Other)?,
            FIXED32 => self.take(4).map(|_| Value::Other)?,
            _ => return Err(Malformed),
        };
        Ok((number.ok_or(Malformed)?, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
        Fields::new(bytes).collect()
    }

    #[test]
    fn bytes_are_those_of_the_encoding_guide() {
        let mut message = Writer::default();
        message.number(1, 150);
        message.bytes(2, b"testing");
        let mut outer = Writer::default();
        outer.message(3, &message);
        outer.signed(4, -1);
        let bytes = outer.finish();
        assert_eq!(bytes[..5], [0x1a, 12, 0x08, 0x96, 0x01]);
        assert_eq!(bytes[5..14], *b"\x12\x07testing");
        assert_eq!(bytes[14..], [0x20, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
        let fields = read(&bytes).unwrap();
        assert_eq!(fields[1].1.signed(), Some(-1));
        assert_eq!(read(fields[0].1.bytes().unwrap()).unwrap()[0], (1, Value::Number(150)));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for bytes in [
            &b"\x08"[..],                                        // a number that is missing
            b"\x08\x96",                                         // one that is cut
            b"\x12\x07test",                                     // a text that is cut
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",     // one of 2^64-1 bytes
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",     // a number of 65 bits
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", // one of eleven bytes
            b"\x00\x01",                                         // field 0
            b"\xf8\xff\xff\xff\xff\x01\x01",                     // a field's number of 32 bits
            b"\x0b\x0c",                                         // a group
            b"\x0e",                                             // an unknown type
            b"\x0d\x01\x02\x03",                                 // a fixed number that is cut
        ] {
            assert_eq!(read(bytes), Err(Malformed), "{bytes:02x?}");
        }
        assert_eq!(read(b"\x0d\x01\x02\x03\x04").unwrap(), [(1, Value::Other)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_fields_or_malformed(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&bytes);
        }

        #[test]
        fn what_was_written_is_read(number: u32, signed: i32, flag: bool, text in ".{0,40}") {
            let mut message = Writer::default();
            message.number(1, number);
            message.signed(2, signed);
            message.flag(3, flag);
            message.bytes(64, text.as_bytes());
            let bytes = message.finish();
            let fields = read(&bytes).unwrap();
            prop_assert_eq!(fields[0], (1, Value::Number(number.into())));
            prop_assert_eq!(fields[1].1.signed(), Some(signed));
            prop_assert_eq!(fields[2].1.flag(), Some(flag));
            prop_assert_eq!((fields[3].0, fields[3].1.text()), (64, Some(text)));
            for end in 1..bytes.len() {
                let _ = read(&bytes[..end]);
            }
        }
    }
}
