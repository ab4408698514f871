//! What a profile says about a call, read from the profile rule by rule: slow, and without spans, trees or programs.

use crate::interpreter::Call;
use runtime_core::{
    seccomp::syscall_number,
    spec::{Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall},
};
use std::cmp::Reverse;

pub(crate) const ENOSYS: u32 = 0x0005_0026;
pub(crate) const X86_64: u32 = 0xc000_003e;
pub(crate) const X86: u32 = 0x4000_0003;
pub(crate) const AARCH64: u32 = 0xc000_00b7;
pub(crate) const ARM: u32 = 0x4000_0028;
const KILL: u32 = 0;
const X32_BIT: u32 = 0x4000_0000;

/// One rule as it bears on one system call number.
#[derive(Clone, Debug)]
struct Claim {
    action: u32,
    args: Vec<LinuxSeccompArg>,
}

/// Which word of the arguments is compared, the class of the operator, the value, and what tells it from others.
type Word = (u32, u8, u64, (LinuxSeccompOperator, u64));

/// The words that a claim compares, and the claim.
type Compared<'a> = (Vec<Word>, &'a Claim);

/// A profile as it bears on one architecture's calls.
pub(crate) struct Plain {
    default: u32,
    wide: bool,
    newest: Option<u32>,
    claims: std::collections::BTreeMap<u32, Vec<Claim>>,
}

pub(crate) fn action(action: LinuxSeccompAction, errno: Option<u32>) -> u32 {
    match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => 0,
        LinuxSeccompAction::ScmpActKillProcess => 0x8000_0000,
        LinuxSeccompAction::ScmpActTrap => 0x0003_0000,
        LinuxSeccompAction::ScmpActErrno => 0x0005_0000 + errno.unwrap_or(1),
        LinuxSeccompAction::ScmpActNotify => 0x7fc0_0000,
        LinuxSeccompAction::ScmpActTrace => 0x7ff0_0000 + errno.unwrap_or(1),
        LinuxSeccompAction::ScmpActLog => 0x7ffc_0000,
        LinuxSeccompAction::ScmpActAllow => 0x7fff_0000,
        other => panic!("{other}"),
    }
}

/// The architecture by whose rules a call is judged, if the filter has it.
pub(crate) fn architecture(profile: &LinuxSeccomp, native: Arch, call: &Call) -> Option<Arch> {
    let of_call = match call.architecture {
        X86_64 if call.number >= X32_BIT => Arch::ScmpArchX32,
        X86_64 => Arch::ScmpArchX86_64,
        X86 => Arch::ScmpArchX86,
        AARCH64 => Arch::ScmpArchAarch64,
        ARM => Arch::ScmpArchArm,
        _ => return None,
    };
    let family = |arch| matches!(arch, Arch::ScmpArchAarch64 | Arch::ScmpArchArm);
    let named = of_call == native || profile.architectures.contains(&of_call);
    (named && family(native) == family(of_call)).then_some(of_call)
}

impl Plain {
    pub(crate) fn new(profile: &LinuxSeccomp, arch: Arch) -> Self {
        let default = action(profile.default_action, profile.default_errno_ret);
        let mut plain = Self {
            default,
            wide: matches!(arch, Arch::ScmpArchX86_64 | Arch::ScmpArchAarch64),
            newest: None,
            claims: Default::default(),
        };
        let lets_pass = [0x7fff_0000, 0x7ffc_0000, 0x7ff0_0000].contains(&(default & 0xffff_0000));
        for rule in profile.syscalls.iter() {
            for name in &rule.names {
                let direct = syscall_number(arch, name);
                if let Some(number) =
                    direct.filter(|number| number & 0xffff < 0xf000 && number & !X32_BIT < 0xf0000)
                    && number & !X32_BIT != 0
                    && !lets_pass
                    && default != ENOSYS
                {
                    plain.newest = plain.newest.max(Some(number));
                }
                plain.claim(arch, rule, name, direct);
            }
        }
        plain
    }

    fn claim(&mut self, arch: Arch, rule: &LinuxSyscall, name: &str, direct: Option<u32>) {
        let action = action(rule.action, rule.errno_ret);
        if action == self.default {
            return;
        }
        let args = rule.args.clone();
        let repeated = args.iter().any(|a| args.iter().filter(|b| a.index == b.index).count() > 1);
        let lists: Vec<_> = if repeated { args.iter().map(|arg| vec![*arg]).collect() } else { vec![args] };
        for list in lists {
            if let Some(number) = direct {
                self.claims.entry(number).or_default().push(Claim { action, args: list.clone() });
            }
            if let Some((number, first)) = multiplexed(name).filter(|_| arch == Arch::ScmpArchX86) {
                let rest = list.iter().filter(|arg| arg.index != 0).copied();
                let args = [first].into_iter().chain(rest).collect();
                self.claims.entry(number).or_default().push(Claim { action, args });
            }
        }
    }

