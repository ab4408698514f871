//! `linux.netDevices`, config-linux.md "Network Devices": devices of the runtime's network namespace are moved into the
//! container's, keep their permanent global addresses, and are set up. The kernel takes care of their return: with the
//! container's namespace a virtual device ends, and a physical one comes back to the host's.

use super::netlink::{Request, Socket, attributes, number};
use crate::{
    Error, ErrorKind, Result,
    fs::socket,
    plan::{Place, Program},
    spec::{LinuxNetDevice, Spec},
};
use corten_init::step::{Slot, Step};
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sys::{
        socket::{AddressFamily, SockFlag, SockType, socketpair},
        stat::Mode,
    },
};
use std::{
    collections::BTreeMap,
    os::fd::{AsRawFd, OwnedFd},
};

/// `struct ifinfomsg` and `struct ifaddrmsg`.
const LINK: usize = 16;
const ADDRESS: usize = 8;
const NLM_F_CREATE_NEW: u16 = 0x600;

/// An address that a device takes along: the start of its `struct ifaddrmsg`, and its attributes.
struct Address {
    family: u8,
    prefix: u8,
    attributes: Vec<(u16, Vec<u8>)>,
}

fn wanted(spec: &Spec) -> Option<&BTreeMap<String, LinuxNetDevice>> {
    let devices = &spec.linux.as_ref()?.net_devices;
    Some(devices).filter(|devices| !devices.is_empty())
}

/// The way by which the init program sends a socket of the container's network namespace, if there are devices to move: our
/// end, and the slot of its own. So nothing of the caller has to enter that namespace.
pub(crate) fn way(spec: &Spec, program: &mut Program) -> Result<Option<(OwnedFd, Slot)>> {
    if wanted(spec).is_none() {
        return Ok(None);
    }
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
        .map_err(|errno| Error::io("socketpair", errno))?;
    Ok(Some((ours, program.hand_over(theirs))))
}

/// Plans the sending of that socket.
pub(crate) fn plan(way: Slot, program: &mut Program) {
    program.step(Place::Property("linux.netDevices"), &Step::ShareNetlink { socket: way });
}

/// Moves the devices into the network namespace of process `pid`, which waits in it and has sent a socket by `way`.
///
/// # Errors
/// The kernel's answer, with the device's name. Those moved before go the way of the container's namespace.
pub(crate) fn move_all(spec: &Spec, pid: i32, way: &OwnedFd) -> Result<()> {
    let Some(devices) = wanted(spec) else { return Ok(()) };
    let failed = |what: &'static str| move |errno: Errno| told(format!("linux.netDevices: {what}"), errno);
    let path = format!("/proc/{pid}/ns/net");
    let namespace = open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(failed("open the container's network namespace"))?;
    let here = Socket::open().map_err(failed("open a netlink socket"))?;
    let there = socket::receive_fd(way)
        .map_err(|error| Error::io("linux.netDevices: receive the container's netlink socket", error))?;
    let there = Socket::of(there);
    let mut sorted: Vec<_> = devices.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| name.as_str());
    for (name, device) in sorted {
        let inside = device.name.as_deref().filter(|inside| !inside.is_empty()).unwrap_or(name);
        move_one(&here, &there, &namespace, name, inside)
            .map_err(|(what, errno)| told(format!("linux.netDevices[{name:?}]: {what}"), errno))?;
    }
    Ok(())
}

fn told(what: String, errno: Errno) -> Error {
    match errno {
        Errno::ENODEV => Error::new(ErrorKind::InvalidConfig, format!("{what}: there is no such device")),
        _ => Error::io(what, errno),
    }
}

