//! From lines of verdicts to instructions.
//!
//! The program is written from its end to its start, so that every jump goes to what is there already and its length is
//! known. Conditional jumps reach 255 instructions; one that must go farther goes to a copy of its target, which is an
//! unconditional jump or, if the target returns, the same return.

use super::{
    Error, Instruction, MAX_INSTRUCTIONS,
    line::{Line, Span, Verdict},
    precedence::{Guarded, Words},
    profile::Condition,
};
use crate::spec::LinuxSeccompOperator as Operator;
use seccompiler::{BackendError, BpfProgram, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};
use std::collections::HashMap;

/// linux/bpf_common.h: load a word of seccomp_data; jumps; return.
const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_GREATER_OR_EQUAL: u16 = 0x35;
const RETURN: u16 = 0x06;
/// Where seccomp_data has the call's number and its architecture.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// How far a conditional jump reaches.
const REACH: usize = 255;

/// The program for `lines`, of which the first is looked at first. Any other architecture's calls kill the thread.
pub(super) fn assemble(lines: &[Line]) -> Result<Vec<Instruction>, Error> {
    let mut code = Assembler::default();
    let mut heads = Vec::with_capacity(lines.len());
    for line in lines.iter().rev() {
        heads.push((line.architecture, code.line(line)?));
    }
    let mut dispatch = code.ret(libc::SECCOMP_RET_KILL_THREAD);
    for (architecture, head) in heads {
        dispatch = code.branch(JUMP_IF_EQUAL, architecture, head, dispatch);
    }
    code.next_to(dispatch);
    code.push(LOAD, ARCHITECTURE);
    let mut instructions = code.reversed;
    if instructions.len() > MAX_INSTRUCTIONS {
        return Err(Error::TooLong(instructions.len()));
    }
    instructions.reverse();
    Ok(instructions)
}

/// An instruction, counted from the end of the program.
type Label = usize;

#[derive(Default)]
struct Assembler {
    reversed: Vec<Instruction>,
    /// The first return of each value.
    returns: HashMap<u32, Label>,
    /// The last copy of what jumps could not reach.
    copies: HashMap<Label, Label>,
}

impl Assembler {
    fn push(&mut self, code: u16, k: u32) -> Label {
        self.reversed.push(Instruction { code, jt: 0, jf: 0, k });
        self.reversed.len() - 1
    }

    /// How many instructions lie between the one that is pushed next and `target`.
    fn distance(&self, target: Label) -> usize {
        self.reversed.len() - 1 - target
    }

    fn ret(&mut self, value: u32) -> Label {
        if let Some(label) = self.returns.get(&value) {
            return *label;
        }
        let label = self.push(RETURN, value);
        self.returns.insert(value, label);
        label
    }

    /// `target` or a copy of it no farther than `reach` from the instruction that is pushed next.
    fn near(&mut self, target: Label, reach: usize) -> Label {
        let latest = self.copies.get(&target).copied().unwrap_or(target);
        if self.distance(latest) <= reach {
            return latest;
        }
        let copy = match &self.reversed[target] {
            Instruction { code: RETURN, k, .. } => {
                let value = *k;
                self.push(RETURN, value)
            }
            // A program of more than u32::MAX instructions is refused later on.
            _ => self.push(JUMP, u32::try_from(self.distance(target)).unwrap_or(u32::MAX)),
        };
        self.copies.insert(target, copy);
        copy
    }

    /// Makes `target` what follows the instruction that is pushed next.
    fn next_to(&mut self, target: Label) {
        self.near(target, 0);
    }

    fn branch(&mut self, code: u16, k: u32, yes: Label, no: Label) -> Label {
        if yes == no {
            return yes;
        }
        // A copy of the second target moves the first one instruction away.
        let no = self.near(no, REACH - 1);
        let yes = self.near(yes, REACH);
        // `near` has seen to it that both fit.
        let reach = |distance| u8::try_from(distance).unwrap_or(u8::MAX);
        let (jt, jf) = (reach(self.distance(yes)), reach(self.distance(no)));
        self.reversed.push(Instruction { code, jt, jf, k });
        self.reversed.len() - 1
    }

    /// Loads the number of the call and searches it.
    fn line(&mut self, line: &Line) -> Result<Label, Error> {
        let mut targets = Vec::with_capacity(line.verdicts.len());
        for verdict in &line.verdicts {
            targets.push(self.verdict(verdict)?);
        }
        let root = self.search(&line.spans, &targets);
        self.next_to(root);
        Ok(self.push(LOAD, NUMBER))
    }

