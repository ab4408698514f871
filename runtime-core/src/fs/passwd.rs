//! The host's passwd(5) file, read by ourselves: glibc's own functions load whatever libraries nsswitch.conf names, which a
//! static program must not.

use std::io::{BufRead, BufReader, Read};

/// How much of a file is looked at.
const MAX: u64 = 1 << 20;

/// The name in the first line of `file` with user id `uid`.
pub(crate) fn name_of(file: impl Read, uid: u32) -> Option<String> {
    let lines = BufReader::new(file.take(MAX)).lines().map_while(Result::ok);
    lines.filter_map(|line| parse(&line, uid)).next()
}

fn parse(line: &str, uid: u32) -> Option<String> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn the_users_line_is_found_among_junk() {
        let text = "\nx\na:b:c:d:e:f:g\nroot:x:0:0:root:/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n";
        assert_eq!(name_of(text.as_bytes(), 0).as_deref(), Some("root"));
        assert_eq!(name_of(text.as_bytes(), 1000).as_deref(), Some("u"));
        assert_eq!(name_of(text.as_bytes(), 7), None);
    }
}
