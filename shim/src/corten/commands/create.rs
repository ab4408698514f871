//! `corten create`

use super::{Host, births};
use crate::{cli::Args, failure::Failure};
use runtime_core::Console;

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    create(args, host).map_err(|failure| failure.of("create"))
}

fn create(args: &Args, host: &Host) -> Result<(), Failure> {
    births::builder(args, host, args.id()?)?.console(births::console(&args.flags, Console::None)).create()?;
    Ok(())
}