    fn verdict(&mut self, verdict: &Verdict) -> Result<Label, Error> {
        let (words, rules, otherwise) = match verdict {
            Verdict::Return(value) => return Ok(self.ret(*value)),
            Verdict::ByArguments { words, rules, otherwise } => (*words, rules, *otherwise),
        };
        let mut next = self.ret(otherwise);
        for rule in rules.iter().rev() {
            self.next_to(next);
            let block = block(rule, words)?;
            self.reversed.extend(block.into_iter().rev());
            next = self.reversed.len() - 1;
            if self.reversed.len() > MAX_INSTRUCTIONS {
                return Err(Error::TooLong(self.reversed.len()));
            }
        }
        Ok(next)
    }

    /// A binary search for the span of a number; `targets` are those of the verdicts.
    fn search(&mut self, spans: &[Span], targets: &[Label]) -> Label {
        if let Some((number, found, otherwise)) = lone(spans) {
            return self.branch(JUMP_IF_EQUAL, number, targets[found], targets[otherwise]);
        }
        match spans {
            [] => self.ret(libc::SECCOMP_RET_KILL_THREAD),
            [only] => targets[only.verdict],
            _ => {
                let (below, above) = spans.split_at(middle(spans));
                let yes = self.search(above, targets);
                let no = self.search(below, targets);
                self.branch(JUMP_IF_GREATER_OR_EQUAL, above[0].first, yes, no)
            }
        }
    }
}

/// One number among others that all have another verdict: that number, its verdict and the others'.
fn lone(spans: &[Span]) -> Option<(u32, usize, usize)> {
    match spans {
        [below, lone, above] if below.verdict == above.verdict && lone.first + 1 == above.first => {
            Some((lone.first, lone.verdict, below.verdict))
        }
        _ => None,
    }
}

/// Where to part `spans` so that about as many calls lie on either side.
fn middle(spans: &[Span]) -> usize {
    // The wide spans are those where there are no calls.
    let calls = |pair: &[Span]| match pair[1].first - pair[0].first {
        width @ 0..1024 => width,
        _ => 1,
    };
    let all: u32 = spans.windows(2).map(calls).sum::<u32>() + 1;
    let below = spans.windows(2).scan(0, |below, pair| {
        *below += calls(pair);
        Some(*below)
    });
    let best = below.zip(1..).min_by_key(|(below, _)| all.abs_diff(2 * below));
    best.map_or(1, |(_, at)| at)
}

/// The instructions that return the rule's action if all its conditions hold, and else go on behind themselves.
fn block(rule: &Guarded, words: Words) -> Result<Vec<Instruction>, Error> {
    let conditions = rule.conditions.iter().map(|condition| compare(condition, words));
    let rule_of = |conditions| SeccompRule::new(conditions);
    let generated = conditions.collect::<Result<_, _>>().and_then(rule_of).map(BpfProgram::from);
    let generated = generated.map_err(|error| Error::at(".syscalls", error.to_string()))?;
    // It begins with two jumps for the chain that seccompiler would make of rules, and ends before the action.
    let action = Instruction { code: RETURN, jt: 0, jf: 0, k: rule.action };
    let ours = |instruction: seccompiler::sock_filter| {
        let seccompiler::sock_filter { code, jt, jf, k } = instruction;
        Instruction { code, jt, jf, k }
    };
    Ok(generated.into_iter().skip(2).map(ours).chain([action]).collect())
}

fn compare(condition: &Condition, words: Words) -> Result<SeccompCondition, BackendError> {
    let length = match words {
        Words::One => SeccompCmpArgLen::Dword,
        Words::Two => SeccompCmpArgLen::Qword,
    };
    let operator = match condition.operator {
        Operator::ScmpCmpEq => SeccompCmpOp::Eq,
        Operator::ScmpCmpNe => SeccompCmpOp::Ne,
        Operator::ScmpCmpLt => SeccompCmpOp::Lt,
        Operator::ScmpCmpLe => SeccompCmpOp::Le,
        Operator::ScmpCmpGe => SeccompCmpOp::Ge,
        Operator::ScmpCmpGt => SeccompCmpOp::Gt,
        Operator::ScmpCmpMaskedEq => SeccompCmpOp::MaskedEq(condition.mask),
    };
    SeccompCondition::new(condition.index, length, operator, condition.value)
}
