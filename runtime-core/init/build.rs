//! Builds `src/program.rs`, the init program, for the target and leaves it in `OUT_DIR` for the library to embed.
//!
//! It is no Cargo binary since a library cannot depend on one; it needs `core` and nothing else, so one call
//! of rustc does it. The program links no libc and no allocator: allocating is not forbidden, it is impossible.

use std::{env, path::PathBuf, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("corten-init");
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let mut command = Command::new(rustc);
    command
        .args(["--edition", "2024", "--crate-name", "corten_init_program", "--crate-type", "bin"])
        .args([
            "--target",
            &target,
            "-C",
            "panic=abort",
            "-C",
            "opt-level=s",
            "-C",
            "relocation-model=static",
        ])
        .args([
            "-C",
            "strip=symbols",
            "-C",
            "force-unwind-tables=no",
            "-C",
            "lto=fat",
            "-C",
            "codegen-units=1",
        ])
        .args(["-C", "link-arg=-nostdlib", "-C", "link-arg=-nostartfiles", "-C", "link-arg=-static"])
        .args(["-C", "link-arg=-Wl,--build-id=none,-z,norelro,-z,noseparate-code,--gc-sections"])
        .args(["-A", "dead_code", "-o"])
        .arg(&out)
        .arg("src/program.rs");
    if env::var_os("CARGO_FEATURE_UNGUARDED").is_some() {
        command.args(["--cfg", "feature=\"unguarded\""]);
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut arg = std::ffi::OsString::from("linker=");
        arg.push(linker);
        command.arg("-C").arg(arg);
    }
    let status = command.status().expect("rustc could not be run");
    assert!(status.success(), "the init program did not compile");
}
