//! HOME: a process whose environment lacks it gets what its user has in the container's own passwd(5), as engines expect. It
//! is looked up by the process itself, in the container as it is then.

use super::program::environment;
use crate::{
    plan::{Place, Program},
    spec::Process,
};
use corten_init::step::Step;

/// Plans the search, unless the process, or what the runtime adds to its environment, has the variable.
pub(crate) fn plan(process: &Process, extra: &[String], program: &mut Program) {
    let set = environment(process, extra).iter().any(|variable| variable.starts_with("HOME="));
    if !set {
        program.step(Place::Property("process.env"), &Step::Home { uid: process.user.uid });
    }
}
