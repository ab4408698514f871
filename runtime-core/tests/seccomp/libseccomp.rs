//! The libseccomp of this machine as a second opinion, through a small Python script.

use crate::{interpreter, plain};
use runtime_core::{
    seccomp::Instruction,
    spec::{Arch, LinuxSeccomp},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

pub(crate) struct Libseccomp {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// A program and the names that libseccomp did not know.
pub(crate) struct Compiled {
    pub(crate) program: Vec<Instruction>,
    pub(crate) unknown: Vec<String>,
}

impl Libseccomp {
    /// Nothing, and a line that says so, where there is no Python or no libseccomp.
    pub(crate) fn start() -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seccomp/libseccomp.py");
        let mut command = Command::new("python3");
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().inspect_err(|error| eprintln!("skipped: python3: {error}")).ok()?;
        let to = child.stdin.take()?;
        let from = BufReader::new(child.stdout.take()?);
        let mut this = Self { child, to, from };
        let mut ready = String::new();
        this.from.read_line(&mut ready).unwrap();
        if ready.is_empty() {
            eprintln!("skipped: no libseccomp.so.2 to compare with");
            return None;
        }
        Some(this)
    }

    /// The program for a profile on x86_64, made of it as runc does. An error is the errno, ETIME where it takes too long.
    pub(crate) fn compile(&mut self, profile: &LinuxSeccomp, optimize: u32) -> Result<Compiled, i64> {
        let default = plain::action(profile.default_action, profile.default_errno_ret);
        let architectures: Vec<u32> = profile.architectures.iter().map(|arch| token(*arch)).collect();
        let document = json!({"default": default, "architectures": architectures, "optimize": optimize, "rules": rules(profile, default)});
        writeln!(self.to, "{document}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        if line.is_empty() {
            *self = Self::start().expect("it could be started before");
            return Err(i64::from(libc::ETIME));
        }
        let answer: Value = serde_json::from_str(&line).unwrap();
        if let Some(error) = answer["error"].as_i64() {
            return Err(error);
        }
        let hex = answer["program"].as_str().unwrap();
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let program: Vec<_> = bytes
            .chunks_exact(8)
            .map(|raw| Instruction {
                code: u16::from_ne_bytes([raw[0], raw[1]]),
                jt: raw[2],
                jf: raw[3],
                k: u32::from_ne_bytes([raw[4], raw[5], raw[6], raw[7]]),
            })
            .collect();
        interpreter::check(&program).unwrap();
        let unknown = serde_json::from_value(answer["unknown"].clone()).unwrap();
        Ok(Compiled { program, unknown })
    }
}

impl Drop for Libseccomp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rules as runc hands them to libseccomp: none that say what the default says, and a repeated argument apart.
fn rules(profile: &LinuxSeccomp, default: u32) -> Vec<Value> {
    let mut rules = Vec::new();
    for rule in &profile.syscalls {
        let action = plain::action(rule.action, rule.errno_ret);
        if action == default {
            continue;
        }
        let args = &rule.args;
        let compare: Vec<Value> = args
            .iter()
            .map(|arg| json!([arg.index, arg.op as u32 + 1, arg.value, arg.value_two.unwrap_or(0)]))
            .collect();
        let repeated = args.iter().any(|a| args.iter().filter(|b| a.index == b.index).count() > 1);
        for name in &rule.names {
            if repeated {
                rules.extend(compare.iter().map(|one| json!([action, name, [one]])));
            } else {
                rules.push(json!([action, name, compare]));
            }
        }
    }
    rules
}

/// `profile` without the calls that libseccomp does not know.
pub(crate) fn without(profile: &LinuxSeccomp, unknown: &[String]) -> LinuxSeccomp {
    let mut profile = profile.clone();
    for rule in &mut profile.syscalls {
        rule.names.retain(|name| !unknown.contains(name));
    }
    profile
}

/// libseccomp's number of an architecture, SCMP_ARCH_*.
fn token(arch: Arch) -> u32 {
    match arch {
        Arch::ScmpArchX86_64 => 0xc000_003e,
        Arch::ScmpArchX86 => 0x4000_0003,
        Arch::ScmpArchX32 => 0x4000_003e,
        Arch::ScmpArchAarch64 => 0xc000_00b7,
        Arch::ScmpArchArm => 0x4000_0028,
        other => panic!("{other}"),
    }
}

/// The architectures of a host of x86_64.
pub(crate) const X86_FAMILY: [Arch; 3] = [Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32];
