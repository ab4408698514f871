//! The line of system call numbers of each architecture, cut into spans of one verdict.

use super::{
    Error,
    precedence::{self, Guarded, Words},
    profile::{Condition, Profile, RETURN_ENOSYS},
    supported::{self, X32_BIT, base},
    tables::{self, Abi},
};
use crate::spec::LinuxSeccompOperator;

/// Where the calls begin that only ARM has, __ARM_NR_BASE. They are not newer than others, though their numbers are
/// greater.
const ARM_PRIVATE: u32 = 0x0f_0000;

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// SECCOMP_RET_* with its data, whatever the arguments.
    Return(u32),
    /// That of the first rule that matches, else `otherwise`.
    ByArguments { words: Words, rules: Vec<Guarded>, otherwise: u32 },
}

/// All numbers from `first` to the next span's.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) first: u32,
    /// An index into [`Line::verdicts`].
    pub(super) verdict: usize,
}

/// The calls of one architecture in the kernel's sense.
pub(super) struct Line {
    /// AUDIT_ARCH_* as seccomp_data has it.
    pub(super) architecture: u32,
    /// They cover every number, the first from 0; no two neighbours have the same verdict.
    pub(super) spans: Vec<Span>,
    /// Each verdict once.
    pub(super) verdicts: Vec<Verdict>,
}

/// The lines of all architectures of `profile` that a kernel of the architecture `native` has, its own first.
pub(super) fn lines(native: Abi, profile: &Profile) -> Result<Vec<Line>, Error> {
    let named =
        |abi| abi == native || profile.architectures.iter().any(|named| supported::abi(*named) == Some(abi));
    let mut own = Line::new(supported::audit(native));
    own.add(native, profile);
    if let Some(number) = tables::find("execve").and_then(|call| call.number(native)) {
        own.check_execve(number, profile)?;
    }
    if native == Abi::Aarch64 {
        let arm = named(Abi::Arm).then(|| Line::of(Abi::Arm, profile));
        return Ok([own].into_iter().chain(arm).collect());
    }
    if named(Abi::X32) {
        own.add(Abi::X32, profile);
    } else {
        own.push(X32_BIT, Verdict::Return(libc::SECCOMP_RET_KILL_THREAD));
        // A tracer skips a call by setting its number to -1.
        own.push(u32::MAX, Verdict::Return(profile.default));
    }
    let x86 = named(Abi::X86).then(|| Line::of(Abi::X86, profile));
    Ok([own].into_iter().chain(x86).collect())
}

/// A rule's claim to a call.
struct Claim {
    number: u32,
    /// An index into [`Profile::rules`].
    rule: usize,
    /// What the first argument must be, and under which mask: the call is one of those that the number multiplexes.
    multiplexed: Option<(u32, u32)>,
}

impl Line {
    fn new(architecture: u32) -> Self {
        Self { architecture, spans: Vec::new(), verdicts: Vec::new() }
    }

    fn of(abi: Abi, profile: &Profile) -> Self {
        let mut line = Self::new(supported::audit(abi));
        line.add(abi, profile);
        line
    }

    /// Appends the calls of `abi`.
    fn add(&mut self, abi: Abi, profile: &Profile) {
        let words = if matches!(abi, Abi::X86_64 | Abi::Aarch64) { Words::Two } else { Words::One };
        let base = base(abi);
        let newest = newest(abi, profile).map(|newest| base + newest);
        // The first number that no span covers yet.
        let mut next = base;
        let claims = claims(abi, profile);
        for group in claims.chunk_by(|a, b| a.number == b.number) {
            let number = base + group[0].number;
            if next < number {
                self.fill(next, number - 1, newest, profile);
            }
            self.push(number, verdict(group, words, profile));
            next = number + 1;
        }
        self.fill(next, u32::MAX, newest, profile);
    }

    /// Appends the numbers `from` to `to`, which no rule names.
    fn fill(&mut self, from: u32, to: u32, newest: Option<u32>, profile: &Profile) {
        let newest = newest.unwrap_or(u32::MAX);
        if from <= to && from <= newest {
            self.push(from, Verdict::Return(profile.default));
        }
        if from <= to && newest < to {
            self.push(from.max(newest + 1), Verdict::Return(RETURN_ENOSYS));
        }
    }

    fn push(&mut self, first: u32, verdict: Verdict) {
        let verdict = self.verdicts.iter().position(|known| *known == verdict).unwrap_or_else(|| {
            self.verdicts.push(verdict);
            self.verdicts.len() - 1
        });
        if self.spans.last().is_none_or(|last| last.verdict != verdict) {
            self.spans.push(Span { first, verdict });
        }
    }

    fn verdict(&self, number: u32) -> Option<&Verdict> {
        let span = self.spans.iter().rfind(|span| span.first <= number)?;
        self.verdicts.get(span.verdict)
    }

