//! `corten restore`

use crate::{cli::Args, failure::Failure};

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    Err(Failure::usage(format!("restore {}: not supported yet", args.id()?)))
}
