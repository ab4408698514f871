//! Files of /proc, written through a handle that the parent took from the host's own /proc and proved to be procfs. A
//! lookup from it crosses no mount and follows no symlink, so nothing that a container mounted can stand in the way.

use super::{
    State,
    sys::{self, CStr, Fault, Fd, Res, errno, fault},
};
use crate::{
    arch::nr,
    guards::{self, Guard},
    wire::Text,
};

const BENEATH: u64 = sys::RESOLVE_BENEATH | sys::RESOLVE_NO_XDEV | sys::RESOLVE_NO_SYMLINKS;

/// Writes `value` to the file `path` of /proc in one write(2).
pub(super) fn write(state: &State, path: Text, value: Text) -> Res<()> {
    if !guards::on(Guard::ProcfsHandle) {
        let folder = sys::openat(sys::AT_FDCWD, CStr::new(b"/proc\0"), sys::O_PATH, 0)?;
        let file = sys::openat(folder.raw(), path.into(), sys::O_WRONLY, 0)?;
        return sys::write(file.raw(), value.0).map(drop);
    }
    let file = match sys::openat2(state.fd(state.procfs), path.into(), sys::O_WRONLY, 0, BENEATH) {
        // The host's /proc may be read-only or covered, as inside another container: a private one is neither.
        Err(Fault { errno: errno::EROFS | errno::EXDEV | errno::EBADF, .. }) => {
            sys::openat2(private()?.raw(), path.into(), sys::O_WRONLY, 0, BENEATH)?
        }
        other => other?,
    };
    sys::write(file.raw(), value.0).map(drop)
}

/// Writes `value` to the file `path` of the process' own folder.
pub(super) fn write_self(state: &State, path: Text, value: Text) -> Res<()> {
    let mut number = [0_u8; 16];
    let handle = state.fd(state.procfs);
    let length = sys::readlinkat(handle, CStr::new(b"self\0"), &mut number[..15])?.len();
    let number = CStr::new(&number[..=length]);
    let folder = sys::openat2(handle, number, sys::O_PATH | sys::O_DIRECTORY, 0, BENEATH)?;
    let file = sys::openat2(folder.raw(), path.into(), sys::O_WRONLY, 0, BENEATH)?;
    sys::write(file.raw(), value.0).map(drop)
}

/// A procfs of the own pid namespace, attached nowhere.
fn private() -> Res<Fd> {
    let context = sys::fsopen(CStr::new(b"proc\0"))?;
    sys::fsconfig_create(context.raw())?;
    let mount = sys::fsmount(context.raw(), 0)?;
    if sys::filesystem(mount.raw())? != sys::PROC_MAGIC {
        return Err(fault(nr::FSTATFS, errno::EINVAL));
    }
    Ok(mount)
}
