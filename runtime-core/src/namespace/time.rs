//! Time offsets, config-linux.md "Time offsets" and time_namespaces(7).

use crate::{
    plan::{Place, Program, text},
    spec::{LinuxTimeOffset, Spec},
};
use corten_init::step::Step;

/// Plans the write of the clocks' offsets, which only a process outside the new namespace, but about to have children in
/// it, may make.
pub(crate) fn plan(spec: &Spec, program: &mut Program) {
    let Some(offsets) = spec.linux.as_ref().map(|linux| &linux.time_offsets) else { return };
    let line = |(clock, offset): (&String, &LinuxTimeOffset)| {
        format!("{clock} {} {}\n", offset.secs, offset.nanosecs)
    };
    let lines: String = offsets.iter().map(line).collect();
    if !lines.is_empty() {
        program.step(Place::Property("linux.timeOffsets"), &Step::TimeOffsets { text: text(&lines) });
    }
}
