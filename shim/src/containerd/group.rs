//! Which containers share a shim, and the socket that they are reached by.

use crate::error::{Error, Result};
use corten_ttrpc::{Kind, Message, Request, encode, task::SERVICE_V2};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Read, Write},
    os::unix::{
        fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    time::Duration,
};

/// Where sockets of shims are, for every daemon of the host.
const SOCKETS: &str = "/run/containerd/s";
/// How long a shim may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest path of a Unix socket that containerd takes.
const MAX_SOCKET_PATH: usize = 106;
/// Annotations that name the group, the first that is there.
const GROUP: [&str; 2] = ["io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"];
/// The file of a bundle with the shim's address; daemons up to 1.7 read it when they are started again.
const ADDRESS_FILE: &str = "address";

/// The file of a bundle whose container the shim was started for, with the name of the group.
const LEADER_FILE: &str = "corten-group";

/// The part of a configuration that tells the group.
#[derive(Default, Deserialize)]
struct Annotated {
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// The group of the container `id` with the bundle `bundle`: the container that leads it, or itself.
pub(crate) fn of(bundle: &Path, id: &str) -> Result<String> {
    let file = bundle.join("config.json");
    let read = fs::read(&file).map_err(|error| Error::io(format!("{}: read", file.display()), error))?;
    let annotated: Annotated = serde_json::from_slice(&read)
        .map_err(|error| Error::unknown(format!("{}: {error}", file.display())))?;
    Ok(named(&annotated.annotations.unwrap_or_default()).unwrap_or(id).to_owned())
}

/// The group that annotations name.
pub(crate) fn named(annotations: &BTreeMap<String, String>) -> Option<&str> {
    GROUP.iter().find_map(|name| annotations.get(*name)).map(String::as_str)
}

/// The socket of the shim of `group`.
pub(crate) fn socket(dir: Option<&str>, daemon: &str, namespace: &str, group: &str) -> Result<PathBuf> {
    let joined = Path::new(daemon).join(namespace).join(group);
    let digest = Sha256::digest(joined.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = Path::new(dir.unwrap_or(SOCKETS)).join(name);
    match path.as_os_str().len() {
        length if length > MAX_SOCKET_PATH => {
            Err(Error::unknown(format!("{}: a socket's path of {length} bytes is too long", path.display())))
        }
        _ => Ok(path),
    }
}

/// The socket of the shim of a group.
pub(crate) enum Socket {
    /// Ours now, to be served.
    Bound(UnixListener),
    /// Somebody serves it.
    Served,
}

/// Binds the socket at `path`, if nobody answers there. Whoever else does so at the same time is waited for.
pub(crate) fn bind(path: &Path) -> Result<Socket> {
    let failed = |doing: &str, error| Error::io(format!("socket {}: {doing}", path.display()), error);
    let dir = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(dir)
        .map_err(|error| failed("make its directory", error))?;
    let lock = File::open(dir).map_err(|error| failed("open its directory", error))?;
    lock.lock().map_err(|error| failed("lock its directory", error))?;
    match UnixListener::bind(path) {
        Ok(listener) => return private(path, listener).map_err(|error| failed("chmod", error)),
        Err(error) if error.kind() != ErrorKind::AddrInUse => return Err(failed("bind", error)),
        Err(_) => {}
    }
    if answer(path) != Answer::None {
        return Ok(Socket::Served);
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(failed("remove a stale one", error));
        }
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(|error| failed("bind", error))?;
    private(path, listener).map_err(|error| failed("chmod", error))
}

/// What is heard from a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A shim is there.
    Given,
    /// Nobody is there any more.
    None,
    /// Somebody holds the socket, and says nothing for [`PATIENCE`].
    Silent,
}

/// Asks at the socket `path`. That it can be connected to tells little: so can that of a shim that was killed, until the last of its
/// threads is gone.
pub(crate) fn answer(path: &Path) -> Answer {
    let Ok(mut socket) = UnixStream::connect(path) else { return Answer::None };
    let (service, method) = (SERVICE_V2.to_owned(), "Connect".to_owned());
    let request = Request { service, method, ..Request::default() };
    let mut question = Vec::new();
    // It is far below the limit of a frame.
    let _ = encode(1, Kind::Request, 0, &request.encode_to_vec(), &mut question);
    let heard = socket
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| socket.write_all(&question))
        .and_then(|()| socket.read(&mut [0]));
    match heard {
        Ok(1..) => Answer::Given,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Answer::Silent,
        Ok(0) | Err(_) => Answer::None,
    }
}

fn private(path: &Path, listener: UnixListener) -> io::Result<Socket> {
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(Socket::Bound(listener))
}

/// The address as the daemon has it.
pub(crate) fn address(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}

/// The path in an address; the prefix may be missing.
pub(crate) fn path(address: &str) -> &Path {
    Path::new(address.strip_prefix("unix://").unwrap_or(address))
}

/// Notes in the bundle of the container that the shim was started for, which group it leads.
pub(crate) fn note_leader(bundle: &Path, group: &str) -> Result<()> {
    let file = bundle.join(LEADER_FILE);
    fs::write(&file, group).map_err(|error| Error::io(format!("{}: write", file.display()), error))
}

/// The group that the bundle's container leads.
pub(crate) fn led(bundle: &Path) -> Option<String> {
    fs::read_to_string(bundle.join(LEADER_FILE)).ok()
}

/// Writes the address into the bundle, whole or not at all.
pub(crate) fn note(bundle: &Path, address: &str) -> Result<()> {
    let (file, fresh) = (bundle.join(ADDRESS_FILE), bundle.join(".address"));
    let write = || {
        let mut fresh_file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        fresh_file.write_all(address.as_bytes())?;
        fs::rename(&fresh, &file)
    };
    write().map_err(|error| Error::io(format!("{}: write", file.display()), error))
}

/// The socket that the bundle's shim was to be reached by.
pub(crate) fn noted(bundle: &Path) -> Option<PathBuf> {
    let address = fs::read_to_string(bundle.join(ADDRESS_FILE)).ok()?;
    Some(path(address.trim()).to_owned()).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_where_containerds_own_shims_have_it() {
        let path = socket(None, "/run/containerd/containerd.sock", "default", "web").unwrap();
        // printf %s /run/containerd/containerd.sock/default/web | sha256sum
        assert_eq!(
            path,
            Path::new("/run/containerd/s/2cde4450fa38c74f53603e01d2afd903b315a27a596f12a151414cd59897d883")
        );
        assert!(socket(Some(&"/d".repeat(30)), "x", "y", "z").is_err());
    }

    #[test]
    fn a_group_is_named_by_annotations() {
        let annotations = |list: &[(&str, &str)]| {
            list.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let both =
            annotations(&[("io.kubernetes.cri.sandbox-id", "pod"), ("io.containerd.runc.v2.group", "g")]);
        assert_eq!(named(&both), Some("g"));
        assert_eq!(named(&annotations(&[("io.kubernetes.cri.sandbox-id", "pod")])), Some("pod"));
        assert_eq!(named(&annotations(&[])), None);
    }

    #[test]
    fn a_socket_is_served_once_and_bound_again_when_stale() {
        let dir = std::env::temp_dir().join(format!("corten-test-socket-{}", std::process::id()));
        let path = dir.join("s");
        let Socket::Bound(listener) = bind(&path).unwrap() else { panic!("it was free") };
        assert!(matches!(bind(&path).unwrap(), Socket::Served));
        drop(listener);
        assert!(matches!(bind(&path).unwrap(), Socket::Bound(_)));
        fs::remove_dir_all(dir).unwrap();
    }
}
