//! `corten restore`

use super::{
    Host, births, criu,
    run::{attend, to_its_end},
};
use crate::{
    cli::Args,
    failure::Failure,
    foreground::{self, Signals},
};
use runtime_core::{Console, RestoreOptions};

pub(super) fn run(args: &Args, host: &Host) -> Result<u8, Failure> {
    restore(args, host).map_err(|failure| failure.of("restore"))
}

fn restore(args: &Args, host: &Host) -> Result<u8, Failure> {
    let flags = &args.flags;
    let mut options = RestoreOptions::new("");
    options.criu = criu::options(flags, host)?;
    let text = |name| flags.text(name).map(|text| text.filter(|text| !text.is_empty()).map(str::to_owned));
    options.lsm_profile = text("lsm-profile")?;
    options.lsm_mount_context = text("lsm-mount-context")?;
    let builder = births::builder(args, host, args.id()?)?;
    if flags.is_on("detach") {
        builder.console(births::console(flags, Console::None)).restore(&options)?;
        return Ok(0);
    }
    if !flags.is_on("no-subreaper") {
        foreground::become_subreaper()?;
    }
    let signals = Signals::hold()?;
    let container = builder.console(births::console(flags, Console::Return)).restore(&options)?;
    to_its_end(attend(container, None, None, &signals), args, host, false)
}
