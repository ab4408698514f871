//! The child's end of the sync socket.

use super::{
    State,
    sys::{self, Fault, Fd, Res, errno, fault},
};
use crate::{
    arch::nr,
    message::{Kind, MOST_FILES, Message, Phase},
    step::SLOT_SYNC,
};

/// Tells the parent `kind` with `value`.
pub(super) fn tell(state: &State, kind: Kind, value: i32) -> Res<()> {
    let mut message = Message::new(kind);
    message.value = value;
    message.step = state.step;
    sys::send(state.sync(), &message.to_bytes(), None)
}

/// Waits for the parent to say that `phase` is done, which it may have said before it was asked. A parent that is gone ends
/// this process: nobody would own it.
pub(super) fn wait(state: &mut State, phase: u8) -> Res<()> {
    let bit = |phase: u8| 1_u32.checked_shl(u32::from(phase)).unwrap_or(0);
    while state.answered & bit(phase) == 0 {
        let (answer, descriptors) = answer(state.sync())?;
        state.answered |= bit(answer);
        if answer == Phase::Cgroup as u8 {
            enter_cgroups(state, descriptors);
        } else if let [first @ Some(_), ..] = descriptors {
            state.received = first;
        }
    }
    state.answered &= !bit(phase);
    Ok(())
}

/// Enters cgroups of v1 by their files `tasks`: 0 is who writes it. It has one thread, and nobody is held still for that.
fn enter_cgroups(state: &State, doors: [Option<Fd>; MOST_FILES]) {
    for (number, door) in (0..).zip(doors.into_iter().flatten()) {
        if let Err(fault) = sys::write(door.raw(), b"0") {
            send_report(state, Kind::Refused, fault, number, &[]);
            sys::exit(1);
        }
    }
}

/// The same on the sync socket `sync`, when nothing else can be answered.
pub(super) fn wait_on(sync: i32, phase: u8) -> Res<()> {
    if answer(sync)?.0 == phase { Ok(()) } else { Err(fault(0, errno::EPROTO)) }
}

fn answer(sync: i32) -> Res<(u8, [Option<Fd>; MOST_FILES])> {
    let mut answer = [0_u8; 1];
    match sys::receive(sync, &mut answer)? {
        (1, descriptors) => Ok((answer[0], descriptors)),
        _ => sys::exit(1),
    }
}

/// Tells the parent why this process ends.
pub(super) fn report_failure(state: &State, fault: Fault) {
    report_failure_with(state, fault, 0, &[]);
}

/// The same with a `value` and a text that the fault does not carry.
pub(super) fn report_failure_with(state: &State, fault: Fault, value: i32, text: &[u8]) {
    send_report(state, Kind::Failed, fault, value, text);
}

/// Tells the parent of something that does not matter enough to fail.
pub(super) fn warn(state: &State, fault: Fault) {
    send_report(state, Kind::Warning, fault, 0, &[]);
}

fn send_report(state: &State, kind: Kind, fault: Fault, value: i32, text: &[u8]) {
    let mut message = Message::new(kind).with_text(text);
    message.value = value;
    message.step = state.step;
    message.call = u32::try_from(fault.call).unwrap_or(0);
    message.errno = fault.errno;
    let _ = sys::send(state.sync(), &message.to_bytes(), None);
}

/// Closes the socket to the creator and waits for a `start` on `listener`: a connection that sends one byte. The connection
/// is the sync socket from then on.
pub(super) fn wait_for_start(state: &mut State, listener: u16) -> Res<()> {
    state.close(SLOT_SYNC);
    loop {
        let connection = sys::accept(state.fd(listener))?;
        let mut byte = [0_u8; 1];
        // A starter that died before it said so started nothing.
        if matches!(sys::read(connection.raw(), &mut byte), Ok(1)) {
            state.fill(SLOT_SYNC, connection);
            state.close(listener);
            return Ok(());
        }
    }
}

/// The kernel's own log of a file system context: one line, its level letter and space cut off.
pub(super) fn filesystem_log(context: i32, buffer: &mut [u8]) -> usize {
    match sys::read(context, buffer) {
        Ok(length) if length > 2 => {
            buffer.copy_within(2..length, 0);
            length - 2 - usize::from(buffer.get(length - 3) == Some(&b'\n'))
        }
        _ => 0,
    }
}

/// The fault of a hook or step that no system call stands for.
pub(super) fn plain(errno: i32) -> Fault {
    fault(nr::WAITID, errno)
}
