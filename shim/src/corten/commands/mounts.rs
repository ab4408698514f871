//! `corten mounts`

use super::{Host, input};
use crate::{cli::Args, failure::Failure};
use runtime_core::{Container, load_mounts};
use std::path::Path;

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    let word = |index, what| Ok::<_, Failure>(args.word(index, what)?.unwrap_or_default());
    let change = match word(0, "change")? {
        "add" => Container::add_mounts,
        "remove" => Container::remove_mounts,
        other => return Err(Failure::usage(format!("mounts {other:?}: add or remove is wanted"))),
    };
    let container = Container::load(&host.root, word(1, "container id")?)?;
    let file = Path::new(word(2, "file")?);
    let mounts = load_mounts(&input::read("mounts", file)?, file)?;
    Ok(change(&container, &mounts)?)
}
