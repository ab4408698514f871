//! Runs a program and all that it forks under ptrace(2): tells which system calls they make, and breaks one of them.

pub mod calls;
mod steps;
mod sys;
mod tracer;

pub use steps::step;
pub use sys::{Call, Tick};
pub use tracer::{Ending, Point, Seen, Traced, Tracer};
