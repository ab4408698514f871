//! The suite's machinery: cases and their verdicts, bundles, bounded calls of the runtime, the search for what is left
//! behind, the runner and its reports.

mod agent;
mod bundle;
mod call;
mod case;
mod container;
mod known;
mod leak;
mod machine;
mod outcome;
mod report;
mod runner;
mod sys;
mod table;
mod terminal;
mod test;
mod verdict;
mod view;
mod worker;

pub(crate) use agent::{Agent, SESSION};
pub(crate) use bundle::{Bundle, CAPABILITIES, MARK};
pub(crate) use call::{Call, Done, Running, within};
pub(crate) use case::{Case, Group, Level, Suite, Version};
pub(crate) use container::Container;
pub(crate) use known::Known;
pub(crate) use leak::{RT_RUNTIME, below, mounts, remove_cgroup};
pub(crate) use machine::{Cgroups, Claims, Hierarchy, Machine, hierarchies};
pub(crate) use outcome::{Kind, Outcome};
pub(crate) use report::Format;
pub(crate) use runner::{Ground, Options, conformance, in_path, solo, wanted};
pub(crate) use sys::{catch_interrupts, core_cookie, interrupted};
pub(crate) use table::table;
pub(crate) use terminal::{ConsoleSocket, Terminal};
pub(crate) use test::{Test, is_payload, parse};
pub(crate) use verdict::{Stop, Verdict, check, check_eq, fail, skip};
pub(crate) use view::{View, strings};
pub(crate) use worker::worker;
