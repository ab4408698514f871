//! Messages: the D-Bus specification, "Message Protocol".

use super::{
    Malformed,
    signature::DEPTH,
    value::{Reader, Value, length, pad},
};

/// The part of the header that has a fixed length: with it the whole length is known.
pub(super) const FIXED: usize = 16;
/// No message for us is longer; the specification allows 128 MiB.
const LONGEST: usize = 1 << 20;

/// The types of messages.
const CALL: u8 = 1;
pub(super) const RETURN: u8 = 2;
pub(super) const ERROR: u8 = 3;
pub(super) const SIGNAL: u8 = 4;

/// Fields of the header.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// A method of an object of a service.
#[derive(Clone, Copy)]
pub(in super::super) struct Method {
    pub(in super::super) destination: &'static str,
    pub(in super::super) path: &'static str,
    pub(in super::super) interface: &'static str,
    pub(in super::super) member: &'static str,
}

/// The call of a method, as it is sent.
pub(super) fn call(method: Method, serial: u32, arguments: &[Value]) -> Vec<u8> {
    let mut fields = vec![
        (PATH, Value::Path(method.path.to_owned())),
        (INTERFACE, Value::text(method.interface)),
        (MEMBER, Value::text(method.member)),
        (DESTINATION, Value::text(method.destination)),
    ];
    if !arguments.is_empty() {
        let signature = arguments.iter().map(Value::signature).collect();
        fields.push((SIGNATURE, Value::Signature(signature)));
    }
    let fields = fields
        .into_iter()
        .map(|(code, value)| Value::Struct(vec![Value::Byte(code), Value::Variant(Box::new(value))]));
    // Little-endian, a call, without flags, version 1; then the body's length, which is put in at the end.
    let mut message = vec![b'l', CALL, 0, 1, 0, 0, 0, 0];
    Value::U32(serial).write(&mut message);
    Value::array("(yv)", fields).write(&mut message);
    pad(&mut message, 8);
    let begin = message.len();
    arguments.iter().for_each(|argument| argument.write(&mut message));
    let size = length(message.len() - begin).to_le_bytes();
    message[4..8].copy_from_slice(&size);
    message
}

/// A message that came in.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Message {
    /// [`RETURN`], [`ERROR`], [`SIGNAL`], or what else there is.
    pub(super) kind: u8,
    pub(super) reply_to: Option<u32>,
    pub(super) interface: String,
    pub(super) member: String,
    pub(super) error_name: String,
    signature: String,
    body: Vec<u8>,
    big_endian: bool,
}

impl Message {
    /// The length of a whole message that begins with the bytes `fixed`.
    pub(super) fn length(fixed: &[u8; FIXED]) -> Result<usize, Malformed> {
        let big_endian = big_endian(fixed)?;
        let (body, fields) = (number(fixed, 4, big_endian)?, number(fixed, 12, big_endian)?);
        let length = FIXED.checked_add(fields).and_then(|length| length.checked_next_multiple_of(8));
        length
            .and_then(|length| length.checked_add(body))
            .filter(|length| *length <= LONGEST)
            .ok_or(Malformed)
    }

    /// Reads a whole message. Its body is read when it is asked for.
    pub(super) fn read(message: &[u8]) -> Result<Self, Malformed> {
        let big_endian = big_endian(message)?;
        if message.get(3) != Some(&1) {
            return Err(Malformed);
        }
        let mut read = Self { kind: message[1], big_endian, ..Self::default() };
        let mut reader = Reader::new(message, FIXED - 4, big_endian);
        let Value::Array(_, fields) = reader.value("a(yv)", DEPTH)? else { return Err(Malformed) };
        for field in fields {
            let Value::Struct(field) = field else { return Err(Malformed) };
            let [Value::Byte(code), Value::Variant(value)] = &field[..] else { return Err(Malformed) };
            match (*code, &**value) {
                (INTERFACE, Value::Text(text)) => read.interface.clone_from(text),
                (MEMBER, Value::Text(text)) => read.member.clone_from(text),
                (ERROR_NAME, Value::Text(text)) => read.error_name.clone_from(text),
                (SIGNATURE, Value::Signature(text)) => read.signature.clone_from(text),
                (REPLY_SERIAL, Value::U32(serial)) => read.reply_to = Some(*serial),
                (INTERFACE | MEMBER | ERROR_NAME | SIGNATURE | REPLY_SERIAL, _) => return Err(Malformed),
                _ => {}
            }
        }
        reader.align(8)?;
        read.body = message.get(reader.at()..).ok_or(Malformed)?.to_vec();
        if read.body.len() != number(message, 4, big_endian)? {
            return Err(Malformed);
        }
        Ok(read)
    }

    /// The values of its body.
    pub(super) fn values(&self) -> Result<Vec<Value>, Malformed> {
        let mut reader = Reader::new(&self.body, 0, self.big_endian);
        let values = reader.values(&self.signature, DEPTH)?;
        if reader.at() == self.body.len() { Ok(values) } else { Err(Malformed) }
    }
}

fn big_endian(message: &[u8]) -> Result<bool, Malformed> {
    match message.first() {
        Some(b'l') => Ok(false),
        Some(b'B') => Ok(true),
        _ => Err(Malformed),
    }
}

fn number(message: &[u8], at: usize, big_endian: bool) -> Result<usize, Malformed> {
    let number = Reader::new(message, at, big_endian).u32()?;
    usize::try_from(number).map_err(|_| Malformed)
}
