//! kill(2) with every signal, the real-time ones included, which nix does not know.

use std::io;

/// Sends signal `signal` to the one process `pid`, kill(2).
pub(crate) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    if pid <= 0 {
        // A process group, or everything.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: kill takes plain numbers and touches none of our memory.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
