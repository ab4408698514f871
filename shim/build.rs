//! Links the binaries statically and at a fixed address: it halves their start-up time, and nothing of the host or of a
//! container's image is loaded into them.

use std::{env, ffi::OsStr, ops::RangeInclusive, path::PathBuf, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(lean_c_library)");
    let Some(compiler) = corten_static_link::link("bins").expect("the C compiler can be run") else { return };
    // What rustc's own linker, its default on x86_64, can do beside that for a small program.
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let x86_64 = env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64");
    if release && x86_64 {
        for argument in ["--icf=all", "--no-eh-frame-hdr", &format!("-T,{}", script("discard.ld"))] {
            println!("cargo::rustc-link-arg-bins=-Wl,{argument}");
        }
        println!("cargo::rustc-link-arg-bin=corten=-Wl,-T,{}", script("hot.ld"));
    }
    println!("cargo::rerun-if-env-changed=CORTEN_WHOLE_LIBC");
    if release && env::var_os("CORTEN_WHOLE_LIBC").is_none() && LEAN.contains(&glibc(&compiler)) {
        println!("cargo::rustc-cfg=lean_c_library");
        // What is given twice is taken from the program, whatever else of the C library's file is wanted.
        println!("cargo::rustc-link-arg-bin=corten=-Wl,-z,muldefs");
        println!("cargo::rustc-link-arg-bin=corten={}", script("lean.ld"));
        if x86_64 {
            println!("cargo::rustc-link-arg-bin=corten={}", script("start.ld"));
        }
    }
}

/// The versions of glibc, 2.x, that c_library.rs and start.rs in src/corten/sys were tried with.
const LEAN: RangeInclusive<u32> = 36..=43;

/// The x of the C library's version 2.x; 0 where the compiler cannot say.
fn glibc(compiler: &OsStr) -> u32 {
    let arguments = ["-E", "-dM", "-include", "features.h", "-x", "c", "/dev/null"];
    let macros =
        Command::new(compiler).args(arguments).output().map(|output| output.stdout).unwrap_or_default();
    let macros = String::from_utf8_lossy(&macros);
    let minor = macros.lines().find_map(|line| line.strip_prefix("#define __GLIBC_MINOR__ "));
    minor.and_then(|minor| minor.trim().parse().ok()).unwrap_or_default()
}

/// The path of one of this package's scripts for the linker.
fn script(name: &str) -> String {
    println!("cargo::rerun-if-changed={name}");
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join(name).display().to_string()
}
