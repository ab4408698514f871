//! The profile, checked and in the kernel's terms.

use super::{Error, Listener, Options, supported, tables};
use crate::spec::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSeccompOperator,
    LinuxSyscall,
};

/// The highest errno that a system call can return, MAX_ERRNO.
const MAX_ERRNO: u32 = 4095;
/// The highest value that a tracer can be told, SECCOMP_RET_DATA.
const MAX_TRACE: u32 = 0xffff;
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;
/// "No such system call", what calls newer than the profile return.
pub(super) const RETURN_ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | ENOSYS;

/// A comparison of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) index: u8,
    pub(super) operator: LinuxSeccompOperator,
    /// All bits but for SCMP_CMP_MASKED_EQ.
    pub(super) mask: u64,
    pub(super) value: u64,
}

/// An entry of `syscalls` that differs from the default.
pub(super) struct Rule {
    /// Its place in `syscalls`.
    pub(super) place: usize,
    /// SECCOMP_RET_* with its data.
    pub(super) action: u32,
    /// The calls that some architecture has.
    pub(super) calls: Vec<&'static tables::Syscall>,
    /// The rule matches where all conditions of one list hold, and always where there is no list.
    pub(super) alternatives: Vec<Vec<Condition>>,
}

pub(super) struct Profile {
    /// SECCOMP_RET_* with its data.
    pub(super) default: u32,
    pub(super) rules: Vec<Rule>,
    /// The calls of rules that say what the default says: they count as known.
    pub(super) redundant: Vec<&'static tables::Syscall>,
    pub(super) architectures: Vec<Arch>,
    pub(super) flags: u32,
    pub(super) listener: Option<Listener>,
    pub(super) unknown: Vec<String>,
}

impl Profile {
    pub(super) fn read(spec: &LinuxSeccomp, options: &Options) -> Result<Self, Error> {
        if spec.default_action == LinuxSeccompAction::ScmpActNotify {
            return Err(Error::at(".defaultAction", "SCMP_ACT_NOTIFY cannot be the default action"));
        }
        let mut profile = Self {
            default: action(spec.default_action, spec.default_errno_ret, ".defaultErrnoRet")?,
            rules: Vec::new(),
            redundant: Vec::new(),
            architectures: spec.architectures.clone(),
            flags: 0,
            listener: None,
            unknown: Vec::new(),
        };
        for (place, rule) in spec.syscalls.iter().enumerate() {
            profile.add(place, rule, options)?;
        }
        profile.listener = listener(spec, options)?;
        profile.flags = flags(spec, profile.listener.is_some());
        Ok(profile)
    }

    fn add(&mut self, place: usize, rule: &LinuxSyscall, options: &Options) -> Result<(), Error> {
        let action = action(rule.action, rule.errno_ret, &format_args!(".syscalls[{place}].errnoRet"))?;
        let alternatives = alternatives(place, rule.args.as_slice())?;
        if rule.names.is_empty() {
            return Err(Error::at(format!(".syscalls[{place}].names"), "must name at least one system call"));
        }
        let mut calls = Vec::with_capacity(rule.names.len());
        for (at, name) in rule.names.iter().enumerate() {
            match tables::find(name) {
                Some(call) => calls.push(call),
                None if tables::known_elsewhere(name) => {}
                None if name.is_empty() || options.fail_unknown_syscall => {
                    let complaint = format!("unknown system call {name:?}");
                    return Err(Error::at(format!(".syscalls[{place}].names[{at}]"), complaint));
                }
                None => self.unknown.push(name.clone()),
            }
        }
        if action == self.default {
            self.redundant.append(&mut calls);
        } else {
            self.rules.push(Rule { place, action, calls, alternatives });
        }
        Ok(())
    }

    /// Whether a call that the profile does not know fails with ENOSYS in place of the default action, which then
    /// neither lets it pass nor says ENOSYS already. A tracer is left to decide by itself.
    pub(super) fn hides_newer_calls(&self) -> bool {
        let permissive = [libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_LOG, libc::SECCOMP_RET_TRACE];
        !permissive.contains(&(self.default & libc::SECCOMP_RET_ACTION_FULL)) && self.default != RETURN_ENOSYS
    }
}

