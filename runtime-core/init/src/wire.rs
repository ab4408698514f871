//! How a plan lies in memory: a flat list of steps that the parent writes and the init program reads in place.
//!
//! Numbers are little words of the processor's own order, since both ends are on one machine; texts end with NUL, so that
//! they are C strings where they lie; lists are a count and their items. Nothing is copied when it is read.

/// Where encoded bytes go: a `Vec<u8>` in the parent. The init program never encodes.
pub trait Sink {
    /// Appends `bytes`.
    fn put(&mut self, bytes: &[u8]);
}

/// What is left to read of an encoded plan.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// True at the end.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn split(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.bytes.split_at_checked(length)?;
        self.bytes = tail;
        Some(head)
    }
}

/// What a field of a step holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no.
    Bool,
    /// A number of so many bytes.
    Number(usize),
    /// A [`Text`].
    Text,
    /// A [`Texts`].
    Texts,
    /// A [`Bytes`].
    Bytes,
}

/// A field that was read by its kind.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Yes or no.
    Bool(bool),
    /// Any number.
    Number(u64),
    /// A text.
    Text(Text<'a>),
    /// A list of texts.
    Texts(Texts<'a>),
    /// Plain bytes.
    Bytes(Bytes<'a>),
}

impl<'a> Value<'a> {
    /// Reads a field of that kind, nothing where the input is too short or malformed.
    pub fn take(kind: Kind, input: &mut Input<'a>) -> Option<Self> {
        Some(match kind {
            Kind::Bool => Self::Bool(Wire::take(input)?),
            Kind::Number(width) => {
                let bytes = input.split(width)?.iter().rev();
                Self::Number(bytes.fold(0, |number, byte| number << 8 | u64::from(*byte)))
            }
            Kind::Text => Self::Text(Wire::take(input)?),
            Kind::Texts => Self::Texts(Wire::take(input)?),
            Kind::Bytes => Self::Bytes(Wire::take(input)?),
        })
    }
}

/// A value that can be a field of a step.
pub trait Wire<'a>: Sized {
    /// What it is, for who reads a plan without knowing its steps.
    const KIND: Kind;
    /// Appends the value.
    fn put(&self, sink: &mut dyn Sink);
    /// Reads the value, nothing where the input is too short or malformed.
    fn take(input: &mut Input<'a>) -> Option<Self>;
}

macro_rules! wire_numbers {
    ($($number:ty)*) => {$(
        impl<'a> Wire<'a> for $number {
            const KIND: Kind = Kind::Number(size_of::<$number>());
            fn put(&self, sink: &mut dyn Sink) {
                sink.put(&self.to_ne_bytes());
            }
            fn take(input: &mut Input<'a>) -> Option<Self> {
                input.split(size_of::<$number>())?.try_into().ok().map(<$number>::from_ne_bytes)
            }
        }
    )*};
}
wire_numbers! { u8 u16 u32 u64 i32 }

impl<'a> Wire<'a> for bool {
    const KIND: Kind = Kind::Bool;
    fn put(&self, sink: &mut dyn Sink) {
        sink.put(&[u8::from(*self)]);
    }
    fn take(input: &mut Input<'a>) -> Option<Self> {
        u8::take(input).map(|byte| byte != 0)
    }
}

/// Bytes that are a C string where they lie in the plan. The parent must not give it a NUL inside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<'a>(pub &'a [u8]);

impl Text<'_> {
    /// The address of the C string. Only of a text that was read from a plan, where a NUL follows it.
    pub fn as_ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }
}

impl<'a> Wire<'a> for Text<'a> {
    const KIND: Kind = Kind::Text;
    fn put(&self, sink: &mut dyn Sink) {
        length(self.0).put(sink);
        sink.put(self.0);
        sink.put(&[0]);
    }
    fn take(input: &mut Input<'a>) -> Option<Self> {
        let length = u32::take(input)? as usize;
        match input.split(length.checked_add(1)?)?.split_last()? {
            (0, text) => Some(Self(text)),
            _ => None,
        }
    }
}

impl core::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// Plain bytes, as a filter program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Wire<'a> for Bytes<'a> {
    const KIND: Kind = Kind::Bytes;
    fn put(&self, sink: &mut dyn Sink) {
        length(self.0).put(sink);
        sink.put(self.0);
    }
    fn take(input: &mut Input<'a>) -> Option<Self> {
        let length = u32::take(input)? as usize;
        input.split(length).map(Self)
    }
}

impl core::fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A list of texts: borrowed from the parent's strings, or lying encoded in the plan.
#[derive(Clone, Copy)]
pub enum Texts<'a> {
    /// What the parent gives.
    Given(&'a [&'a [u8]]),
    /// What the init program reads: so many encoded texts.
    Read(u32, Input<'a>),
}

impl<'a> Texts<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Given(items) => items.len(),
            Self::Read(count, _) => *count as usize,
        }
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The texts in order.
    pub fn iter(&self) -> TextsIter<'a> {
        TextsIter { list: *self, at: 0 }
    }
}

/// Iterates over [`Texts`].
pub struct TextsIter<'a> {
    list: Texts<'a>,
    at: usize,
}

impl<'a> Iterator for TextsIter<'a> {
    type Item = Text<'a>;

    fn next(&mut self) -> Option<Text<'a>> {
        match &mut self.list {
            Texts::Given(items) => {
                let item = items.get(self.at)?;
                self.at += 1;
                Some(Text(item))
            }
            Texts::Read(count, input) => {
                *count = count.checked_sub(1)?;
                Text::take(input)
            }
        }
    }
}

impl<'a> Wire<'a> for Texts<'a> {
    const KIND: Kind = Kind::Texts;
    fn put(&self, sink: &mut dyn Sink) {
        u32::try_from(self.len()).unwrap_or(u32::MAX).put(sink);
        self.iter().for_each(|text| text.put(sink));
    }
    fn take(input: &mut Input<'a>) -> Option<Self> {
        let count = u32::take(input)?;
        let start = *input;
        for _ in 0..count {
            Text::take(input)?;
        }
        Some(Self::Read(count, start))
    }
}

impl core::fmt::Debug for Texts<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A length as it is encoded. Plans are far below 4 GiB: config.json is bounded.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
