//! Reads the values of flags, strictly: what is not wholly understood is refused. An error is what was wanted.

use std::time::Duration;

/// Digits and nothing else, of a value that fits `T`.
pub(crate) fn number<T: TryFrom<u64>>(text: &str) -> Result<T, &'static str> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value: u64 = if digits {
        text.parse().map_err(|_| "the number is too large")?
    } else {
        return Err("not a number");
    };
    T::try_from(value).map_err(|_| "the number is too large")
}

/// A number that may be negative.
pub(crate) fn signed(text: &str) -> Result<i64, &'static str> {
    match text.strip_prefix('-') {
        Some(digits) => number::<i64>(digits).map(|value| -value),
        None => number(text),
    }
}

/// `uid` or `uid:gid`, both numbers; CVE-2026-30892 was a `1` that was taken for 0:0.
pub(crate) fn user(text: &str) -> Result<(u32, Option<u32>), &'static str> {
    const WANTED: &str = "a user is UID or UID:GID, in numbers";
    let read = |digits| number(digits).map_err(|_| WANTED);
    match text.split_once(':') {
        Some((uid, gid)) => Ok((read(uid)?, Some(read(gid)?))),
        None => Ok((read(text)?, None)),
    }
}

/// A size in bytes: `1024`, `512M`, `1.5g`, `2KiB`, powers of 1,024 as runc has them; `-1` for no limit.
pub(crate) fn size(text: &str) -> Result<i64, &'static str> {
    const WANTED: &str = "a size is a number of bytes, or of k, m, g, t or p, or -1";
    if text == "-1" {
        return Ok(-1);
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return Err(WANTED),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && shift > 0 => (whole, fraction),
        Some(_) => return Err(WANTED),
        None => (number, "0"),
    };
    let whole: u128 = self::number::<u64>(whole).map_err(|_| WANTED)?.into();
    let digits = fraction.get(..9.min(fraction.len())).unwrap_or_default();
    let part: u128 = self::number::<u64>(digits).map_err(|_| WANTED)?.into();
    let scale = 10u128.pow(u32::try_from(digits.len()).unwrap_or(0));
    i64::try_from((whole << shift) + (part << shift) / scale).map_err(|_| "the size is too large")
}

/// A time as Go writes it: `5s`, `500ms`, `1m30s`, `1.5h`; more than nothing.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    const WANTED: &str = "a duration is a number and h, m, s or ms, as 1m30s";
    let mut total = Duration::ZERO;
    let mut left = text;
    while !left.is_empty() {
        let end = left.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(WANTED)?;
        let (count, tail) = left.split_at(end);
        let units: String = tail.chars().take_while(|c| c.is_alphabetic()).collect();
        let nanoseconds: u128 = match units.as_str() {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" => 1_000,
            _ => return Err(WANTED),
        };
        let (whole, fraction) = count.split_once('.').unwrap_or((count, "0"));
        let digits = fraction.get(..9.min(fraction.len())).unwrap_or_default();
        let whole: u128 = number::<u64>(whole).map_err(|_| WANTED)?.into();
        let part: u128 = number::<u64>(digits).map_err(|_| WANTED)?.into();
        let scale = 10_u128.pow(u32::try_from(digits.len()).unwrap_or(0));
        let time = whole * nanoseconds + part * nanoseconds / scale;
        let time = Duration::from_nanos(u64::try_from(time).map_err(|_| WANTED)?);
        total = total.checked_add(time).ok_or(WANTED)?;
        left = &tail[units.len()..];
    }
    if total.is_zero() { Err("the duration must be greater than 0") } else { Ok(total) }
}

/// A switch's value, as Go's flag package takes it.
pub(crate) fn truth(text: &str) -> Result<bool, &'static str> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("true or false is wanted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_junk_are_refused() {
        for text in [
            "",
            "3x",
            "x",
            "+3",
            "-3",
            " 3",
            "3 ",
            "0x3",
            "3.0",
            "4294967296",
            "99999999999999999999999",
            "³",
        ] {
            assert!(number::<u32>(text).is_err(), "{text:?}");
        }
        assert_eq!(number::<u32>("4294967295"), Ok(u32::MAX));
        assert_eq!(signed("-1"), Ok(-1));
        assert!(signed("--1").is_err() && signed("-").is_err() && signed("1-").is_err());
    }

    #[test]
    fn a_user_is_one_or_two_numbers() {
        assert_eq!(user("1"), Ok((1, None)));
        assert_eq!(user("1:2"), Ok((1, Some(2))));
        for text in ["", ":", "1:", ":1", "1x", "root", "1:2:3", "-1", "1: 2", "4294967296"] {
            assert!(user(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_have_units_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("-1", -1),
            ("1024", 1024),
            ("10b", 10),
            ("1k", 1024),
            ("512M", 512 << 20),
            ("1.5g", 3 << 29),
            ("2KiB", 2048),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in
            ["", "-2", "abc", "1x", "1.k", ".5k", "1..5k", "1.5", "1 k", "k", "9223372036854775808", "9000p"]
        {
            assert!(size(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn durations_are_as_go_writes_them() {
        for (text, millis) in [("5s", 5000), ("500ms", 500), ("1m30s", 90_000), ("1.5h", 5_400_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "0s", "-5s", "5x", "5 s", "1e3s", "1s5"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }
}
