//! `corten start`

use super::{Host, notify, select};
use crate::{cli::Args, failure::Failure};

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    notify::start(&select::one(args, host)?)
}
