//! The kernel's own record of the system calls of a process and all that it forks: the tracepoints `raw_syscalls`, in a trace instance
//! of our own. Nothing stops for it, unlike under ptrace(2).

use crate::Result;
use nix::{
    mount::{MsFlags, mount},
    unistd::gettid,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const AT: &str = "/sys/kernel/tracing";

/// The begin or the end of a system call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// Whose.
    pub pid: i32,
    /// When, in microseconds of the monotonic clock.
    pub at: f64,
    /// Which call.
    pub number: i64,
    /// Its answer, at its end.
    pub answer: Option<i64>,
}

/// A trace instance; removed when it is dropped.
#[derive(Debug)]
pub struct Trace(PathBuf);

impl Trace {
    /// Records the calling thread and, from now on, its children.
    ///
    /// # Errors
    /// If the kernel or the caller's rights do not allow it.
    pub fn new() -> Result<Self> {
        if !Path::new(AT).join("instances").exists() {
            mount(Some("none"), AT, Some("tracefs"), MsFlags::empty(), None::<&str>)
                .map_err(|errno| format!("mount tracefs: {}", errno.desc()))?;
        }
        let pid = gettid();
        let dir = Path::new(AT).join("instances").join(format!("corten-bench-{pid}"));
        fs::create_dir(&dir).map_err(|error| format!("make a trace instance: {error}"))?;
        let trace = Self(dir);
        trace.put("trace_clock", "mono")?;
        trace.put("buffer_size_kb", "4096")?;
        trace.put("options/event-fork", "1")?;
        trace.put("set_event_pid", &pid.to_string())?;
        trace.put("events/raw_syscalls/enable", "1")?;
        Ok(trace)
    }

    fn put(&self, file: &str, text: &str) -> Result<()> {
        fs::write(self.0.join(file), text).map_err(|error| format!("write {file} of tracefs: {error}"))
    }

    /// Switches the record on or off.
    ///
    /// # Errors
    /// What the system answered.
    pub fn on(&self, yes: bool) -> Result<()> {
        self.put("events/raw_syscalls/enable", if yes { "1" } else { "0" })
    }

    /// What was recorded since the last time, in the order of time.
    ///
    /// # Errors
    /// What the system answered.
    pub fn take(&self) -> Result<Vec<Event>> {
        let text = fs::read(self.0.join("trace")).map_err(|error| format!("read the trace: {error}"))?;
        self.put("trace", "")?;
        Ok(String::from_utf8_lossy(&text).lines().filter_map(event).collect())
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = self.on(false);
        let _ = fs::remove_dir(&self.0);
    }
}

/// A line as `corten-77 [001] ..... 5.250001: sys_enter: NR 257 (...)`, or `sys_exit: NR 257 = 3`.
fn event(line: &str) -> Option<Event> {
    let (left, right) = line.split_once(": sys_")?;
    let (task, rest) = left.rsplit_once(" [")?;
    let pid = task.trim_end().rsplit_once('-')?.1.parse().ok()?;
    let seconds: f64 = rest.rsplit(' ').next()?.parse().ok()?;
    let (turn, call) = right.split_once(": NR ")?;
    let (number, rest) = call.split_once(' ')?;
    let answer = match turn {
        "exit" => Some(rest.strip_prefix("= ")?.parse().ok()?),
        _ => None,
    };
    Some(Event { pid, at: seconds * 1e6, number: number.parse().ok()?, answer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_trace_are_read() {
        let enter =
            "  a [b] c-d-1234    [001] .....   17.500000: sys_enter: NR 257 (ffffff9c, 7ffd, 0, 0, 0, 0)";
        let exit = "     corten-1234    [000] .....   17.500002: sys_exit: NR 257 = -2";
        assert_eq!(event(enter), Some(Event { pid: 1234, at: 17_500_000.0, number: 257, answer: None }));
        assert_eq!(event(exit).unwrap().answer, Some(-2));
        assert_eq!(event("# tracer: nop"), None);
        assert_eq!(event("CPU:1 [LOST 20 EVENTS]"), None);
    }
}
