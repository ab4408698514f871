//! What is asked of criu and what it answers: the messages of criu's images/rpc.proto, by their field numbers there.

use super::wire::{Fields, Malformed, Value, Writer};
use crate::{Error, ErrorKind};
use std::{fmt, str::FromStr};

/// `criu_req_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    Dump = 1,
    Restore = 2,
    Check = 3,
    PreDump = 4,
    Notify = 6,
    FeatureCheck = 9,
    Version = 10,
}

/// `criu_cg_mode`: what becomes of cgroups, criu(8) `--manage-cgroups`.
///
/// ```
/// # fn main() -> runtime_core::Result<()> {
/// use runtime_core::{CheckpointOptions, ManageCgroups};
///
/// let mut options = CheckpointOptions::new("/srv/image");
/// options.criu.manage_cgroups = "strict".parse()?;
/// assert_eq!(options.criu.manage_cgroups, ManageCgroups::Strict);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum ManageCgroups {
    /// They are neither saved nor restored: processes are restored into the container's cgroup.
    Ignore = 0,
    /// Those below the container's cgroup are restored with their properties, where they do not exist.
    #[default]
    Soft = 3,
    /// All are restored with their properties, existing ones too.
    Full = 4,
    /// All are restored, and none may exist.
    Strict = 5,
}

impl ManageCgroups {
    fn word(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Soft => "soft",
            Self::Full => "full",
            Self::Strict => "strict",
        }
    }
}

impl fmt::Display for ManageCgroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for ManageCgroups {
    type Err = Error;

    /// `ignore`, `soft`, `full` or `strict`, as on criu's command line.
    fn from_str(text: &str) -> Result<Self, Error> {
        let all = [Self::Ignore, Self::Soft, Self::Full, Self::Strict];
        let unknown = || {
            let message = format!("cgroups mode {text:?}: not ignore, soft, full or strict");
            Error::new(ErrorKind::InvalidArgument, message)
        };
        all.into_iter().find(|mode| mode.word() == text).ok_or_else(unknown)
    }
}

/// `criu_opts`, as far as it is used. What is not set is not sent.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) images_dir_fd: i32,
    pub(crate) work_dir_fd: Option<i32>,
    pub(crate) pid: Option<i32>,
    pub(crate) log_file: &'static str,
    pub(crate) config_file: Option<String>,
    pub(crate) root: Vec<u8>,
    pub(crate) parent_img: Option<Vec<u8>>,
    pub(crate) leave_running: bool,
    pub(crate) ext_unix_sk: bool,
    pub(crate) tcp_established: bool,
    pub(crate) tcp_skip_in_flight: bool,
    pub(crate) tcp_close: bool,
    pub(crate) evasive_devices: bool,
    pub(crate) shell_job: bool,
    pub(crate) file_locks: bool,
    pub(crate) track_mem: bool,
    pub(crate) auto_dedup: bool,
    pub(crate) link_remap: bool,
    pub(crate) lazy_pages: bool,
    pub(crate) rst_sibling: bool,
    /// Address and port.
    pub(crate) page_server: Option<(String, u16)>,
    pub(crate) manage_cgroups: ManageCgroups,
    pub(crate) freeze_cgroup: Option<Vec<u8>>,
    /// Controller and path.
    pub(crate) cgroup_roots: Vec<(String, String)>,
    /// CLONE_NEW* flags.
    pub(crate) empty_ns: u32,
    /// Kind and path.
    pub(crate) join_ns: Vec<(&'static str, Vec<u8>)>,
    pub(crate) external: Vec<Vec<u8>>,
    /// Key and descriptor.
    pub(crate) inherit_fd: Vec<(String, i32)>,
    pub(crate) lsm_profile: Option<String>,
    pub(crate) lsm_mount_context: Option<String>,
}

/// All that is above a debugger's interest.
const LOG_LEVEL: u32 = 4;

