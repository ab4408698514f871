//! Unix sockets at paths of any length, unix(7): a path that does not fit the address goes by way of its folder's
//! descriptor.

use nix::{
    fcntl::{OFlag, open},
    sys::{
        socket::{
            AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
            UnixAddr, bind, connect, listen, recvmsg, send, sendmsg, setsockopt, socket,
            sockopt::SendTimeout,
        },
        stat::Mode,
        time::TimeVal,
    },
};
use std::{
    io::{self, IoSlice, IoSliceMut},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

/// How much of a path fits an address, the NUL excluded.
const FITS: usize = 107;

/// Calls `act` with an address of `path`.
fn with_address<T>(path: &Path, act: impl FnOnce(&UnixAddr) -> nix::Result<T>) -> io::Result<T> {
    if path.as_os_str().len() <= FITS {
        return Ok(act(&UnixAddr::new(path)?)?);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = open(folder, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok(act(&UnixAddr::new(&short)?)?)
}

fn new(kind: SockType) -> nix::Result<OwnedFd> {
    socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None)
}

/// Connects to the socket at `path`, or to the abstract one of that name where it begins with `@`.
pub(crate) fn connect_to(path: &Path, kind: SockType) -> io::Result<OwnedFd> {
    let socket = new(kind)?;
    if let Some(name) = path.as_os_str().as_bytes().strip_prefix(b"@") {
        connect(socket.as_raw_fd(), &UnixAddr::new_abstract(name)?)?;
        return Ok(socket);
    }
    with_address(path, |address| connect(socket.as_raw_fd(), address))?;
    Ok(socket)
}

/// Whether some process has the stream socket at `path`, without a connection to it: the kernel finds the socket before
/// it finds that its type is another one.
pub(crate) fn is_served(path: &Path) -> io::Result<()> {
    let socket = new(SockType::Datagram)?;
    match with_address(path, |address| connect(socket.as_raw_fd(), address)) {
        Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => Ok(()),
        // One of datagrams, which takes no connections.
        Ok(()) => Err(io::Error::from_raw_os_error(libc::EPROTOTYPE)),
        Err(error) => Err(error),
    }
}

/// Connects to the stream socket at `path` and sends `bytes` with a descriptor; each of these waits at most for `time`.
pub(crate) fn deliver(path: &Path, bytes: &[u8], fd: &OwnedFd, time: TimeVal) -> io::Result<()> {
    try_to_deliver(path, bytes, fd, time).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::from_raw_os_error(libc::ETIMEDOUT),
        _ => error,
    })
}

fn try_to_deliver(path: &Path, bytes: &[u8], fd: &OwnedFd, time: TimeVal) -> io::Result<()> {
    let socket = new(SockType::Stream)?;
    setsockopt(&socket, SendTimeout, &time)?;
    with_address(path, |address| connect(socket.as_raw_fd(), address))?;
    let rights = [fd.as_raw_fd()];
    let control = [ControlMessage::ScmRights(&rights)];
    let sent =
        sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], &control, MsgFlags::MSG_NOSIGNAL, None)?;
    let mut rest = bytes.get(sent..).unwrap_or_default();
    while !rest.is_empty() {
        let sent = send(socket.as_raw_fd(), rest, MsgFlags::MSG_NOSIGNAL)?;
        rest = rest.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// Makes a socket at `path`.
pub(crate) fn bind_at(path: &Path, kind: SockType) -> io::Result<OwnedFd> {
    let socket = new(kind)?;
    with_address(path, |address| bind(socket.as_raw_fd(), address))?;
    Ok(socket)
}

/// Makes a socket at `path` that packets can be exchanged over, and listens.
pub(crate) fn listen_at(path: &Path) -> io::Result<OwnedFd> {
    let socket = bind_at(path, SockType::SeqPacket)?;
    listen(&socket, Backlog::new(8)?)?;
    Ok(socket)
}

/// Sends `bytes` and a descriptor.
pub(crate) fn send_fd(socket: &OwnedFd, bytes: &[u8], fd: &OwnedFd) -> io::Result<()> {
    send_fds(socket, bytes, &[fd.as_fd()])
}

/// Sends bytes with descriptors beside them.
pub(crate) fn send_fds(socket: &OwnedFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let rights: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let control = [ControlMessage::ScmRights(&rights)];
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], &control, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

/// Receives bytes, and the descriptor beside them if there is one.
pub(crate) fn receive(
    socket: &OwnedFd,
    bytes: &mut [u8],
    flags: MsgFlags,
) -> nix::Result<(usize, Option<OwnedFd>)> {
    let mut parts = [IoSliceMut::new(bytes)];
    let mut space = nix::cmsg_space!([i32; 1]);
    let flags = flags | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let received = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
        _ => None,
    });
    Ok((message.bytes, received.map(crate::sys::owned)))
}

/// Receives a descriptor that is there already.
pub(crate) fn receive_fd(socket: &OwnedFd) -> io::Result<OwnedFd> {
    let (_, received) = receive(socket, &mut [0_u8; 64], MsgFlags::MSG_DONTWAIT)?;
    received.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::time::TimeValLike;
    use std::{
        fs,
        io::Read,
        os::unix::net::{UnixDatagram, UnixListener},
    };

    /// A path for a socket of this test.
    fn path(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("corten-socket-{}-{name}", std::process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    #[test]
    fn whether_a_socket_is_served_is_found_out_without_a_connection() {
        let path = path("served");
        let code = |path: &Path| is_served(path).map_err(|error| error.raw_os_error());
        assert_eq!(code(&path), Err(Some(libc::ENOENT)));
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(code(&path), Ok(()));
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(listener);
        assert_eq!(code(&path), Err(Some(libc::ECONNREFUSED)));
        fs::remove_file(&path).unwrap();
        let _datagrams = UnixDatagram::bind(&path).unwrap();
        assert_eq!(code(&path), Err(Some(libc::EPROTOTYPE)));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn all_is_delivered_with_the_descriptor_or_in_time_not_at_all() {
        let path = path("deliver");
        let listener = UnixListener::bind(&path).unwrap();
        let (fd, time) = (new(SockType::Stream).unwrap(), TimeVal::milliseconds(50));
        // More than a socket's buffer holds.
        let bytes = vec![7; 4 << 20];
        let refused = deliver(&path, &bytes, &fd, time).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::ETIMEDOUT));
        drop(listener.accept().unwrap());
        let reader = std::thread::spawn(move || {
            let socket = listener.accept().unwrap().0;
            let mut first = [0; 1024];
            let (count, fd) =
                receive(&socket.try_clone().unwrap().into(), &mut first, MsgFlags::empty()).unwrap();
            let mut rest = Vec::new();
            (&socket).read_to_end(&mut rest).unwrap();
            (count + rest.len(), fd.is_some())
        });
        deliver(&path, &bytes, &fd, TimeVal::seconds(10)).unwrap();
        assert_eq!(reader.join().unwrap(), (bytes.len(), true));
        fs::remove_file(&path).unwrap();
    }
}
