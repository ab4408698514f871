//! The caller's own capabilities, capabilities(7), and user namespace, and other processes' limits, prlimit(2).

use std::{
    fs::File,
    io::{self, Read},
};

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// The capabilities that the calling thread may use, a bit each: capget(2).
pub(crate) fn permitted_capabilities() -> io::Result<u64> {
    let mut header = Header { version: 0x2008_0522, pid: 0 };
    let mut data = [0_u32; 6];
    // SAFETY: a version 3 header and its two structs of three words, both ours.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u64::from(data[1]) | u64::from(data[4]) << 32)
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

/// Whether the caller is in a user namespace other than the host's, user_namespaces(7): a rootless engine's, or a container's.
pub(crate) fn in_user_namespace() -> bool {
    // The host's is one line of three numbers of at most ten digits each.
    let mut map = [0; 64];
    let length =
        File::open("/proc/self/uid_map").and_then(|mut file| file.read(&mut map)).unwrap_or_default();
    let map = map.get(..length).and_then(|map| str::from_utf8(map).ok()).unwrap_or_default();
    !map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}
