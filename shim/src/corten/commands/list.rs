//! `corten list`

use super::{Host, record::Record};
use crate::{
    cli::Args,
    failure::Failure,
    output::{self, Format},
    worker::{self, Worker},
};
use runtime_core::Container;
use std::{num::NonZeroUsize, path::Path};

const HEADING: [&str; 6] = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
/// A copy of this process takes as long to make as ten containers to look at.
const WORTH_A_WORKER: usize = 64;
const MOST_WORKERS: usize = 3;

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    let format = args.flags.read("format", Format::read)?.unwrap_or(Format::Table);
    if args.flags.is_on("quiet") {
        let lines = Container::list(&host.root)?;
        return output::print(&lines.iter().flat_map(|container| [container.id(), "\n"]).collect::<String>());
    }
    let shares = shares(&host.root, &Container::ids(&host.root)?, format)?;
    output::print(&match format {
        Format::Json => {
            let told: Vec<_> = shares.iter().map(String::as_str).filter(|share| !share.is_empty()).collect();
            format!("[{}]\n", told.join(","))
        }
        Format::Table => {
            let cells: Vec<_> = shares.iter().flat_map(|share| share.split_terminator('\0')).collect();
            let (rows, _) = cells.as_chunks();
            output::table([HEADING].iter().chain(rows))
        }
    })
}

/// What each of the processors finds out of its share of the containers, in their order.
fn shares(root: &Path, ids: &[String], format: Format) -> Result<Vec<String>, Failure> {
    let most = (ids.len() / WORTH_A_WORKER).min(MOST_WORKERS);
    let workers = if most > 0 { most.min(worker::processors().saturating_sub(1)) } else { 0 };
    let size = NonZeroUsize::new(ids.len().div_ceil(workers + 1)).unwrap_or(NonZeroUsize::MIN);
    let mut parts = ids.chunks(size.get());
    let own = parts.next().unwrap_or_default();
    let begun: Vec<_> = parts.map(|part| (part, Worker::begin(|| share(root, part, format).ok()))).collect();
    let mut told = vec![share(root, own, format)?];
    for (part, worker) in begun {
        told.push(worker.and_then(Worker::end).map_or_else(|| share(root, part, format), Ok)?);
    }
    Ok(told)
}

/// Of JSON the elements, of a table the cells, each with its end.
fn share(root: &Path, ids: &[String], format: Format) -> Result<String, Failure> {
    let records = Container::overview_of(root, ids)?.into_iter().map(Record::from);
    match format {
        Format::Json => {
            let elements: Vec<_> = records.map(|record| output::json(&record)).collect::<Result<_, _>>()?;
            Ok(elements.join(","))
        }
        Format::Table => Ok(records.flat_map(cells).collect()),
    }
}

fn cells(record: Record) -> [String; 6] {
    let Record { id, pid, status, bundle, created, owner, .. } = record;
    [id, pid.to_string(), status.to_string(), bundle, created, owner].map(|mut cell| {
        cell.retain(|c| c != '\0');
        cell.push('\0');
        cell
    })
}
