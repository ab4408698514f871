//! Runtimes that insist on a limit which the machine does not allow.

use std::{io, mem::offset_of};

/// Answers the setting of RLIMIT_MEMLOCK with success, without doing it, in the calling thread and all that it starts from now on. crun
/// lifts this limit before it loads a device program, and gives up where it may not, though kernels since 5.11 do not count such memory.
///
/// # Errors
/// What seccomp(2) answered.
pub(crate) fn pretend() -> io::Result<()> {
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    let number = offset_of!(libc::seccomp_data, nr);
    let resource = offset_of!(libc::seccomp_data, args) + size_of::<u64>();
    // A pointer to the new limits: that its low half is 0 by chance is not worth a look at the other.
    let new = offset_of!(libc::seccomp_data, args) + 2 * size_of::<u64>();
    let small = |value: usize| u32::try_from(value).unwrap_or_default();
    let step =
        |code: u32, jt, jf, k| libc::sock_filter { code: u16::try_from(code).unwrap_or_default(), jt, jf, k };
    let mut program = [
        step(LOAD, 0, 0, small(number)),
        step(EQUAL, 0, 5, u32::try_from(libc::SYS_prlimit64).unwrap_or_default()),
        step(LOAD, 0, 0, small(resource)),
        step(EQUAL, 0, 3, libc::RLIMIT_MEMLOCK),
        step(LOAD, 0, 0, small(new)),
        step(EQUAL, 1, 0, 0),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: 8, filter: program.as_mut_ptr() };
    // SAFETY: the kernel reads the program of eight steps, which lives until the call returns.
    match unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Whether the limit may be lifted.
pub(crate) fn is_allowed() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes to `limit`, which lives until the call returns.
    unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) };
    let most = libc::rlimit { rlim_cur: limit.rlim_cur, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the kernel reads `most`.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const most) == 0 }
}
