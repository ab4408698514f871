//! Why criu failed, told by its log: one line.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// How much of the log's end is looked at.
const END: u64 = 256 << 10;

/// The line of the log at `path` that says why, without its time.
pub(super) fn reason(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END))).ok()?;
    let mut text = Vec::new();
    file.take(END).read_to_end(&mut text).ok()?;
    find(&String::from_utf8_lossy(&text)).map(str::to_owned)
}

/// The first error is the cause, those that follow are told by the callers. Before them come errors of what criu only tries
/// to find out, as whether there are tun devices. That there is no page server is told as no error.
fn find(log: &str) -> Option<&str> {
    let errors = || {
        log.lines().filter_map(|line| {
            let at = line.find("Error (").or_else(|| line.find("Can't connect to server"))?;
            Some(line[at..].trim_end()).filter(|error| !error.contains("criu/tun.c:"))
        })
    };
    let is_summary = |error: &&str| error.ends_with("FAILED.");
    errors().find(|error| !is_summary(error)).or_else(|| errors().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_among_the_errors() {
        let log = "(00.01) Version: 3.17.1 (gitid 0)\n\
            (00.02) Error (criu/tun.c:85): tun: Unable to create tun: No such file or directory\n\
            (00.03) Warn  (criu/x.c:1): x\n\
            (00.04) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.\n\
            (00.05) Error (criu/cr-dump.c:1557): Dump files (pid: 7) failed with -1\n\
            (00.06) Error (criu/cr-dump.c:1973): Dumping FAILED.\n";
        let cause = "Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.";
        assert_eq!(find(log), Some(cause));
        assert_eq!(find("(1) Error (a.c:1): Dumping FAILED."), Some("Error (a.c:1): Dumping FAILED."));
        assert_eq!(find("nothing"), None);
        let log = "(00.01) Can't connect to server 127.0.0.1:9\n\
            (00.02) Error (compel/src/lib/infect.c:356): Unable to detach from 261: No such process\n";
        assert_eq!(find(log), Some("Can't connect to server 127.0.0.1:9"));
    }
}
