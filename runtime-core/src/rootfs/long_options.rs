//! Options that fsconfig(2) does not take: it has 255 bytes for a value, which the layers of an overlay soon exceed.
//! mount(2) has a page for all of them together; a list of layers beyond that is told layer by layer (Linux 6.7).

use super::{Rootfs, attributes, entry::Entry};
use crate::{
    ErrorKind, Result,
    plan::{Program, path_text, text},
};
use corten_init::step::Step;
use std::path::Path;

/// The longest value of fsconfig(2).
const VALUE: usize = 255;
/// The longest data of mount(2), all options of a file system in one text.
const DATA: usize = 4095;

/// How a file system is to be told its options.
pub(super) enum Way {
    /// One by one, by fsconfig(2).
    Each(Vec<String>),
    /// In one text, by mount(2).
    Together(String),
}

/// Chooses the way for `options`, each a key or `key=value`.
pub(super) fn choose(entry: &Entry<'_>, kind: &str, source: &Path, options: Vec<String>) -> Result<Way> {
    let long = |option: &String| option.split_once('=').is_some_and(|(_, value)| value.len() > VALUE);
    if !options.iter().any(long) && source.as_os_str().len() <= VALUE {
        return Ok(Way::Each(options));
    }
    let together = options.iter().map(|option| quoted(option)).collect::<Vec<_>>().join(",");
    if together.len() <= DATA {
        return Ok(Way::Together(together));
    }
    let options: Vec<String> = match kind {
        "overlay" => options.iter().flat_map(|option| layers(option)).collect(),
        _ => options,
    };
    if options.iter().any(long) {
        let why = "options: longer than what the kernel takes: 255 bytes for one, 4095 for all";
        return Err(entry.error(ErrorKind::InvalidConfig, why));
    }
    Ok(Way::Each(options))
}

/// A value with a comma stands in quotes in the data of mount(2).
fn quoted(option: &str) -> String {
    match option.split_once('=') {
        Some((key, value)) if value.contains(',') => format!("{key}=\"{value}\""),
        _ => option.to_owned(),
    }
}

/// `lowerdir=a:b::c` as `lowerdir+=a`, `lowerdir+=b`, `datadir+=c`; other options as they are. A backslash makes a colon a
/// part of a path.
fn layers(option: &str) -> Vec<String> {
    let Some(list) = option.strip_prefix("lowerdir=") else { return vec![option.to_owned()] };
    let mut found = vec![String::new()];
    let mut characters = list.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => found.iter_mut().last().into_iter().for_each(|path| path.extend(characters.next())),
            ':' => found.push(String::new()),
            _ => found.iter_mut().last().into_iter().for_each(|path| path.push(character)),
        }
    }
    let mut key = "lowerdir+";
    let mut told = Vec::new();
    for path in found {
        match path.is_empty() {
            true => key = "datadir+",
            false => told.push(format!("{key}={path}")),
        }
    }
    told
}

/// The flags of mount(2) for what fsconfig(2) has flags of the same names for.
fn superblock_flags(entry: &Entry<'_>) -> u64 {
    let flag = |name: &&str| match *name {
        "ro" => libc::MS_RDONLY,
        "sync" => libc::MS_SYNCHRONOUS,
        "dirsync" => libc::MS_DIRSYNC,
        "mand" => libc::MS_MANDLOCK,
        "lazytime" => libc::MS_LAZYTIME,
        _ => 0,
    };
    entry.options.superblock_flags.iter().map(flag).fold(0, |flags, flag| flags | flag)
}

/// Plans a mount by mount(2).
pub(super) fn plan_together(
    rootfs: &Rootfs<'_>,
    entry: &Entry<'_>,
    program: &mut Program,
    (kind, source): (&str, &Path),
    data: &str,
) -> Result<()> {
    let slot = program.slot()?;
    let step = Step::MountOnto {
        slot,
        kind: text(kind),
        source: path_text(source),
        data: text(data),
        flags: superblock_flags(entry),
        target: entry.target(),
        root: rootfs.slots.root,
    };
    program.step(entry.place, &step);
    if entry.options.set != 0 {
        program.step(entry.place, &attributes(slot, false, entry.options.set, 0, 0));
    }
    for change in &entry.options.propagation {
        program.step(entry.place, &attributes(slot, change.recursive, 0, 0, change.kind));
    }
    program.step(entry.place, &Step::Release { slot });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_told_one_by_one() {
        assert_eq!(layers(r"lowerdir=/a:/b\:c::/d"), ["lowerdir+=/a", "lowerdir+=/b:c", "datadir+=/d"]);
        assert_eq!(layers("upperdir=/a:b"), ["upperdir=/a:b"]);
    }

    #[test]
    fn a_comma_in_a_value_is_quoted() {
        assert_eq!(quoted("context=a:b:c0,c1"), "context=\"a:b:c0,c1\"");
        assert_eq!(quoted("size=1k"), "size=1k");
    }
}
