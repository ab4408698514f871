//! What can be wrong in a configuration whatever the host: every rule of the specification, and of the kernel where it
//! never depends on the machine. A file per section. All faults are told at once.

mod hooks;
mod ids;
mod linux;
mod mounts;
mod process;
mod resources;
mod sysctl;
mod values;

use crate::spec::{Linux, LinuxNamespaceType, LinuxResources, Process, Spec};

use super::{
    Error,
    place::{Faults, Place, Quoted},
};

pub(crate) use sysctl::sysctl_path;

/// The longest name of a UTS namespace, in bytes (`__NEW_UTS_LEN`).
const MAX_UTS_NAME: usize = 64;

/// Checks all of a config.json (config.md and config-linux.md).
///
/// # Errors
/// [`Error::Invalid`] with all faults, each with its JSON path and what was expected.
pub(crate) fn validate(spec: &Spec) -> Result<(), Error> {
    let mut faults = Faults::default();
    let document = Place::new("");
    version(&mut faults, &document.name("ociVersion"), &spec.version);
    root(&mut faults, &document.name("root"), spec);
    let at = document.name("process");
    match &spec.process {
        Some(process) => process::check(&mut faults, &at, process),
        None => faults.add(&at, "must be given"),
    }
    let namespaces = Namespaces::of(spec.linux.as_ref());
    uts_name(&mut faults, &document.name("hostname"), spec.hostname.as_deref(), namespaces);
    uts_name(&mut faults, &document.name("domainname"), spec.domainname.as_deref(), namespaces);
    check_mounts(&mut faults, spec, namespaces);
    if let Some(hooks) = &spec.hooks {
        hooks::check(&mut faults, &document.name("hooks"), hooks);
    }
    if let Some(linux) = &spec.linux {
        linux::check(&mut faults, &document.name("linux"), linux, namespaces);
    }
    if spec.annotations.contains_key("") {
        faults.add(&document.name("annotations").key(""), "a key must not be empty");
    }
    faults.into_result()
}

/// Checks the mounts of `spec` alone.
///
/// # Errors
/// As [`validate`].
pub(crate) fn validate_mounts(spec: &Spec) -> Result<(), Error> {
    let mut faults = Faults::default();
    check_mounts(&mut faults, spec, Namespaces::of(spec.linux.as_ref()));
    faults.into_result()
}

fn check_mounts(faults: &mut Faults, spec: &Spec, namespaces: Namespaces) {
    let document = Place::new("");
    for (index, mount) in spec.mounts.iter().enumerate() {
        mounts::check(faults, &document.name("mounts").index(index), mount, namespaces);
    }
}

/// Checks config.json's `process` alone, as `exec --process` has it. `at` is its place for the messages: `process`, or
/// nothing for a document of its own.
///
/// # Errors
/// As [`validate`].
pub(crate) fn validate_process(process: &Process, at: &str) -> Result<(), Error> {
    let mut faults = Faults::default();
    process::check(&mut faults, &Place::new(at), process);
    faults.into_result()
}

/// Checks config.json's `linux.resources` alone, as `update --resources` has it. `at` is as for [`validate_process`].
///
/// # Errors
/// As [`validate`].
pub(crate) fn validate_resources(resources: &LinuxResources, at: &str) -> Result<(), Error> {
    let mut faults = Faults::default();
    resources::check(&mut faults, &Place::new(at), resources);
    faults.into_result()
}

/// Semantic versioning 2.0.0, and the major version that this runtime knows. A newer minor version only adds
/// properties, so it is taken as it is, as runc does.
fn version(faults: &mut Faults, at: &Place<'_>, version: &str) {
    if version.is_empty() {
        return faults.add(at, "must be given, as \"1.3.0\"");
    }
    let fault = match major_version(version) {
        Some("1") => return,
        Some(major) => format!("must have the major version 1 and not {}", Quoted(major)),
        None => format!("must be a version as \"1.3.0\" and not {}", Quoted(version)),
    };
    faults.add(at, fault);
}

/// The major version, if `version` is one: `MAJOR.MINOR.PATCH`, perhaps with `-PRERELEASE`, perhaps with `+BUILD`.
fn major_version(version: &str) -> Option<&str> {
    let (version, build) = split_suffix(version, '+');
    let (core, pre) = split_suffix(version, '-');
    let is_identifier =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_number =
        |part: &str| part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
    let numbers =
        core.split('.').all(|part| !part.is_empty() && is_number(part)) && core.split('.').count() == 3;
    let suffixes = [pre, build].into_iter().flatten().all(|suffix| suffix.split('.').all(is_identifier));
    core.split('.').next().filter(|_| numbers && suffixes)
}

fn split_suffix(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(text, suffix)| (text, Some(suffix)))
}

fn root(faults: &mut Faults, at: &Place<'_>, spec: &Spec) {
    match &spec.root {
        Some(root) => values::path(faults, &at.name("path"), &root.path),
        None => faults.add(at, "must be given"),
    }
}

fn uts_name(faults: &mut Faults, at: &Place<'_>, name: Option<&str>, namespaces: Namespaces) {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return };
    values::no_nul(faults, at, name);
    if name.len() > MAX_UTS_NAME {
        faults.add(at, format_args!("must have at most {MAX_UTS_NAME} bytes and not {}", name.len()));
    }
    faults.expect(namespaces.has(LinuxNamespaceType::Uts), at, "needs a UTS namespace in linux.namespaces");
}

/// A bit for each kind.
const fn bit(kind: LinuxNamespaceType) -> u32 {
    1 << kind as u32
}

/// Which namespaces the container has of its own, new or joined.
#[derive(Clone, Copy, Default)]
struct Namespaces {
    new: u32,
    joined: u32,
}

impl Namespaces {
    fn of(linux: Option<&Linux>) -> Self {
        let mut these = Self::default();
        for namespace in linux.iter().flat_map(|linux| &linux.namespaces) {
            let set = if namespace.path.is_some() { &mut these.joined } else { &mut these.new };
            *set |= bit(namespace.typ);
        }
        these
    }

    fn is_new(self, kind: LinuxNamespaceType) -> bool {
        self.new & bit(kind) != 0
    }

    fn has(self, kind: LinuxNamespaceType) -> bool {
        (self.new | self.joined) & bit(kind) != 0
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
