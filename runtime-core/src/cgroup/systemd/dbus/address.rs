//! Addresses of servers: the D-Bus specification, "Server Addresses".

use nix::sys::socket::UnixAddr;
use std::{
    ffi::OsString,
    fmt,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

/// Where a Unix socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Address {
    File(PathBuf),
    /// Without a file: the name, unix(7).
    Abstract(Vec<u8>),
}

impl Address {
    /// The Unix sockets among `addresses`, as DBUS_SESSION_BUS_ADDRESS has them: `unix:path=/run/user/1000/bus;...`.
    pub(in super::super) fn list(addresses: &[u8]) -> Vec<Self> {
        addresses.split(|byte| *byte == b';').filter_map(Self::read).collect()
    }

    fn read(address: &[u8]) -> Option<Self> {
        let keys = address.strip_prefix(b"unix:")?;
        keys.split(|byte| *byte == b',').find_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let value = unescape(&pair[at + 1..])?;
            match &pair[..at] {
                b"path" => Some(Self::File(OsString::from_vec(value).into())),
                b"abstract" => Some(Self::Abstract(value)),
                _ => None,
            }
        })
    }

    pub(super) fn of_socket(&self) -> nix::Result<UnixAddr> {
        match self {
            Self::File(path) => UnixAddr::new(path),
            Self::Abstract(name) => UnixAddr::new_abstract(name),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Abstract(name) => write!(f, "@{}", std::ffi::OsStr::from_bytes(name).display()),
        }
    }
}

/// Undoes the escapes `%41` of a value.
fn unescape(value: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            let digits = str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
            plain.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            plain.push(byte);
        }
    }
    Some(plain)
}
