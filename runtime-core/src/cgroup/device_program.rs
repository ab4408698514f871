//! A device policy as a BPF program of type `BPF_PROG_TYPE_CGROUP_DEVICE`, assembled by hand.
//!
//! The kernel hands over what is wanted (mknod, read, write), the type and the two numbers. There is one part for each type.
//! In it, rules are tried from the last to the first, and each decides only about the kinds of access that it names; what no
//! rule has decided is up to the default. The usual rule, one device in full, is one comparison of both numbers at once with
//! a jump to the common end: to load a program takes the kernel a time that grows with the square of its branches, and
//! this form takes a fifth of the plain one's.

use super::{
    devices::{ALL, Kind, PROPERTY, Policy, Rule},
    dir::Dir,
    error::{Error, Result},
};
use crate::sys::bpf::{self, Instruction};
use std::{
    io::{Error as IoError, ErrorKind},
    os::fd::{AsFd, OwnedFd},
};

// Registers: the answer, the context, what is read from it, and the two numbers as one.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const TYPE: u8 = 2;
const WANTED: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const DEVICE: u8 = 6;

// Opcodes, the kernel's Documentation/bpf/standardization/instruction-set.rst.
const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb4;
const MOVE_REGISTER: u8 = 0xbc;
const AND: u8 = 0x54;
const OR_REGISTER: u8 = 0x4c;
const SHIFT_LEFT: u8 = 0x64;
const SHIFT_RIGHT: u8 = 0x74;
const JUMP: u8 = 0x05;
const JUMP_EQUAL: u8 = 0x16;
const JUMP_NOT_EQUAL: u8 = 0x56;
const JUMP_SET: u8 = 0x46;
const EXIT: u8 = 0x95;

/// The bits of the kernel's `dev_t`.
const MINOR_BITS: u8 = 20;
const MAJORS: u32 = 1 << 12;
const MINORS: u32 = 1 << MINOR_BITS;

/// Where a jump goes.
#[derive(Clone, Copy)]
enum To {
    /// The end that answers yes (true) or no.
    Answer(bool),
    /// Past so many of the next instructions.
    Skip(usize),
}

/// A program whose jumps are still to be measured.
#[derive(Default)]
struct Draft(Vec<(Instruction, Option<To>)>);

impl Draft {
    fn load(&mut self, target: u8, offset: i16) {
        self.0.push((instruction(LOAD_WORD, target, CONTEXT, offset, 0), None));
    }

    fn operate(&mut self, code: u8, target: u8, operand: u32) {
        self.0.push((instruction(code, target, 0, 0, operand), None));
    }

    fn combine(&mut self, code: u8, target: u8, source: u8) {
        self.0.push((instruction(code, target, source, 0, 0), None));
    }

    fn jump(&mut self, code: u8, register: u8, operand: u32, to: To) {
        self.0.push((instruction(code, register, 0, 0, operand), Some(to)));
    }

    /// One rule.
    fn rule(&mut self, rule: &Rule) {
        let condition = match (rule.major, rule.minor) {
            (Some(major), Some(minor)) => Some((DEVICE, major << MINOR_BITS | minor)),
            (Some(major), None) => Some((MAJOR, major)),
            (None, Some(minor)) => Some((MINOR, minor)),
            (None, None) => None,
        };
        let end = To::Answer(rule.allow);
        if rule.access == ALL {
            return match condition {
                Some((register, value)) => self.jump(JUMP_EQUAL, register, value, end),
                None => self.jump(JUMP, 0, 0, end),
            };
        }
        if let Some((register, value)) = condition {
            self.jump(JUMP_NOT_EQUAL, register, value, To::Skip(if rule.allow { 2 } else { 1 }));
        }
        if rule.allow {
            // What is wanted beyond that is still to be decided.
            self.operate(AND, WANTED, (ALL & !rule.access).into());
            self.jump(JUMP_EQUAL, WANTED, 0, end);
        } else {
            self.jump(JUMP_SET, WANTED, rule.access.into(), end);
        }
    }

