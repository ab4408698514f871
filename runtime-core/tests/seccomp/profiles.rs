//! Profiles to try: those of engines, and generated ones.

use proptest::{collection::vec, option, prelude::*, sample::select};
use runtime_core::spec::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall,
};

pub(crate) fn docker() -> LinuxSeccomp {
    serde_json::from_str(include_str!("../data/seccomp/docker.json")).unwrap()
}

pub(crate) fn podman() -> LinuxSeccomp {
    serde_json::from_str(include_str!("../data/seccomp/podman.json")).unwrap()
}

/// The names that engines' profiles name, but for the one without which a profile is refused.
fn names() -> Vec<String> {
    let mut names: Vec<String> = podman().syscalls.into_iter().flat_map(|rule| rule.names).collect();
    names.retain(|name| name != "execve");
    names.sort();
    names.dedup();
    names
}

/// A few calls, so that several rules meet: among them such as x86 multiplexes and as have other numbers on x32.
const MEETING: [&str; 8] = ["socket", "shmat", "socketcall", "ipc", "ioctl", "clone", "personality", "read"];

fn value() -> impl Strategy<Value = u64> {
    let high = 1u64 << 32;
    prop_oneof![
        4 => select(vec![0, 1, 2, 3, 16, 0x7e02_0000, u64::from(u32::MAX), high, high + 1, high + 2, 5 * high, u64::MAX]),
        1 => any::<u64>(),
        1 => any::<u32>().prop_map(u64::from),
    ]
}

fn argument() -> impl Strategy<Value = LinuxSeccompArg> {
    use LinuxSeccompOperator::*;
    let operator = select(vec![
        ScmpCmpEq,
        ScmpCmpEq,
        ScmpCmpNe,
        ScmpCmpLt,
        ScmpCmpLe,
        ScmpCmpGe,
        ScmpCmpGt,
        ScmpCmpMaskedEq,
    ]);
    let index = prop_oneof![3 => 0u32..2, 1 => 0u32..6];
    (index, operator, value(), option::of(value()))
        .prop_map(|(index, op, value, value_two)| LinuxSeccompArg { index, op, value, value_two })
}

fn action() -> impl Strategy<Value = (LinuxSeccompAction, Option<u32>)> {
    use LinuxSeccompAction::*;
    prop_oneof![
        3 => Just((ScmpActAllow, None)),
        2 => Just((ScmpActErrno, None)),
        1 => (0u32..4095).prop_map(|errno| (ScmpActErrno, Some(errno))),
        1 => (0u32..65536).prop_map(|data| (ScmpActTrace, Some(data))),
        2 => select(vec![ScmpActKill, ScmpActKillProcess, ScmpActKillThread, ScmpActTrap, ScmpActLog])
            .prop_map(|action| (action, None)),
    ]
}

/// One entry of `syscalls`.
fn rule(args: usize) -> impl Strategy<Value = LinuxSyscall> {
    let names =
        prop_oneof![vec(select(MEETING.map(str::to_owned).to_vec()), 1..4), vec(select(names()), 1..30),];
    let action = prop_oneof![9 => action(), 1 => Just((LinuxSeccompAction::ScmpActNotify, None))];
    (names, action, vec(argument(), 0..=args)).prop_map(|(mut names, (action, errno), args)| {
        if action == LinuxSeccompAction::ScmpActNotify {
            names.retain(|name| name != "write");
            // A rule names at least one.
            if names.is_empty() {
                names.push("read".into());
            }
        }
        LinuxSyscall { names, action, errno_ret: errno, args }
    })
}

/// A profile for a host of x86_64, or one for aarch64; execve is allowed, or it would be refused.
pub(crate) fn profile(native: Arch, rules: usize, args: usize) -> impl Strategy<Value = LinuxSeccomp> {
    let others = match native {
        Arch::ScmpArchX86_64 => vec![Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32],
        _ => vec![Arch::ScmpArchAarch64, Arch::ScmpArchArm],
    };
    let architectures = proptest::sample::subsequence(others.clone(), 0..=others.len());
    (action(), architectures, vec(rule(args), 0..rules)).prop_map(
        |((default, errno), architectures, mut rules)| {
            rules.insert(0, LinuxSyscall::new(["execve"], LinuxSeccompAction::ScmpActAllow));
            let mut profile = LinuxSeccomp::new(default);
            profile.default_errno_ret = errno;
            profile.architectures = architectures;
            profile.listener_path = Some("/run/agent.sock".into());
            profile.syscalls = rules;
            profile
        },
    )
}
