//! Filters against a plain reading of their profiles, and against libseccomp's filters for the same profiles.
//!
//! PROPTEST_CASES sets how many profiles are generated; 2,000 if it is not set, 100,000 for a night.

mod cost;
mod interpreter;
mod libseccomp;
mod plain;
mod profiles;

use interpreter::Call;
use nix::errno::Errno;
use plain::Plain;
use proptest::{prelude::*, test_runner::TestRunner};
use runtime_core::{
    seccomp::{Error, Filter, MAX_INSTRUCTIONS, Options, compile_for},
    spec::{Arch, LinuxSeccomp},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

const X32_BIT: u32 = 1 << 30;

fn compile(native: Arch, profile: &LinuxSeccomp) -> Filter {
    let filter = compile_for(native, profile, &Options::default()).unwrap();
    interpreter::check(&filter.instructions).unwrap();
    filter
}

fn plains(profile: &LinuxSeccomp) -> Vec<(Arch, Plain)> {
    use Arch::*;
    let all = [ScmpArchX86_64, ScmpArchX86, ScmpArchX32, ScmpArchAarch64, ScmpArchArm];
    all.into_iter().map(|arch| (arch, Plain::new(profile, arch))).collect()
}

/// Every number that an architecture has or could soon have, those at the edges of spans, and calls of architectures
/// that no filter knows; where arguments decide, with the values about those that are compared.
fn calls(plains: &[(Arch, Plain)]) -> Vec<Call> {
    let edges =
        [X32_BIT - 1, X32_BIT, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX, 0x0f_0000 - 1, 0x0f_ffff];
    let numbers = (0..600).chain(X32_BIT..X32_BIT + 600).chain(0x0f_0000..0x0f_0008).chain(edges);
    let mut calls = Vec::new();
    for number in numbers {
        for architecture in [plain::X86_64, plain::X86, plain::AARCH64, plain::ARM, 0xc000_00f3] {
            calls.push(Call { number, architecture, args: [0; 6] });
        }
    }
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut pick = move |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % below
    };
    for (arch, plain) in plains {
        let architecture = match arch {
            Arch::ScmpArchX32 => plain::X86_64,
            arch => *arch as u32,
        };
        for (number, args) in plain.compared() {
            let mut values: [Vec<u64>; 6] = Default::default();
            for arg in &args {
                let [value, two] = [arg.value, arg.value_two.unwrap_or(0)];
                let near = [
                    value,
                    value.wrapping_add(1),
                    value.wrapping_sub(1),
                    value ^ 1 << 32,
                    two,
                    two ^ 1 << 40,
                ];
                values[arg.index as usize].extend(near.into_iter().chain([
                    0,
                    u64::MAX,
                    two | !value,
                    value | u64::MAX << 32,
                ]));
            }
            for _ in 0..args.len().min(8) * 12 {
                let args = values.each_ref().map(|v| if v.is_empty() { 7 } else { v[pick(v.len())] });
                calls.push(Call { number, architecture, args });
            }
        }
    }
    calls
}

fn means_what_it_says(native: Arch, profile: &LinuxSeccomp) -> Result<(), TestCaseError> {
    let filter = match compile_for(native, profile, &Options::default()) {
        Ok(filter) => filter,
        // A few generated profiles are too large for the kernel.
        Err(Error::TooLong(instructions)) if instructions > MAX_INSTRUCTIONS => return Ok(()),
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    };
    interpreter::check(&filter.instructions).map_err(TestCaseError::fail)?;
    let plains = plains(profile);
    for call in calls(&plains) {
        let (verdict, _) = interpreter::run(&filter.instructions, &call);
        let expected = plain::verdict(profile, native, &plains, &call);
        prop_assert!(verdict == expected, "{call:x?}: {verdict:#x}, the profile says {expected:#x}");
    }
    Ok(())
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(2000, |cases| cases.parse().unwrap())
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) })
}

#[test]
fn the_profiles_of_engines_mean_what_they_say() {
    for mut profile in [profiles::docker(), profiles::podman()] {
        for native in [Arch::ScmpArchX86_64, Arch::ScmpArchAarch64] {
            means_what_it_says(native, &profile).unwrap();
        }
        profile.architectures = vec![Arch::ScmpArchAarch64, Arch::ScmpArchArm];
        for native in [Arch::ScmpArchX86_64, Arch::ScmpArchAarch64] {
            means_what_it_says(native, &profile).unwrap();
        }
    }
}

