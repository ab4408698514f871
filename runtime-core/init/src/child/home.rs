//! HOME from the container's own passwd(5). It is read here and not by the parent: what an image or a container has there
//! may hang, and whoever waits for it must be one of the container's processes, which can be killed with it.

use super::sys::{self, CStr, Fd, Res, errno, fault};
use crate::{
    arch::nr,
    guards::{self, Guard},
};

const PASSWD: &[u8] = b"/etc/passwd\0";
const PREFIX: &[u8] = b"HOME=";
/// How much of the file is looked at: an image may hold anything.
const MOST: usize = 1 << 20;
/// The longest line that is looked at.
const LINE: usize = 2048;

/// The variable as execve(2) wants it, once it is known.
pub(super) struct Home {
    text: [u8; LINE],
    length: usize,
}

impl Home {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self { text: [0; LINE], length: 0 }
    }

    /// Its address, if there is one.
    pub(super) fn address(&self) -> Option<usize> {
        (self.length > 0).then_some(self.text.as_ptr() as usize)
    }

    fn set(&mut self, directory: &[u8]) {
        let all = PREFIX.iter().chain(directory).chain(&[0]);
        self.length = self.text.iter_mut().zip(all).map(|(place, byte)| *place = *byte).count();
    }

    /// Looks up where user `uid` is at home; `/` where that is not told.
    pub(super) fn look_up(&mut self, uid: u32) {
        self.set(b"/");
        // Whatever is wrong with the file, it is the image's affair.
        if let Ok(file) = open() {
            let _ = search(&file, uid, self);
        }
    }
}

fn open() -> Res<Fd> {
    if !guards::on(Guard::Passwd) {
        return sys::openat(sys::AT_FDCWD, CStr::new(PASSWD), sys::O_RDONLY, 0);
    }
    let root = sys::openat(sys::AT_FDCWD, CStr::new(b"/\0"), sys::O_PATH | sys::O_DIRECTORY, 0)?;
    let resolve = sys::RESOLVE_IN_ROOT | sys::RESOLVE_NO_MAGICLINKS;
    let flags = sys::O_RDONLY | sys::O_NONBLOCK | sys::O_NOCTTY;
    let file = sys::openat2(root.raw(), CStr::new(PASSWD), flags, 0, resolve)?;
    match sys::stat_fd(file.raw())?.is(sys::S_IFREG) {
        true => Ok(file),
        false => Err(fault(nr::OPENAT2, errno::EINVAL)),
    }
}

/// The first line of `uid` whose directory can be one.
fn search(file: &Fd, uid: u32, home: &mut Home) -> Res<()> {
    let (mut part, mut line, mut length, mut seen) = ([0_u8; 4096], [0_u8; LINE], 0, 0);
    loop {
        let count = sys::read(file.raw(), &mut part)?;
        let end: &[u8] = if count == 0 { b"\n" } else { &part[..count] };
        for byte in end {
            match (*byte, line.get_mut(length)) {
                (b'\n', _) => {
                    // One that did not fit is no user's.
                    if let Some(directory) = line.get(..length).and_then(|line| directory_of(line, uid)) {
                        home.set(directory);
                        return Ok(());
                    }
                    length = 0;
                }
                (byte, Some(place)) => {
                    *place = byte;
                    length += 1;
                }
                (_, None) => length = LINE + 1,
            }
        }
        seen += count;
        if count == 0 || (seen >= MOST && guards::on(Guard::Passwd)) {
            return Ok(());
        }
    }
}

/// The directory in a line of `uid`, if it is a path that fits with what stands around it.
fn directory_of(line: &[u8], uid: u32) -> Option<&[u8]> {
    let mut fields = line.split(|byte| *byte == b':');
    let id = fields.nth(2)?;
    if id.is_empty() || id.iter().try_fold(0_u32, digit) != Some(uid) {
        return None;
    }
    let directory = fields.nth(2)?;
    let fits = directory.len() + PREFIX.len() < LINE;
    (fits && directory.first() == Some(&b'/') && !directory.contains(&0)).then_some(directory)
}

fn digit(number: u32, digit: &u8) -> Option<u32> {
    let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
    number.checked_mul(10)?.checked_add(u32::from(digit))
}

#[cfg(test)]
mod tests {
    use super::directory_of;

    #[test]
    fn only_a_whole_line_of_the_user_tells_a_directory() {
        let of = |line: &'static str, uid| directory_of(line.as_bytes(), uid);
        assert_eq!(of("root:x:0:0:root:/root:/bin/sh", 0), Some(&b"/root"[..]));
        assert_eq!(of("u:x:1000:1000::/home/u", 1000), Some(&b"/home/u"[..]));
        for line in [
            "",
            ":::::",
            "root:x::0::/:",
            "root:x:0:0:root",
            "a:b:0:d:e:f:g",
            "u:x:00x:0::/:",
            "u:x:+0:0::/:",
        ] {
            assert_eq!(of(line, 0), None, "{line:?}");
        }
        assert_eq!(of("u:x:4294967296:0::/:", 0), None);
        assert_eq!(of("u:x:0:0::/a\0b:", 0), None);
        let mut long = [b'x'; 3000];
        long[..10].copy_from_slice(b"u:x:0:0::/");
        assert_eq!(directory_of(&long, 0), None);
    }
}
