//! rtnetlink(7), as much of it as moves a network device: requests, their answers, and the attributes of both.

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto, socket,
    },
};
use std::os::fd::{AsRawFd, OwnedFd};

/// `struct nlmsghdr`.
const HEADER: usize = 16;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// Larger than what the kernel puts into one datagram.
const BUFFER: usize = 64 * 1024;

/// Length and type of an attribute come before its value; values begin at multiples of 4.
const ATTRIBUTE: usize = 4;

/// A request in the making.
pub(super) struct Request(Vec<u8>);

impl Request {
    /// Of type RTM_*, with the struct that all messages of that type begin with.
    pub(super) fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | NLM_F_REQUEST).to_ne_bytes());
        bytes.extend_from_slice(body);
        Self(bytes)
    }

    /// With one attribute more.
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(ATTRIBUTE + value.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(ATTRIBUTE), 0);
        self
    }

    fn finish(mut self, flags: u16) -> Vec<u8> {
        self.0[6] |= flags.to_ne_bytes()[0];
        self.0[7] |= flags.to_ne_bytes()[1];
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}

/// A netlink socket, which belongs to the network namespace that it was made in.
pub(super) struct Socket(OwnedFd);

impl Socket {
    /// In the network namespace of the caller.
    pub(super) fn open() -> Result<Self, Errno> {
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Self(fd))
    }

    /// One that a process in another network namespace has opened.
    pub(super) fn of(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Sends a request and waits for the kernel's word that it is done.
    pub(super) fn carry_out(&self, request: Request) -> Result<(), Errno> {
        self.send(request, NLM_F_ACK)?;
        self.receive(|_, _| ())
    }

    /// Sends a request and gives the bodies of the answers of type `kind`.
    pub(super) fn ask(&self, request: Request, kind: u16) -> Result<Vec<Vec<u8>>, Errno> {
        self.send(request, NLM_F_DUMP)?;
        let mut bodies = Vec::new();
        self.receive(|found, body| {
            if found == kind {
                bodies.push(body.to_vec());
            }
        })?;
        Ok(bodies)
    }

    fn send(&self, request: Request, flags: u16) -> Result<(), Errno> {
        let bytes = request.finish(flags);
        sendto(self.0.as_raw_fd(), &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty()).map(drop)
    }

    /// Hears the kernel out: until its last message, or its error.
    fn receive(&self, mut hear: impl FnMut(u16, &[u8])) -> Result<(), Errno> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Some((kind, body, next)) = message(rest) {
                match kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => return answer(body),
                    kind => hear(kind, body),
                }
                rest = next;
            }
        }
    }
}

/// An error of 0 says that all went well.
fn answer(body: &[u8]) -> Result<(), Errno> {
    match number(body, 0).map(u32::cast_signed) {
        Some(0) => Ok(()),
        Some(code) => Err(Errno::from_raw(code.saturating_neg())),
        None => Err(Errno::EBADMSG),
    }
}

/// The type and body of the first message, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = number(bytes, 0)? as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let next = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, bytes.get(HEADER..length)?, next))
}

/// The 32-bit number at `at`.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// The attributes of an answer, of which its struct has `begin` bytes.
pub(super) fn attributes(body: &[u8], begin: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = body.get(begin..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        let value = rest.get(ATTRIBUTE..length)?;
        rest = rest.get(length.next_multiple_of(ATTRIBUTE)..).unwrap_or_default();
        // The upper bits say how the value is to be read.
        Some((kind & 0x3fff, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_they_were_written() {
        let request = Request::new(16, 0, &[1, 2, 3, 4]).attribute(3, b"eth0\0").attribute(28, &[9, 0, 0, 0]);
        let bytes = request.finish(NLM_F_DUMP);
        let (kind, body, rest) = message(&bytes).unwrap();
        assert_eq!((kind, rest.len()), (16, 0));
        assert_eq!(&bytes[6..8], (NLM_F_DUMP | NLM_F_REQUEST).to_ne_bytes());
        let read: Vec<_> = attributes(body, 4).collect();
        assert_eq!(read, [(3, b"eth0\0".as_slice()), (28, [9, 0, 0, 0].as_slice())]);
    }

    #[test]
    fn what_is_cut_off_ends_the_reading() {
        assert!(message(&[40, 0, 0, 0, 1, 0, 0, 0]).is_none());
        assert_eq!(attributes(&[255, 0, 1, 0, 1], 0).count(), 0);
        assert_eq!(attributes(&[0, 0, 1, 0, 1], 0).count(), 0);
        assert_eq!(answer(&[]), Err(Errno::EBADMSG));
        assert_eq!(answer(&(-1_i32).to_ne_bytes()), Err(Errno::EPERM));
    }
}
