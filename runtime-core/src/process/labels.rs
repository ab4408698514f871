//! `process.apparmorProfile` and `process.selinuxLabel`: what the security module does at the next execve.

use crate::{
    Error, ErrorKind, Result,
    plan::{Place, Program, text},
    spec::Process,
};
use corten_init::step::Step;
use std::{fs, path::Path};

const APPARMOR: &str = "process.apparmorProfile";
const SELINUX: &str = "process.selinuxLabel";

/// Plans the labels of a process.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for a profile or label that this host cannot enforce: one that is asked for and silently
/// absent would be no protection.
pub(crate) fn plan(process: &Process, program: &mut Program) -> Result<()> {
    if let Some(profile) = asked(&process.apparmor_profile) {
        if !apparmor_is_on() {
            return Err(absent(APPARMOR, "AppArmor"));
        }
        // Kernels before 5.8 had one file for all modules.
        let own = Path::new("/proc/self/attr/apparmor/exec").exists();
        let path = if own { "attr/apparmor/exec" } else { "attr/exec" };
        let value = format!("exec {profile}");
        program.step(Place::Property(APPARMOR), &Step::Label { path: text(path), value: text(&value) });
    }
    if let Some(label) = asked(&process.selinux_label) {
        if !Path::new("/sys/fs/selinux/enforce").exists() {
            return Err(absent(SELINUX, "SELinux"));
        }
        program.step(Place::Property(SELINUX), &Step::Label { path: text("attr/exec"), value: text(label) });
    }
    Ok(())
}

/// Whether the kernel has this AppArmor profile, as far as it tells: CRIU 3.17 hangs over one that is missing.
#[cfg(feature = "checkpoint")]
pub(crate) fn check_loaded(place: &str, profile: &str) -> Result<()> {
    let Ok(loaded) = fs::read_to_string("/sys/kernel/security/apparmor/profiles") else { return Ok(()) };
    let is_it = |line: &str| line.rsplit_once(" (").is_some_and(|(name, _)| name == profile);
    if loaded.lines().any(is_it) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::NotFound, format!("{place}: AppArmor has no profile {profile}")))
}

/// The AppArmor profile that a process asks for.
#[cfg(feature = "checkpoint")]
pub(crate) fn profile(process: &Process) -> Option<&str> {
    asked(&process.apparmor_profile)
}

/// Whether a process asks for a label.
pub(crate) fn any(process: &Process) -> bool {
    asked(&process.apparmor_profile).or(asked(&process.selinux_label)).is_some()
}

fn asked(property: &Option<String>) -> Option<&str> {
    property.as_deref().filter(|value| !value.is_empty() && *value != "unconfined")
}

fn absent(place: &str, module: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{place}: {module} is not enabled on this host"))
}

fn apparmor_is_on() -> bool {
    fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.first() == Some(&b'Y'))
}
