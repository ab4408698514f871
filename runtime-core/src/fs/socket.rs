//! Unix sockets at paths of any length, unix(7): a path that does not fit the address goes by way of its folder's
//! descriptor.

use nix::{
    fcntl::{OFlag, open},
    sys::{
        socket::{
            AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
            UnixAddr, bind, connect, listen, recvmsg, sendmsg, socket,
        },
        stat::Mode,
    },
};
use std::{
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsRawFd, OwnedFd},
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

/// Connects to the socket at `path`.
pub(crate) fn connect_to(path: &Path, kind: SockType) -> io::Result<OwnedFd> {
    let socket = new(kind)?;
    with_address(path, |address| connect(socket.as_raw_fd(), address))?;
    Ok(socket)
}

/// Makes a socket at `path` that packets can be exchanged over, and listens.
pub(crate) fn listen_at(path: &Path) -> io::Result<OwnedFd> {
    let socket = new(SockType::SeqPacket)?;
    with_address(path, |address| bind(socket.as_raw_fd(), address))?;
    listen(&socket, Backlog::new(8)?)?;
    Ok(socket)
}

/// Sends `bytes` and a descriptor.
pub(crate) fn send_fd(socket: &OwnedFd, bytes: &[u8], fd: &OwnedFd) -> io::Result<()> {
    let rights = [fd.as_raw_fd()];
    let control = [ControlMessage::ScmRights(&rights)];
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], &control, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

/// Receives a descriptor that is there already.
pub(crate) fn receive_fd(socket: &OwnedFd) -> io::Result<OwnedFd> {
    let mut name = [0_u8; 64];
    let mut parts = [IoSliceMut::new(&mut name)];
    let mut space = nix::cmsg_space!([i32; 1]);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let received = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
        _ => None,
    });
    received.map(crate::sys::owned).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
