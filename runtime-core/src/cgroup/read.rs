//! The formats of the files that controllers count in.

use super::{
    dir::Dir,
    stats::{BlkioEntry, Pressure, PressureLine, Rdma},
};
use std::collections::BTreeMap;

/// The number in `file`, 0 without one. `max` is the greatest.
pub(super) fn number(dir: &Dir, file: &str) -> u64 {
    dir.try_read(file).map_or(0, |text| parse(&text))
}

fn parse(text: &str) -> u64 {
    match text.trim() {
        "max" => u64::MAX,
        text => text.parse().unwrap_or(0),
    }
}

/// Lines of a key and a number.
pub(super) fn pairs(dir: &Dir, file: &str) -> BTreeMap<String, u64> {
    let text = dir.try_read(file).unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(key, value)| (key.to_owned(), parse(value))).collect()
}

/// A pressure file; nothing where the kernel does not count it.
pub(super) fn pressure(dir: &Dir, file: &str) -> Option<Pressure> {
    dir.try_read(file).map(|text| parse_pressure(&text))
}

fn parse_pressure(text: &str) -> Pressure {
    let line = |name: &str| {
        let mut line = PressureLine::default();
        let fields = text.lines().find_map(|text| text.strip_prefix(name)).unwrap_or_default();
        for (key, value) in fields.split_whitespace().filter_map(|field| field.split_once('=')) {
            match key {
                "avg10" => line.avg10 = percent(value),
                "avg60" => line.avg60 = percent(value),
                "avg300" => line.avg300 = percent(value),
                "total" => line.total = parse(value),
                _ => {}
            }
        }
        line
    };
    Pressure { some: line("some "), full: line("full ") }
}

/// A share as the kernel writes it, with two decimals.
fn percent(text: &str) -> f64 {
    let (whole, hundredths) = text.split_once('.').unwrap_or((text, "0"));
    let number = |digits: &str| digits.parse::<u32>().map_or(0.0, f64::from);
    number(whole) + number(hundredths) / 100.0
}

/// Two numbers as `8:16`.
fn device(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A v1 blkio file: lines of device, kind and number.
pub(super) fn blkio(text: &str) -> Vec<BlkioEntry> {
    let entry = |line: &str| {
        let mut fields = line.split_whitespace();
        let (major, minor) = device(fields.next()?)?;
        let (op, value) = match (fields.next()?, fields.next()) {
            (op, Some(value)) => (op.to_owned(), value),
            (value, None) => (String::new(), value),
        };
        Some(BlkioEntry { major, minor, op, value: value.parse().ok()? })
    };
    text.lines().filter_map(entry).collect()
}

/// v2's `io.stat`: bytes and operations, in the form that v1 has.
pub(super) fn io_stat(text: &str) -> (Vec<BlkioEntry>, Vec<BlkioEntry>) {
    let (mut bytes, mut operations) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut fields = line.split_whitespace();
        let Some((major, minor)) = fields.next().and_then(device) else { continue };
        for (key, value) in fields.filter_map(|field| field.split_once('=')) {
            let (list, op) = match key {
                "rbytes" => (&mut bytes, "Read"),
                "wbytes" => (&mut bytes, "Write"),
                "dbytes" => (&mut bytes, "Discard"),
                "rios" => (&mut operations, "Read"),
                "wios" => (&mut operations, "Write"),
                "dios" => (&mut operations, "Discard"),
                _ => continue,
            };
            list.push(BlkioEntry { major, minor, op: op.to_owned(), value: parse(value) });
        }
    }
    (bytes, operations)
}

/// `rdma.current`, what is in use, and `rdma.max`, the limits, by device.
pub(super) fn rdma(text: &str) -> BTreeMap<String, Rdma> {
    let mut devices = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split_whitespace();
        let Some(name) = fields.next() else { continue };
        let number = |text: &str| if text == "max" { u32::MAX } else { text.parse().unwrap_or(0) };
        let mut device = Rdma::default();
        for (key, value) in fields.filter_map(|field| field.split_once('=')) {
            match key {
                "hca_handle" => device.hca_handles = number(value),
                "hca_object" => device.hca_objects = number(value),
                _ => {}
            }
        }
        devices.insert(name.to_owned(), device);
    }
    devices
}

/// The sizes of huge pages that the kernel has, as the files of the controller name them: `2MB`.
pub(super) fn page_sizes() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/kernel/mm/hugepages").into_iter().flatten().flatten();
    entries.filter_map(|entry| page_size(entry.file_name().to_str()?)).collect()
}

fn page_size(directory: &str) -> Option<String> {
    let kilobytes: u64 = directory.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
    Some(match kilobytes {
        1_048_576.. => format!("{}GB", kilobytes >> 20),
        1_024.. => format!("{}MB", kilobytes >> 10),
        _ => format!("{kilobytes}KB"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_read() {
        let text = "some avg10=1.50 avg60=2.00 avg300=0.25 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        let pressure = parse_pressure(text);
        assert_eq!(pressure.some, PressureLine { avg10: 1.5, avg60: 2.0, avg300: 0.25, total: 1_234 });
        assert_eq!(pressure.full.total, 7);
    }

    #[test]
    fn block_statistics_of_both_versions_are_read() {
        let v1 = blkio("8:0 Read 100\n8:0 Write 5\nTotal 105\n");
        assert_eq!(v1.len(), 2);
        assert_eq!(v1[1], BlkioEntry { major: 8, minor: 0, op: "Write".to_owned(), value: 5 });
        let (bytes, operations) =
            io_stat("254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0 cost.usage=9\n");
        assert_eq!((bytes.len(), operations.len()), (3, 3));
        assert_eq!(operations[1], BlkioEntry { major: 254, minor: 0, op: "Write".to_owned(), value: 4 });
    }

    #[test]
    fn rdma_devices_and_page_sizes_are_read() {
        assert_eq!(
            rdma("mlx4_0 hca_handle=2 hca_object=2000\n")["mlx4_0"],
            Rdma { hca_handles: 2, hca_objects: 2_000 }
        );
        for (directory, size) in
            [("hugepages-2048kB", "2MB"), ("hugepages-1048576kB", "1GB"), ("hugepages-64kB", "64KB")]
        {
            assert_eq!(page_size(directory).as_deref(), Some(size));
        }
        assert_eq!(page_size("x"), None);
    }
}
