//! Where the time of one `run` goes: cut at system calls that stand for a phase, as the kernel's trace tells them.

use crate::{
    Kind, Result,
    calls::{self, Spent, Sums},
    compare::quantile,
    ftrace::{Event, Trace},
    host::View,
    work::{self, Job, Work},
};
use nix::unistd::gettid;
use serde::Serialize;
use std::path::Path;

/// A part of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Whether it is the work of the container's first process, beside the runtime's own.
    pub inside: bool,
    /// When it begins, in microseconds from the start of the runtime's process: after those before it.
    pub begins_us: f64,
    /// How long it takes; the median of all rounds.
    pub takes_us: f64,
}

/// A runtime's phases.
#[derive(Clone, Debug, Serialize)]
pub struct Phases {
    /// The runtime's name.
    pub runtime: String,
    /// One after the other, the runtime's own first.
    pub phases: Vec<Phase>,
    /// From the start of the runtime's process to its end, in microseconds.
    pub total_us: f64,
    /// The system calls that the time is spent in, the dearest first.
    pub calls: Vec<Spent>,
    /// How many times longer a run takes because of the trace: the median of rounds with and without.
    pub distortion: f64,
}

/// Where a phase ends, and the next one of the same process begins.
struct Cut {
    /// What comes before it.
    name: &'static str,
    /// The call.
    calls: &'static [i64],
    /// The end of the call, not its begin.
    end: bool,
    /// The last one of its kind, not the first.
    last: bool,
    /// Only where there is another one after it.
    followed: bool,
}

const fn cut(name: &'static str, calls: &'static [i64], end: bool, last: bool) -> Cut {
    Cut { name, calls, end, last, followed: false }
}

const MKDIR: &[i64] = &[
    libc::SYS_mkdirat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
];
const EXEC: &[i64] = &[libc::SYS_execve];

/// The runtime's process. A cut that does not come is left out.
const OUTSIDE: &[Cut] = &[
    cut("exec of the runtime", EXEC, true, false),
    cut("its start", &[libc::SYS_openat], false, false),
    cut("parse, check", MKDIR, false, false),
    cut("record, cgroup, plan", &[libc::SYS_memfd_create], false, false),
    cut("init program", &[libc::SYS_clone3], false, false),
    cut("clone", &[libc::SYS_clone3], true, false),
    cut("beside: limits, record", &[libc::SYS_recvmsg], false, false),
    cut("waiting", &[libc::SYS_waitid, libc::SYS_wait4], true, false),
    cut("delete", &[libc::SYS_exit_group], false, true),
];

/// The container's first process.
const INSIDE: &[Cut] = &[
    // The end of an execveat is told as that of an execve. The floor's child has its image already.
    Cut { followed: true, ..cut("to the init program", EXEC, true, false) },
    cut("mounts, devices", &[libc::SYS_pivot_root], false, false),
    cut("pivot", &[libc::SYS_umount2], true, false),
    cut("hidden paths", &[libc::SYS_setgroups, libc::SYS_prctl], false, false),
    cut("identity", &[libc::SYS_seccomp], false, false),
    cut("filter", &[libc::SYS_seccomp], true, true),
    cut("identity", EXEC, false, true),
    cut("exec", EXEC, true, true),
    cut("/bin/true", &[libc::SYS_exit_group], false, true),
];

/// Measures `run` of `runtime` on `kind`; and of the floor, if there is one.
///
/// # Errors
/// If a run fails, or the kernel has no such trace.
pub fn measure(runtime: &Path, kind: Kind, view: View, rounds: usize) -> Result<Vec<Phases>> {
    let bundle = work::prepare("phases", kind)?;
    let trace = Trace::new()?;
    trace.on(false)?;
    let mut jobs = vec![Job::new(runtime, 0, Work::Run, &bundle)?];
    if work::has_floor(Work::Run, kind, view) {
        jobs.push(Job::floor(&bundle, kind.mounts())?);
    }
    bundle.process(&["/bin/true"])?;
    let mut all: Vec<Vec<Run>> = jobs.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds + 2 {
        for (job, runs) in jobs.iter().zip(&mut all) {
            let plain = job.act()?;
            trace.on(true)?;
            let traced = job.act();
            trace.on(false)?;
            let events = trace.take()?;
            let run = Run::of(&events).ok_or("the trace does not show a run")?;
            if round > 1 {
                runs.push(Run { distortion: traced?.wall / plain.wall, ..run });
            }
        }
    }
    Ok(jobs.iter().zip(&all).map(|(job, runs)| median(&job.name, runs)).collect())
}