    /// Whether the call `name` of `abi`, one of this line's, passes whatever its arguments.
    pub(super) fn passes(&self, abi: Abi, name: &str) -> bool {
        let number = tables::find(name).and_then(|call| call.number(abi)).map(|number| number + base(abi));
        let verdict = number.and_then(|number| self.verdict(number));
        matches!(verdict, Some(Verdict::Return(libc::SECCOMP_RET_ALLOW | libc::SECCOMP_RET_LOG)))
    }

    /// Refuses a profile under which the container's program cannot be executed.
    fn check_execve(&self, number: u32, profile: &Profile) -> Result<(), Error> {
        let refuses = |action: &u32| {
            let action = action & libc::SECCOMP_RET_ACTION_FULL;
            let passes = [libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_LOG, libc::SECCOMP_RET_TRACE];
            !passes.contains(&action) && action != libc::SECCOMP_RET_USER_NOTIF
        };
        let locked = match self.verdict(number) {
            Some(Verdict::Return(action)) => refuses(action),
            Some(Verdict::ByArguments { rules, otherwise, .. }) => {
                refuses(otherwise) && rules.iter().all(|rule| refuses(&rule.action))
            }
            None => false,
        };
        if !locked {
            return Ok(());
        }
        let rule = profile.rules.iter().find(|rule| rule.calls.iter().any(|call| call.name == "execve"));
        let place =
            rule.map_or(".defaultAction".to_owned(), |rule| format!(".syscalls[{}].action", rule.place));
        Err(Error::at(place, "execve is never allowed, so the container's program cannot be executed"))
    }
}

/// The claims to calls of `abi`, by number and then in the profile's order.
fn claims(abi: Abi, profile: &Profile) -> Vec<Claim> {
    let mut claims = Vec::with_capacity(512);
    for (rule, entry) in profile.rules.iter().enumerate() {
        for call in &entry.calls {
            if let Some(number) = call.number(abi) {
                claims.push(Claim { number, rule, multiplexed: None });
            }
            if abi == Abi::X86
                && let Some((number, first, mask)) = tables::multiplexed(call.name)
            {
                claims.push(Claim { number, rule, multiplexed: Some((first, mask)) });
            }
        }
    }
    claims.sort_unstable_by_key(|claim| (claim.number, claim.rule));
    claims
}

/// The greatest number of `abi` that the profile names: calls above it are newer than the profile. Nothing where such
/// calls are left to the default action.
fn newest(abi: Abi, profile: &Profile) -> Option<u32> {
    if !profile.hides_newer_calls() {
        return None;
    }
    let calls = profile.rules.iter().flat_map(|rule| &rule.calls).chain(&profile.redundant);
    let newest = calls.filter_map(|call| call.number(abi)).filter(|number| *number < ARM_PRIVATE).max();
    // A profile that names nothing but the very first call knows nothing of this architecture.
    newest.filter(|newest| *newest != 0)
}

/// What becomes of a call that all of `claims` are to.
fn verdict(claims: &[Claim], words: Words, profile: &Profile) -> Verdict {
    let mut rules = Vec::new();
    for claim in claims {
        let rule = &profile.rules[claim.rule];
        let action = rule.action;
        let unconditional = [Vec::new()];
        let alternatives = if rule.alternatives.is_empty() { &unconditional[..] } else { &rule.alternatives };
        for alternative in alternatives {
            let conditions = effective(alternative, claim.multiplexed, words);
            if conditions.is_empty() {
                // The first that always matches beats all that depend on arguments, wherever they stand.
                return Verdict::Return(action);
            }
            rules.push(Guarded { conditions, action });
        }
    }
    Verdict::ByArguments { words, rules: precedence::order(rules, words), otherwise: profile.default }
}

/// The conditions that are left to be tested on an architecture: none that always hold, and in place of those of the
/// first argument which of the multiplexed calls it is.
///
/// The arguments of a multiplexed call lie in memory, where no filter can see them. What is compared is the
/// multiplexer's own second and third argument, as by libseccomp: a profile that allows a call by its arguments should
/// refuse socketcall and ipc.
fn effective(conditions: &[Condition], multiplexed: Option<(u32, u32)>, words: Words) -> Vec<Condition> {
    let call = multiplexed.map(|(call, mask)| Condition {
        index: 0,
        operator: if mask == u32::MAX {
            LinuxSeccompOperator::ScmpCmpEq
        } else {
            LinuxSeccompOperator::ScmpCmpMaskedEq
        },
        mask: if mask == u32::MAX { u64::MAX } else { mask.into() },
        value: call.into(),
    });
    let kept = conditions.iter().filter(|condition| call.is_none() || condition.index != 0);
    let seen = if words == Words::One { u64::from(u32::MAX) } else { u64::MAX };
    call.into_iter().chain(kept.copied()).filter(|condition| condition.mask & seen != 0).collect()
}
