//! Descriptors, terminals and sockets.

#![allow(missing_docs, reason = "a function without a comment is the system call of its name")]

use super::{Fault, Fd, O_CLOEXEC, O_NOCTTY, O_RDWR, Res, call, errno, fd_arg, new_fd};
use crate::{arch::nr, message::MOST_FILES};

/// Marks all descriptors from `first` on close-on-exec.
pub fn cloexec_from(first: i32) -> Res<()> {
    const CLOSE_RANGE_CLOEXEC: usize = 4;
    call(nr::CLOSE_RANGE, [fd_arg(first), u32::MAX as usize, CLOSE_RANGE_CLOEXEC, 0, 0, 0]).map(drop)
}

/// dup3(2) without close-on-exec, for the standard streams.
pub fn dup_to(from: i32, to: i32) -> Res<()> {
    call(nr::DUP3, [fd_arg(from), fd_arg(to), 0, 0, 0, 0]).map(drop)
}

pub fn ioctl(fd: i32, request: usize, argument: usize) -> Res<usize> {
    call(nr::IOCTL, [fd_arg(fd), request, argument, 0, 0, 0])
}

/// TIOCSWINSZ.
pub fn set_window(fd: i32, rows: u16, columns: u16) -> Res<()> {
    let size = [rows, columns, 0, 0];
    ioctl(fd, 0x5414, size.as_ptr() as usize).map(drop)
}

/// TIOCSPTLCK with 0: unlocks the terminal of a master.
pub fn unlock_terminal(master: i32) -> Res<()> {
    let unlock = 0_i32;
    ioctl(master, 0x4004_5431, (&raw const unlock) as usize).map(drop)
}

/// TIOCGPTPEER: the terminal of a master, without a path.
pub fn terminal_peer(master: i32) -> Res<Fd> {
    #[allow(clippy::cast_possible_truncation)]
    let flags = (O_RDWR | O_NOCTTY | O_CLOEXEC) as usize;
    ioctl(master, 0x5441, flags).map(new_fd)
}

/// TIOCGPTN: the number of a master's terminal.
pub fn terminal_number(master: i32) -> Res<u32> {
    let mut number = 0_u32;
    ioctl(master, 0x8004_5430, (&raw mut number) as usize)?;
    Ok(number)
}

#[repr(C)]
struct IoVec {
    base: usize,
    length: usize,
}

/// struct msghdr as the 64-bit kernels have it.
#[repr(C)]
struct MessageHeader {
    name: usize,
    name_length: usize,
    vectors: usize,
    vector_count: usize,
    control: usize,
    control_length: usize,
    flags: usize,
}

/// struct cmsghdr and one descriptor.
#[repr(C)]
struct Rights {
    length: usize,
    level: i32,
    kind: i32,
    fd: i32,
    padding: i32,
}

/// socket(2) for rtnetlink(7).
pub fn netlink() -> Res<Fd> {
    const AF_NETLINK: usize = 16;
    const SOCK_RAW: usize = 3;
    const SOCK_CLOEXEC: usize = 0o2_000_000;
    call(nr::SOCKET, [AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0, 0, 0, 0]).map(new_fd)
}

