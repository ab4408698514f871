//! Links the program statically and at a fixed address: the floor is this program too, and its start is to cost little.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    corten_static_link::link("bins").expect("the C compiler can be run");
}
