//! /proc/PID/mountinfo, proc_pid_mountinfo(5): the mounts that a process sees, as the kernel tells them. Paths are bytes: an
//! image may have any but NUL in its names.

use std::{fs, io};

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) id: u64,
    pub(crate) parent: u64,
    /// Major and minor number of the file system.
    pub(crate) device: (u64, u64),
    /// What of the file system is mounted.
    pub(crate) root: Vec<u8>,
    /// Where, as the process sees it.
    pub(crate) point: Vec<u8>,
    /// The file system's type.
    pub(crate) kind: Vec<u8>,
    /// Its options.
    pub(crate) options: Vec<u8>,
}

/// All mounts that process `pid` sees.
pub(crate) fn of(pid: i32) -> io::Result<Vec<Mount>> {
    let text = fs::read(format!("/proc/{pid}/mountinfo"))?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(parse).collect())
}

fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let mut next = || fields.next();
    let number = |field: &[u8]| str::from_utf8(field).ok()?.parse().ok();
    let (id, parent) = (number(next()?)?, number(next()?)?);
    let (major, minor) = str::from_utf8(next()?).ok()?.split_once(':')?;
    let (root, point) = (unescape(next()?), unescape(next()?));
    // Attributes of the mount, and optional fields up to a dash.
    let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
    let (kind, _, options) = (rest.next()?.to_vec(), rest.next()?, rest.next()?.to_vec());
    Some(Mount { id, parent, device: (major.parse().ok()?, minor.parse().ok()?), root, point, kind, options })
}

/// Spaces, tabs, line ends and backslashes are told as `\040`, their octal numbers.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..3).and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let line =
            b"107 108 0:6 /null /proc/keys rw,relatime master:4 shared:5 - devtmpfs a\\040b rw,size=1k";
        let mount = parse(line).unwrap();
        assert_eq!((mount.id, mount.parent, mount.device), (107, 108, (0, 6)));
        assert_eq!((mount.root.as_slice(), mount.point.as_slice()), (&b"/null"[..], &b"/proc/keys"[..]));
        assert_eq!((mount.kind.as_slice(), mount.options.as_slice()), (&b"devtmpfs"[..], &b"rw,size=1k"[..]));
        for line in
            [&b""[..], b"1", b"1 2 0:6 / / rw", b"1 2 06 / / rw - tmpfs t rw", b"x 2 0:6 / / rw - a b c"]
        {
            assert_eq!(parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn names_of_any_bytes_are_kept() {
        assert_eq!(unescape(b"/a\\040b\\134\\012c\\"), b"/a b\\\nc\\");
        assert_eq!(unescape(b"/\xff\\0"), b"/\xff\\0");
        assert_eq!(unescape(b"\\999"), b"\\999");
    }

    #[test]
    fn our_own_root_is_among_ours() {
        let mounts = of(std::process::id().cast_signed()).unwrap();
        assert!(mounts.iter().any(|mount| mount.point == b"/"));
    }
}