/// The start of struct ifreq and its flags, as SIOCSIFFLAGS reads them.
#[repr(C)]
struct InterfaceFlags {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// SIOCSIFFLAGS of `lo` with IFF_UP, netdevice(7). The socket tells the kernel the namespace, and nothing else: there is one of its
/// family in every kernel.
pub fn loopback_up() -> Res<()> {
    const AF_UNIX: usize = 1;
    const SOCK_DGRAM: usize = 2;
    const SIOCSIFFLAGS: usize = 0x8914;
    #[allow(clippy::cast_possible_truncation)]
    let kind = SOCK_DGRAM | O_CLOEXEC as usize;
    let socket = call(nr::SOCKET, [AF_UNIX, kind, 0, 0, 0, 0]).map(new_fd)?;
    let mut device = InterfaceFlags { name: [0; 16], flags: 1, rest: [0; 22] };
    device.name[..2].copy_from_slice(b"lo");
    ioctl(socket.raw(), SIOCSIFFLAGS, (&raw const device) as usize).map(drop)
}

/// sendmsg(2) of one packet, with a descriptor if there is one.
pub fn send(socket: i32, bytes: &[u8], fd: Option<i32>) -> Res<()> {
    const MSG_NOSIGNAL: usize = 0x4000;
    let vector = IoVec { base: bytes.as_ptr() as usize, length: bytes.len() };
    let rights = Rights { length: 20, level: 1, kind: 1, fd: fd.unwrap_or(-1), padding: 0 };
    let (control, control_length) = match fd {
        Some(_) => ((&raw const rights) as usize, size_of::<Rights>()),
        None => (0, 0),
    };
    let header = MessageHeader {
        name: 0,
        name_length: 0,
        vectors: (&raw const vector) as usize,
        vector_count: 1,
        control,
        control_length,
        flags: 0,
    };
    loop {
        match call(nr::SENDMSG, [fd_arg(socket), (&raw const header) as usize, MSG_NOSIGNAL, 0, 0, 0]) {
            Err(Fault { errno: errno::EINTR, .. }) => {}
            other => return other.map(drop),
        }
    }
}

/// struct cmsghdr and as many descriptors as come at most.
#[repr(C)]
struct ManyRights {
    length: usize,
    level: i32,
    kind: i32,
    fds: [i32; MOST_FILES],
}

/// recvmsg(2) of one packet: its length, and the descriptors that come with it.
pub fn receive(socket: i32, bytes: &mut [u8]) -> Res<(usize, [Option<Fd>; MOST_FILES])> {
    const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
    let vector = IoVec { base: bytes.as_mut_ptr() as usize, length: bytes.len() };
    let mut rights = ManyRights { length: 0, level: 0, kind: 0, fds: [-1; MOST_FILES] };
    let mut header = MessageHeader {
        name: 0,
        name_length: 0,
        vectors: (&raw const vector) as usize,
        vector_count: 1,
        control: (&raw mut rights) as usize,
        control_length: size_of::<ManyRights>(),
        flags: 0,
    };
    let mut refusals = 0;
    loop {
        match call(nr::RECVMSG, [fd_arg(socket), (&raw mut header) as usize, MSG_CMSG_CLOEXEC, 0, 0, 0]) {
            // Who has told the parent that all is well must not fail for want of a moment's memory, or for another passing reason.
            Err(Fault { errno: errno::EINTR | errno::ENOMEM, .. }) => {}
            Err(_) if refusals < 3 => refusals += 1,
            Err(fault) => return Err(fault),
            Ok(length) => {
                let came = header.control_length >= 20 && (rights.level, rights.kind) == (1, 1);
                let count = if came { rights.length.saturating_sub(16) / size_of::<i32>() } else { 0 };
                let mut fds = [const { None }; MOST_FILES];
                for (place, fd) in fds.iter_mut().zip(rights.fds).take(count) {
                    *place = usize::try_from(fd).ok().map(new_fd);
                }
                return Ok((length, fds));
            }
        }
    }
}

/// eventfd2(2): a counter of 0 that a read waits for.
pub fn event() -> Res<Fd> {
    #[allow(clippy::cast_possible_truncation)]
    let flags = O_CLOEXEC as usize;
    call(nr::EVENTFD2, [0, flags, 0, 0, 0, 0]).map(new_fd)
}

/// accept4(2).
pub fn accept(listener: i32) -> Res<Fd> {
    #[allow(clippy::cast_possible_truncation)]
    let flags = O_CLOEXEC as usize;
    loop {
        match call(nr::ACCEPT4, [fd_arg(listener), 0, 0, flags, 0, 0]) {
            Err(Fault { errno: errno::EINTR, .. }) => {}
            other => return other.map(new_fd),
        }
    }
}

/// ppoll(2): whether `fd` is readable within `milliseconds`, or ever if that is 0.
pub fn wait_readable(fd: i32, milliseconds: u32) -> Res<bool> {
    wait_readable_micros(fd, u64::from(milliseconds) * 1000)
}

/// The same in microseconds.
pub fn wait_readable_micros(fd: i32, microseconds: u64) -> Res<bool> {
    const POLLIN: u32 = 1;
    let mut poll = [fd.cast_unsigned(), POLLIN];
    let time = [microseconds / 1_000_000, microseconds % 1_000_000 * 1000];
    let time = if microseconds == 0 { 0 } else { time.as_ptr() as usize };
    loop {
        match call(nr::PPOLL, [poll.as_mut_ptr() as usize, 1, time, 0, 8, 0]) {
            Err(Fault { errno: errno::EINTR, .. }) => {}
            other => return other.map(|ready| ready > 0),
        }
    }
}
