//! `corten kill`

use super::{Host, select};
use crate::{cli::Args, failure::Failure};
use runtime_core::{Container, Signal};

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    let signal = match args.word(1, "signal")? {
        Some(text) => text.parse()?,
        None => Signal::TERM,
    };
    let all = args.flags.is_on("all");
    let kill = |id: &str| {
        let container = Container::load(&host.root, id)?;
        if all { container.kill_all(signal) } else { container.kill(signal) }.map_err(Failure::from)
    };
    if args.flags.is_on("regex") {
        select::each(&select::matching(args, host)?, kill)
    } else {
        kill(args.id()?)
    }
}