    /// Whether the profile knows nothing of calls with this number yet.
    pub(crate) fn newer(&self, number: u32) -> bool {
        self.newest.is_some_and(|newest| number > newest) && !self.claims.contains_key(&number)
    }

    /// The numbers whose verdict depends on arguments, and all that they are compared with.
    pub(crate) fn compared(&self) -> impl Iterator<Item = (u32, Vec<LinuxSeccompArg>)> {
        self.claims.iter().map(|(number, claims)| {
            (*number, claims.iter().flat_map(|claim| claim.args.iter().copied()).collect::<Vec<_>>())
        })
    }

    pub(crate) fn verdict(&self, call: &Call) -> u32 {
        if self.newer(call.number) {
            return ENOSYS;
        }
        let claims = self.claims.get(&call.number).map(Vec::as_slice).unwrap_or_default();
        let always = |claim: &&Claim| claim.args.iter().all(|arg| self.always(arg));
        if let Some(claim) = claims.iter().find(always) {
            return claim.action;
        }
        let order = self.order(claims.iter().map(|claim| (self.words(claim), claim)).collect());
        let decides = order.iter().find(|claim| claim.args.iter().all(|arg| self.holds(arg, call)));
        decides.map_or(self.default, |claim| claim.action)
    }

    /// Why libseccomp's program may say something else about this call.
    pub(crate) fn excuse(&self, call: &Call) -> Option<&'static str> {
        use LinuxSeccompOperator::*;
        let claims = self.claims.get(&call.number)?;
        // The kernel ignores the upper half of ipc's first argument, libseccomp compares it: with it set a program gets
        // past a rule for a call that ipc multiplexes.
        if !self.wide && call.number == 117 && call.args[0] & 0xffff_0000 != 0 {
            return Some("ipc's version");
        }
        // 32 bits: "less or equal" behind another condition is compiled as "greater".
        if !self.wide
            && claims
                .iter()
                .any(|claim| claim.args.len() > 1 && claim.args.iter().any(|arg| arg.op == ScmpCmpLe))
        {
            return Some("less or equal in 32 bits");
        }
        // Where a rule's first conditions hold and a later one does not, other rules are not looked at any more.
        let partly = |claim: &Claim| {
            let held = claim.args.iter().filter(|arg| self.holds(arg, call)).count();
            held > 0 && held < claim.args.len()
        };
        if claims.len() > 1 && claims.iter().any(partly) {
            return Some("partial match");
        }
        // "Less than x" and "greater or equal x" are one comparison, and the second rule stands where the first does.
        let opposite = |a: &LinuxSeccompArg, b: &LinuxSeccompArg| {
            let pairs = [(ScmpCmpLt, ScmpCmpGe), (ScmpCmpLe, ScmpCmpGt), (ScmpCmpEq, ScmpCmpNe)];
            let same = a.index == b.index && (a.value ^ b.value) & 0xffff_ffff == 0;
            same && pairs.contains(&(a.op, b.op))
        };
        let args = || claims.iter().flat_map(|claim| &claim.args);
        if args().any(|a| args().any(|b| opposite(a, b))) {
            return Some("opposite comparisons");
        }
        // Rules that share the comparison of an upper word also share what is decided there.
        let ranged =
            |claim: &Claim| claim.args.iter().any(|arg| !matches!(arg.op, ScmpCmpEq | ScmpCmpMaskedEq));
        (self.wide && claims.len() > 1 && claims.iter().any(ranged)).then_some("shared upper word")
    }

    fn always(&self, arg: &LinuxSeccompArg) -> bool {
        let mask = if self.wide { arg.value } else { arg.value & 0xffff_ffff };
        arg.op == LinuxSeccompOperator::ScmpCmpMaskedEq && mask == 0
    }

    fn holds(&self, arg: &LinuxSeccompArg, call: &Call) -> bool {
        let seen = |value: u64| if self.wide { value } else { value & 0xffff_ffff };
        let (actual, value) = (seen(call.args[arg.index as usize]), seen(arg.value));
        match arg.op {
            LinuxSeccompOperator::ScmpCmpNe => actual != value,
            LinuxSeccompOperator::ScmpCmpLt => actual < value,
            LinuxSeccompOperator::ScmpCmpLe => actual <= value,
            LinuxSeccompOperator::ScmpCmpEq => actual == value,
            LinuxSeccompOperator::ScmpCmpGe => actual >= value,
            LinuxSeccompOperator::ScmpCmpGt => actual > value,
            LinuxSeccompOperator::ScmpCmpMaskedEq => {
                actual & value == seen(arg.value_two.unwrap_or(0)) & value
            }
        }
    }

    /// The claims in the order of the documentation of precedence.rs: those that begin with the same comparison are a
    /// group, which stands where its first would.
    fn order<'a>(&self, claims: Vec<Compared<'a>>) -> Vec<&'a Claim> {
        let mut ordered: Vec<_> =
            claims.iter().filter(|(words, _)| words.is_empty()).map(|(_, claim)| *claim).collect();
        let mut groups: Vec<(Word, Vec<Compared>)> = Vec::new();
        for (mut words, claim) in claims.into_iter().filter(|(words, _)| !words.is_empty()) {
            let first = words.remove(0);
            match groups.iter_mut().find(|(word, _)| *word == first) {
                Some((_, group)) => group.push((words, claim)),
                None => groups.push((first, vec![(words, claim)])),
            }
        }
        groups.sort_by_key(|((word, class, value, _), _)| {
            let value = i64::try_from(*value).unwrap();
            (Reverse(*word), Reverse(*class), if *class == 2 { value } else { -value })
        });
        ordered.extend(groups.into_iter().flat_map(|(_, group)| self.order(group)));
        ordered
    }

    fn words(&self, claim: &Claim) -> Vec<Word> {
        use LinuxSeccompOperator::*;
        let mut args: Vec<_> = claim.args.iter().filter(|arg| !self.always(arg)).collect();
        args.sort_by_key(|arg| arg.index);
        let mut words = Vec::new();
        for arg in args {
            let (class, upper) = match arg.op {
                ScmpCmpEq | ScmpCmpNe => (3, ScmpCmpEq),
                ScmpCmpMaskedEq => (3, ScmpCmpMaskedEq),
                ScmpCmpLe | ScmpCmpLt => (2, ScmpCmpGt),
                ScmpCmpGe | ScmpCmpGt => (1, ScmpCmpGt),
            };
            let (mask, value) = match arg.op {
                ScmpCmpMaskedEq => (arg.value, arg.value_two.unwrap_or(0) & arg.value),
                _ => (u64::MAX, arg.value),
            };
            if self.wide {
                words.push((arg.index * 2 + 1, class, value >> 32, (upper, mask >> 32)));
            }
            words.push((arg.index * 2, class, value & 0xffff_ffff, (arg.op, mask & 0xffff_ffff)));
        }
        words
    }
}

