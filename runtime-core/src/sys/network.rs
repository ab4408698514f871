//! A new network namespace, made by the calling thread, which is in it for as long as that takes.

use super::spawn::BlockedSignals;
use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, OwnedFd},
};

const FILE: &str = "/proc/thread-self/ns/net";

/// The network namespace that the calling thread is in, and may come back to.
pub(crate) struct Home(OwnedFd);

impl Home {
    /// Opens it.
    ///
    /// # Errors
    /// It cannot be opened, or the thread may not enter it: it does not have CAP_SYS_ADMIN in the user namespace that owns it.
    pub(crate) fn open() -> io::Result<Self> {
        let home = Self(File::open(FILE)?.into());
        home.enter()?;
        Ok(home)
    }

    /// Makes a namespace and gives its file to `take`. No signal is handled while the thread is in it.
    ///
    /// # Errors
    /// What unshare(2) answered; or the thread could not go back, which [`Home::open`] has tried before.
    pub(crate) fn make_another<T>(&self, take: impl FnOnce(OwnedFd) -> T) -> io::Result<T> {
        let blocked = BlockedSignals::new();
        // SAFETY: plain numbers; of a thread's namespaces only its own change.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } < 0 {
            return Err(io::Error::last_os_error());
        }
        let taken = File::open(FILE).map(|file| take(file.into()));
        self.enter()?;
        drop(blocked);
        taken
    }

    fn enter(&self) -> io::Result<()> {
        // SAFETY: a descriptor of ours and a plain number.
        match unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
