//! Time offsets, config-linux.md "Time offsets" and time_namespaces(7).

use crate::plan::{Place, Program, text};
use corten_init::step::Step;
use oci_spec::runtime::Spec;

/// Plans the write of the clocks' offsets, which only a process outside the new namespace, but about to have children in
/// it, may make.
pub(crate) fn plan(spec: &Spec, program: &mut Program) {
    let Some(offsets) = spec.linux().as_ref().and_then(|linux| linux.time_offsets().as_ref()) else { return };
    let mut sorted: Vec<_> = offsets.iter().collect();
    sorted.sort_unstable_by_key(|(clock, _)| clock.as_str());
    let line = |(clock, offset): (&String, &oci_spec::runtime::LinuxTimeOffset)| {
        format!("{clock} {} {}\n", offset.secs().unwrap_or(0), offset.nanosecs().unwrap_or(0))
    };
    let lines: String = sorted.into_iter().map(line).collect();
    if !lines.is_empty() {
        program.step(Place::Property("linux.timeOffsets"), &Step::TimeOffsets { text: text(&lines) });
    }
}
