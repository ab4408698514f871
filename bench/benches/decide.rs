//! What a runtime decides before it makes anything: configurations read and planned, filters compiled. No privilege is needed.

use bench::{Bundle, Kind};
use divan::{Bencher, black_box};
use runtime_core::{
    ContainerBuilder,
    seccomp::{self, Options},
    spec::Spec,
};
use std::fs;

fn main() {
    divan::main();
}

const KINDS: [Kind; 3] = [Kind::Default, Kind::Docker, Kind::Mounts(200)];

fn bundle(kind: Kind) -> Bundle {
    let bundle = Bundle::new(&format!("decide-{}", kind.name().replace(':', "-")), kind).unwrap();
    bundle.process(&["/bin/true"]).unwrap();
    bundle
}

/// config.json read and checked, the filter compiled, the init program's steps laid out.
#[divan::bench(args = KINDS)]
fn parse_and_plan(bencher: Bencher<'_, '_>, kind: Kind) {
    let bundle = bundle(kind);
    bencher.bench(|| ContainerBuilder::new("bench").bundle(black_box(bundle.dir())).plan().unwrap());
}

/// Of it the JSON alone.
#[divan::bench(args = KINDS)]
fn parse(bencher: Bencher<'_, '_>, kind: Kind) {
    let text = fs::read(bundle(kind).file("config.json")).unwrap();
    bencher.bench(|| serde_json::from_slice::<Spec>(black_box(&text)).unwrap());
}

/// Docker's profile as a filter program.
#[divan::bench]
fn compile_filter(bencher: Bencher<'_, '_>) {
    let text = fs::read(bundle(Kind::Docker).file("config.json")).unwrap();
    let spec: Spec = serde_json::from_slice(&text).unwrap();
    let profile = spec.linux.as_ref().and_then(|linux| linux.seccomp.clone()).unwrap();
    bencher.bench(|| seccomp::compile(black_box(&profile), &Options::default()).unwrap());
}
