//! A filter with a listener: seccomp_unotify(2). Whatever a filtered process calls may be notified, refused or deadly,
//! and nobody can answer before the agent has the listener. So the process has a helper, a thread that the filter does
//! not hold for: it passes the listener on and waits for the parent, while the process itself makes no call, or just the
//! one that the filter is known to let pass. The helper is gone before the process executes its program; if the
//! parent fails or dies meanwhile, it ends both.

use super::{
    State, channel,
    sys::{self, Res},
};
use crate::message::{Kind, Message, Phase};
use core::{
    hint,
    sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering},
};

/// What the process and its helper tell each other. A plan has one such step.
static SYNC: AtomicI32 = AtomicI32::new(-1);
static STEP: AtomicU32 = AtomicU32::new(0);
/// An eventfd that the process may sleep on.
static WAKE: AtomicI32 = AtomicI32::new(-1);
/// The listener's descriptor, -1 until the filter is in.
static LISTENER: AtomicI32 = AtomicI32::new(-1);
/// The agent has the listener.
static DELIVERED: AtomicBool = AtomicBool::new(false);

/// How often the helper looks whether the filter is in. Installing takes less than this.
const INTERVAL_MICROSECONDS: u64 = 200;

/// Installs the filter and returns when the agent has the listener.
pub(super) fn install(state: &State, flags: u32, program: &[u8], reads: bool) -> Res<()> {
    // It is never closed here: a close would have to get through the filter. Like the listener it goes with execve.
    let wake = sys::event()?.leak();
    SYNC.store(state.sync(), Ordering::Relaxed);
    STEP.store(state.step, Ordering::Relaxed);
    WAKE.store(wake, Ordering::Relaxed);
    sys::thread(help)?;
    let listener = sys::seccomp(flags, program)?;
    LISTENER.store(i32::try_from(listener).unwrap_or(-1), Ordering::Release);
    let mut sleeps = reads;
    let mut count = [0; 8];
    while !DELIVERED.load(Ordering::Acquire) {
        if sleeps {
            sleeps = sys::read(wake, &mut count).is_ok();
        } else {
            hint::spin_loop();
        }
    }
    Ok(())
}

/// The helper.
unsafe extern "C" fn help(_: *mut u8) -> ! {
    match pass_on(SYNC.load(Ordering::Relaxed)) {
        Ok(()) => sys::exit_thread(),
        // The process cannot end itself any more.
        Err(_) => sys::exit(1),
    }
}

fn pass_on(sync: i32) -> Res<()> {
    let listener = loop {
        match LISTENER.load(Ordering::Acquire) {
            // A parent that is gone, and nothing else, makes the socket readable: nobody has asked for an answer yet.
            -1 if sys::wait_readable_micros(sync, INTERVAL_MICROSECONDS)? => sys::exit(1),
            -1 => {}
            listener => break listener,
        }
    };
    let mut message = Message::new(Kind::Listening);
    message.step = STEP.load(Ordering::Relaxed);
    sys::send(sync, &message.to_bytes(), Some(listener))?;
    channel::wait_on(sync, Phase::Listener as u8)?;
    DELIVERED.store(true, Ordering::Release);
    sys::write(WAKE.load(Ordering::Relaxed), &1_u64.to_ne_bytes()).map(drop)
}
