//! bpf(2), as far as the device program of a cgroup needs it.

use corten_init::guards::{self, Guard};
use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

/// One instruction of a BPF program: opcode, registers, offset and immediate value packed as the kernel's `bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// Class, operation and source of the operand.
    pub(crate) code: u8,
    /// Destination register in the low half, source register in the high one.
    pub(crate) registers: u8,
    /// Jump distance or memory offset.
    pub(crate) offset: i16,
    /// The operand.
    pub(crate) immediate: i32,
}

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_DETACH: libc::c_int = 9;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const PROG_QUERY: libc::c_int = 16;

const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 1 << 1;
const REPLACE: u32 = 1 << 2;

/// The kernel's `union bpf_attr`, larger than that of any kernel so far: kernels 6.17 to 7.1 write past a shorter one on
/// `BPF_PROG_QUERY`, and a longer one is fine for all as long as the rest is zero.
#[repr(C, align(8))]
struct Attributes([u8; 512]);

impl Attributes {
    fn new() -> Self {
        Self([0; 512])
    }

    fn put_u32(mut self, at: usize, value: u32) -> Self {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        self
    }

    fn put_fd(self, at: usize, fd: BorrowedFd<'_>) -> Self {
        self.put_u32(at, fd.as_raw_fd().cast_unsigned())
    }

    fn put_u64(mut self, at: usize, value: u64) -> Self {
        self.0[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        self
    }

    fn get_u32(&self, at: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[at..at + 4]);
        u32::from_ne_bytes(bytes)
    }

    /// # Safety
    /// Every pointer put into the attributes is valid for what `command` does with it.
    unsafe fn call(&mut self, command: libc::c_int) -> io::Result<libc::c_int> {
        // As short as the query itself is where a test build has the guard switched off: a buffer of ours all the same.
        let short = command == PROG_QUERY && !guards::on(Guard::BpfAttributes);
        let length = if short { 32 } else { self.0.len() };
        // SAFETY: the buffer is ours, writable and at least of the size given; the caller vouches for the pointers inside.
        let answer = unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_mut_ptr(), length) };
        libc::c_int::try_from(answer).ok().filter(|answer| *answer >= 0).ok_or_else(io::Error::last_os_error)
    }
}

/// Loads a program of type `BPF_PROG_TYPE_CGROUP_DEVICE`, bpf(2) `BPF_PROG_LOAD`.
pub(crate) fn load_device_program(program: &[Instruction]) -> io::Result<OwnedFd> {
    const LICENSE: &[u8] = b"Apache-2.0\0";
    let length = u32::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let mut attributes = Attributes::new()
        .put_u32(0, PROG_TYPE_CGROUP_DEVICE)
        .put_u32(4, length)
        .put_u64(8, program.as_ptr().addr() as u64)
        .put_u64(16, LICENSE.as_ptr().addr() as u64);
    attributes.0[48..62].copy_from_slice(b"corten_devices");
    // SAFETY: both pointers are to memory that lives until the call returns, the first of the length given, the second
    // ending in a NUL; the kernel only reads them.
    let fd = unsafe { attributes.call(PROG_LOAD)? };
    // SAFETY: the kernel has just made this descriptor (close-on-exec, as all of bpf) for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Attaches the device program `new` to the cgroup2 directory `cgroup` beside those that are there already, or in one step
/// in the place of `old`.
pub(crate) fn attach_device_program(
    cgroup: BorrowedFd<'_>,
    new: BorrowedFd<'_>,
    old: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let mut attributes = Attributes::new().put_fd(0, cgroup).put_fd(4, new).put_u32(8, CGROUP_DEVICE);
    attributes = match old {
        Some(old) => attributes.put_u32(12, ALLOW_MULTI | REPLACE).put_fd(16, old),
        None => attributes.put_u32(12, ALLOW_MULTI),
    };
    // SAFETY: no pointer inside.
    unsafe { attributes.call(PROG_ATTACH) }.map(drop)
}

/// Detaches the device program `program` from the cgroup2 directory `cgroup`.
pub(crate) fn detach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attributes = Attributes::new().put_fd(0, cgroup).put_fd(4, program).put_u32(8, CGROUP_DEVICE);
    // SAFETY: no pointer inside.
    unsafe { attributes.call(PROG_DETACH) }.map(drop)
}

/// The numbers of the device programs attached to the cgroup2 directory `cgroup` itself.
pub(crate) fn device_programs(cgroup: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    // The kernel allows 64 on one cgroup.
    let mut ids = [0_u32; 64];
    let mut attributes = Attributes::new()
        .put_fd(0, cgroup)
        .put_u32(4, CGROUP_DEVICE)
        .put_u64(16, ids.as_mut_ptr().addr() as u64)
        .put_u32(24, 64);
    // SAFETY: the pointer is to `ids`, of as many elements as told; it lives until the call returns.
    unsafe { attributes.call(PROG_QUERY)? };
    let count = usize::try_from(attributes.get_u32(24)).unwrap_or(0);
    Ok(ids.into_iter().take(count).collect())
}

/// A descriptor of the program of number `id`.
pub(crate) fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    let mut attributes = Attributes::new().put_u32(0, id);
    // SAFETY: no pointer inside.
    let fd = unsafe { attributes.call(PROG_GET_FD_BY_ID)? };
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
