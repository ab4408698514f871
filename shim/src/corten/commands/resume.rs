//! `corten resume`

use super::{Host, select};
use crate::{cli::Args, failure::Failure};

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    Ok(select::one(args, host)?.resume()?)
}
