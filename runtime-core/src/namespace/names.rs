//! The host name and domain name, config.md "Hostname" and "Domainname".

use crate::{
    plan::{Place, Program, text},
    spec::Spec,
};
use corten_init::step::Step;

/// Plans sethostname(2) and setdomainname(2). That a uts namespace is there has been validated.
pub(crate) fn plan(spec: &Spec, program: &mut Program) {
    if let Some(name) = spec.hostname.as_deref().filter(|name| !name.is_empty()) {
        program.step(Place::Property("hostname"), &Step::Hostname { name: text(name) });
    }
    if let Some(name) = spec.domainname.as_deref().filter(|name| !name.is_empty()) {
        program.step(Place::Property("domainname"), &Step::Domainname { name: text(name) });
    }
}
