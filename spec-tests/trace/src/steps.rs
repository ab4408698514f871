//! A program, instruction by instruction.

use crate::{Ending, sys};
use nix::{
    errno::Errno,
    sys::{
        ptrace,
        signal::Signal,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{io, process::Command};

/// Runs `command` to its end, and has `at` told the address of each instruction that its process executes: PTRACE_SINGLESTEP,
/// ptrace(2). What it forks runs on its own.
///
/// # Errors
/// What spawning it, ptrace(2) or wait(2) says.
pub fn step(mut command: Command, mut at: impl FnMut(u64)) -> io::Result<Ending> {
    sys::traced(&mut command);
    let child = command.spawn()?;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    loop {
        let signal = match waitpid(pid, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Exited(_, code)) => return Ok(Ending::Code(code)),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(Ending::Signal(signal as i32)),
            Ok(WaitStatus::Stopped(_, signal)) => Some(signal).filter(|signal| *signal != Signal::SIGTRAP),
            Ok(_) => None,
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        at(address(pid)?);
        ptrace::step(pid, signal)?;
    }
}

/// Where a stopped process is.
fn address(pid: Pid) -> io::Result<u64> {
    let registers = ptrace::getregs(pid)?;
    #[cfg(target_arch = "x86_64")]
    return Ok(registers.rip);
    #[cfg(target_arch = "aarch64")]
    return Ok(registers.pc);
}
