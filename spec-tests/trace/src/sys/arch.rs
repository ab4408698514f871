//! What of ptrace(2) depends on the processor: the registers of a system call. x86_64 and aarch64 stand side by side.

use nix::unistd::Pid;
use std::io;

/// The call before which `pid` stopped is not made.
#[cfg(target_arch = "x86_64")]
pub(crate) fn skip(pid: Pid) -> io::Result<()> {
    poke(pid, std::mem::offset_of!(libc::user_regs_struct, orig_rax), -1)
}

/// The call after which `pid` stopped has given `value`.
#[cfg(target_arch = "x86_64")]
pub(crate) fn answer(pid: Pid, value: i64) -> io::Result<()> {
    poke(pid, std::mem::offset_of!(libc::user_regs_struct, rax), value)
}

/// Writes a register: `struct user` begins with them.
#[cfg(target_arch = "x86_64")]
fn poke(pid: Pid, offset: usize, value: i64) -> io::Result<()> {
    // SAFETY: PTRACE_POKEUSER takes numbers and touches no memory of ours.
    match unsafe { libc::ptrace(libc::PTRACE_POKEUSER, pid.as_raw(), offset, value) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The call before which `pid` stopped is not made.
#[cfg(target_arch = "aarch64")]
pub(crate) fn skip(pid: Pid) -> io::Result<()> {
    /// The register set that is the number of the call alone.
    const NT_ARM_SYSTEM_CALL: usize = 0x404;
    register_set(libc::PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &mut [-1_i32])
}

/// The call after which `pid` stopped has given `value`.
#[cfg(target_arch = "aarch64")]
pub(crate) fn answer(pid: Pid, value: i64) -> io::Result<()> {
    const NT_PRSTATUS: usize = 1;
    // x0 to x30, sp, pc and pstate.
    let mut registers = [0_i64; 34];
    register_set(libc::PTRACE_GETREGSET, pid, NT_PRSTATUS, &mut registers)?;
    registers[0] = value;
    register_set(libc::PTRACE_SETREGSET, pid, NT_PRSTATUS, &mut registers)
}

/// Reads or writes a set of registers.
#[cfg(target_arch = "aarch64")]
fn register_set<T>(request: libc::c_uint, pid: Pid, kind: usize, registers: &mut [T]) -> io::Result<()> {
    let part = libc::iovec { iov_base: registers.as_mut_ptr().cast(), iov_len: size_of_val(registers) };
    // SAFETY: the kernel reads or writes at most `iov_len` bytes at `iov_base`: numbers that the caller lends.
    match unsafe { libc::ptrace(request, pid.as_raw(), kind, &raw const part) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
