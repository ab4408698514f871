//! Links the suite statically: its own binary is the program that runs inside the containers, whose images are empty.
//! Nothing has to be downloaded, and nothing of the host is in them.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    corten_static_link::link("bins").expect("the C compiler can be run");
}
