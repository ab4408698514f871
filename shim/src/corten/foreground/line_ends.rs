//! Line ends of a terminal's output that no terminal shows.

/// The carriage returns that a terminal adds: taken out again where its output goes to a file or a pipe. To switch them
/// off in the terminal would be too late for a process that already writes.
#[derive(Debug, Default)]
pub(super) struct LineEnds {
    /// The last byte was a carriage return, and it is not known what follows.
    held: bool,
}

impl LineEnds {
    /// `bytes` with `\n` for every `\r\n`.
    pub(super) fn undo(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(bytes.len() + 1);
        for &byte in bytes {
            if self.held && byte != b'\n' {
                plain.push(b'\r');
            }
            self.held = byte == b'\r';
            if !self.held {
                plain.push(byte);
            }
        }
        plain
    }

    /// Whether a carriage return is held back.
    pub(super) fn is_held(&self) -> bool {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::LineEnds;

    /// However the bytes come in pieces, what the process wrote is got back.
    #[test]
    fn what_the_terminal_added_is_taken_out() {
        for (written, in_terminal) in [
            ("a\nb\n", "a\r\nb\r\n"),
            ("a\r\nb", "a\r\r\nb"),
            ("50%\r100%\n", "50%\r100%\r\n"),
            ("\r\r", "\r\r"),
            ("\n\n", "\r\n\r\n"),
        ] {
            for size in 1..=in_terminal.len() {
                let mut line_ends = LineEnds::default();
                let pieces = in_terminal.as_bytes().chunks(size);
                let mut plain: Vec<u8> = pieces.flat_map(|piece| line_ends.undo(piece)).collect();
                plain.extend(line_ends.is_held().then_some(b'\r'));
                assert_eq!(plain, written.as_bytes(), "{written:?} by {size}");
            }
        }
    }
}
