//! Work that may take its time, each piece on a thread of its own: a hook that sleeps, or a file system that hangs, holds up
//! its own container and no other.

use crate::error::{Error, Result};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

/// The stack of a thread. What is not touched takes no memory; the C library keeps 40 MiB of those of ended threads, so large
/// ones are soon given back.
const STACK: usize = 8 << 20;

/// Threads at work, and what they have done. `T` tells of the work and of its outcome.
pub(crate) struct Workers<T> {
    shared: Arc<Shared<T>>,
    threads: HashMap<u64, JoinHandle<()>>,
    next: u64,
}

struct Shared<T> {
    done: Mutex<Vec<(u64, T)>>,
    wake: EventFd,
}

impl<T: Send + 'static> Workers<T> {
    /// Nobody at work.
    pub(crate) fn new() -> Result<Self> {
        let wake = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|errno| Error::io("eventfd", errno))?;
        let shared = Arc::new(Shared { done: Mutex::new(Vec::new()), wake });
        Ok(Self { shared, threads: HashMap::new(), next: 0 })
    }

    /// Readable when work is done.
    pub(crate) fn wake(&self) -> &EventFd {
        &self.shared.wake
    }

    /// How many pieces of work are under way or not yet taken.
    pub(crate) fn count(&self) -> usize {
        self.threads.len()
    }

    /// Does a piece of work.
    ///
    /// # Errors
    /// There can be no more threads.
    pub(crate) fn spawn(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Result<()> {
        let (shared, number) = (Arc::clone(&self.shared), self.next);
        let body = move || {
            let done = work();
            shared.done.lock().unwrap_or_else(PoisonError::into_inner).push((number, done));
            let _ = shared.wake.write(1);
        };
        let thread = thread::Builder::new().stack_size(STACK).spawn(body);
        let thread = thread.map_err(|error| Error::io("start a thread", error))?;
        self.threads.insert(number, thread);
        self.next += 1;
        Ok(())
    }

    /// What is done. The threads that did it have ended: their children are those of the main thread.
    pub(crate) fn take(&mut self) -> Vec<T> {
        let _ = self.shared.wake.read();
        let done = std::mem::take(&mut *self.shared.done.lock().unwrap_or_else(PoisonError::into_inner));
        let join = |(number, done)| {
            if let Some(thread) = self.threads.remove(&number) {
                let _ = thread.join();
            }
            done
        };
        done.into_iter().map(join).collect()
    }
}