/// One run: each phase with its begin and its length.
struct Run {
    calls: Sums,
    phases: Vec<(&'static str, bool, f64, f64)>,
    total: f64,
    distortion: f64,
}

impl Run {
    fn of(events: &[Event]) -> Option<Self> {
        let ours = gettid().as_raw();
        let first = events.iter().find(|event| event.pid != ours)?;
        let (runtime, start) = (first.pid, first.at);
        let inside = events.iter().map(|event| event.pid).find(|pid| *pid != ours && *pid != runtime)?;
        let waits = [libc::SYS_wait4];
        let end = events.iter().rev().find(|event| {
            event.pid == ours && waits.contains(&event.number) && event.answer == Some(runtime.into())
        })?;
        let mut phases = cuts(events, runtime, OUTSIDE, false, start);
        let gone = phases.last().map_or(0.0, |(_, _, begins, takes)| begins + takes);
        phases.push(("end", false, gone, end.at - start - gone));
        phases.extend(cuts(events, inside, INSIDE, true, start));
        let calls = calls::sums(events, ours);
        Some(Self { calls, phases, total: end.at - start, distortion: 1.0 })
    }
}

/// Cuts the events of `pid`; times are from `start` on.
fn cuts(
    events: &[Event],
    pid: i32,
    cuts: &[Cut],
    inside: bool,
    start: f64,
) -> Vec<(&'static str, bool, f64, f64)> {
    let own: Vec<_> = events.iter().filter(|event| event.pid == pid).collect();
    let mut phases = Vec::new();
    let Some(mut since) = own.first().map(|event| event.at) else { return phases };
    for cut in cuts {
        let mut after = own.iter().filter(|event| event.at >= since);
        let wanted = |event: &&&&Event| {
            let ended = event.answer.is_some_and(|answer| answer >= 0);
            cut.calls.contains(&event.number) && if cut.end { ended } else { event.answer.is_none() }
        };
        let found =
            if cut.last { after.rfind(|event| wanted(&event)) } else { after.find(|event| wanted(&event)) };
        let more =
            |event: &Event| own.iter().filter(|other| other.at > event.at).any(|other| wanted(&&other));
        if let Some(event) = found.filter(|event| !cut.followed || more(event)) {
            phases.push((cut.name, inside, since - start, event.at - since));
            since = event.at;
        }
    }
    phases
}

fn median(name: &str, runs: &[Run]) -> Phases {
    let of = |value: &dyn Fn(&Run) -> Option<f64>| {
        let values: Vec<_> = runs.iter().filter_map(value).collect();
        quantile(&values, 0.5)
    };
    let names = runs.first().map(|run| run.phases.clone()).unwrap_or_default();
    let mut phases: Vec<Phase> = Vec::new();
    for (name, inside, ..) in &names {
        let find =
            |run: &Run| run.phases.iter().find(|phase| (phase.0, phase.1) == (*name, *inside)).copied();
        let before = phases.last().filter(|phase| phase.inside == *inside);
        phases.push(Phase {
            name: (*name).to_owned(),
            inside: *inside,
            begins_us: match before {
                Some(before) => before.begins_us + before.takes_us,
                None => of(&|run| find(run).map(|phase| phase.2)),
            },
            takes_us: of(&|run| find(run).map(|phase| phase.3)),
        });
    }
    Phases {
        runtime: name.to_owned(),
        phases,
        calls: calls::medians(&runs.iter().map(|run| &run.calls).collect::<Vec<_>>()),
        total_us: of(&|run| Some(run.total)),
        distortion: of(&|run| Some(run.distortion)),
    }
}

/// A table in Markdown: a row for each phase, a column for each of `all`.
#[must_use]
pub fn table(all: &[Phases]) -> String {
    let mut text = "| process | phase |".to_owned();
    text += &all.iter().map(|phases| format!(" {} µs |", phases.runtime)).collect::<String>();
    text += &format!("\n|---|---|{}\n", "--:|".repeat(all.len()));
    let names = all.first().map(|phases| phases.phases.as_slice()).unwrap_or_default();
    for Phase { name, inside, .. } in names {
        let process = if *inside { "container's" } else { "runtime's" };
        text += &format!("| {process} | {name} |");
        for phases in all {
            let same = phases.phases.iter().find(|phase| phase.name == *name && phase.inside == *inside);
            text += &same.map_or_else(|| " |".to_owned(), |phase| format!(" {:.0} |", phase.takes_us));
        }
        text.push('\n');
    }
    text += "| both | from the first call to the end |";
    text += &all.iter().map(|phases| format!(" {:.0} |", phases.total_us)).collect::<String>();
    text.push('\n');
    text
}

/// The dearest system calls, in a table in Markdown.
#[must_use]
pub fn calls_table(all: &[Phases]) -> String {
    let columns: Vec<_> =
        all.iter().map(|phases| (phases.runtime.as_str(), phases.calls.as_slice())).collect();
    calls::table(&columns, 16)
}
