//! What a runtime costs: its time and processor time beside other runtimes' and the bare system calls', and the system calls that
//! it makes. docs/performance.md tells how to measure and what was measured.

pub mod all;
pub mod bundle;
pub mod call;
pub mod calls;
pub mod chart;
pub mod compare;
pub mod floor;
pub mod ftrace;
pub mod host;
pub mod order;
pub mod phases;
pub mod scale;
mod sys;
pub mod syscalls;
pub mod work;

pub use bundle::{Bundle, Kind};
pub use host::View;

/// What went wrong, in words.
pub type Result<T> = std::result::Result<T, String>;
