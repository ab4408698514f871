//! `corten features`

use crate::{failure::Failure, output};

pub(super) fn run() -> Result<(), Failure> {
    output::print_pretty_json(&runtime_core::features())
}
