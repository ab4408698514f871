//! The init program's own code: it reads a plan and carries it out, step by step. It decides nothing that the parent can
//! decide, allocates nothing, and ends at the first fault with a report.

mod beside;
mod channel;
mod copy_up;
mod dispatch;
mod home;
mod hooks;
mod identity;
mod listener;
mod mounts;
mod paths;
mod procfs;
mod program;
pub mod sys;
mod terminal;

use crate::{
    guards::{self, Guard},
    step::{NO_SLOT, SLOT_PROGRAM, SLOT_SYNC, SLOTS, Slot},
    wire::Input,
};
use sys::{Fault, Fd, Res, errno, fault};

/// What steps leave for later steps.
pub(crate) struct State {
    /// Descriptors by slot, -1 where there is none.
    slots: [i32; SLOTS],
    /// The slot of the verified procfs handle.
    procfs: Slot,
    /// Which candidate the program was found at.
    found: usize,
    /// The first attempt at the working directory was refused.
    directory_pending: bool,
    /// The variable that the environment lacks.
    home: home::Home,
    /// The mounts that masked paths are cloned from are attached.
    masked_directory: bool,
    masked_null: bool,
    /// The directory that the last entry was put into.
    kept: beside::Kept,
    /// Descriptors of the steps before, not closed yet.
    done_with: beside::DoneWith,
    /// The umask is 0, for modes as they are asked for.
    no_umask: bool,
    /// The phases that the parent has said are done, a bit each.
    answered: u32,
    /// The descriptor that came with an answer.
    received: Option<Fd>,
    /// The step under way, for reports.
    step: u32,
}

impl State {
    fn fd(&self, slot: Slot) -> i32 {
        self.slots.get(usize::from(slot)).copied().unwrap_or(-1)
    }

    fn sync(&self) -> i32 {
        self.fd(SLOT_SYNC)
    }

    fn fill(&mut self, slot: Slot, fd: Fd) {
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            *place = fd.leak();
        }
    }

    fn close(&mut self, slot: Slot) {
        if let Some(place) = self.slots.get_mut(usize::from(slot)).filter(|fd| **fd >= 0) {
            sys::close(core::mem::replace(place, -1));
        }
    }

    /// Closes all slots but the sync socket and `count` from `keep`.
    fn close_all_but(&mut self, keep: Slot, count: u16) {
        let kept = keep..keep.saturating_add(count);
        for slot in (0..=NO_SLOT).take(SLOTS).filter(|slot| *slot != SLOT_SYNC && !kept.contains(slot)) {
            self.close(slot);
        }
    }
}

/// The program's arguments: where its descriptors begin, how many there are, and where in the program's file the plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The number of slot 0's descriptor; the other slots follow.
    pub base: i32,
    /// How many slots are handed over.
    pub slots: u16,
    /// Where the plan begins, a multiple of the page size.
    pub offset: usize,
    /// How many bytes it has.
    pub length: usize,
}

impl Arguments {
    /// Reads the four numbers that follow the program's name.
    pub fn parse<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut number = || {
            let digits = words.next()?;
            digits.iter().try_fold(0_usize, |number, digit| {
                let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
                number.checked_mul(10)?.checked_add(usize::from(digit))
            })
        };
        let arguments = Self {
            base: number()?.try_into().ok()?,
            slots: number()?.try_into().ok()?,
            offset: number()?,
            length: number()?,
        };
        #[cfg(feature = "unguarded")]
        guards::MASK.store(u32::try_from(number()?).ok()?, core::sync::atomic::Ordering::Relaxed);
        Some(arguments)
    }
}

/// Carries the plan out. It ends in the container's program, or in a report and an exit.
pub fn run(arguments: Arguments) -> ! {
    let mut state = State {
        slots: [-1; SLOTS],
        procfs: NO_SLOT,
        found: 0,
        directory_pending: false,
        home: home::Home::new(),
        masked_directory: false,
        masked_null: false,
        kept: beside::Kept::new(),
        done_with: beside::DoneWith::new(),
        no_umask: false,
        answered: 0,
        received: None,
        step: 0,
    };
    for (place, fd) in state.slots.iter_mut().zip(arguments.base..).take(usize::from(arguments.slots)) {
        *place = fd;
    }
    sys::set_name(sys::CStr::new(b"corten-init\0"));
    if let Err(fault) = carry_out(&mut state, arguments) {
        channel::report_failure(&state, fault);
    }
    sys::exit(1)
}

fn carry_out(state: &mut State, arguments: Arguments) -> Res<()> {
    sys::reset_signals();
    if guards::on(Guard::CloseOnExec) {
        sys::cloexec_from(arguments.base)?;
    }
    let plan = sys::map_file(state.fd(SLOT_PROGRAM), arguments.offset, arguments.length)?;
    state.close(SLOT_PROGRAM);
    let mut input = Input::new(plan);
    while !input.is_empty() {
        let step = crate::step::Step::decode(&mut input).ok_or(malformed())?;
        dispatch::carry_out(state, &step)?;
        state.step += 1;
    }
    Ok(())
}

/// The plan is not one of ours.
fn malformed() -> Fault {
    fault(0, errno::EPROTO)
}
