//! The kernel's kills for want of memory, watched from a container's making on.

use super::Server;
use crate::{container::Container, oom::OomWatch, poll::Source};
use runtime_core::OomEvents;

impl Server {
    /// Begins to watch a container.
    pub(crate) fn watch_oom(&mut self, id: &str, events: OomEvents) {
        self.next += 1;
        let number = self.next;
        if let Err(error) = self.poll.read(&events, Source::Oom(number)) {
            return log::warn!("container {id}: out-of-memory events: {error}");
        }
        if let Some(container) = self.containers.get_mut(id) {
            container.oom = Some(OomWatch { events, number });
            // The descriptor tells of the future alone.
            self.look_for_oom(id);
        }
    }

    pub(super) fn hear_oom(&mut self, number: u32) {
        let of = |container: &&Container| container.oom.as_ref().is_some_and(|watch| watch.number == number);
        if let Some(id) = self.containers.values().find(of).map(|container| container.id.clone()) {
            self.look_for_oom(&id);
        }
    }

    /// Looks at the count; also when the process has ended, as its end may be heard of first.
    pub(super) fn look_for_oom(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let Some(watch) = &mut container.oom else { return };
        match watch.events.read() {
            Ok(Some(0)) => {}
            Ok(Some(_)) => self.tell_oom(id),
            Ok(None) => {
                if let Some(watch) = container.oom.take() {
                    self.poll.forget(&watch.events);
                }
            }
            Err(error) => {
                log::warn!("container {id}: out-of-memory events: {error}");
                if let Some(watch) = container.oom.take() {
                    self.poll.forget(&watch.events);
                }
            }
        }
    }

    /// Watches a container no more.
    pub(crate) fn forget_oom(&mut self, container: &mut Container) {
        if let Some(watch) = container.oom.take() {
            self.poll.forget(&watch.events);
        }
    }
}
