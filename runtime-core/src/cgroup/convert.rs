//! From the values of the specification, which are those of cgroup v1, to those of cgroup v2. Nothing here touches the
//! system.

use super::error::{Error, Result};
use std::f64::consts::{LN_2, LN_10};

/// `cpu.weight` (1 to 10,000) for cpu.shares: a curve through the least, the default and the greatest of both, so that
/// 1,024 is 100. As runc from 1.3.3 and crun from 1.23.
pub(super) fn cpu_weight(shares: u64) -> u64 {
    if shares <= 2 {
        return 1;
    }
    if shares >= 262_144 {
        return 10_000;
    }
    #[allow(clippy::cast_precision_loss, reason = "below 2^18")]
    let log = natural_logarithm(shares as f64) / LN_2;
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    // The default must not become 101 by the last bit of a float.
    let weight = exponential(exponent * LN_10) - 1e-9;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 10,000")]
    let whole = weight as u64;
    #[allow(clippy::cast_precision_loss, reason = "between 1 and 10,000")]
    let is_whole = whole as f64 >= weight;
    whole + u64::from(!is_whole)
}

// The C library's functions for this one curve would be a hundredth of the command's size.

/// ln(x) for x from 1: twice the area tangent of (m - 1) / (m + 1), and the halvings that brought x down to m below 2.
fn natural_logarithm(mut x: f64) -> f64 {
    let mut halvings = 0.0;
    while x >= 2.0 {
        x /= 2.0;
        halvings += 1.0;
    }
    let z = (x - 1.0) / (x + 1.0);
    let (mut sum, mut power, mut odd) = (0.0, z, 1.0);
    while odd < 45.0 {
        sum += power / odd;
        power *= z * z;
        odd += 2.0;
    }
    2.0 * sum + halvings * LN_2
}

/// e to the power of `y`, for y from -1 to 10: the series of a sixteenth of it, squared four times.
fn exponential(y: f64) -> f64 {
    let y = y / 16.0;
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1.0);
    while n < 24.0 {
        term *= y / n;
        sum += term;
        n += 1.0;
    }
    (0..4).fold(sum, |root, _| root * root)
}

/// `io.weight` (1 to 10,000) for a blkio weight of 10 to 1,000: a straight line.
pub(super) fn io_weight(weight: u16) -> u64 {
    1 + u64::from(weight.saturating_sub(10)) * 9_999 / 990
}

/// A limit as cgroup v2 has it: `max` for a negative one.
pub(super) fn limit(value: i64) -> String {
    if value < 0 { "max".to_owned() } else { value.to_string() }
}

/// `memory.swap.max` for `limit` (memory) and `swap` (memory and swap together), each 0 where not set; nothing where
/// nothing is to be written.
pub(super) fn swap(limit: i64, swap: i64) -> Result<Option<String>> {
    let property = "linux.resources.memory.swap";
    match (limit, swap) {
        // All memory goes with all swap, as v1 has it.
        (..=-1, 0) => Ok(Some("max".to_owned())),
        (_, 0) => Ok(None),
        (_, ..=-1) => Ok(Some("max".to_owned())),
        (..=-1, swap) => Ok(Some(swap.to_string())),
        (0, _) => Err(Error::config(property, "needs linux.resources.memory.limit, which is a part of it")),
        (limit, swap) if swap < limit => Err(Error::config(
            property,
            format!("{swap} is below linux.resources.memory.limit, {limit}, which is a part of it"),
        )),
        (limit, swap) => Ok(Some((swap - limit).to_string())),
    }
}

/// The numbers in a list as cpuset(7) has it, `0-2,5`, in order; nothing where it is none.
pub(super) fn list(text: &str) -> Option<Vec<u16>> {
    let mut numbers = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u16, u16) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

fn number(text: &str) -> Option<u16> {
    text.trim().bytes().all(|byte| byte.is_ascii_digit()).then(|| text.trim().parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_the_c_librarys_functions() {
        for shares in 3..262_144_u64 {
            #[allow(clippy::cast_precision_loss)]
            let log = (shares as f64).log2();
            let exact = 10_f64.powf((log * log + 125.0 * log) / 612.0 - 7.0 / 34.0) - 1e-9;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let expected = exact.ceil() as u64;
            assert_eq!(cpu_weight(shares), expected, "{shares}");
        }
    }

    #[test]
    fn shares_become_weights() {
        let table = [
            (1, 1),
            (2, 1),
            (3, 2),
            (10, 4),
            (100, 17),
            (256, 35),
            (512, 59),
            (1_023, 100),
            (1_024, 100),
            (1_025, 101),
            (2_048, 174),
            (4_096, 303),
            (102_400, 4_429),
            (262_143, 10_000),
            (262_144, 10_000),
            (u64::MAX, 10_000),
        ];
        for (shares, weight) in table {
            assert_eq!(cpu_weight(shares), weight, "{shares}");
        }
    }

    #[test]
    fn block_weights_become_io_weights() {
        for (weight, io) in [(10, 1), (100, 910), (500, 4_950), (1_000, 10_000)] {
            assert_eq!(io_weight(weight), io, "{weight}");
        }
    }

    #[test]
    fn memory_and_swap_become_swap() {
        let table = [
            (0, 0, None),
            (100, 0, None),
            (-1, 0, Some("max")),
            (0, -1, Some("max")),
            (100, -1, Some("max")),
            (-1, 50, Some("50")),
            (100, 100, Some("0")),
            (100, 300, Some("200")),
        ];
        for (limit, both, expected) in table {
            assert_eq!(swap(limit, both).unwrap().as_deref(), expected, "{limit} {both}");
        }
        assert!(swap(0, 100).is_err());
        assert!(swap(200, 100).is_err());
    }

    #[test]
    fn lists_are_read() {
        let table: [(&str, Option<&[u16]>); 8] = [
            ("0-2,5\n", Some(&[0, 1, 2, 5])),
            ("", Some(&[])),
            ("7", Some(&[7])),
            ("2-1", None),
            ("a", None),
            ("-1", None),
            ("0-70000", None),
            ("+1", None),
        ];
        for (text, numbers) in table {
            assert_eq!(list(text).as_deref(), numbers, "{text}");
        }
    }
}
