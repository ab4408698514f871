//! Mutated input for all that reads bytes that others wrote. `cargo run --release -p corten-fuzz -- all --seconds 60` tries it
//! for a while; the tests try a little of it each time. An input that ends in a panic is left in a file.

mod mutate;
mod task_service;

pub use mutate::{Mutator, seeds};

use std::path::PathBuf;

/// A target: its name, the corpus that its inputs are made from, and what is done with one.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// What inputs are made from.
    pub corpus: Corpus,
    /// Takes one input; a panic is a fault.
    pub run: fn(&[u8]),
}

/// What inputs are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corpus {
    /// Whole configurations.
    Configurations,
    /// A part of each, by its JSON pointer.
    Part(&'static str),
    /// A state.json.
    States,
    /// Files of the kernel.
    HostFiles,
    /// Frames of containerd's task service.
    Conversations,
    /// What is in such frames.
    Messages,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "config", corpus: Corpus::Configurations, run: runtime_core::fuzzing::config },
    Target { name: "plan", corpus: Corpus::Configurations, run: plan },
    Target { name: "process", corpus: Corpus::Part("/process"), run: runtime_core::fuzzing::process },
    Target {
        name: "resources",
        corpus: Corpus::Part("/linux/resources"),
        run: runtime_core::fuzzing::resources,
    },
    Target { name: "profile", corpus: Corpus::Part("/linux/seccomp"), run: runtime_core::fuzzing::profile },
    Target { name: "state", corpus: Corpus::States, run: runtime_core::fuzzing::state },
    Target { name: "host-files", corpus: Corpus::HostFiles, run: runtime_core::fuzzing::host_files },
    Target { name: "frames", corpus: Corpus::Conversations, run: task_service::frames },
    Target { name: "messages", corpus: Corpus::Messages, run: task_service::messages },
];

/// A bundle whose root exists: the folder for temporary files.
fn plan(bytes: &[u8]) {
    let bundle: PathBuf = std::env::temp_dir();
    runtime_core::fuzzing::plan(bytes, &bundle);
}

/// Tries `target` with inputs that `seed` decides until `go_on` says no: how many there were.
pub fn fuzz(target: &Target, seed: u64, mut go_on: impl FnMut(u64) -> bool) -> u64 {
    let mut mutator = Mutator::new(seeds(target.corpus), seed);
    let mut count = 0;
    while go_on(count) {
        (target.run)(&mutator.input());
        count += 1;
    }
    count
}
