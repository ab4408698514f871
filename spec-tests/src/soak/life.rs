//! One container's life: random operations, alone and at once, and what each must answer.

use super::{
    children::{Called, Children},
    random::Random,
};
use crate::payload;
use serde_json::Value;
use std::{
    thread,
    time::{Duration, Instant},
};

/// What a container is, as far as its operations decide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Now {
    Created,
    Running,
    Stopped,
    Gone,
}

/// How a life begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Birth {
    /// By a create.
    Plain,
    /// By two creates at once.
    Twice,
    /// By a create and a forced delete at once, and a create after them.
    Deleted,
}

impl Birth {
    /// One of them.
    pub(super) fn of(random: &mut Random) -> Self {
        match random.below(6) {
            0 => Self::Twice,
            1 => Self::Deleted,
            _ => Self::Plain,
        }
    }
}

/// An operation of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Start,
    Kill,
    Terminate,
    Pause,
    Resume,
    Exec,
    ExecDetached,
    Update,
    Delete,
    DeleteForced,
    /// Two starts: exactly one wins.
    StartTwice,
    /// Two deletes of a stopped one: exactly one wins.
    DeleteTwice,
    /// Two forced ones: both succeed.
    DeleteForcedTwice,
    StartAndKill,
    StartAndDelete,
    ExecAndKill,
    ExecAndDelete,
    PauseAndKill,
    PauseAndResume,
    UpdateAndDelete,
}

const ACTS: [Act; 20] = [
    Act::Start,
    Act::Kill,
    Act::Terminate,
    Act::Pause,
    Act::Resume,
    Act::Exec,
    Act::ExecDetached,
    Act::Update,
    Act::Delete,
    Act::DeleteForced,
    Act::StartTwice,
    Act::DeleteTwice,
    Act::DeleteForcedTwice,
    Act::StartAndKill,
    Act::StartAndDelete,
    Act::ExecAndKill,
    Act::ExecAndDelete,
    Act::PauseAndKill,
    Act::PauseAndResume,
    Act::UpdateAndDelete,
];

/// What a life needs to know.
pub(super) struct Life<'a> {
    children: &'a Children,
    id: &'a str,
    bundle: &'a str,
    /// Whether `update` has a limit to change here.
    updates: bool,
    now: Now,
    paused: bool,
    /// All calls so far, for the words of a failure.
    log: Vec<String>,
}

impl<'a> Life<'a> {
    pub(super) fn new(children: &'a Children, id: &'a str, bundle: &'a str, updates: bool) -> Self {
        Self { children, id, bundle, updates, now: Now::Gone, paused: false, log: Vec::new() }
    }

    /// Lives it: its calls, or what went wrong after which calls.
    pub(super) fn live(mut self, birth: Birth, random: &mut Random) -> Result<Vec<String>, String> {
        let lived = self.create(birth).and_then(|()| {
            for _ in 0..2 + random.below(8) {
                let act = random.pick(&ACTS).unwrap_or(Act::Start);
                if self.now == Now::Gone {
                    break;
                }
                self.act(act)?;
            }
            self.call(&["delete", "--force", self.id])?.wants(true)
        });
        match lived {
            Ok(()) => Ok(self.log),
            Err(words) => Err(format!("{words}\n    {}", self.log.join("\n    "))),
        }
    }

    fn create(&mut self, birth: Birth) -> Result<(), String> {
        let words = ["create", "--bundle", self.bundle, self.id];
        match birth {
            Birth::Twice => {
                let [one, other] = self.both(&words, &words)?;
                one_of(&one, &other)?;
            }
            Birth::Deleted => {
                let [_, deleted] = self.both(&words, &["delete", "--force", self.id])?;
                deleted.wants(true)?;
                // The delete may have come before.
                self.call(&["delete", "--force", self.id])?.wants(true)?;
                self.call(&words)?.wants(true)?;
            }
            Birth::Plain => self.call(&words)?.wants(true)?,
        }
        self.now = Now::Created;
        Ok(())
    }