    /// With the ends that are jumped to (the kernel refuses what is never reached) and all jumps measured; nothing where one is
    /// too far.
    fn finish(self) -> Option<Vec<Instruction>> {
        let length = self.0.len();
        let is_used =
            |end| self.0.iter().any(|(_, to)| matches!(to, Some(To::Answer(answer)) if *answer == end));
        let ends: Vec<_> = [false, true].into_iter().filter(|end| is_used(*end)).collect();
        let measured = self.0.into_iter().enumerate().map(|(at, (mut instruction, to))| {
            let distance = match to {
                None => return Some(instruction),
                Some(To::Skip(count)) => count,
                Some(To::Answer(answer)) => {
                    length - at - 1 + 2 * ends.iter().take_while(|end| **end != answer).count()
                }
            };
            instruction.offset = i16::try_from(distance).ok()?;
            Some(instruction)
        });
        let mut program: Vec<_> = measured.collect::<Option<_>>()?;
        for answer in ends {
            program.push(instruction(MOVE, ANSWER, 0, 0, answer.into()));
            program.push(instruction(EXIT, 0, 0, 0, 0));
        }
        Some(program)
    }
}

fn instruction(code: u8, target: u8, source: u8, offset: i16, operand: u32) -> Instruction {
    Instruction { code, registers: target | source << 4, offset, immediate: operand.cast_signed() }
}

/// The program for `policy`; nothing where that has too many rules.
fn assemble(policy: &Policy) -> Option<Vec<Instruction>> {
    let mut draft = Draft::default();
    draft.load(TYPE, 0);
    draft.combine(MOVE_REGISTER, WANTED, TYPE);
    draft.operate(AND, TYPE, 0xffff);
    draft.operate(SHIFT_RIGHT, WANTED, 16);
    draft.load(MAJOR, 4);
    draft.load(MINOR, 8);
    draft.combine(MOVE_REGISTER, DEVICE, MAJOR);
    draft.operate(SHIFT_LEFT, DEVICE, MINOR_BITS.into());
    draft.combine(OR_REGISTER, DEVICE, MINOR);
    let part = |kind| {
        let mut part = Draft::default();
        // No device has greater numbers than these.
        let real = |rule: &&Rule| rule.major.unwrap_or(0) < MAJORS && rule.minor.unwrap_or(0) < MINORS;
        policy
            .rules
            .iter()
            .rev()
            .filter(|rule| rule.kind == kind)
            .filter(real)
            .for_each(|rule| part.rule(rule));
        // A rule for all there is, which can only be the first of its type, needs no default.
        if !matches!(part.0.last(), Some((Instruction { code: JUMP, .. }, _))) {
            part.jump(JUMP, 0, 0, To::Answer(policy.default));
        }
        part
    };
    let (mut char, mut block) = (part(Kind::Char), part(Kind::Block));
    const BLOCK: u32 = 1;
    draft.jump(JUMP_EQUAL, TYPE, BLOCK, To::Skip(char.0.len()));
    draft.0.append(&mut char.0);
    draft.0.append(&mut block.0);
    draft.finish()
}

/// Makes the program of `policy` and drops it, for the package `fuzz`.
#[cfg(feature = "fuzzing")]
pub(super) fn build(policy: &Policy) {
    drop(assemble(policy));
}

