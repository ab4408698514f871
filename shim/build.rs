//! Links the binaries statically and at a fixed address: it halves their start-up time, and nothing of the host or of a
//! container's image is loaded into them.
//!
//! `-C target-feature=+crt-static` would do the same, but for glibc Cargo takes it with an explicit `--target` only,
//! which moves the binaries out of `target/release`. What it changes is the linker's arguments; they are given here.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    ops::RangeInclusive,
    path::PathBuf,
    process::Command,
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(lean_c_library)");
    let Some(compiler) = compiler().filter(|_| env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu"))
    else {
        return; // musl is static as it is
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // The standard library names shared libraries: in the first folder that is searched they are the static ones.
    // libgcc_s has no static form; the same symbols are in libgcc_eh.
    for library in ["c", "m", "rt", "pthread", "dl", "util", "gcc_eh", "gcc"] {
        let archive = archive(&compiler, &format!("lib{library}.a"));
        fs::write(out.join(format!("lib{library}.a")), format!("GROUP ( {archive} )\n"))
            .expect("OUT_DIR can be written");
    }
    fs::write(out.join("libgcc_s.a"), "GROUP ( -lgcc_eh -lgcc -lc )\n").expect("OUT_DIR can be written");
    for argument in [&format!("-L{}", out.display()), "-static", "-no-pie"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    // What rustc's own linker, its default on x86_64, can do beside that for a small program.
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if release && env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64") {
        let script = manifest_dir().join("discard.ld");
        println!("cargo::rerun-if-changed=discard.ld");
        for argument in ["--icf=all", "--no-eh-frame-hdr", &format!("-T,{}", script.display())] {
            println!("cargo::rustc-link-arg-bins=-Wl,{argument}");
        }
    }
    println!("cargo::rerun-if-env-changed=CORTEN_WHOLE_LIBC");
    if release && env::var_os("CORTEN_WHOLE_LIBC").is_none() && LEAN.contains(&glibc(&compiler)) {
        let script = manifest_dir().join("lean.ld");
        println!("cargo::rerun-if-changed=lean.ld");
        println!("cargo::rustc-cfg=lean_c_library");
        // What is given twice is taken from the program, whatever else of the C library's file is wanted.
        println!("cargo::rustc-link-arg-bin=corten=-Wl,-z,muldefs");
        println!("cargo::rustc-link-arg-bin=corten={}", script.display());
    }
}

/// The versions of glibc, 2.x, that src/corten/sys/c_library.rs was tried with.
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

fn manifest_dir() -> PathBuf {
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"))
}

/// The target's C compiler: in a cross build what Cargo was given to link with. None where that knows no C library.
fn compiler() -> Option<OsString> {
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    if env::var("HOST") == env::var("TARGET") {
        return Some("cc".into());
    }
    let linker = env::var_os("RUSTC_LINKER")?;
    let found = Command::new(&linker).arg("-print-file-name=libc.a").output().ok()?;
    found.stdout.starts_with(b"/").then_some(linker)
}

/// Where the C compiler finds the static library `name`.
fn archive(compiler: &OsStr, name: &str) -> String {
    let output = Command::new(compiler)
        .arg(format!("-print-file-name={name}"))
        .output()
        .expect("the C compiler can be run");
    String::from_utf8(output.stdout).expect("a path in UTF-8").trim().to_owned()
}
