//! The operations that are broken: what is there before each, its command line, and what a success is.

use super::variant::{CODE, Variant};
use crate::payload;
use corten_trace::Ending;

/// What a container is before an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Before {
    /// There is none.
    Nothing,
    /// It waits for its start.
    Created,
    /// It runs.
    Running,
    /// It is frozen.
    Paused,
    /// Its process was killed.
    Stopped,
}

/// What a container is after an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// `state` says so.
    Status(&'static str),
    /// There is nothing of it.
    Gone,
}

/// An operation of a runtime.
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) before: Before,
    pub(super) after: After,
    /// Its words; `ID`, `BUNDLE`, `PIDFILE` and `SOCKET` stand for what they name.
    words: &'static [&'static str],
    /// The exit code of a success.
    code: i32,
    /// What containers it is tried on.
    pub(super) variants: &'static [Variant],
    /// Whether the container's process, which waits, has its part in it.
    pub(super) with_waiting: bool,
    /// Whether it makes a container, which is to be taken back when that fails.
    pub(super) makes: bool,
}

use Variant::{Plain, Terminal, User};

const fn simple(
    name: &'static str,
    before: Before,
    after: &'static str,
    words: &'static [&'static str],
) -> Operation {
    Operation {
        name,
        before,
        after: After::Status(after),
        words,
        code: 0,
        variants: &[Plain],
        with_waiting: false,
        makes: false,
    }
}

/// All of them.
pub(super) const ALL: &[Operation] = &[
    Operation {
        variants: &[Plain, User],
        makes: true,
        ..simple(
            "create",
            Before::Nothing,
            "created",
            &["create", "--bundle", "BUNDLE", "--pid-file", "PIDFILE", "ID"],
        )
    },
    Operation {
        variants: &[Terminal],
        makes: true,
        ..simple(
            "create-terminal",
            Before::Nothing,
            "created",
            &["create", "--bundle", "BUNDLE", "--pid-file", "PIDFILE", "--console-socket", "SOCKET", "ID"],
        )
    },
    Operation {
        variants: &[Plain, User],
        with_waiting: true,
        ..simple("start", Before::Created, "running", &["start", "ID"])
    },
    Operation {
        code: CODE,
        after: After::Gone,
        variants: &[Plain, User],
        makes: true,
        ..simple("run", Before::Nothing, "", &["run", "--bundle", "BUNDLE", "--pid-file", "PIDFILE", "ID"])
    },
    Operation {
        code: CODE,
        variants: &[Plain, User],
        ..simple(
            "exec",
            Before::Running,
            "running",
            &["exec", "--pid-file", "PIDFILE", "ID", payload::PATH, "exit", "7"],
        )
    },
    simple(
        "exec-terminal",
        Before::Running,
        "running",
        &["exec", "--tty", "--detach", "--console-socket", "SOCKET", "ID", payload::PATH, "exit", "7"],
    ),
    simple("kill", Before::Running, "stopped", &["kill", "ID", "KILL"]),
    simple("kill-all", Before::Running, "stopped", &["kill", "--all", "ID", "KILL"]),
    simple("pause", Before::Running, "paused", &["pause", "ID"]),
    simple("resume", Before::Paused, "running", &["resume", "ID"]),
    Operation {
        after: After::Gone,
        variants: &[Plain, User],
        ..simple("delete", Before::Stopped, "", &["delete", "ID"])
    },
    Operation {
        after: After::Gone,
        ..simple("delete-force", Before::Running, "", &["delete", "--force", "ID"])
    },
    Operation {
        after: After::Gone,
        ..simple("delete-paused", Before::Paused, "", &["delete", "--force", "ID"])
    },
    simple("state", Before::Running, "running", &["state", "ID"]),
    simple("list", Before::Running, "running", &["list"]),
    simple("ps", Before::Running, "running", &["ps", "ID"]),
];

impl Operation {
    /// The operation of this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|operation| operation.name == name)
    }

    /// Its words, with what stands for `put`.
    pub(super) fn words(&self, put: impl Fn(&str) -> Option<String>) -> Vec<String> {
        self.words.iter().map(|word| put(word).unwrap_or_else(|| (*word).to_owned())).collect()
    }

    /// Whether it says that it succeeded.
    pub(super) fn succeeded(&self, ending: Ending) -> bool {
        ending == Ending::Code(self.code)
    }

    /// Whether what it makes ends by itself.
    pub(super) fn ends(&self) -> bool {
        self.name == "run"
    }
}
