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
    let containers = Container::list(&host.root)?;
    if args.flags.is_on("quiet") {
        return output::print(
            &containers.iter().map(|container| format!("{}\n", container.id())).collect::<String>(),
        );
    }
    let records: Vec<Record> = containers.iter().filter_map(record).collect();
    match format {
        Format::Json => output::print_json(&records),
        Format::Table => output::print(&output::table(&rows(&records))),
    }
}

/// What there is to say about a container. One that is deleted at this moment is left out.
fn record(container: &Container) -> Option<Record> {
    let record = Record::of(container);
    if let Err(failure) = &record {
        log::warn!("list: container {} is left out: {failure}", container.id());
    }
    record.ok()
}

fn rows(records: &[Record]) -> Vec<[String; 6]> {
    let mut rows = vec![["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned)];
    rows.extend(records.iter().map(|record| {
        let Record { id, pid, status, bundle, created, owner, .. } = record;
        [id.clone(), pid.to_string(), status.clone(), bundle.clone(), created.clone(), owner.clone()]
    }));
    rows
}
