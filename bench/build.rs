//! Links the program statically and at a fixed address: the floor is this program too, and its start is to cost little.
//!
//! `-C target-feature=+crt-static` would do the same, but for glibc Cargo takes it with an explicit `--target` only,
//! which moves the binaries out of `target/release`. What it changes is the linker's arguments; they are given here.

use std::{env, fs, path::PathBuf, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_ENV").as_deref() != Ok("gnu") || env::var("HOST") != env::var("TARGET") {
        return; // musl is static as it is; a cross build takes crt-static, it has a --target anyway
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // The standard library names shared libraries: in the first folder that is searched they are the static ones.
    // libgcc_s has no static form; the same symbols are in libgcc_eh.
    for library in ["c", "m", "rt", "pthread", "dl", "util", "gcc_eh", "gcc"] {
        let archive = archive(&format!("lib{library}.a"));
        fs::write(out.join(format!("lib{library}.a")), format!("GROUP ( {archive} )\n"))
            .expect("OUT_DIR can be written");
    }
    fs::write(out.join("libgcc_s.a"), "GROUP ( -lgcc_eh -lgcc -lc )\n").expect("OUT_DIR can be written");
    for argument in [&format!("-L{}", out.display()), "-static", "-no-pie"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}

/// Where the C compiler finds the static library `name`.
fn archive(name: &str) -> String {
    let output = Command::new("cc").arg(format!("-print-file-name={name}")).output().expect("cc can be run");
    String::from_utf8(output.stdout).expect("a path in UTF-8").trim().to_owned()
}