/// Makes `policy` that of the v2 cgroup `dir`, in the place of the program that is attached already, if any: at no time are
/// there none or, in the end, two.
pub(super) fn apply(dir: &Dir, policy: &Policy) -> Result<()> {
    let failed = |what: &str, error: IoError| {
        Error::io(format!("{PROPERTY}: {what} the device program of {}", dir.path().display()), error)
    };
    let old = bpf::device_programs(dir.as_fd()).map_err(|error| failed("look for", error))?;
    let program = assemble(policy).ok_or_else(|| Error::config(PROPERTY, "too many rules"))?;
    let new = bpf::load_device_program(&program).map_err(|error| failed("load", error))?;
    let attach =
        |old: Option<&OwnedFd>| bpf::attach_device_program(dir.as_fd(), new.as_fd(), old.map(AsFd::as_fd));
    let mut present = Vec::new();
    for id in old {
        match bpf::program_by_id(id) {
            Ok(program) => present.push(program),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed("open", error)),
        }
    }
    if let [only] = &present[..]
        && attach(Some(only)).is_ok()
    {
        return Ok(());
    }
    attach(None).map_err(|error| failed("attach", error))?;
    for program in present {
        bpf::detach_device_program(dir.as_fd(), program.as_fd()).map_err(|error| failed("detach", error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::devices::{MKNOD, READ, WRITE};
    use super::*;

    /// What the kernel would do with the program.
    fn run(program: &[Instruction], kind: u32, access: u8, major: u32, minor: u32) -> bool {
        let context = [u32::from(access) << 16 | kind, major, minor];
        let mut registers = [0_u32; 11];
        let mut at = 0;
        loop {
            let Instruction { code, registers: pair, offset, immediate } = program[at];
            let (target, source) = (usize::from(pair & 15), usize::from(pair >> 4));
            let immediate = immediate.cast_unsigned();
            let mut jump = false;
            match code {
                LOAD_WORD => registers[target] = context[usize::try_from(offset).unwrap() / 4],
                MOVE => registers[target] = immediate,
                OR_REGISTER => registers[target] |= registers[source],
                SHIFT_LEFT => registers[target] <<= immediate,
                JUMP => jump = true,
                JUMP_SET => jump = registers[target] & immediate != 0,
                MOVE_REGISTER => registers[target] = registers[source],
                AND => registers[target] &= immediate,
                SHIFT_RIGHT => registers[target] >>= immediate,
                JUMP_EQUAL => jump = registers[target] == immediate,
                JUMP_NOT_EQUAL => jump = registers[target] != immediate,
                EXIT => return registers[0] == 1,
                other => panic!("{other:#x}"),
            }
            at += 1 + if jump { usize::try_from(offset).unwrap() } else { 0 };
        }
    }

    /// The rules in their order, each bit decided by the last that names it.
    fn expected(json: &serde_json::Value, kind: u32, access: u8, major: u32, minor: u32) -> bool {
        let letters = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')];
        letters.into_iter().filter(|(bit, _)| access & bit != 0).all(|(_, letter)| {
            let mut allowed = false;
            for rule in json.as_array().unwrap() {
                let matches = |field: &str, value: u32| rule[field].is_null() || rule[field] == value;
                let kinds = match rule["type"].as_str().unwrap_or("a") {
                    "a" => true,
                    "b" => kind == 1,
                    _ => kind == 2,
                };
                if kinds
                    && matches("major", major)
                    && matches("minor", minor)
                    && rule["access"].as_str().unwrap().contains(letter)
                {
                    allowed = rule["allow"].as_bool().unwrap();
                }
            }
            let always = letter == 'm'
                || kind == 2 && matches!((major, minor), (1, 3 | 5 | 7 | 8 | 9) | (5, 0 | 2) | (136, _));
            allowed || always
        })
    }

    /// Numbers that look random, the same ones each time, so that a failure can be repeated.
    fn numbers() -> impl FnMut(u64) -> usize {
        let mut state = 1_u64;
        move |below| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from((state >> 33) % below).unwrap()
        }
    }

    /// Up to six rules.
    fn rules(random: &mut impl FnMut(u64) -> usize) -> serde_json::Value {
        let rules = (0..random(7)).map(|_| {
            let access = ["r", "w", "m", "rw", "rm", "wm", "rwm"][random(7)];
            let mut rule = serde_json::json!({ "allow": random(2) == 1, "access": access });
            let numbers = [1, 3, 5, 10, u32::MAX];
            match random(4) {
                0 => {}
                1 => rule["type"] = "b".into(),
                _ => rule["type"] = "c".into(),
            }
            if random(3) > 0 {
                rule["major"] = numbers[random(5)].into();
            }
            if random(3) > 0 {
                rule["minor"] = numbers[random(5)].into();
            }
            rule
        });
        rules.collect()
    }

    fn program(json: &serde_json::Value) -> Vec<Instruction> {
        let config: Vec<_> = serde_json::from_value(json.clone()).unwrap();
        assemble(&Policy::new(&config).unwrap()).unwrap()
    }

    #[test]
    fn programs_decide_as_the_rules_in_their_order() {
        let mut random = numbers();
        for round in 0..3_000 {
            let json = rules(&mut random);
            let program = program(&json);
            for kind in [1, 2] {
                for major in [0, 1, 3, 5, 10, 136, MAJORS - 1] {
                    for minor in [0, 1, 3, 5, 10, MINORS - 1] {
                        for access in [MKNOD, READ, WRITE, READ | WRITE] {
                            assert_eq!(
                                run(&program, kind, access, major, minor),
                                expected(&json, kind, access, major, minor),
                                "round {round}: {kind} {major}:{minor} {access} {json}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_kernel_takes_the_programs() {
        assert!(nix::unistd::geteuid().is_root(), "this test loads programs into the kernel: run it as root");
        let mut random = numbers();
        for _ in 0..500 {
            let json = rules(&mut random);
            bpf::load_device_program(&program(&json)).unwrap_or_else(|error| panic!("{error}: {json}"));
        }
    }

    #[test]
    fn the_usual_program_is_short() {
        let docker = r#"[{"allow":false,"access":"rwm"},{"allow":false,"type":"c","major":10,"minor":229,"access":"rwm"}]"#;
        assert!(program(&serde_json::from_str(docker).unwrap()).len() <= 30);
    }
}
