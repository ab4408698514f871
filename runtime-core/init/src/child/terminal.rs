//! The terminal and the standard streams.

use super::{
    State,
    paths::{self, Missing, Strictness},
    sys::{self, CStr, Fd, Res, errno, fault},
};
use crate::{
    arch::nr,
    guards::{self, Guard},
    step::Slot,
    wire::Text,
};

/// What a terminal is like, as [`crate::step::Step::Terminal`] says.
pub(super) struct Terminal {
    pub(super) root: Slot,
    pub(super) socket: Slot,
    pub(super) height: u16,
    pub(super) width: u16,
    pub(super) console: bool,
    pub(super) uid: u32,
}

/// Opens a terminal of the container's devpts, attaches it at /dev/console, makes it the process' own, and sends the
/// master away. The terminal is only ever reached through its master, never by its path.
pub(super) fn open(state: &mut State, terminal: &Terminal) -> Res<()> {
    let root = state.fd(terminal.root);
    let master = open_master(root)?;
    sys::unlock_terminal(master.raw())?;
    let peer = sys::terminal_peer(master.raw())?;
    if terminal.height != 0 || terminal.width != 0 {
        sys::set_window(master.raw(), terminal.height, terminal.width)?;
    }
    if terminal.uid != 0 {
        sys::fchown(peer.raw(), terminal.uid)?;
    }
    let mut name = [0_u8; 25];
    let name = terminal_name(sys::terminal_number(master.raw())?, &mut name);
    if terminal.console {
        match guards::on(Guard::TerminalPeer) {
            true => attach_console(root, peer.raw())?,
            false => attach_console(root, sys::openat(sys::AT_FDCWD, name.into(), sys::O_PATH, 0)?.raw())?,
        }
    }
    sys::send(state.fd(terminal.socket), name.0, Some(master.raw()))?;
    state.close(terminal.socket);
    own(peer)
}

/// The master: /dev/pts/ptmx, proved to be the multiplexer of a devpts.
fn open_master(root: i32) -> Res<Fd> {
    let resolve = sys::RESOLVE_IN_ROOT | sys::RESOLVE_NO_MAGICLINKS;
    let flags = sys::O_RDWR | sys::O_NOCTTY;
    let ptmx = sys::openat2(root, CStr::new(b"/dev/pts/ptmx\0"), sys::O_PATH, 0, resolve)?;
    let stat = sys::stat_fd(ptmx.raw())?;
    let real = sys::filesystem(ptmx.raw())? == sys::DEVPTS_MAGIC
        && stat.is(sys::S_IFCHR)
        && stat.rdev == sys::makedev(5, 2);
    if !real {
        return Err(fault(nr::OPENAT2, errno::EINVAL));
    }
    // An O_PATH descriptor cannot be used for ioctl: open the same name again and prove it again.
    let master = sys::openat2(root, CStr::new(b"/dev/pts/ptmx\0"), flags, 0, resolve)?;
    match sys::filesystem(master.raw())? {
        sys::DEVPTS_MAGIC => Ok(master),
        _ => Err(fault(nr::OPENAT2, errno::EINVAL)),
    }
}

/// Attaches the terminal at /dev/console: a file there is made if none is, and never a symlink followed.
fn attach_console(root: i32, peer: i32) -> Res<()> {
    let strictness =
        if guards::on(Guard::ConsoleLink) { Strictness::NoFollowLast } else { Strictness::Follow };
    let place = paths::open_or_make(root, Text(CONSOLE), strictness, Missing::File)?;
    if sys::stat_fd(place.raw())?.is(sys::S_IFLNK) {
        return Err(fault(nr::MOVE_MOUNT, errno::ELOOP));
    }
    let mount = sys::clone_tree(peer, CStr::new(b"\0"), false, false)?;
    sys::move_mount(mount.raw(), place.raw())
}

/// The console's path; a NUL follows it as texts have it.
const CONSOLE: &[u8] = {
    let bytes: &[u8] = b"/dev/console\0";
    bytes.split_at(bytes.len() - 1).0
};

/// Makes the terminal the session's and the three standard streams.
fn own(peer: Fd) -> Res<()> {
    const TIOCSCTTY: usize = 0x540e;
    sys::ioctl(peer.raw(), TIOCSCTTY, 0)?;
    for stream in 0..=2 {
        sys::dup_to(peer.raw(), stream)?;
    }
    if peer.raw() <= 2 {
        peer.leak();
    }
    Ok(())
}

/// `/dev/pts/N`: what engines expect beside the descriptor. A NUL follows it as texts have it.
fn terminal_name(number: u32, buffer: &mut [u8; 25]) -> Text<'_> {
    let prefix = b"/dev/pts/";
    buffer[..prefix.len()].copy_from_slice(prefix);
    sys::write_number(&mut buffer[prefix.len()..], number);
    let length = buffer.iter().take_while(|byte| **byte != 0).count();
    Text(&buffer[..length])
}

/// Standard streams that are the host's /dev/null become the container's: through the host's, its mode could be changed.
pub(super) fn reopen_null(root: i32) -> Res<()> {
    for stream in 0..=2 {
        if !sys::stat_fd(stream).is_ok_and(sys::Stat::is_null) {
            continue;
        }
        if !guards::on(Guard::NullStream) {
            let null = sys::openat(sys::AT_FDCWD, CStr::new(b"/dev/null\0"), sys::O_RDWR, 0)?;
            sys::dup_to(null.raw(), stream)?;
            continue;
        }
        let resolve = sys::RESOLVE_IN_ROOT | sys::RESOLVE_NO_SYMLINKS;
        let null = sys::openat2(root, CStr::new(b"/dev/null\0"), sys::O_RDWR | sys::O_NOCTTY, 0, resolve)?;
        if !sys::stat_fd(null.raw())?.is_null() {
            return Err(fault(nr::OPENAT2, errno::EINVAL));
        }
        sys::dup_to(null.raw(), stream)?;
    }
    Ok(())
}

/// Gives the pipes among the standard streams to the container's user, so that it can open /dev/stdout again. Devices and
/// files of the host keep their owner; a pipe that cannot be given away does too.
pub(super) fn own_stdio(uid: u32) {
    for stream in 0..=2 {
        if sys::stat_fd(stream).is_ok_and(|stat| stat.uid != uid && stat.is(sys::S_IFIFO)) {
            let _ = sys::fchown(stream, uid);
        }
    }
}
