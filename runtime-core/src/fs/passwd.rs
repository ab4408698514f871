//! passwd(5) files, read by ourselves: glibc's own functions load whatever libraries nsswitch.conf names, which a static
//! program must not, and know only the host's file.

use std::io::{BufRead, BufReader, Read};

/// How much of a file is looked at: an image may hold anything.
const MAX: u64 = 1 << 20;

/// What a line tells of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The user's name.
    pub(crate) name: String,
    /// The home directory.
    pub(crate) home: String,
}

/// The first line of `file` with user id `uid`.
pub(crate) fn find(file: impl Read, uid: u32) -> Option<Entry> {
    let lines = BufReader::new(file.take(MAX)).lines().map_while(Result::ok);
    lines.filter_map(|line| parse(&line, uid)).next()
}

fn parse(line: &str, uid: u32) -> Option<Entry> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let own = fields.nth(1)?.parse() == Ok(uid);
    let home = fields.nth(2)?.to_owned();
    own.then_some(Entry { name, home })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn the_users_line_is_found_among_junk() {
        let text = "\nx\na:b:c:d:e:f:g\nroot:x:0:0:root:/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n";
        let home = |uid| find(text.as_bytes(), uid).map(|entry| entry.home);
        assert_eq!(home(0).as_deref(), Some("/root"));
        assert_eq!(home(1000).as_deref(), Some("/home/u"));
        assert_eq!(home(7), None);
        assert_eq!(find(text.as_bytes(), 1000).unwrap().name, "u");
    }
}
