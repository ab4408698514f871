//! Devices: the default ones of config-linux.md "Default Devices" and those of `linux.devices`, and the links beside them.

use super::{Rootfs, entry::names};
use crate::{
    Error, ErrorKind, Result,
    plan::{Place, Program, path_text, text},
    spec::{LinuxDevice, LinuxDeviceType, Spec},
    sys::process::in_user_namespace,
};
use corten_init::step::{NO_SLOT, Step};
use std::path::Path;

const DEFAULTS_PLACE: &str = "linux.devices (defaults)";

/// Path, major and minor number.
const DEFAULTS: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// Where the link points and where it is.
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    (KCORE, "/dev/core"),
];

const KCORE: &str = "/proc/kcore";

/// A user namespace may make no devices: clones of the host's, taken while the host's privilege is there.
pub(super) fn plan_early(rootfs: &mut Rootfs<'_>, program: &mut Program) -> Result<()> {
    if !wanted(rootfs) {
        return Ok(());
    }
    let paths: Vec<&Path> = bound_paths(rootfs).collect();
    for (index, path) in paths.into_iter().enumerate() {
        let slot = program.slot()?;
        let step =
            Step::Clone { slot, path: path_text(path), from: NO_SLOT, recursive: false, no_follow: true };
        program.step(Place::Item("linux.devices", index), &step);
        rootfs.early.0.insert(("linux.devices", index), slot);
    }
    Ok(())
}

/// Plans the devices, and the links and the terminal multiplexer beside them. A /dev that is the host's own is left alone.
pub(super) fn plan(rootfs: &mut Rootfs<'_>, program: &mut Program) -> Result<()> {
    if std::mem::replace(&mut rootfs.has_devices, true) || !wanted(rootfs) {
        return Ok(());
    }
    // Nor may a rootless engine's user namespace, which the container has in common with it.
    if rootfs.in_user_namespace() || in_user_namespace() {
        plan_bound(rootfs, program)?;
    } else {
        plan_nodes(rootfs, program)?;
    }
    let root = rootfs.slots.root;
    let place = Place::Property(DEFAULTS_PLACE);
    // Not every kernel has it.
    let there = |points_to| points_to != KCORE || Path::new(KCORE).exists();
    for (points_to, target) in LINKS.into_iter().filter(|(points_to, _)| there(*points_to)) {
        let step = Step::Symlink { root, points_to: text(points_to), target: text(target), replace: false };
        program.step(place, &step);
    }
    let step = Step::Symlink { root, points_to: text("pts/ptmx"), target: text("/dev/ptmx"), replace: true };
    program.step(place, &step);
    Ok(())
}

/// Whether /dev is the container's own.
fn wanted(rootfs: &Rootfs<'_>) -> bool {
    let mounts = rootfs.spec.mounts.as_slice();
    let binds = |mount: &crate::spec::Mount| {
        let listed = mount.options.iter().any(|option| option == "bind" || option == "rbind");
        listed || matches!(mount.typ.as_deref(), Some("bind"))
    };
    !mounts.iter().any(|mount| names(&mount.destination).eq([b"dev"]) && binds(mount))
}

fn configured<'a>(rootfs: &Rootfs<'a>) -> &'a [LinuxDevice] {
    listed(rootfs.spec)
}

fn listed(spec: &Spec) -> &[LinuxDevice] {
    spec.linux.as_ref().map_or(&[], |linux| &linux.devices)
}

/// The default devices that the configuration does not define itself.
fn defaults<'a>(configured: &'a [LinuxDevice]) -> impl Iterator<Item = (&'static str, u32, u32)> + 'a {
    let redefined = |path: &str| configured.iter().any(|device| device.path == Path::new(path));
    DEFAULTS.into_iter().filter(move |(path, ..)| !redefined(path))
}

/// All paths, in one order for the two places that go through them.
fn bound_paths<'a>(rootfs: &Rootfs<'a>) -> impl Iterator<Item = &'a Path> {
    paths(rootfs.spec)
}

/// The same of a configuration.
pub(super) fn paths(spec: &Spec) -> impl Iterator<Item = &Path> {
    let configured = listed(spec);
    let own = configured.iter().map(|device| device.path.as_path());
    own.chain(defaults(configured).map(|(path, ..)| Path::new(path)))
}

fn plan_bound(rootfs: &Rootfs<'_>, program: &mut Program) -> Result<()> {
    let root = rootfs.slots.root;
    for (index, path) in bound_paths(rootfs).enumerate() {
        let place = Place::Item("linux.devices", index);
        let slot = match rootfs.early.find(place) {
            Some(slot) => slot,
            None => {
                let slot = program.slot()?;
                program.step(
                    place,
                    &Step::Clone {
                        slot,
                        path: path_text(path),
                        from: NO_SLOT,
                        recursive: false,
                        no_follow: true,
                    },
                );
                slot
            }
        };
        program.step(place, &Step::Attach { slot, target: path_text(path), strictness: 1, root });
        program.step(place, &Step::Release { slot });
    }
    Ok(())
}

fn plan_nodes(rootfs: &Rootfs<'_>, program: &mut Program) -> Result<()> {
    let root = rootfs.slots.root;
    for (path, major, minor) in defaults(configured(rootfs)) {
        let device = libc::makedev(major, minor);
        let mode = libc::S_IFCHR | 0o666;
        let step = Step::Device { root, target: text(path), mode, device, uid: 0, gid: 0, bind: true };
        program.step(Place::Property(DEFAULTS_PLACE), &step);
    }
    for (index, device) in configured(rootfs).iter().enumerate() {
        let kind = match device.typ {
            LinuxDeviceType::C | LinuxDeviceType::U => libc::S_IFCHR,
            LinuxDeviceType::B => libc::S_IFBLK,
            LinuxDeviceType::P => libc::S_IFIFO,
            LinuxDeviceType::A => return Err(wrong(index, "type", "\"a\" is for resources only")),
        };
        let number = |value: i64, name| {
            let range = format!("{value} is no device number");
            u32::try_from(value).map_err(|_| wrong(index, name, &range))
        };
        let id = match kind {
            libc::S_IFIFO => 0,
            _ => libc::makedev(number(device.major, "major")?, number(device.minor, "minor")?),
        };
        let step = Step::Device {
            root,
            target: path_text(&device.path),
            mode: kind | device.file_mode.unwrap_or(0o666) & 0o7777,
            device: id,
            uid: device.uid.unwrap_or(0),
            gid: device.gid.unwrap_or(0),
            bind: false,
        };
        program.step(Place::Item("linux.devices", index), &step);
    }
    Ok(())
}

fn wrong(index: usize, field: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, format!("linux.devices[{index}].{field}: {why}"))
}
