//! `corten delete`

use super::{Host, select};
use crate::{cli::Args, failure::Failure};
use runtime_core::Container;

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    let force = args.flags.is_on("force");
    let delete = |id: &str| {
        // What is broken or half made can be deleted by force only, and what is not there is no error then.
        let deleted = match force {
            true => Container::delete_forced(&host.root, id),
            false => Container::load(&host.root, id).and_then(|container| container.delete(false)),
        };
        deleted.map_err(Failure::from)
    };
    if args.flags.is_on("regex") {
        select::each(&select::matching(args, host)?, delete)
    } else {
        delete(args.id()?)
    }
}
