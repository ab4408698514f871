//! Hooks that run in the container's namespaces: the init program starts them and waits for their end.

use super::{
    State, channel, program,
    sys::{self, Fd, Forked, Res, errno},
};
use crate::{
    step::Slot,
    wire::{Text, Texts},
};

/// A hook, as [`crate::step::Step::Hook`] says.
pub(super) struct Hook<'a> {
    pub(super) path: Text<'a>,
    pub(super) arguments: Texts<'a>,
    pub(super) environment: Texts<'a>,
    pub(super) timeout: u32,
    pub(super) state: Slot,
    pub(super) output: Slot,
    pub(super) errors: Slot,
}

/// Runs the hook to its end. A failure is reported with its path, and its exit code as the report's value: a signal as a
/// negative number, errno ETIME for one that ran out of time.
pub(super) fn run(state: &State, hook: &Hook) -> Res<()> {
    let (fault, status) = match end_of(state, hook) {
        Ok(0) => return Ok(()),
        Ok(status) => (channel::plain(0), status),
        Err(fault) => (fault, 0),
    };
    channel::report_failure_with(state, fault, status, hook.path.0);
    sys::exit(1)
}

/// How it ended.
fn end_of(state: &State, hook: &Hook) -> Res<i32> {
    let input = state.fd(hook.state);
    sys::rewind(input);
    let (arguments, environment) = (program::table(hook.arguments)?, program::table(hook.environment)?);
    let pidfd = match sys::fork(0, false)? {
        Forked::Child => {
            let standard = [(input, 0), (state.fd(hook.output), 1), (state.fd(hook.errors), 2)];
            if standard.iter().all(|(from, to)| sys::dup_to(*from, *to).is_ok()) {
                let fault = sys::execve(hook.path.into(), arguments, environment);
                let _ = sys::write(2, program::explain(fault.errno));
            }
            sys::exit(127)
        }
        Forked::Parent(_, pidfd) => pidfd.unwrap_or(Fd::own(-1)),
    };
    if !sys::wait_readable(pidfd.raw(), hook.timeout)? {
        sys::kill_pidfd(pidfd.raw());
        sys::wait_pidfd(pidfd.raw())?;
        return Err(channel::plain(errno::ETIME));
    }
    sys::wait_pidfd(pidfd.raw())
}
