//! The process itself: namespaces, identity, limits, signals, children.

#![allow(missing_docs, reason = "a function without a comment is the system call of its name")]

use super::{CStr, Fault, Fd, Res, call, errno, fault, fd_arg};
use crate::arch::nr;

pub fn umask(mask: u32) {
    let _ = call(nr::UMASK, [mask as usize, 0, 0, 0, 0, 0]);
}

pub fn setns(fd: i32, flags: u32) -> Res<()> {
    call(nr::SETNS, [fd_arg(fd), flags as usize, 0, 0, 0, 0]).map(drop)
}

pub fn unshare(flags: u32) -> Res<()> {
    call(nr::UNSHARE, [flags as usize, 0, 0, 0, 0, 0]).map(drop)
}

pub fn setsid() -> Res<()> {
    call(nr::SETSID, [0; 6]).map(drop)
}

pub fn sethostname(name: &[u8]) -> Res<()> {
    call(nr::SETHOSTNAME, [name.as_ptr() as usize, name.len(), 0, 0, 0, 0]).map(drop)
}

pub fn setdomainname(name: &[u8]) -> Res<()> {
    call(nr::SETDOMAINNAME, [name.as_ptr() as usize, name.len(), 0, 0, 0, 0]).map(drop)
}

fn prctl(option: usize, a: usize, b: usize) -> Res<usize> {
    call(nr::PRCTL, [option, a, b, 0, 0, 0])
}

pub fn set_dumpable(on: bool) -> Res<()> {
    prctl(4, usize::from(on), 0).map(drop)
}

/// SIGKILL for this process when the thread that cloned it ends, or nothing.
pub fn set_parent_death(kills: bool) -> Res<()> {
    prctl(1, if kills { 9 } else { 0 }, 0).map(drop)
}

pub fn set_name(name: CStr) {
    let _ = prctl(15, name.pointer(), 0);
}

pub fn set_keep_capabilities(on: bool) -> Res<()> {
    prctl(8, usize::from(on), 0).map(drop)
}

pub fn no_new_privileges() -> Res<()> {
    prctl(38, 1, 0).map(drop)
}

/// PR_CAPBSET_READ: whether the bounding set has it; an error past the kernel's last one.
pub fn bounding_has(capability: usize) -> Res<bool> {
    prctl(23, capability, 0).map(|has| has != 0)
}

/// PR_CAPBSET_DROP.
pub fn bounding_drop(capability: usize) -> Res<()> {
    prctl(24, capability, 0).map(drop)
}

/// PR_CAP_AMBIENT_CLEAR_ALL.
pub fn ambient_clear() -> Res<()> {
    prctl(47, 4, 0).map(drop)
}

/// PR_CAP_AMBIENT_RAISE.
pub fn ambient_raise(capability: usize) -> Res<()> {
    prctl(47, 2, capability).map(drop)
}

