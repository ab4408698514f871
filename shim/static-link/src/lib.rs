//! Links a package's programs statically and at a fixed address, from its build script.
//!
//! `-C target-feature=+crt-static` would do the same, but for glibc Cargo takes it with an explicit `--target` only,
//! which moves the programs out of `target/release`, and `cargo run` has none. What it changes is the linker's arguments; they are given here.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    path::PathBuf,
    process::Command,
};

/// Has what the package whose build script this is makes of a `kind`, "bins" or "examples", linked statically, and answers with the
/// target's C compiler. None where there is nothing to be done, as musl is static as it is, or where the compiler knows no C library
/// of the target.
///
/// # Errors
/// `OUT_DIR` cannot be written, or the compiler cannot be run.
pub fn link(kind: &str) -> io::Result<Option<OsString>> {
    let Some(compiler) = compiler().filter(|_| env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu"))
    else {
        return Ok(None);
    };
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| io::Error::other("no OUT_DIR"))?;
    // The standard library names shared libraries: in the first folder that is searched they are the static ones.
    // libgcc_s has no static form; the same symbols are in libgcc_eh.
    for library in ["c", "m", "rt", "pthread", "dl", "util", "gcc_eh", "gcc"] {
        let archive = archive(&compiler, &format!("lib{library}.a"))?;
        fs::write(out.join(format!("lib{library}.a")), format!("GROUP ( {archive} )\n"))?;
    }
    fs::write(out.join("libgcc_s.a"), "GROUP ( -lgcc_eh -lgcc -lc )\n")?;
    for argument in [&format!("-L{}", out.display()), "-static", "-no-pie"] {
        println!("cargo::rustc-link-arg-{kind}={argument}");
    }
    Ok(Some(compiler))
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
fn archive(compiler: &OsStr, name: &str) -> io::Result<String> {
    let output = Command::new(compiler).arg(format!("-print-file-name={name}")).output()?;
    let path = String::from_utf8(output.stdout).map_err(io::Error::other)?;
    Ok(path.trim().to_owned())
}
