//! The cases and the clauses that they check.

use super::{Test, Verdict};
use std::{cmp::Ordering, fmt};

/// How binding a clause is, RFC 2119.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// An absolute requirement.
    Must,
    /// What may be departed from only for good reason.
    Should,
    /// Left to the runtime; checked where it claims to do it.
    May,
    /// Not of the specification: the command line that engines use, as runc(8) has it.
    Cli,
    /// Not of the specification: what a hostile image or container must not achieve.
    Attack,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
            Self::Cli => "CLI",
            Self::Attack => "ATTACK",
        })
    }
}

/// A version of the runtime specification, major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32);

impl Version {
    /// From text as `1.0.2-dev`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('.');
        Some(Self(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.0, self.1).partial_cmp(&(other.0, other.1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

type Body = Box<dyn Fn(&Test) -> Verdict + Send + Sync>;

/// One case.
pub(crate) struct Case {
    /// The topic, the first part of the name.
    pub(crate) group: &'static str,
    /// `group/what-is-checked`, unique.
    pub(crate) name: String,
    /// How binding the clause is.
    pub(crate) level: Level,
    /// Where the clause stands, as `config.md process.cwd`.
    pub(crate) clause: String,
    /// The specification's version that brought the clause.
    pub(crate) since: Version,
    /// What Corten must be without, in a test build, for the case to fail: docs/hostile.md.
    pub(crate) guard: Option<&'static str>,
    body: Body,
}

impl Case {
    /// Tries it.
    pub(crate) fn run(&self, test: &Test) -> Verdict {
        (self.body)(test)
    }
}

/// All cases.
#[derive(Default)]
pub(crate) struct Suite {
    /// In the order in which they are tried.
    pub(crate) cases: Vec<Case>,
}

impl Suite {
    /// Cases named `name/...` of the specification's `document`.
    pub(crate) fn group(&mut self, name: &'static str, document: &'static str) -> Group<'_> {
        Group { suite: self, name, document, since: Version(1, 0) }
    }
}

/// Adds cases of one topic.
pub(crate) struct Group<'a> {
    suite: &'a mut Suite,
    name: &'static str,
    document: &'static str,
    since: Version,
}

impl Group<'_> {
    /// The cases that follow are of clauses that came with this version.
    pub(crate) fn since(&mut self, major: u32, minor: u32) -> &mut Self {
        self.since = Version(major, minor);
        self
    }

    fn add(
        &mut self,
        level: Level,
        name: &str,
        clause: &str,
        body: impl Fn(&Test) -> Verdict + Send + Sync + 'static,
    ) {
        let document = if level == Level::Cli { "runc(8)" } else { self.document };
        self.suite.cases.push(Case {
            group: self.name,
            name: format!("{}/{name}", self.name),
            level,
            clause: format!("{document} {clause}"),
            since: if level == Level::Cli { Version(1, 0) } else { self.since },
            guard: None,
            body: Box::new(body),
        });
    }

    /// A case of an attack, whose id or description is the clause. Without `guard` Corten does not withstand it.
    pub(crate) fn attack(
        &mut self,
        name: &str,
        what: &str,
        guard: Option<&'static str>,
        body: impl Fn(&Test) -> Verdict + Send + Sync + 'static,
    ) {
        self.add(Level::Attack, name, what, body);
        if let Some(case) = self.suite.cases.last_mut() {
            case.guard = guard;
        }
    }

    /// A case of an absolute requirement.
    pub(crate) fn must(
        &mut self,
        name: &str,
        clause: &str,
        body: impl Fn(&Test) -> Verdict + Send + Sync + 'static,
    ) {
        self.add(Level::Must, name, clause, body);
    }

    /// A case of a recommendation.
    pub(crate) fn should(
        &mut self,
        name: &str,
        clause: &str,
        body: impl Fn(&Test) -> Verdict + Send + Sync + 'static,
    ) {
        self.add(Level::Should, name, clause, body);
    }

    /// A case of something left to the runtime.
    pub(crate) fn may(
        &mut self,
        name: &str,
        clause: &str,
        body: impl Fn(&Test) -> Verdict + Send + Sync + 'static,
    ) {
        self.add(Level::May, name, clause, body);
    }

    /// A case of runc's command line.
    pub(crate) fn cli(
        &mut self,
        name: &str,
        clause: &str,
        body: impl Fn(&Test) -> Verdict + Send + Sync + 'static,
    ) {
        self.add(Level::Cli, name, clause, body);
    }
}