impl Options {
    fn encode(&self) -> Writer {
        let mut message = Writer::default();
        message.signed(1, self.images_dir_fd);
        for (field, value) in [(2, self.pid), (17, self.work_dir_fd)] {
            value.into_iter().for_each(|value| message.signed(field, value));
        }
        for (field, on) in [
            (3, self.leave_running),
            (4, self.ext_unix_sk),
            (5, self.tcp_established),
            (6, self.evasive_devices),
            (7, self.shell_job),
            (8, self.file_locks),
            (12, true), // notify_scripts
            (15, self.track_mem),
            (16, self.auto_dedup),
            (18, self.link_remap),
            (24, true), // manage_cgroups, which the mode makes precise
            (26, self.rst_sibling),
            (46, self.tcp_skip_in_flight),
            (48, self.lazy_pages),
            (50, true), // orphan_pts_master
            (52, self.tcp_close),
        ] {
            // None of them is on if it is not sent.
            if on {
                message.flag(field, on);
            }
        }
        message.number(9, LOG_LEVEL);
        message.bytes(10, self.log_file.as_bytes());
        if !self.root.is_empty() {
            message.bytes(13, &self.root);
        }
        let texts = [
            (14, self.parent_img.as_deref()),
            (44, self.freeze_cgroup.as_deref()),
            (51, self.config_file.as_deref().map(str::as_bytes)),
            (53, self.lsm_profile.as_deref().map(str::as_bytes)),
            (63, self.lsm_mount_context.as_deref().map(str::as_bytes)),
        ];
        for (field, text) in texts {
            text.into_iter().for_each(|text| message.bytes(field, text));
        }
        message.number(34, self.manage_cgroups as u32);
        message.number(38, self.empty_ns);
        self.external.iter().for_each(|text| message.bytes(37, text));
        self.encode_lists(&mut message);
        message
    }

    fn encode_lists(&self, message: &mut Writer) {
        if let Some((address, port)) = &self.page_server {
            let mut server = Writer::default();
            server.bytes(1, address.as_bytes());
            server.signed(2, (*port).into());
            message.message(11, &server);
        }
        let pairs = |message: &mut Writer, field, first: &[u8], second: &[u8]| {
            let mut pair = Writer::default();
            pair.bytes(1, first);
            pair.bytes(2, second);
            message.message(field, &pair);
        };
        for (controller, path) in &self.cgroup_roots {
            pairs(message, 25, controller.as_bytes(), path.as_bytes());
        }
        for (kind, path) in &self.join_ns {
            pairs(message, 39, kind.as_bytes(), path);
        }
        for (key, fd) in &self.inherit_fd {
            let mut inherited = Writer::default();
            inherited.bytes(1, key.as_bytes());
            inherited.signed(2, *fd);
            message.message(27, &inherited);
        }
    }
}

/// `criu_features`: what not every kernel can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features {
    /// Pages that were written to are known, for pre-dumps.
    pub(crate) mem_track: bool,
    /// userfaultfd.
    pub(crate) lazy_pages: bool,
}

/// `criu_req` of `kind` with these options.
pub(super) fn request(kind: Kind, options: Option<&Options>) -> Vec<u8> {
    let mut message = Writer::default();
    message.number(1, kind as u32);
    if let Some(options) = options {
        message.message(2, &options.encode());
    }
    if kind == Kind::FeatureCheck {
        let mut features = Writer::default();
        features.flag(1, true);
        features.flag(2, true);
        message.message(5, &features);
    }
    message.finish()
}

/// The answer to a notification.
pub(super) fn notified(success: bool) -> Vec<u8> {
    let mut message = Writer::default();
    message.number(1, Kind::Notify as u32);
    message.flag(3, success);
    message.finish()
}

/// `criu_resp`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Response {
    /// `criu_req_type`.
    pub(crate) kind: Option<u32>,
    pub(crate) success: bool,
    /// The name and the process of a notification.
    pub(crate) script: Option<String>,
    pub(crate) notify_pid: Option<i32>,
    /// The restored process.
    pub(crate) restored: Option<i32>,
    pub(crate) errno: Option<i32>,
    /// What criu says of its failure; from 3.9 on.
    pub(crate) message: Option<String>,
    pub(crate) features: Features,
    /// Major, minor and sublevel.
    pub(crate) version: [u32; 3],
}