/// capset(2), version 3.
pub fn capset(effective: u64, permitted: u64, inheritable: u64) -> Res<()> {
    const VERSION_3: u32 = 0x2008_0522;
    #[allow(clippy::cast_possible_truncation)]
    let halves = |set: u64| (set as u32, (set >> 32) as u32);
    let (e, p, i) = (halves(effective), halves(permitted), halves(inheritable));
    let header = [VERSION_3, 0];
    let data = [e.0, p.0, i.0, e.1, p.1, i.1];
    call(nr::CAPSET, [header.as_ptr() as usize, data.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

/// setgroups(2) of `groups`, 4 bytes each.
pub fn setgroups(groups: &[u8]) -> Res<()> {
    call(nr::SETGROUPS, [groups.len() / 4, groups.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

pub fn setresgid(gid: u32) -> Res<()> {
    let gid = gid as usize;
    call(nr::SETRESGID, [gid, gid, gid, 0, 0, 0]).map(drop)
}

pub fn setresuid(uid: u32) -> Res<()> {
    let uid = uid as usize;
    call(nr::SETRESUID, [uid, uid, uid, 0, 0, 0]).map(drop)
}

pub fn set_rlimit(resource: u32, soft: u64, hard: u64) -> Res<()> {
    let limit = [soft, hard];
    call(nr::PRLIMIT64, [0, resource as usize, limit.as_ptr() as usize, 0, 0, 0]).map(drop)
}

pub fn get_rlimit(resource: u32) -> Res<(u64, u64)> {
    let mut limit = [0_u64; 2];
    call(nr::PRLIMIT64, [0, resource as usize, 0, limit.as_mut_ptr() as usize, 0, 0])?;
    Ok((limit[0], limit[1]))
}

/// keyctl(2): joins a new session keyring and lets its possessor and user link and search it.
pub fn new_session_keyring(name: CStr) -> Res<()> {
    const JOIN_SESSION_KEYRING: usize = 1;
    const SETPERM: usize = 5;
    /// All for the possessor, and view, read and search for the user.
    const PERMISSIONS: usize = 0x3f0b_0000;
    let keyring = call(nr::KEYCTL, [JOIN_SESSION_KEYRING, name.pointer(), 0, 0, 0, 0])?;
    call(nr::KEYCTL, [SETPERM, keyring, PERMISSIONS, 0, 0, 0]).map(drop)
}

pub fn sched_setattr(attributes: &[u8]) -> Res<()> {
    call(nr::SCHED_SETATTR, [0, attributes.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

pub fn ioprio_set(value: u32) -> Res<()> {
    const IOPRIO_WHO_PROCESS: usize = 1;
    call(nr::IOPRIO_SET, [IOPRIO_WHO_PROCESS, 0, value as usize, 0, 0, 0]).map(drop)
}

pub fn personality(persona: u64) -> Res<()> {
    call(nr::PERSONALITY, [usize::try_from(persona).unwrap_or(0), 0, 0, 0, 0, 0]).map(drop)
}

pub fn set_mempolicy(mode: u32, nodes: &[u8]) -> Res<()> {
    let pointer = if nodes.is_empty() { 0 } else { nodes.as_ptr() as usize };
    call(nr::SET_MEMPOLICY, [mode as usize, pointer, nodes.len() * 8 + 1, 0, 0, 0]).map(drop)
}

pub fn sched_setaffinity(mask: &[u8]) -> Res<()> {
    call(nr::SCHED_SETAFFINITY, [0, mask.len(), mask.as_ptr() as usize, 0, 0, 0]).map(drop)
}

#[repr(C)]
struct FilterProgram {
    length: u16,
    filter: *const u8,
}

/// seccomp(2) with SECCOMP_SET_MODE_FILTER: the listener's descriptor if `flags` ask for one, else 0.
pub fn seccomp(flags: u32, program: &[u8]) -> Res<usize> {
    let length = u16::try_from(program.len() / 8).map_err(|_| fault(nr::SECCOMP, errno::EINVAL))?;
    let program = FilterProgram { length, filter: program.as_ptr() };
    call(nr::SECCOMP, [1, flags as usize, (&raw const program) as usize, 0, 0, 0])
}

/// Sets all signals to their default action and blocks none.
pub fn reset_signals() {
    let action = [0_usize; 4]; // struct sigaction: handler SIG_DFL, no flags, no mask
    for signal in (1..=64).filter(|signal| *signal != 9 && *signal != 19) {
        let _ = call(nr::RT_SIGACTION, [signal, action.as_ptr() as usize, 0, 8, 0, 0]);
    }
    let none = 0_u64;
    let _ = call(nr::RT_SIGPROCMASK, [2, (&raw const none) as usize, 0, 8, 0, 0]);
}

#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// What [`fork`] gives.
pub enum Forked {
    /// In the child.
    Child,
    /// In the parent: the child's process id, and its pidfd if it was asked for.
    Parent(i32, Option<Fd>),
}

/// clone3(2) as fork(2), with `flags`; the child's end is told by SIGCHLD unless it is the caller's sibling.
pub fn fork(flags: u32, sibling: bool) -> Res<Forked> {
    const CLONE_PIDFD: u64 = 0x1000;
    const CLONE_PARENT: u64 = 0x8000;
    const SIGCHLD: u64 = 17;
    let mut pidfd = -1_i32;
    let mut arguments = CloneArgs { flags: u64::from(flags), ..CloneArgs::default() };
    if sibling {
        arguments.flags |= CLONE_PARENT;
    } else {
        arguments.flags |= CLONE_PIDFD;
        arguments.exit_signal = SIGCHLD;
        arguments.pidfd = (&raw mut pidfd) as u64;
    }
    let pid = call(nr::CLONE3, [(&raw const arguments) as usize, size_of::<CloneArgs>(), 0, 0, 0, 0])?;
    Ok(match i32::try_from(pid) {
        Ok(0) => Forked::Child,
        Ok(pid) => Forked::Parent(pid, (!sibling).then_some(Fd(pidfd))),
        Err(_) => return Err(fault(nr::CLONE3, errno::EIO)),
    })
}

/// A thread of this process on a stack of its own. It runs `body` with a null pointer.
pub fn thread(body: unsafe extern "C" fn(*mut u8) -> !) -> Res<()> {
    /// CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_THREAD, CLONE_SYSVSEM.
    const FLAGS: u64 = 0x0100 | 0x0200 | 0x0400 | 0x0800 | 0x0001_0000 | 0x0004_0000;
    const STACK_WORDS: usize = 4096;
    let stack = super::map_words(STACK_WORDS)?;
    let arguments = CloneArgs {
        flags: FLAGS,
        stack: stack.as_mut_ptr() as u64,
        stack_size: (STACK_WORDS * size_of::<usize>()) as u64,
        ..CloneArgs::default()
    };
    // SAFETY: the stack is fresh memory that nobody else uses and that is never unmapped; `body` never returns.
    let result = unsafe {
        let arguments = (&raw const arguments).cast();
        crate::arch::clone_on_stack(arguments, size_of::<CloneArgs>(), body, core::ptr::null_mut())
    };
    match i32::try_from(-result) {
        Ok(errno) if errno > 0 => Err(fault(nr::CLONE3, errno)),
        _ => Ok(()),
    }
}

/// exit(2): ends the calling thread alone.
pub fn exit_thread() -> ! {
    loop {
        let _ = call(nr::EXIT, [0; 6]);
    }
}

/// How a process ended: its exit code, or the signal as a negative number.
pub fn wait_pidfd(pidfd: i32) -> Res<i32> {
    const P_PIDFD: usize = 3;
    const WEXITED: usize = 4;
    const CLD_EXITED: i32 = 1;
    let mut info = [0_i32; 32]; // siginfo_t is 128 bytes: code at 8, status at 24
    loop {
        match call(nr::WAITID, [P_PIDFD, fd_arg(pidfd), info.as_mut_ptr() as usize, WEXITED, 0, 0]) {
            Err(Fault { errno: errno::EINTR, .. }) => {}
            other => break other.map(drop)?,
        };
    }
    Ok(if info[2] == CLD_EXITED { info[6] } else { -info[6] })
}

pub fn kill_pidfd(pidfd: i32) {
    const SIGKILL: usize = 9;
    let _ = call(nr::PIDFD_SEND_SIGNAL, [fd_arg(pidfd), SIGKILL, 0, 0, 0, 0]);
}

/// execve(2) with tables of pointers that end with 0. It returns only if it fails.
pub fn execve(path: CStr, arguments: &[usize], environment: &[usize]) -> Fault {
    let tables = [path.pointer(), arguments.as_ptr() as usize, environment.as_ptr() as usize, 0, 0, 0];
    match call(nr::EXECVE, tables) {
        Err(fault) => fault,
        Ok(_) => fault(nr::EXECVE, errno::EIO),
    }
}

/// exit_group(2), or, where the container's filter refuses that, an illegal instruction.
pub fn exit(code: i32) -> ! {
    let _ = call(nr::EXIT_GROUP, [fd_arg(code), 0, 0, 0, 0, 0]);
    crate::arch::trap()
}

/// The strings of the program's own argument vector, from the stack that the kernel made.
///
/// # Safety
/// `stack` must be the initial stack pointer of the program.
pub unsafe fn arguments(stack: *const usize) -> impl Iterator<Item = &'static [u8]> {
    // SAFETY: the kernel puts argc there, and argc pointers to C strings behind it, for the program's lifetime.
    let (count, first) = unsafe { (*stack, stack.add(1)) };
    (0..count).map(move |index| {
        // SAFETY: as above; index is below argc.
        unsafe { core::ffi::CStr::from_ptr((*first.add(index)) as *const core::ffi::c_char).to_bytes() }
    })
}
