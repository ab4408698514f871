//! What filters cost: instructions in the program, instructions for a call, and time to compile.

use crate::{
    compile,
    interpreter::{self, Call},
    libseccomp::{Libseccomp, X86_FAMILY},
    plain, profiles,
};
use runtime_core::{
    seccomp::{Instruction, Options, compile_for, syscall_number},
    spec::{Arch, LinuxSeccomp},
};
use std::time::{Duration, Instant};

/// Instructions for one call, on average over all calls that an architecture of the profile has.
fn average(program: &[Instruction], profile: &LinuxSeccomp) -> f64 {
    let mut executed = Vec::new();
    for arch in X86_FAMILY {
        if arch != Arch::ScmpArchX86_64 && !profile.architectures.contains(&arch) {
            continue;
        }
        let architecture = if arch == Arch::ScmpArchX86 { plain::X86 } else { plain::X86_64 };
        let mut numbers: Vec<u32> =
            all_names().iter().filter_map(|name| syscall_number(arch, name)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            executed.push(interpreter::run(program, &Call { number, architecture, args: [0; 6] }).1);
        }
    }
    f64::from(executed.iter().sum::<u32>()) / f64::from(u32::try_from(executed.len()).unwrap())
}

/// Every name of Docker's and Podman's profiles.
fn all_names() -> Vec<String> {
    let profiles = [profiles::docker(), profiles::podman()];
    profiles.iter().flat_map(|p| p.syscalls.iter().flat_map(|rule| rule.names.clone())).collect()
}

fn row(what: &str, program: &[Instruction], profile: &LinuxSeccomp) -> (usize, f64) {
    let average = average(program, profile);
    print!("{what:32} {:5} instructions, {average:6.2} executed on average;", program.len());
    for name in ["read", "write", "openat", "clone3", "reboot"] {
        let number = syscall_number(Arch::ScmpArchX86_64, name).unwrap();
        let call = Call { number, architecture: plain::X86_64, args: [0; 6] };
        print!(" {name} {}", interpreter::run(program, &call).1);
    }
    println!();
    (program.len(), average)
}

#[test]
fn filters_are_short_and_quick() {
    let mut libseccomp = Libseccomp::start();
    for (name, profile) in [("docker", profiles::docker()), ("podman", profiles::podman())] {
        for architectures in [1, 3] {
            let mut profile = profile.clone();
            profile.architectures = X86_FAMILY[..architectures].to_vec();
            let filter = compile(Arch::ScmpArchX86_64, &profile);
            let what = format!("{name}, {architectures} architecture(s)");
            let (length, executed) = row(&what, &filter.instructions, &profile);
            if name == "docker" {
                assert!(length <= if architectures == 1 { 200 } else { 750 });
                assert!(executed <= if architectures == 1 { 11.0 } else { 12.0 });
            }
            for (optimize, shape) in [(2, "tree"), (1, "linear")] {
                let Some(theirs) = libseccomp.as_mut().map(|lib| lib.compile(&profile, optimize).unwrap())
                else {
                    continue;
                };
                let (their_length, their_executed) =
                    row(&format!("  libseccomp, {shape}"), &theirs.program, &profile);
                assert!(length < their_length && executed < their_executed);
            }
        }
    }
}

#[test]
fn filters_are_compiled_in_no_time() {
    for (name, profile) in [("docker", profiles::docker()), ("podman", profiles::podman())] {
        let once = || {
            let start = Instant::now();
            compile_for(Arch::ScmpArchX86_64, &profile, &Options::default()).unwrap();
            start.elapsed()
        };
        let mut times: Vec<Duration> = (0..200).map(|_| once()).collect();
        times.sort_unstable();
        println!("{name}: {:?} at best, {:?} at the median", times[0], times[100]);
        assert!(cfg!(debug_assertions) || times[0] < Duration::from_micros(200));
    }
}

/// The program as the crate takes it that installs it.
pub(crate) fn kernels(program: &[Instruction]) -> Vec<seccompiler::sock_filter> {
    let one = |&Instruction { code, jt, jf, k }| seccompiler::sock_filter { code, jt, jf, k };
    program.iter().map(one).collect()
}

/// How long the kernel takes to check, translate and install a program, at best of many threads that do.
#[cfg(target_arch = "x86_64")]
fn install(program: &[Instruction]) -> Duration {
    let once = || {
        let program = kernels(program);
        let thread = std::thread::spawn(move || {
            let start = Instant::now();
            seccompiler::apply_filter(&program).unwrap();
            start.elapsed()
        });
        thread.join().unwrap()
    };
    (0..100).map(|_| once()).min().unwrap()
}

#[cfg(target_arch = "x86_64")]
#[test]
fn filters_are_installed_faster_than_those_of_libseccomp() {
    let Some(mut libseccomp) = Libseccomp::start() else { return };
    for architectures in [1, 3] {
        let mut profile = profiles::docker();
        profile.architectures = X86_FAMILY[..architectures].to_vec();
        let ours = install(&compile(Arch::ScmpArchX86_64, &profile).instructions);
        let theirs = install(&libseccomp.compile(&profile, 2).unwrap().program);
        println!(
            "docker, {architectures} architecture(s): installed in {ours:?}, libseccomp's in {theirs:?}"
        );
        assert!(ours.as_secs_f64() <= 0.7 * theirs.as_secs_f64());
    }
}
