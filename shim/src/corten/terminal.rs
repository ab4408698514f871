//! The terminal that `corten` was called from, while a container's terminal is shown in it.

use crate::sys::{self, WindowSize};
use nix::{
    sys::termios::{self, OutputFlags, SetArg, Termios},
    unistd,
};
use std::{
    io::IsTerminal,
    os::fd::{AsFd, BorrowedFd},
    sync::{Mutex, PoisonError},
};

/// What the caller's terminal was like, by the descriptor it was changed through. Static for the panic hook.
static BEFORE: Mutex<Vec<(i32, Termios)>> = Mutex::new(Vec::new());

/// While this lives, what the container's terminal says goes unchanged to the caller's, and every key to the container.
#[derive(Debug)]
pub(crate) struct Raw(());

impl Raw {
    /// Makes the caller's terminal raw, where there is one and the caller's shell has not put us in the background.
    pub(crate) fn enter() -> Self {
        if is_ours(sys::standard(0)) {
            change(0, |mode| {
                let output = mode.output_flags;
                termios::cfmakeraw(mode);
                mode.output_flags = output;
            });
        }
        if is_ours(sys::standard(1)) {
            change(1, |mode| mode.output_flags.remove(OutputFlags::OPOST));
        }
        Self(())
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

/// Puts the caller's terminal back as it was.
fn restore() {
    let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some((fd, mode)) = before.pop() {
        let _ = termios::tcsetattr(sys::standard(fd), SetArg::TCSANOW, &mode);
    }
}

/// As at the end of [`Raw`], where its `drop` does not come to run.
pub(crate) fn restore_after_panic() {
    restore();
}

/// Whether `fd` is a terminal and ours to change. One that is not our controlling terminal has nobody else in front.
fn is_ours(fd: BorrowedFd<'_>) -> bool {
    let others = unistd::tcgetpgrp(fd).is_ok_and(|group| group != unistd::getpgrp());
    fd.is_terminal() && !others
}

fn change(fd: i32, how: impl FnOnce(&mut Termios)) {
    let Ok(mode) = termios::tcgetattr(sys::standard(fd)) else { return };
    let mut changed = mode.clone();
    how(&mut changed);
    if termios::tcsetattr(sys::standard(fd), SetArg::TCSANOW, &changed).is_ok() {
        BEFORE.lock().unwrap_or_else(PoisonError::into_inner).push((fd, mode));
    }
}

/// The size of the caller's terminal, where there is one.
pub(crate) fn size() -> Option<WindowSize> {
    [0, 1, 2].into_iter().find_map(|fd| WindowSize::of(sys::standard(fd)))
}

/// Makes the container's terminal as large as the caller's.
pub(crate) fn fit(master: impl AsFd) {
    if let Some(size) = size() {
        size.set(master);
    }
}
