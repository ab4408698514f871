//! What reads bytes that others wrote, for the package `fuzz`: each function takes any bytes and must not panic. Not a part of
//! the library's face; only there with the feature `fuzzing`.

use crate::{
    ContainerBuilder, cgroup, config, container, fs::passwd, load_resources, parse_process, seccomp,
};
use std::path::Path;

/// config.json: parsed, repaired, validated, and its filter built.
pub fn config(bytes: &[u8]) {
    let Ok(spec) = config::parse(bytes, Path::new("config.json")) else { return };
    let _ = config::validate(&spec);
    let linux = spec.linux.as_ref();
    if let Some(profile) = linux.and_then(|linux| linux.seccomp.as_ref()) {
        let _ = seccomp::compile(profile, &seccomp::Options::default());
    }
    if let Some(resources) = linux.and_then(|linux| linux.resources.as_ref()) {
        cgroup::read_by_others(resources);
    }
}

/// config.json up to the plan of the first process in `bundle`; nothing is made.
pub fn plan(bytes: &[u8], bundle: &Path) {
    let Ok(spec) = config::parse(bytes, Path::new("config.json")) else { return };
    if let Ok(plan) = ContainerBuilder::new("fuzzed").bundle(bundle).spec(spec).plan() {
        let _ = plan.to_string();
    }
}

/// process.json, as exec takes it.
pub fn process(bytes: &[u8]) {
    if let Ok(process) = parse_process(bytes, Path::new("process.json")) {
        let _ = config::validate_process(&process, "process");
    }
}

/// resources.json, as update takes it.
pub fn resources(bytes: &[u8]) {
    if let Ok(resources) = load_resources(bytes, Path::new("resources.json")) {
        cgroup::read_by_others(&resources);
    }
}

/// state.json.
pub fn state(bytes: &[u8]) {
    container::parse_record(bytes);
}

/// A seccomp profile: `linux.seccomp` alone.
pub fn profile(bytes: &[u8]) {
    let Ok(profile) = serde_json::from_slice(bytes) else { return };
    let options = seccomp::Options::default();
    if let Ok(filter) = seccomp::compile(&profile, &options) {
        let _ = filter.to_bytes();
    }
    let _ = seccomp::listener(&profile, &options);
}

/// /proc/PID/mountinfo, /proc/PID/cgroup, the files of controllers, and passwd.
pub fn host_files(bytes: &[u8]) {
    cgroup::files_of_others(bytes);
    let _ = passwd::name_of(bytes, 1000);
}
