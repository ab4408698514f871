//! `corten events --follow`: for people, a table of what containers use, which is drawn anew again and again.

use super::super::{Host, select};
use crate::{cli::Args, failure::Failure, output};
use runtime_core::{Container, OomEvents, Stats, Status};
use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    thread,
    time::{Duration, Instant},
};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

/// Draws until the container that was named has ended; with none named, all there are, for ever.
pub(super) fn run(args: &Args, host: &Host, interval: Option<Duration>) -> Result<(), Failure> {
    let named = match args.words.is_empty() {
        true => None,
        false => Some(select::one(args, host)?),
    };
    if let Some(container) = &named
        && container.status()? == Status::Stopped
    {
        return Err(Failure::usage(format!("container with id {} is not running", container.id())));
    }
    let mut view = View::default();
    loop {
        let listed = match &named {
            Some(_) => Vec::new(),
            None => Container::list(&host.root)?,
        };
        let rows = view.look(named.iter().chain(&listed));
        if named.is_some() && rows.is_empty() {
            return Ok(());
        }
        view.draw(rows)?;
        thread::sleep(interval.unwrap_or(DEFAULT_INTERVAL));
    }
}

/// What was seen of a container the last time.
struct Seen {
    at: Instant,
    cpu: u64,
    ooms: Option<OomEvents>,
    oom_count: u64,
}

#[derive(Default)]
struct View {
    seen: BTreeMap<String, Seen>,
    /// How many lines of the last table are to be drawn over.
    lines: usize,
}

const HEADING: [&str; 7] = ["ID", "STATUS", "CPU", "MEMORY", "PIDS", "READ / WRITTEN", "OOM"];

impl View {
    /// A row for each container that has not ended.
    fn look<'a>(&mut self, containers: impl Iterator<Item = &'a Container>) -> Vec<[String; 7]> {
        let mut rows = Vec::new();
        for container in containers {
            let Ok(status) = container.status() else { continue };
            let Some(stats) = (status != Status::Stopped).then(|| container.stats().ok()).flatten() else {
                self.seen.remove(container.id());
                continue;
            };
            let (share, ooms) = self.compare(container, &stats);
            rows.push(row(container.id(), status, &stats, share, ooms));
        }
        rows
    }

    /// Its share of a processor since the last time, and how often memory has run out since the first.
    fn compare(&mut self, container: &Container, stats: &Stats) -> (Option<f64>, u64) {
        let now = Instant::now();
        let cpu = stats.cpu.usage.total;
        if let Some(seen) = self.seen.get_mut(container.id()) {
            let elapsed = now.duration_since(seen.at).as_secs_f64() * 1e9;
            #[allow(clippy::cast_precision_loss)]
            let share = cpu.saturating_sub(seen.cpu) as f64 / elapsed.max(1.0);
            (seen.at, seen.cpu) = (now, cpu);
            if let Some(Ok(Some(count))) = seen.ooms.as_mut().map(OomEvents::read) {
                seen.oom_count += count;
            }
            return (Some(share), seen.oom_count);
        }
        let seen = Seen { at: now, cpu, ooms: container.oom_events().ok(), oom_count: 0 };
        self.seen.insert(container.id().to_owned(), seen);
        (None, 0)
    }

    /// Over the last table where that is a terminal; else one table after the other.
    fn draw(&mut self, rows: Vec<[String; 7]>) -> Result<(), Failure> {
        let mut all = vec![HEADING.map(str::to_owned)];
        all.extend(rows);
        let count = all.len();
        let table = output::table(&all);
        let text = match io::stdout().is_terminal() {
            true => over(self.lines, &table),
            false => table + "\n",
        };
        self.lines = count;
        output::print(&text)
    }
}

/// `table` over the last one of so many lines: up, and what was longer is cleared. ECMA-48, CPL, EL and ED.
fn over(lines: usize, table: &str) -> String {
    let up = if lines > 0 { format!("\x1b[{lines}F") } else { String::new() };
    format!("{up}{}\x1b[J", table.replace('\n', "\x1b[K\n"))
}

fn row(id: &str, status: Status, stats: &Stats, share: Option<f64>, ooms: u64) -> [String; 7] {
    let memory = &stats.memory.usage;
    let limit = match memory.limit {
        // v1 has a number of whole pages for none.
        limit if limit == 0 || limit >= u64::MAX >> 12 => String::new(),
        limit => format!(" / {}", size(limit)),
    };
    let bytes = |operation: &str| {
        let list = stats.blkio.io_service_bytes_recursive.iter();
        list.filter(|entry| entry.op.eq_ignore_ascii_case(operation)).map(|entry| entry.value).sum()
    };
    [
        id.to_owned(),
        status.to_string(),
        share.map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0)),
        size(memory.usage) + &limit,
        stats.pids.current.to_string(),
        format!("{} / {}", size(bytes("read")), size(bytes("write"))),
        ooms.to_string(),
    ]
}

/// A number of bytes for people: three digits or four, and a unit.
fn size(bytes: u64) -> String {
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10240 && unit < 5 {
        tenths = tenths.div_ceil(1024);
        unit += 1;
    }
    let name = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"][unit];
    match tenths {
        tenths if unit == 0 || tenths >= 1000 => format!("{} {name}", tenths / 10),
        tenths => format!("{}.{} {name}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (512 << 20, "512 MiB"),
            (5 << 30, "5.0 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_table_is_drawn_over_the_last_one() {
        assert_eq!(over(0, "a\nb\n"), "a\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(over(2, "a\n"), "\x1b[2Fa\x1b[K\n\x1b[J");
    }
}
