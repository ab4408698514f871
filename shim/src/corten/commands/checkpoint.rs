//! `corten checkpoint`

use crate::{cli::Args, failure::Failure};

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    Err(Failure::usage(format!("checkpoint {}: not supported yet", args.id()?)))
}
