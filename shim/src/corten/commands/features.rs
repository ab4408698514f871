//! `corten features`

use crate::failure::Failure;

pub(super) fn run() -> Result<(), Failure> {
    Err(Failure::usage("features: not supported yet"))
}