/// The verdict on any call, of any architecture.
pub(crate) fn verdict(profile: &LinuxSeccomp, native: Arch, plains: &[(Arch, Plain)], call: &Call) -> u32 {
    match architecture(profile, native, call) {
        Some(arch) => plains.iter().find(|(of, _)| *of == arch).unwrap().1.verdict(call),
        None if call.architecture == X86_64 && native == Arch::ScmpArchX86_64 && call.number == u32::MAX => {
            action(profile.default_action, profile.default_errno_ret)
        }
        None => KILL,
    }
}

/// The call that multiplexes another on x86, and what its first argument must be for that.
fn multiplexed(name: &str) -> Option<(u32, LinuxSeccompArg)> {
    let sockets = "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom \
                   shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg";
    let ipcs = "semop semget semctl semtimedop - - - - - - msgsnd msgrcv msgget msgctl - - - - - - shmat shmdt shmget \
                shmctl";
    let find =
        |names: &str| names.split(' ').zip(1u64..).find(|(known, _)| *known == name).map(|(_, call)| call);
    if let Some(value) = find(sockets) {
        let op = LinuxSeccompOperator::ScmpCmpEq;
        return Some((102, LinuxSeccompArg { index: 0, op, value, value_two: None }));
    }
    let call = find(ipcs)?;
    let op = LinuxSeccompOperator::ScmpCmpMaskedEq;
    Some((117, LinuxSeccompArg { index: 0, op, value: 0xffff, value_two: Some(call) }))
}
