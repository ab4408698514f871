//! `process.capabilities`: the five sets of capabilities(7).

use crate::{
    Error, Result,
    guards::{self, Guard},
    plan::{Place, Program},
    spec::{Capability, Process},
    sys::process,
};
use corten_init::step::Step;

const PLACE: Place = Place::Property("process.capabilities");
/// What seccomp(2) asks of a process without no_new_privs.
const SYS_ADMIN: u64 = 1 << 21;

/// The sets as the kernel takes them, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sets {
    bounding: u64,
    effective: u64,
    permitted: u64,
    inheritable: u64,
    ambient: u64,
}

impl Sets {
    /// The sets of a process. Without `process.capabilities` it has none, as the specification's default. What the host
    /// cannot give is left out with a warning, unless a user namespace of the container's own gives all.
    pub(crate) fn of(process: &Process, own_user_namespace: bool) -> Result<Self> {
        let Some(wanted) = &process.capabilities else { return Ok(Self::default()) };
        let possible = match own_user_namespace {
            true => u64::MAX,
            false => process::permitted_capabilities()
                .map_err(|error| Error::io("read the own capabilities", error))?,
        };
        let set = |name: &str, set: &[Capability]| {
            let asked = bits(set);
            if asked & !possible != 0 {
                log::warn!("process.capabilities.{name}: {} cannot be given here", names(asked & !possible));
            }
            asked & possible
        };
        let permitted = set("permitted", &wanted.permitted);
        let inheritable = match guards::on(Guard::Inheritable) {
            true => set("inheritable", &wanted.inheritable),
            false => set("bounding", &wanted.bounding),
        };
        Ok(Self {
            bounding: set("bounding", &wanted.bounding),
            effective: set("effective", &wanted.effective) & permitted,
            permitted,
            inheritable,
            // The kernel refuses an ambient capability that is not permitted and inheritable.
            ambient: set("ambient", &wanted.ambient) & permitted & inheritable,
        })
    }

    /// Plans the end of the bounding set, which needs CAP_SETPCAP and so comes before the change of user.
    pub(crate) fn plan_bounding(&self, program: &mut Program) {
        program.step(PLACE, &Step::Bounding { keep: self.bounding });
    }

    /// Plans the other sets. With `keep_admin` the process keeps CAP_SYS_ADMIN until [`Sets::plan_last`]: it installs a
    /// filter without no_new_privs.
    pub(crate) fn plan(&self, program: &mut Program, keep_admin: bool) {
        let kept = if keep_admin { SYS_ADMIN } else { 0 };
        let Self { effective, permitted, inheritable, ambient, .. } = *self;
        let step = Step::Capabilities {
            effective: effective | kept,
            permitted: permitted | kept,
            inheritable,
            ambient,
        };
        program.step(PLACE, &step);
    }

    /// Plans the end of what [`Sets::plan`] kept.
    pub(crate) fn plan_last(&self, program: &mut Program) {
        let Self { effective, permitted, inheritable, .. } = *self;
        if permitted & SYS_ADMIN == 0 || effective & SYS_ADMIN == 0 {
            program.step(PLACE, &Step::DropCapabilities { effective, permitted, inheritable });
        }
    }
}

fn bits(set: &[Capability]) -> u64 {
    set.iter().fold(0, |bits, capability| bits | 1 << capability.number())
}

fn names(set: u64) -> String {
    let has = |capability: &&Capability| set & (1 << capability.number()) != 0;
    let names: Vec<_> = Capability::ALL.iter().filter(has).map(|capability| capability.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_the_property_has_none() {
        let process = Process::default();
        assert_eq!(Sets::of(&process, false).unwrap(), Sets::default());
    }
}
