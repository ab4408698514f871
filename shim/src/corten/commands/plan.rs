//! `corten plan`

use super::{Host, births};
use crate::{cli::Args, failure::Failure, output};

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    let id = args.word(0, "container id")?.unwrap_or("plan");
    let plan = births::builder(args, host, id)?.plan()?;
    output::print(&if args.flags.is_on("json") { plan.to_json_lines() } else { plan.to_string() })
}