type Doing<T> = Result<T, (&'static str, Errno)>;

fn doing<T>(what: &'static str, result: Result<T, Errno>) -> Doing<T> {
    result.map_err(|errno| (what, errno))
}

/// The kernel sets a device down when it moves it and takes its addresses away: they are read before.
fn move_one(here: &Socket, there: &Socket, namespace: &OwnedFd, name: &str, inside: &str) -> Doing<()> {
    let index = doing("find it", index_of(here, name))?;
    let addresses = doing("read its addresses", addresses(here, index))?;
    let before = doing("list the container's devices", indices(there))?;
    let fd = namespace.as_raw_fd().to_ne_bytes();
    let request = Request::new(libc::RTM_NEWLINK, 0, &link(index, false))
        .attribute(libc::IFLA_NET_NS_FD, &fd)
        .attribute(libc::IFLA_IFNAME, &text(inside));
    doing("move it into the container", here.carry_out(request))?;
    // Its number may be another there, and so may its name: `eth%d` leaves the choice to the kernel.
    let after = doing("list the container's devices", indices(there))?;
    let moved = after.into_iter().find(|index| !before.contains(index)).ok_or(Errno::ENODEV);
    let index = doing("find it in the container", moved)?;
    for address in &addresses {
        doing("add its addresses in the container", there.carry_out(address.request(index)))?;
    }
    let up = Request::new(libc::RTM_NEWLINK, 0, &link(index, true));
    doing("set it up in the container", there.carry_out(up))
}

/// A `struct ifinfomsg` for the device `index`, which is set up if `up`.
fn link(index: u32, up: bool) -> [u8; LINK] {
    let mut link = [0; LINK];
    link[4..8].copy_from_slice(&index.to_ne_bytes());
    let flags = if up { libc::IFF_UP.cast_unsigned() } else { 0 };
    link[8..12].copy_from_slice(&flags.to_ne_bytes());
    link[12..].copy_from_slice(&flags.to_ne_bytes()); // which flags change
    link
}

fn text(name: &str) -> Vec<u8> {
    name.bytes().chain([0]).collect()
}

fn links(socket: &Socket) -> Result<Vec<Vec<u8>>, Errno> {
    socket.ask(Request::new(libc::RTM_GETLINK, 0, &[0; LINK]), libc::RTM_NEWLINK)
}

fn indices(socket: &Socket) -> Result<Vec<u32>, Errno> {
    Ok(links(socket)?.iter().filter_map(|link| number(link, 4)).collect())
}

fn index_of(socket: &Socket, name: &str) -> Result<u32, Errno> {
    let name = text(name);
    let is = |link: &&Vec<u8>| {
        attributes(link, LINK).any(|(kind, value)| kind == libc::IFLA_IFNAME && value == name)
    };
    links(socket)?.iter().find(is).and_then(|link| number(link, 4)).ok_or(Errno::ENODEV)
}

/// The addresses of device `index` that are permanent and of global scope.
fn addresses(socket: &Socket, index: u32) -> Result<Vec<Address>, Errno> {
    let request = Request::new(libc::RTM_GETADDR, 0, &[0; ADDRESS]);
    let all = socket.ask(request, libc::RTM_NEWADDR)?;
    Ok(all
        .iter()
        .filter(|body| number(body, 4) == Some(index))
        .filter_map(|body| Address::of(body))
        .collect())
}

impl Address {
    fn of(body: &[u8]) -> Option<Self> {
        const KEPT_FLAGS: u32 = libc::IFA_F_NODAD | libc::IFA_F_NOPREFIXROUTE | libc::IFA_F_HOMEADDRESS;
        /// The metric of the address' route. Not in `libc`.
        const IFA_RT_PRIORITY: u16 = 9;
        let [family, prefix, flags, scope, ..] = *body else { return None };
        let all =
            |(kind, value): &(u16, &[u8])| (*kind == libc::IFA_FLAGS).then(|| number(value, 0)).flatten();
        let flags = attributes(body, ADDRESS).find_map(|attribute| all(&attribute)).unwrap_or(flags.into());
        if flags & libc::IFA_F_PERMANENT == 0 || scope != libc::RT_SCOPE_UNIVERSE {
            return None;
        }
        // Not the label, which has the device's old name, nor the lifetime: it is without end.
        let kept = [libc::IFA_ADDRESS, libc::IFA_LOCAL, libc::IFA_BROADCAST, IFA_RT_PRIORITY];
        let kept = attributes(body, ADDRESS).filter(|(kind, _)| kept.contains(kind));
        let flags = (libc::IFA_FLAGS, (flags & KEPT_FLAGS).to_ne_bytes().to_vec());
        let attributes = kept.map(|(kind, value)| (kind, value.to_vec())).chain([flags]).collect();
        Some(Self { family, prefix, attributes })
    }

    /// RTM_NEWADDR for device `index`.
    fn request(&self, index: u32) -> Request {
        let mut body = [self.family, self.prefix, 0, libc::RT_SCOPE_UNIVERSE, 0, 0, 0, 0];
        body[4..].copy_from_slice(&index.to_ne_bytes());
        let request = Request::new(libc::RTM_NEWADDR, NLM_F_CREATE_NEW, &body);
        self.attributes.iter().fold(request, |request, (kind, value)| request.attribute(*kind, value))
    }
}
