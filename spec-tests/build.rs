//! Links the suite statically: its own binary is the program that runs inside the containers, whose images are empty.
//! Nothing has to be downloaded, and nothing of the host is in them.
//!
//! `-C target-feature=+crt-static` would do the same, but for glibc Cargo takes it with an explicit `--target` only,
//! which moves the binaries out of `target/release`. What it changes is the linker's arguments; they are given here.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::PathBuf,
    process::Command,
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
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
