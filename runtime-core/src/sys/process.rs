//! The caller's own capabilities, capabilities(7), and other processes' limits, prlimit(2).

use std::io;

/// The caller's capability sets, a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// In force.
    pub(crate) effective: u64,
    /// May be made so.
    pub(crate) permitted: u64,
    /// The most that an exec can give.
    pub(crate) bounding: u64,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// capget(2) and PR_CAPBSET_READ of the calling thread.
pub(crate) fn capabilities() -> io::Result<Held> {
    let mut header = Header { version: 0x2008_0522, pid: 0 };
    let mut data = [0_u32; 6];
    // SAFETY: a version 3 header and its two structs of three words, both ours.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let whole = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let mut bounding = 0;
    for capability in 0..64_u64 {
        // SAFETY: plain numbers.
        match unsafe { libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) } {
            1 => bounding |= 1 << capability,
            0 => {}
            _ => break, // past the last one of this kernel
        }
    }
    Ok(Held { effective: whole(data[0], data[3]), permitted: whole(data[1], data[4]), bounding })
}

/// prlimit(2) of process `pid`.
pub(crate) fn set_limit(pid: i32, resource: u32, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: one struct that is read, none that is written.
    let result = unsafe {
        libc::syscall(libc::SYS_prlimit64, pid, resource, &raw const limit, std::ptr::null::<u8>())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
