//! The options of a runtime: `containerd.runc.v1.Options`, or what is sent to a runtime type that is not known by name: by CRI
//! `runtimeoptions.v1.Options` with the same names in TOML, by ctr of containerd 1.x `containerd.linux.runc.CreateOptions`.

use crate::error::{Error, Result};
use corten_ttrpc::{
    Message,
    options::{CREATE_OPTIONS, CreateOptions, OPTIONS, Options, RUNTIME_OPTIONS, RuntimeOptions},
    types::Any,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where states of containers are kept if nothing else is said, with a directory for each namespace.
const DEFAULT_ROOT: &str = "/run/containerd/corten";
/// The file of a bundle that tells the `delete` verb where else the state is.
const ROOT_FILE: &str = "corten-root";

/// Reads the options of whatever type they are. Those of an unknown type are an error: they ask for something.
pub(crate) fn decode(any: Option<&Any>) -> Result<Options> {
    let Some(any) = any else { return Ok(Options::default()) };
    match any.type_name() {
        "" if any.value.is_empty() => Ok(Options::default()),
        OPTIONS => Options::decode(any.value.as_slice()).map_err(invalid),
        CREATE_OPTIONS => CreateOptions::decode(any.value.as_slice()).map(from_create).map_err(invalid),
        RUNTIME_OPTIONS => from_toml(&RuntimeOptions::decode(any.value.as_slice()).map_err(invalid)?),
        other => Err(Error::unknown(format!("runtime options: unknown type {other:?}"))),
    }
}

fn invalid(error: impl std::fmt::Display) -> Error {
    Error::unknown(format!("runtime options: {error}"))
}

fn from_create(options: CreateOptions) -> Options {
    Options {
        no_pivot_root: options.no_pivot_root,
        no_new_keyring: options.no_new_keyring,
        shim_cgroup: options.shim_cgroup,
        io_uid: options.io_uid,
        io_gid: options.io_gid,
        criu_work_path: options.criu_work_path,
        criu_image_path: options.criu_image_path,
        ..Options::default()
    }
}

fn from_toml(options: &RuntimeOptions) -> Result<Options> {
    if !options.config_body.is_empty() {
        return toml(&String::from_utf8_lossy(&options.config_body));
    }
    if options.config_path.is_empty() {
        return Ok(Options::default());
    }
    let read = fs::read_to_string(&options.config_path);
    toml(&read.map_err(|error| Error::io(format!("runtime options: {}", options.config_path), error))?)
}

/// The lines `Name = value` before the first table; that is all that these options have.
fn toml(text: &str) -> Result<Options> {
    let mut options = Options::default();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            break;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
        set(&mut options, name.trim().trim_matches('"'), value.trim())
            .ok_or_else(|| Error::unknown(format!("runtime options: {line:?} cannot be read")))?;
    }
    Ok(options)
}

fn set(options: &mut Options, name: &str, value: &str) -> Option<()> {
    match name {
        "NoPivotRoot" => options.no_pivot_root = switch(value)?,
        "NoNewKeyring" => options.no_new_keyring = switch(value)?,
        "ShimCgroup" => options.shim_cgroup = text(value)?,
        "IoUid" => options.io_uid = number(value)?,
        "IoGid" => options.io_gid = number(value)?,
        "BinaryName" => options.binary_name = text(value)?,
        "Root" => options.root = text(value)?,
        "CriuPath" => options.criu_path = text(value)?,
        "SystemdCgroup" => options.systemd_cgroup = switch(value)?,
        "CriuImagePath" => options.criu_image_path = text(value)?,
        "CriuWorkPath" => options.criu_work_path = text(value)?,
        _ => log::debug!("runtime option {name} is none of this runtime's"),
    }
    Some(())
}

/// A value without the comment behind it.
fn bare(value: &str) -> &str {
    value.split('#').next().unwrap_or_default().trim()
}

fn switch(value: &str) -> Option<bool> {
    bare(value).parse().ok()
}

fn number(value: &str) -> Option<u32> {
    bare(value).replace('_', "").parse().ok()
}

fn text(value: &str) -> Option<String> {
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let mut text = String::new();
    let mut rest = value[1..].chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' if quote == '"' => text.push(rest.next()?),
            character if character == quote => return Some(text),
            character => text.push(character),
        }
    }
    None
}

/// Where the states of the containers of `namespace` are kept.
pub(crate) fn root(options: &Options, namespace: &str) -> PathBuf {
    let root = if options.root.is_empty() { DEFAULT_ROOT } else { &options.root };
    Path::new(root).join(namespace)
}

/// Tells the `delete` verb where the state of the bundle's container is.
pub(crate) fn note_root(options: &Options, bundle: &Path) -> Result<()> {
    if options.root.is_empty() {
        return Ok(());
    }
    let file = bundle.join(ROOT_FILE);
    fs::write(&file, &options.root).map_err(|error| Error::io(format!("{}: write", file.display()), error))
}

/// What [`note_root`] noted, or the default.
pub(crate) fn noted_root(bundle: &Path, namespace: &str) -> PathBuf {
    let root = fs::read_to_string(bundle.join(ROOT_FILE)).unwrap_or_default();
    self::root(&Options { root, ..Options::default() }, namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_met_in_both_forms() {
        let options = Options { systemd_cgroup: true, io_uid: 7, ..Options::default() };
        assert_eq!(decode(Some(&Any::new(OPTIONS, &options))).unwrap(), options);
        let body =
            "# by the daemon\nBinaryName = \"\"\nIoUid = 7 # seven\nSystemdCgroup = true\n[x]\nIoUid = 9\n";
        let wrapped = RuntimeOptions { config_body: body.into(), ..RuntimeOptions::default() };
        let any = Any::new("type.googleapis.com/runtimeoptions.v1.Options", &wrapped);
        assert_eq!(decode(Some(&any)).unwrap(), options);
        assert_eq!(decode(None).unwrap(), Options::default());
        let create = CreateOptions { io_uid: 7, ..CreateOptions::default() };
        assert_eq!(decode(Some(&Any::new(CREATE_OPTIONS, &create))).unwrap().io_uid, 7);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert!(decode(Some(&Any { type_url: "x.Y".into(), value: vec![1] })).is_err());
        assert!(toml("SystemdCgroup = maybe").is_err());
        assert!(toml("Root = \"/x").is_err());
    }

    #[test]
    fn the_state_has_a_directory_for_each_namespace() {
        assert_eq!(root(&Options::default(), "k8s.io"), Path::new("/run/containerd/corten/k8s.io"));
        assert_eq!(root(&Options { root: "/x".into(), ..Options::default() }, "a"), Path::new("/x/a"));
    }
}
