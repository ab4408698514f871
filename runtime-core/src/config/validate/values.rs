//! Kinds of values that several sections have.

use std::path::Path;

use serde::Serialize;

use super::super::place::{Faults, Place, Quoted};

/// The longest name of a network device, in bytes, without the final NUL (`IFNAMSIZ`).
const MAX_DEVICE_NAME: usize = 15;

/// A string for the kernel, which would end it at a NUL byte.
pub(super) fn no_nul(faults: &mut Faults, at: &Place<'_>, text: &str) {
    faults.expect(!text.as_bytes().contains(&0), at, "must not hold a NUL byte");
}

pub(super) fn no_nul_in_path(faults: &mut Faults, at: &Place<'_>, path: &Path) {
    faults.expect(!path.as_os_str().as_encoded_bytes().contains(&0), at, "must not hold a NUL byte");
}

/// A path that must be there.
pub(super) fn path(faults: &mut Faults, at: &Place<'_>, path: &Path) {
    faults.expect(!path.as_os_str().is_empty(), at, "must not be empty");
    no_nul_in_path(faults, at, path);
}

/// An absolute path.
pub(super) fn absolute(faults: &mut Faults, at: &Place<'_>, path: &Path) {
    no_nul_in_path(faults, at, path);
    if !path.is_absolute() {
        let got = path.to_string_lossy();
        faults.add(at, format_args!("must be an absolute path and not {}", Quoted(&got)));
    }
}

/// A number between `low` and `high`, both included.
pub(super) fn range(faults: &mut Faults, at: &Place<'_>, number: i64, low: i64, high: i64) {
    if !(low..=high).contains(&number) {
        faults.add(at, format_args!("must be {low} to {high} and not {number}"));
    }
}

/// A user or group id. The last 32-bit number means "no id" to the kernel.
pub(super) fn id(faults: &mut Faults, at: &Place<'_>, id: u32) {
    if id == u32::MAX {
        faults.add(at, format_args!("must be an id and not {id}"));
    }
}

/// A list of numbers and ranges, as `0-3,7`: of CPUs or memory nodes.
pub(super) fn number_list(faults: &mut Faults, at: &Place<'_>, list: &str) {
    let number =
        |text: &str| if text.bytes().all(|b| b.is_ascii_digit()) { text.parse::<u16>().ok() } else { None };
    let element = |text: &str| match text.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)).is_some_and(|(first, last)| first <= last),
        None => number(text).is_some(),
    };
    if !list.split(',').all(element) {
        faults.add(at, format_args!("must be a list as \"0-3,7\" and not {}", Quoted(list)));
    }
}

/// The name of a network device, as the kernel takes it.
pub(super) fn device_name(faults: &mut Faults, at: &Place<'_>, name: &str) {
    let forbidden = |b: u8| matches!(b, 0 | b'/' | b':' | b'%') || b.is_ascii_whitespace() || b == 0x0b;
    let right = (1..=MAX_DEVICE_NAME).contains(&name.len())
        && !matches!(name, "." | "..")
        && !name.bytes().any(forbidden);
    if !right {
        let name = Quoted(name);
        let expected =
            format_args!("must be a network device's name (1 to 15 bytes, no space, \"/\", \":\" or \"%\")");
        faults.add(at, format_args!("{expected} and not {name}"));
    }
}

/// A word of the specification as JSON has it, for a complaint.
pub(super) fn word(word: impl Serialize) -> String {
    serde_json::to_string(&word).unwrap_or_default()
}