#[test]
fn generated_profiles_mean_what_they_say() {
    for native in [Arch::ScmpArchX86_64, Arch::ScmpArchAarch64] {
        let profiles = profiles::profile(native, 25, 3);
        runner(cases() / 2).run(&profiles, |profile| means_what_it_says(native, &profile)).unwrap();
    }
}

/// Where our program and libseccomp's differ, and why, if that is known.
fn differences(profile: &LinuxSeccomp, theirs: &libseccomp::Compiled) -> Vec<(Option<&'static str>, String)> {
    let profile = libseccomp::without(profile, &theirs.unknown);
    let filter = compile(Arch::ScmpArchX86_64, &profile);
    let plains = plains(&profile);
    let mut differences = Vec::new();
    for call in calls(&plains) {
        let (ours, _) = interpreter::run(&filter.instructions, &call);
        let plain = plain::architecture(&profile, Arch::ScmpArchX86_64, &call)
            .and_then(|arch| plains.iter().find(|(of, _)| *of == arch));
        let newer = plain.is_some_and(|(_, plain)| plain.newer(call.number));
        let theirs = if newer { plain::ENOSYS } else { interpreter::run(&theirs.program, &call).0 };
        if ours != theirs {
            let excuse = plain.and_then(|(_, plain)| plain.excuse(&call));
            differences.push((excuse, format!("{call:x?}: {ours:#x}, libseccomp {theirs:#x}")));
        }
    }
    differences
}

#[test]
fn the_profiles_of_engines_mean_what_libseccomp_makes_of_them() {
    let Some(mut libseccomp) = libseccomp::Libseccomp::start() else { return };
    for profile in [profiles::docker(), profiles::podman()] {
        let theirs = libseccomp.compile(&profile, 2).unwrap();
        assert_eq!(differences(&profile, &theirs), Vec::new());
    }
}

#[test]
fn generated_profiles_mean_what_libseccomp_makes_of_them() {
    let Some(libseccomp) = libseccomp::Libseccomp::start() else { return };
    let libseccomp = RefCell::new(libseccomp);
    let tally = RefCell::new(BTreeMap::<&str, u32>::new());
    let count = |what| *tally.borrow_mut().entry(what).or_default() += 1;
    let profiles = profiles::profile(Arch::ScmpArchX86_64, 8, 3);
    let result = runner(cases() / 4).run(&profiles, |profile| {
        let theirs = match libseccomp.borrow_mut().compile(&profile, 2) {
            Ok(theirs) => theirs,
            Err(error) if error == i64::from(libc::ETIME) => {
                count("profiles that libseccomp does not come to an end with");
                return Ok(());
            }
            Err(error) => {
                // Rules with the same conditions and different actions: we take the first.
                prop_assert_eq!(error, i64::from(libc::EEXIST));
                count("profiles that libseccomp refuses");
                return Ok(());
            }
        };
        count("profiles compared");
        let differences = differences(&profile, &theirs);
        let unexplained = differences.iter().find(|(excuse, _)| excuse.is_none());
        prop_assert!(unexplained.is_none(), "{unexplained:?}");
        let excuses: BTreeSet<_> = differences.iter().filter_map(|(excuse, _)| *excuse).collect();
        excuses.into_iter().for_each(count);
        Ok(())
    });
    println!("against libseccomp: {:?}", tally.borrow());
    result.unwrap();
}

/// A thread of its own, so that no other test is under the filter.
#[test]
fn the_kernel_takes_the_filters_and_obeys_them() {
    let architecture = if cfg!(target_arch = "x86_64") { plain::X86_64 } else { plain::AARCH64 };
    let number = libc::SYS_umount2.try_into().unwrap();
    for profile in [profiles::docker(), profiles::podman()] {
        let filter = compile(Arch::ScmpArchNative, &profile);
        let umount2 = Call { number, architecture, args: [0; 6] };
        let expected = match interpreter::run(&filter.instructions, &umount2).0 {
            0x7fff_0000 => Errno::ENOENT,
            verdict => Errno::from_raw(i32::try_from(verdict - 0x0005_0000).unwrap()),
        };
        let thread = std::thread::spawn(move || {
            let umount = || nix::mount::umount("/no/such/mount").unwrap_err();
            assert_eq!(umount(), Errno::ENOENT);
            seccompiler::apply_filter(&cost::kernels(&filter.instructions)).unwrap();
            assert_eq!(umount(), expected);
            assert!(std::fs::read("/proc/self/stat").is_ok());
        });
        thread.join().unwrap();
    }
}
