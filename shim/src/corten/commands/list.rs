//! `corten list`

use super::{Host, record::Record};
use crate::{
    cli::Args,
    failure::Failure,
    output::{self, Format},
};
use runtime_core::Container;

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    let format = args.flags.read("format", Format::read)?.unwrap_or(Format::Table);
    if args.flags.is_on("quiet") {
        let lines = Container::list(&host.root)?;
        return output::print(&lines.iter().flat_map(|container| [container.id(), "\n"]).collect::<String>());
    }
    let containers = Container::overview(&host.root)?;
    let records: Vec<_> = containers.into_iter().map(Record::from).collect();
    match format {
        Format::Json => output::print_json(&records),
        Format::Table => output::print(&output::table(rows(records))),
    }
}

fn rows(records: Vec<Record>) -> Vec<[String; 6]> {
    let mut rows = vec![["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned)];
    rows.extend(records.into_iter().map(|record| {
        let Record { id, pid, status, bundle, created, owner, .. } = record;
        [id, pid.to_string(), status.to_string(), bundle, created, owner]
    }));
    rows
}
