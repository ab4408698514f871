//! Kernel parameters, config-linux.md "Sysctl".

use crate::{
    config,
    plan::{Place, Program, text},
};
use corten_init::step::Step;
use oci_spec::runtime::Spec;

/// Plans a write for each parameter, in the order of their names. That each belongs to a namespace of the container has
/// been validated.
pub(crate) fn plan(spec: &Spec, program: &mut Program) {
    let Some(sysctl) = spec.linux().as_ref().and_then(|linux| linux.sysctl().as_ref()) else { return };
    let mut sorted: Vec<_> = sysctl.iter().collect();
    sorted.sort_unstable();
    for (key, value) in sorted {
        let path = format!("sys/{}", config::sysctl_path(key));
        program
            .step(Place::Property("linux.sysctl"), &Step::Sysctl { path: text(&path), value: text(value) });
    }
}
