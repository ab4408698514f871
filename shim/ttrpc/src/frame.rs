//! Frames: a header of ten bytes and the data.

use std::{cmp::min, mem};

/// Bytes of a frame's header: the data's length and the stream, four bytes each and big-endian, the kind, the flags.
pub const HEADER_LENGTH: usize = 10;

/// The longest data of a frame, in bytes (4 MiB); ttrpc's own bound.
pub const MAX_LENGTH: usize = 4 << 20;

/// Room made for a frame before its data has come: a header that lies about its length costs no more than this.
const FIRST_ROOM: usize = 4096;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Opens a stream: the data is a [`Request`](crate::Request).
    Request,
    /// Ends a stream: the data is a [`Response`](crate::Response).
    Response,
    /// A part of a stream that is neither.
    Data,
}

impl Kind {
    /// The number that stands in a header.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Response => 2,
            Self::Data => 3,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Request),
            2 => Some(Self::Response),
            3 => Some(Self::Data),
            _ => None,
        }
    }
}

/// A whole frame, as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The stream: odd when the client opened it.
    pub stream: u32,
    /// What the data is.
    pub kind: Kind,
    /// 1: the sender sends no more on this stream; 2: it will; 0 for a plain call; 4: there is no data.
    pub flags: u8,
    /// The data.
    pub data: Vec<u8>,
}

/// Why bytes are not a frame. The connection cannot go on: where the next frame begins is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The header tells of more data than [`MAX_LENGTH`].
    #[error("a frame of {0} bytes, more than the {MAX_LENGTH} allowed")]
    TooLong(u32),
    /// The header's kind is none of ttrpc's three.
    #[error("a frame of the unknown kind {0}")]
    UnknownKind(u8),
}

/// Appends a frame to `out`.
///
/// # Errors
/// `data` is longer than [`MAX_LENGTH`]; then `out` is as it was.
pub fn encode(stream: u32, kind: Kind, flags: u8, data: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    if data.len() > MAX_LENGTH {
        return Err(FrameError::TooLong(length));
    }
    out.reserve(HEADER_LENGTH + data.len());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(&[kind.number(), flags]);
    out.extend_from_slice(data);
    Ok(())
}

/// Puts frames together from bytes that come in pieces of any size.
#[derive(Debug, Default)]
pub struct Decoder {
    header: [u8; HEADER_LENGTH],
    header_filled: usize,
    data: Vec<u8>,
}

impl Decoder {
    /// A decoder at the beginning of a frame.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes from the front of `input`, as many as the frame at hand still needs, and gives the frame when it is
    /// whole. Call it until it gives none: then `input` is empty.
    ///
    /// # Errors
    /// The header is not one of a frame. The decoder is of no more use then.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        if self.header_filled < HEADER_LENGTH {
            let taken = take(input, HEADER_LENGTH - self.header_filled);
            self.header[self.header_filled..self.header_filled + taken.len()].copy_from_slice(taken);
            self.header_filled += taken.len();
            if self.header_filled < HEADER_LENGTH {
                return Ok(None);
            }
        }
        let (length, stream, kind, flags) = self.header()?;
        if self.data.capacity() == 0 {
            self.data.reserve_exact(min(length, FIRST_ROOM));
        }
        let taken = take(input, length - self.data.len());
        self.data.extend_from_slice(taken);
        if self.data.len() < length {
            return Ok(None);
        }
        self.header_filled = 0;
        Ok(Some(Frame { stream, kind, flags, data: mem::take(&mut self.data) }))
    }

    /// Whether a frame is begun and not yet whole: a connection that ends now was cut off.
    #[must_use]
    pub fn is_within_frame(&self) -> bool {
        self.header_filled > 0
    }

    fn header(&self) -> Result<(usize, u32, Kind, u8), FrameError> {
        let [l0, l1, l2, l3, s0, s1, s2, s3, kind, flags] = self.header;
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        let bounded = usize::try_from(length).unwrap_or(usize::MAX);
        if bounded > MAX_LENGTH {
            return Err(FrameError::TooLong(length));
        }
        let kind = Kind::from_number(kind).ok_or(FrameError::UnknownKind(kind))?;
        Ok((bounded, u32::from_be_bytes([s0, s1, s2, s3]), kind, flags))
    }
}

fn take<'a>(input: &mut &'a [u8], wanted: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(min(wanted, input.len()));
    *input = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_laid_out_as_the_protocol_says() {
        let mut out = Vec::new();
        encode(3, Kind::Response, 0, b"ab", &mut out).unwrap();
        assert_eq!(out, [0, 0, 0, 2, 0, 0, 0, 3, 2, 0, b'a', b'b']);
    }

    #[test]
    fn a_frame_without_data_is_whole_with_its_header() {
        let mut input: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 1, 1, 0];
        let frame = Decoder::new().next(&mut input).unwrap().unwrap();
        assert_eq!(frame, Frame { stream: 1, kind: Kind::Request, flags: 0, data: Vec::new() });
    }

    #[test]
    fn a_huge_length_is_refused_before_room_is_made() {
        let mut input: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 1, 0];
        assert_eq!(Decoder::new().next(&mut input), Err(FrameError::TooLong(u32::MAX)));
        let mut decoder = Decoder::new();
        let mut input: &[u8] = &[0, 0x40, 0, 0, 0, 0, 0, 1, 1, 0];
        assert_eq!(decoder.next(&mut input), Ok(None));
        assert!(decoder.data.capacity() <= FIRST_ROOM);
        let mut input: &[u8] = &[0, 0x40, 0, 1, 0, 0, 0, 1, 1, 0];
        assert_eq!(Decoder::new().next(&mut input), Err(FrameError::TooLong(0x40_0001)));
    }

    #[test]
    fn an_unknown_kind_is_an_error() {
        let mut input: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 1, 9, 0];
        assert_eq!(Decoder::new().next(&mut input), Err(FrameError::UnknownKind(9)));
    }
}
