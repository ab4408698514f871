//! One case in a process of its own: its mount namespace is private, and whatever it orphans comes back to it.

use super::{Case, Claims, Kind, Stop, Suite, Test, Verdict, Version, fail, leak};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::prctl,
};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::PathBuf, process::ExitCode};

/// What the runner hands to a worker, as JSON on its command line.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) case: String,
    pub(super) runtime: PathBuf,
    pub(super) dir: PathBuf,
    pub(super) payload: PathBuf,
    pub(super) tag: String,
    pub(super) parent: String,
    pub(super) version: (u32, u32),
    pub(super) name: String,
    /// The guard that the runtime is to be without.
    pub(super) unguarded: Option<String>,
}

/// What a worker leaves in its directory.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) kind: Kind,
    pub(super) words: String,
}

impl Answer {
    /// What it says of a case whose guard was off: that it notices.
    pub(super) fn without(self, guard: &str) -> Self {
        match self.kind {
            Kind::Failed => Self { kind: Kind::Passed, words: self.words },
            Kind::Passed => {
                Self { kind: Kind::Failed, words: format!("it passes without the guard {guard} too") }
            }
            Kind::Skipped => self,
        }
    }
}

/// The file in a case's directory that holds its answer.
pub(super) const ANSWER: &str = "answer.json";

/// Tries the case that `order` names.
pub(crate) fn worker(suite: &Suite, order: &str) -> ExitCode {
    match try_worker(suite, order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spec-tests: the worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn try_worker(suite: &Suite, order: &str) -> io::Result<()> {
    let order: Order = serde_json::from_str(order)?;
    let Some(case) = suite.cases.iter().find(|case| case.name == order.case) else {
        return Err(io::Error::other("no such case"));
    };
    unshare(CloneFlags::CLONE_NEWNS)?;
    // Apart from the machine's mounts, and shared as a systemd machine's are: a mount that a runtime lets out shows.
    for flag in [MsFlags::MS_PRIVATE, MsFlags::MS_SHARED] {
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | flag, None::<&str>)?;
    }
    prctl::set_child_subreaper(true)?;
    fs::create_dir_all(order.dir.join("state"))?;
    let answer_file = order.dir.join(ANSWER);
    let claims = Claims { version: Version(order.version.0, order.version.1), name: order.name };
    let test = Test::new(order.runtime, order.dir, order.payload, order.tag, order.parent, claims);
    let answer = answer(case, &test);
    fs::write(answer_file, serde_json::to_vec(&answer)?)
}

fn answer(case: &Case, test: &Test) -> Answer {
    let before = leak::mounts();
    let mut verdict = case.run(test);
    let deleted = delete_all(test);
    if verdict.is_ok() {
        let left = leak::find(test, &before);
        verdict = match deleted {
            Ok(()) if left.is_empty() => Ok(()),
            Ok(()) => fail(format!("left behind: {}", left.join("; "))),
            Err(stop) => Err(stop),
        };
    }
    leak::remove(test, &before);
    match verdict {
        Ok(()) => Answer { kind: Kind::Passed, words: String::new() },
        Err(Stop::Skip(words)) => Answer { kind: Kind::Skipped, words },
        Err(Stop::Fail(words)) if case.since > test.claims.version => Answer {
            kind: Kind::Skipped,
            words: format!(
                "the clause came with {}, the runtime claims {}: {words}",
                case.since, test.claims.version
            ),
        },
        Err(Stop::Fail(words)) => Answer { kind: Kind::Failed, words },
    }
}

/// Deletes the containers that the case left to the suite.
fn delete_all(test: &Test) -> Verdict {
    for id in test.ids_given() {
        if test.root().join(&id).exists() {
            test.call(&["delete", "--force", &id]).done()?.ok()?;
        }
    }
    Ok(())
}