/// SECCOMP_RET_* with its data, from an action and the errnoRet beside it.
fn action(
    action: LinuxSeccompAction,
    errno: Option<u32>,
    errno_place: &(impl std::fmt::Display + ?Sized),
) -> Result<u32, Error> {
    let limit = match action {
        LinuxSeccompAction::ScmpActErrno => MAX_ERRNO,
        LinuxSeccompAction::ScmpActTrace => MAX_TRACE,
        _ if errno.is_some() => {
            return Err(Error::at(errno_place.to_string(), format!("{action} takes no errno")));
        }
        _ => 0,
    };
    let data = errno.unwrap_or(EPERM);
    if limit != 0 && data > limit {
        return Err(Error::at(errno_place.to_string(), format!("{data} is more than {limit}")));
    }
    Ok(match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => {
            libc::SECCOMP_RET_KILL_THREAD
        }
        LinuxSeccompAction::ScmpActKillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        LinuxSeccompAction::ScmpActTrap => libc::SECCOMP_RET_TRAP,
        LinuxSeccompAction::ScmpActErrno => libc::SECCOMP_RET_ERRNO | data,
        LinuxSeccompAction::ScmpActTrace => libc::SECCOMP_RET_TRACE | data,
        LinuxSeccompAction::ScmpActNotify => libc::SECCOMP_RET_USER_NOTIF,
        LinuxSeccompAction::ScmpActLog => libc::SECCOMP_RET_LOG,
        LinuxSeccompAction::ScmpActAllow => libc::SECCOMP_RET_ALLOW,
    })
}

/// The lists of conditions of a rule. One that compares the same argument twice means any of its comparisons, not all:
/// so do runc and crun, and profiles rely on it.
fn alternatives(place: usize, args: &[LinuxSeccompArg]) -> Result<Vec<Vec<Condition>>, Error> {
    let mut conditions: Vec<Condition> = Vec::with_capacity(args.len());
    let mut repeated = false;
    for (at, arg) in args.iter().enumerate() {
        let index = u8::try_from(arg.index).ok().filter(|index| *index <= 5).ok_or_else(|| {
            let complaint = format!("{} is more than 5, the last argument", arg.index);
            Error::at(format!(".syscalls[{place}].args[{at}].index"), complaint)
        })?;
        let (mask, value) = match arg.op {
            LinuxSeccompOperator::ScmpCmpMaskedEq => {
                (arg.value, arg.value_two.unwrap_or_default() & arg.value)
            }
            _ => (u64::MAX, arg.value),
        };
        repeated |= conditions.iter().any(|condition| condition.index == index);
        conditions.push(Condition { index, operator: arg.op, mask, value });
    }
    conditions.sort_unstable_by_key(|condition| condition.index);
    Ok(match conditions.len() {
        0 => Vec::new(),
        _ if repeated => conditions.into_iter().map(|condition| vec![condition]).collect(),
        _ => vec![conditions],
    })
}

/// Who is told of calls, if any call is to be told.
pub(super) fn listener(spec: &LinuxSeccomp, options: &Options) -> Result<Option<Listener>, Error> {
    let notifies = spec.syscalls.iter().any(|rule| rule.action == LinuxSeccompAction::ScmpActNotify);
    let path = spec.listener_path.as_ref().filter(|path| !path.as_os_str().is_empty());
    let metadata = spec.listener_metadata.clone().filter(|metadata| !metadata.is_empty());
    let path = path.or(options.receiver.as_ref());
    match path {
        None if metadata.is_some() => {
            Err(Error::at(".listenerMetadata", "there is no listenerPath to send it to"))
        }
        None if notifies => Err(Error::at(".listenerPath", "SCMP_ACT_NOTIFY needs a listener")),
        Some(path) if notifies => Ok(Some(Listener { path: path.clone(), metadata })),
        _ => Ok(None),
    }
}

fn flags(spec: &LinuxSeccomp, notifies: bool) -> u32 {
    let Some(named) = &spec.flags else {
        // A profile that says nothing of flags leaves the mitigation of speculative store bypass to the program, as
        // runc does: the kernel's default costs every program in the container dearly.
        return supported::SPEC_ALLOW | if notifies { supported::NEW_LISTENER } else { 0 };
    };
    let mut flags = named.iter().fold(0, |flags, flag| {
        flags
            | match flag {
                LinuxSeccompFilterFlag::SeccompFilterFlagLog => supported::LOG,
                LinuxSeccompFilterFlag::SeccompFilterFlagTsync => supported::TSYNC,
                LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => supported::SPEC_ALLOW,
                LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => supported::WAIT_KILLABLE_RECV,
            }
    });
    if notifies {
        flags |= supported::NEW_LISTENER;
        if flags & supported::TSYNC != 0 {
            // Both return a number; with this flag a thread that cannot follow is an errno instead.
            flags |= supported::TSYNC_ESRCH;
        }
    } else {
        // The kernel refuses it where nobody receives.
        flags &= !supported::WAIT_KILLABLE_RECV;
    }
    flags
}
