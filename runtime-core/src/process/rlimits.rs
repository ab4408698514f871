//! `process.rlimits`: resource limits, getrlimit(2).

use crate::{
    Error, Result,
    plan::{Place, Program},
    spec::{PosixRlimit, PosixRlimitType, Process},
    sys::process,
};
use corten_init::step::Step;

/// Plans each limit as a step of the process itself.
pub(crate) fn plan(process: &Process, program: &mut Program) {
    for (index, limit) in list(process).iter().enumerate() {
        let (resource, soft, hard) = (number(limit.typ), limit.soft, limit.hard);
        program.step(Place::Item("process.rlimits", index), &Step::Rlimit { resource, soft, hard });
    }
}

/// Sets the limits of process `pid` from outside: inside a user namespace nothing may be raised, whoever asks.
pub(crate) fn apply(process: &Process, pid: i32) -> Result<()> {
    for (index, limit) in list(process).iter().enumerate() {
        process::set_limit(pid, number(limit.typ), limit.soft, limit.hard)
            .map_err(|error| Error::io(format!("process.rlimits[{index}]: prlimit"), error))?;
    }
    Ok(())
}

/// process.rlimits.
pub(crate) fn list(process: &Process) -> &[PosixRlimit] {
    process.rlimits.as_slice()
}

/// RLIMIT_* by type.
fn number(kind: PosixRlimitType) -> u32 {
    match kind {
        PosixRlimitType::RlimitCpu => libc::RLIMIT_CPU,
        PosixRlimitType::RlimitFsize => libc::RLIMIT_FSIZE,
        PosixRlimitType::RlimitData => libc::RLIMIT_DATA,
        PosixRlimitType::RlimitStack => libc::RLIMIT_STACK,
        PosixRlimitType::RlimitCore => libc::RLIMIT_CORE,
        PosixRlimitType::RlimitRss => libc::RLIMIT_RSS,
        PosixRlimitType::RlimitNproc => libc::RLIMIT_NPROC,
        PosixRlimitType::RlimitNofile => libc::RLIMIT_NOFILE,
        PosixRlimitType::RlimitMemlock => libc::RLIMIT_MEMLOCK,
        PosixRlimitType::RlimitAs => libc::RLIMIT_AS,
        PosixRlimitType::RlimitLocks => libc::RLIMIT_LOCKS,
        PosixRlimitType::RlimitSigpending => libc::RLIMIT_SIGPENDING,
        PosixRlimitType::RlimitMsgqueue => libc::RLIMIT_MSGQUEUE,
        PosixRlimitType::RlimitNice => libc::RLIMIT_NICE,
        PosixRlimitType::RlimitRtprio => libc::RLIMIT_RTPRIO,
        PosixRlimitType::RlimitRttime => libc::RLIMIT_RTTIME,
    }
}
