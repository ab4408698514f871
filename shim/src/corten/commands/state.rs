//! `corten state`

use super::{Host, record::Record, select};
use crate::{cli::Args, failure::Failure, output};

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    output::print_pretty_json(&Record::of(&select::one(args, host)?)?)
}
