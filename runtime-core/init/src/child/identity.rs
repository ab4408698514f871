//! Who the process is: capabilities, users and groups, labels.

use super::{
    State, channel,
    sys::{self, CStr, Fault, Res, errno},
};
use crate::wire::Bytes;

/// The kernel has at most so many capabilities: the sets have 64 bits.
const CAPABILITIES: usize = 64;

/// Drops the bounding capabilities that are not in `keep`.
pub(super) fn bounding(keep: u64) -> Res<()> {
    for capability in (0..CAPABILITIES).filter(|capability| keep & (1 << capability) == 0) {
        match sys::bounding_drop(capability) {
            Ok(()) => {}
            Err(Fault { errno: errno::EINVAL, .. }) => break, // past the last one that this kernel knows
            // Without CAP_SETPCAP it may still not be there.
            Err(fault) => match sys::bounding_has(capability) {
                Ok(false) => {}
                _ => return Err(fault),
            },
        }
    }
    Ok(())
}

/// Sets groups, group and user, and keeps the permitted capabilities over it.
pub(super) fn identity(uid: u32, gid: u32, groups: Bytes, set_groups: bool) -> Res<()> {
    sys::set_keep_capabilities(true)?;
    if set_groups {
        match sys::setgroups(groups.0) {
            // A user namespace that denies setgroups has none that could be dropped.
            Err(Fault { errno: errno::EPERM, .. }) if groups.0.is_empty() => {}
            other => other?,
        }
    }
    sys::setresgid(gid)?;
    sys::setresuid(uid)?;
    sys::set_keep_capabilities(false)
}

/// Sets the three sets and the ambient one.
pub(super) fn capabilities(effective: u64, permitted: u64, inheritable: u64, ambient: u64) -> Res<()> {
    sys::capset(effective, permitted, inheritable)?;
    sys::ambient_clear()?;
    for capability in (0..CAPABILITIES).filter(|capability| ambient & (1 << capability) != 0) {
        sys::ambient_raise(capability)?;
    }
    Ok(())
}

/// Becomes root of the user namespace that the process has entered.
pub(super) fn become_root(clear_groups: bool) -> Res<()> {
    if clear_groups {
        match sys::setgroups(&[]) {
            Err(Fault { errno: errno::EPERM, .. }) => {}
            other => other?,
        }
    }
    sys::setresgid(0)?;
    sys::setresuid(0)
}

/// prlimit(2). A limit that may not be raised is no fault where it already holds.
pub(super) fn rlimit(resource: u32, soft: u64, hard: u64) -> Res<()> {
    match sys::set_rlimit(resource, soft, hard) {
        Err(Fault { errno: errno::EPERM, .. }) if sys::get_rlimit(resource)? == (soft, hard) => Ok(()),
        other => other,
    }
}

/// A new session keyring; a kernel without keyrings, or a full quota, is no reason not to start.
pub(super) fn keyring(state: &State, name: CStr) -> Res<()> {
    match sys::new_session_keyring(name) {
        Err(Fault { errno: errno::ENOSYS, .. }) => Ok(()),
        Err(fault) => {
            channel::warn(state, fault);
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
