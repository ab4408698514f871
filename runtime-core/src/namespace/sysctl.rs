//! Kernel parameters, config-linux.md "Sysctl".

use crate::{
    config,
    plan::{Place, Program, text},
    spec::Spec,
};
use corten_init::step::Step;

/// Plans a write for each parameter, in the order of their names. That each belongs to a namespace of the container has
/// been validated.
pub(crate) fn plan(spec: &Spec, program: &mut Program) {
    let Some(sysctl) = spec.linux.as_ref().map(|linux| &linux.sysctl) else { return };
    for (key, value) in sysctl {
        let path = format!("sys/{}", config::sysctl_path(key));
        program
            .step(Place::Property("linux.sysctl"), &Step::Sysctl { path: text(&path), value: text(value) });
    }
}