    fn act(&mut self, act: Act) -> Result<(), String> {
        let id = self.id;
        let (alive, paused, now) = (self.now != Now::Stopped, self.paused, self.now);
        let kill = ["kill", id, "KILL"];
        let start = ["start", id];
        let forced = ["delete", "--force", id];
        let exec = ["exec", id, payload::PATH, "exit", "7"];
        let startable = now == Now::Created && !paused;
        match act {
            Act::Start => {
                self.call(&start)?.wants(startable)?;
                if startable {
                    self.now = Now::Running;
                }
            }
            Act::Kill => {
                self.call(&kill)?.wants(alive)?;
                self.stopped()?;
            }
            // A paused one gets it when it is resumed; one that only was created ignores it, or not.
            Act::Terminate if now == Now::Running && !paused => {
                self.ready()?;
                self.call(&["kill", id, "TERM"])?.wants(true)?;
                self.stopped()?;
            }
            Act::Pause => {
                self.call(&["pause", id])?.wants(alive && !paused)?;
                self.paused = alive;
            }
            Act::Resume => {
                self.call(&["resume", id])?.wants(alive && paused)?;
                self.paused = false;
            }
            Act::Exec => {
                let called = self.call(&exec)?;
                match alive && !paused {
                    true if called.code == 7 => {}
                    true => return Err(called.line()),
                    false => called.wants(false)?,
                }
            }
            Act::ExecDetached => {
                let words = ["exec", "--detach", id, payload::PATH, "wait"];
                self.call(&words)?.wants(alive && !paused)?;
            }
            Act::Update if self.updates => {
                self.call(&["update", "--pids-limit", "64", id])?.wants(alive)?;
            }
            Act::Delete => {
                let ends = now == Now::Stopped || startable;
                self.call(&["delete", id])?.wants(ends)?;
                if ends {
                    self.now = Now::Gone;
                }
            }
            Act::DeleteForced => {
                self.call(&forced)?.wants(true)?;
                self.now = Now::Gone;
            }
            Act::StartTwice if startable => {
                let [one, other] = self.both(&start, &start)?;
                one_of(&one, &other)?;
                self.now = Now::Running;
            }
            Act::DeleteTwice if now == Now::Stopped => {
                let [one, other] = self.both(&["delete", id], &["delete", id])?;
                one_of(&one, &other)?;
                self.now = Now::Gone;
            }
            Act::DeleteForcedTwice => {
                let [one, other] = self.both(&forced, &forced)?;
                one.wants(true)?;
                other.wants(true)?;
                self.now = Now::Gone;
            }
            Act::StartAndKill if startable => {
                let [_, killed] = self.both(&start, &kill)?;
                killed.wants(true)?;
                self.stopped()?;
            }
            Act::StartAndDelete if startable => self.and_delete(&start)?,
            Act::ExecAndKill if alive && !paused => {
                let [_, killed] = self.both(&exec, &kill)?;
                killed.wants(true)?;
                self.stopped()?;
            }
            Act::ExecAndDelete if alive && !paused => self.and_delete(&exec)?,
            Act::PauseAndKill if alive && !paused => {
                let [_, killed] = self.both(&["pause", id], &kill)?;
                killed.wants(true)?;
                self.stopped()?;
            }
            Act::PauseAndResume if alive && !paused => {
                let [_, _] = self.both(&["pause", id], &["resume", id])?;
                self.paused = self.status()? == "paused";
            }
            Act::UpdateAndDelete if self.updates => self.and_delete(&["update", "--pids-limit", "65", id])?,
            _ => {}
        }
        Ok(())
    }

    /// `words` and a forced delete at once: the delete succeeds, whatever comes of the other.
    fn and_delete(&mut self, words: &[&str]) -> Result<(), String> {
        let [_, deleted] = self.both(words, &["delete", "--force", self.id])?;
        deleted.wants(true)?;
        self.now = Now::Gone;
        Ok(())
    }

    fn call(&mut self, words: &[&str]) -> Result<Wanted, String> {
        let called = self.children.call(words);
        self.told(called)
    }

    /// Two calls at once.
    fn both(&mut self, one: &[&str], other: &[&str]) -> Result<[Wanted; 2], String> {
        let children = self.children;
        let (one, other) = thread::scope(|scope| {
            let other = scope.spawn(|| children.call(other));
            (children.call(one), other.join())
        });
        let other = other.map_err(|_| "a thread of the suite broke down")?;
        Ok([self.told(one)?, self.told(other)?])
    }

    fn told(&mut self, called: Called) -> Result<Wanted, String> {
        self.log.push(called.line());
        if called.hung() {
            return Err(format!("`{}` hangs", called.words));
        }
        if called.err.contains("panicked") || called.err.contains("internal error") || called.code == -1 {
            return Err(format!("`{}` crashed", called.words));
        }
        let silent = called.err.split_whitespace().count() < 2;
        if !matches!(called.code, 0 | 7 | 137) && silent {
            return Err(format!("`{}` did not say why it failed", called.words));
        }
        Ok(Wanted(called))
    }

    fn status(&mut self) -> Result<String, String> {
        let called = self.children.call(&["state", self.id]);
        let state: Value = serde_json::from_str(&called.out).map_err(|_| called.line())?;
        Ok(state["status"].as_str().unwrap_or_default().to_owned())
    }

    /// It is stopped soon.
    fn stopped(&mut self) -> Result<(), String> {
        let start = Instant::now();
        loop {
            let status = self.status()?;
            if status == "stopped" {
                (self.now, self.paused) = (Now::Stopped, false);
                return Ok(());
            }
            if start.elapsed() > Duration::from_secs(10) {
                return Err(format!("10 s after it was killed it is {status}"));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The payload takes signals: before, one that it does not handle yet would be ignored.
    fn ready(&self) -> Result<(), String> {
        let state = self.children.call(&["state", self.id]);
        let state: Value = serde_json::from_str(&state.out).map_err(|error| error.to_string())?;
        let file = format!("/proc/{}/syscall", state["pid"]);
        let waits = format!("{} ", libc::SYS_rt_sigtimedwait);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            if std::fs::read_to_string(&file).is_ok_and(|call| call.starts_with(&waits)) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Err("the payload does not begin".to_owned())
    }
}

/// A call of which something is wanted.
struct Wanted(Called);

impl Wanted {
    /// An error unless it succeeded, or failed, as `success` says.
    fn wants(&self, success: bool) -> Result<(), String> {
        if self.0.ok() == success {
            return Ok(());
        }
        Err(format!("it was to {}: {}", if success { "succeed" } else { "fail" }, self.0.line()))
    }

    fn line(&self) -> String {
        self.0.line()
    }
}

impl std::ops::Deref for Wanted {
    type Target = Called;

    fn deref(&self) -> &Called {
        &self.0
    }
}

/// An error unless exactly one of the two succeeded.
fn one_of(one: &Called, other: &Called) -> Result<(), String> {
    if one.ok() != other.ok() {
        Ok(())
    } else {
        Err(format!("not one of two won: {}; {}", one.line(), other.line()))
    }
}