impl Response {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut response = Self::default();
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            match number {
                1 => response.kind = value.signed().map(i32::cast_unsigned),
                2 => response.success = value.flag().unwrap_or(false),
                4 => each(value, |number, value| {
                    if number == 1 {
                        response.restored = value.signed();
                    }
                })?,
                5 => each(value, |number, value| match number {
                    1 => response.script = value.text(),
                    2 => response.notify_pid = value.signed(),
                    _ => {}
                })?,
                7 => response.errno = value.signed(),
                8 => each(value, |number, value| match number {
                    1 => response.features.mem_track = value.flag().unwrap_or(false),
                    2 => response.features.lazy_pages = value.flag().unwrap_or(false),
                    _ => {}
                })?,
                9 => response.message = value.text(),
                10 => each(value, |number, value| {
                    let at = match number {
                        1 => 0,
                        2 => 1,
                        4 => 2,
                        _ => return,
                    };
                    response.version[at] = value.signed().unwrap_or(0).cast_unsigned();
                })?,
                _ => {}
            }
        }
        if response.kind.is_some() { Ok(response) } else { Err(Malformed) }
    }
}

/// The fields of a message in a message.
fn each(value: Value<'_>, mut act: impl FnMut(u32, Value<'_>)) -> Result<(), Malformed> {
    for field in Fields::new(value.bytes().ok_or(Malformed)?) {
        let (number, value) = field?;
        act(number, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As criu 3.17.1 of Debian answers, byte for byte.
    #[test]
    fn answers_of_criu_are_read() {
        let version = Response::decode(b"\x08\x0a\x10\x01\x52\x06\x08\x03\x10\x11\x20\x01").unwrap();
        assert_eq!((version.kind, version.success, version.version), (Some(10), true, [3, 17, 1]));
        let notify = b"\x08\x06\x10\x01\x2a\x15\x0a\x10setup-namespaces\x10\xf2\x01";
        let notify = Response::decode(notify).unwrap();
        assert_eq!((notify.script.as_deref(), notify.notify_pid), (Some("setup-namespaces"), Some(242)));
        let failed = b"\x08\x02\x10\x00\x22\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x38\x38";
        let failed = Response::decode(failed).unwrap();
        assert_eq!((failed.success, failed.restored, failed.errno), (false, Some(-1), Some(56)));
    }

    #[test]
    fn answers_that_are_none_are_refused() {
        for bytes in [&b""[..], b"\x10\x01", b"\x08", b"\x08\x06\x2a\x05\x0a\x10", b"\x08\x06\x28\x01"] {
            assert_eq!(Response::decode(bytes), Err(Malformed), "{bytes:02x?}");
        }
    }

    #[test]
    fn what_is_asked_has_the_numbers_of_rpc_proto() {
        let options = Options {
            images_dir_fd: 5,
            pid: Some(7),
            log_file: "dump.log",
            root: b"/r".to_vec(),
            leave_running: true,
            page_server: Some(("::1".into(), 1)),
            manage_cgroups: ManageCgroups::Strict,
            join_ns: vec![("ipc", b"/n".to_vec())],
            inherit_fd: vec![("pipe:[1]".into(), 1)],
            lsm_mount_context: Some("c".into()),
            ..Options::default()
        };
        let bytes = request(Kind::Dump, Some(&options));
        let fields: Vec<_> = Fields::new(&bytes).map(Result::unwrap).collect();
        assert_eq!(fields[0], (1, Value::Number(1)));
        let inner: Vec<_> = Fields::new(fields[1].1.bytes().unwrap()).map(Result::unwrap).collect();
        let find = |number| inner.iter().find(|(found, _)| *found == number).map(|(_, value)| *value);
        assert_eq!((find(1), find(2)), (Some(Value::Number(5)), Some(Value::Number(7))));
        assert_eq!((find(3), find(5), find(34)), (Some(Value::Number(1)), None, Some(Value::Number(5))));
        assert_eq!(find(11), Some(Value::Bytes(b"\x0a\x03::1\x10\x01")));
        assert_eq!(find(39), Some(Value::Bytes(b"\x0a\x03ipc\x12\x02/n")));
        assert_eq!(find(27), Some(Value::Bytes(b"\x0a\x08pipe:[1]\x10\x01")));
        assert_eq!(find(63), Some(Value::Bytes(b"c")));
    }

    proptest! {
        #[test]
        fn no_answer_breaks_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Response::decode(&bytes);
        }
    }
}
