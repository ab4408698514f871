//! Who asks for a container's state all the time: one answer after the other must be a legal way to go.

use super::{children::Children, random::Random};
use serde_json::Value;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// How far a container was seen to be; it never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Unknown,
    Creating,
    Created,
    Running,
    Stopped,
    Gone,
}

/// Judges one answer after the other.
pub(super) struct Judge {
    stage: Stage,
}

impl Judge {
    pub(super) fn new() -> Self {
        Self { stage: Stage::Unknown }
    }

    /// Takes the next status in, none where there is no such container; an error where it cannot follow what was seen before.
    pub(super) fn next(&mut self, status: Option<&str>) -> Result<(), String> {
        let stage = match status {
            None if self.stage == Stage::Unknown => return Ok(()),
            None => Stage::Gone,
            Some("creating") => Stage::Creating,
            Some("created") => Stage::Created,
            Some("running") => Stage::Running,
            Some("stopped") => Stage::Stopped,
            // A created one can be paused too: what it is beneath does not show.
            Some("paused") if self.stage < Stage::Stopped => {
                self.stage = self.stage.max(Stage::Created);
                return Ok(());
            }
            Some(other) => return Err(format!("it is {other} after it was {:?}", self.stage)),
        };
        if stage < self.stage {
            return Err(format!("it is {stage:?} after it was {:?}", self.stage));
        }
        self.stage = stage;
        Ok(())
    }
}

/// Asks until `over`, of a container that is made `once` or again by the same name: what was wrong, and how many answers there were.
pub(super) fn watch(
    children: &Children,
    id: &str,
    seed: u64,
    once: bool,
    over: &AtomicBool,
) -> (Result<(), String>, usize) {
    let mut random = Random::new(seed);
    let mut judge = Judge::new();
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        count += 1;
        if !once {
            judge = Judge::new();
        }
        if let Err(words) = look(children, id, &mut random, &mut judge) {
            return (Err(words), count);
        }
        thread::sleep(Duration::from_micros(random.below(4000)));
    }
    (Ok(()), count)
}

fn look(children: &Children, id: &str, random: &mut Random, judge: &mut Judge) -> Result<(), String> {
    match random.below(8) {
        0 => {
            let called = children.call(&["list", "--format", "json"]);
            if !called.ok() {
                return Err(called.line());
            }
            let list: Value = serde_json::from_str(&called.out).map_err(|error| format!("list: {error}"))?;
            let own = list.as_array().into_iter().flatten().find(|entry| entry["id"] == id);
            // A container that is being made or removed may be passed over.
            own.map_or(Ok(()), |entry| judge.next(entry["status"].as_str()))
        }
        1 => {
            // It may well fail: the container may be gone.
            let called = children.call(&["ps", "--format", "json", id]);
            if called.hung() || called.err.contains("panicked") { Err(called.line()) } else { Ok(()) }
        }
        _ => {
            let called = children.call(&["state", id]);
            if called.missing() {
                return judge.next(None);
            }
            if !called.ok() {
                return Err(called.line());
            }
            let state: Value =
                serde_json::from_str(&called.out).map_err(|error| format!("state: {error}"))?;
            judge.next(state["status"].as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Judge;

    fn judge(list: &[Option<&str>]) -> bool {
        let mut judge = Judge::new();
        list.iter().all(|status| judge.next(*status).is_ok())
    }

    #[test]
    fn a_life_goes_one_way() {
        let all = [None, Some("creating"), Some("created"), Some("paused"), Some("created"), Some("running")];
        assert!(judge(&all));
        assert!(judge(&[Some("running"), Some("paused"), Some("running"), Some("stopped"), None, None]));
        assert!(!judge(&[Some("running"), Some("created")]));
        assert!(!judge(&[Some("running"), Some("paused"), Some("created")]));
        assert!(!judge(&[Some("stopped"), Some("paused")]));
        assert!(!judge(&[Some("stopped"), None, Some("stopped")]));
        assert!(!judge(&[Some("sleeping")]));
    }
}
