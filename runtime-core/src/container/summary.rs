//! What a list shows of a container, in short. It is the content of init.lock: a list has to ask for that file's lock anyway,
//! and so opens one file where state.json would be another, and reads a fifth of its text.

use super::{
    State, Status,
    record::{ProcessId, Record},
};
use crate::cgroup::FreezerFile;
use std::path::{Path, PathBuf};

/// A longer one is not made: state.json has it all.
pub(super) const LONGEST: usize = 4096;
/// How long the rest is, in so many digits: what has been written in part is none.
const LENGTH: usize = 8;
/// Of another form it is none.
const FORM: &str = "1";

/// What does not change of a container once its process is on record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary<'a> {
    oci_version: &'a str,
    id: &'a str,
    pub(super) process: ProcessId,
    bundle: &'a str,
    pub(super) rootfs: &'a str,
    pub(super) created: &'a str,
    pub(super) owner: u32,
    /// The file that says whether it is frozen.
    pub(super) freezer: Option<FreezerFile<'a>>,
    annotations: Vec<(&'a str, &'a str)>,
}

/// The summary of `record` as it is kept, if it has one.
pub(super) fn encode(record: &Record) -> Option<Vec<u8>> {
    let ProcessId { pid, start_time } = record.process?;
    let freezer = record.cgroup.freezer_file();
    let numbers = [pid.to_string(), start_time.to_string(), record.owner.to_string()];
    let mut fields = vec![
        FORM,
        &record.oci_version,
        &record.id,
        &numbers[0],
        &numbers[1],
        record.bundle.to_str()?,
        record.rootfs.to_str()?,
        &record.created,
        &numbers[2],
        freezer.as_deref().map_or(Some(""), Path::to_str)?,
    ];
    fields.extend(record.annotations.iter().flat_map(|(key, value)| [key.as_str(), value]));
    let body = fields.join("\0");
    let whole = body.len() + LENGTH <= LONGEST;
    // One more is a text that has the separator.
    let plain = body.bytes().filter(|byte| *byte == 0).count() + 1 == fields.len();
    (whole && plain).then(|| format!("{:0LENGTH$}{body}", body.len()).into_bytes())
}

impl<'a> Summary<'a> {
    /// What `bytes` say of the container `id`, if they are a whole summary.
    pub(super) fn parse(bytes: &'a [u8], id: &str) -> Option<Self> {
        let (length, body) = str::from_utf8(bytes).ok()?.split_at_checked(LENGTH)?;
        if length.parse() != Ok(body.len()) {
            return None;
        }
        let mut fields = body.split('\0');
        if fields.next() != Some(FORM) {
            return None;
        }
        let mut next = || fields.next();
        let summary = Self {
            oci_version: next()?,
            id: next().filter(|its| *its == id)?,
            process: ProcessId { pid: next()?.parse().ok()?, start_time: next()?.parse().ok()? },
            bundle: next()?,
            rootfs: next()?,
            created: next()?,
            owner: next()?.parse().ok()?,
            freezer: match next()? {
                "" => None,
                path => Some(FreezerFile::new(path)?),
            },
            annotations: Vec::new(),
        };
        let mut annotations = Vec::new();
        while let Some(key) = fields.next() {
            annotations.push((key, fields.next()?));
        }
        Some(Self { annotations, ..summary })
    }

    /// The document of runtime.md, "State".
    pub(super) fn state(&self, status: Status) -> State {
        let annotations =
            self.annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        State {
            oci_version: self.oci_version.to_owned(),
            id: self.id.to_owned(),
            status,
            pid: (status != Status::Stopped).then_some(self.process.pid),
            bundle: PathBuf::from(self.bundle),
            annotations: annotations.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let text = r#"{"ociVersion": "1.3.0", "id": "a", "bundle": "/b", "rootfs": "/b/ö", "created": "now", "owner": 7,
            "annotations": {"k": "", "l": "end"}, "process": {"pid": 12, "startTime": 34}, "namespaces": 0,
            "cgroup": {"manager": "cgroupfs", "lenient": false, "claim": "made", "trees": [{"unified": true, "name": "unified",
                "controllers": [], "mount": "/sys/fs/cgroup", "path": "x/a", "made": 1}]}}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_summary_says_what_the_record_says() {
        let record = record();
        let bytes = encode(&record).unwrap();
        let summary = Summary::parse(&bytes, "a").unwrap();
        for status in [Status::Created, Status::Stopped] {
            assert_eq!(summary.state(status), record.state(status));
        }
        assert_eq!((summary.rootfs, summary.created, summary.owner), ("/b/ö", "now", 7));
        assert_eq!(Some(summary.process), record.process);
        assert_eq!(summary.freezer, FreezerFile::new("/sys/fs/cgroup/x/a/cgroup.events"));
        assert_eq!(Summary::parse(&bytes, "b"), None);
    }

    #[test]
    fn a_part_of_a_summary_is_none() {
        let bytes = encode(&record()).unwrap();
        for length in 0..bytes.len() {
            assert_eq!(Summary::parse(&bytes[..length], "a"), None, "{length}");
        }
        assert_eq!(Summary::parse(&[bytes.as_slice(), b"x"].concat(), "a"), None);
    }

    #[test]
    fn what_cannot_be_told_in_short_is_left_to_the_record() {
        for value in ["a\0b".to_owned(), "x".repeat(LONGEST)] {
            let mut record = record();
            record.annotations.insert("k".to_owned(), value);
            assert_eq!(encode(&record), None);
        }
        assert_eq!(encode(&Record { process: None, ..record() }), None);
    }
}
