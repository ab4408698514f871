//! Links the examples statically: the quickstart's own binary is the program inside its container, whose image is
//! otherwise empty.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    corten_static_link::link("examples").expect("the C compiler can be run");
}
