//! Which containers a command is about.

use super::Host;
use crate::{cli::Args, failure::Failure};
use regex_lite::Regex;
use runtime_core::Container;

/// The container whose id is the first word.
pub(super) fn one(args: &Args, host: &Host) -> Result<Container, Failure> {
    Ok(Container::load(&host.root, args.id()?)?)
}

/// The ids that `--regex` selects: those which the first word matches anywhere, as crun has it.
pub(super) fn matching(args: &Args, host: &Host) -> Result<Vec<String>, Failure> {
    let pattern = args.id()?;
    let regex =
        Regex::new(pattern).map_err(|error| Failure::usage(format!("--regex {pattern:?}: {error}")))?;
    let all = Container::list(&host.root)?;
    Ok(all.iter().map(|container| container.id().to_owned()).filter(|id| regex.is_match(id)).collect())
}

/// Does `what` for every id, goes on after failures, and answers the last one.
pub(super) fn each(ids: &[String], mut what: impl FnMut(&str) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut last = Ok(());
    for id in ids {
        if let Err(failure) = what(id)
            && let Err(earlier) = std::mem::replace(&mut last, Err(failure))
        {
            log::error!("{earlier}");
        }
    }
    last
}
