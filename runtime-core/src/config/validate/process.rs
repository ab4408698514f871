//! `process` (config.md, "Process").

use crate::spec::{ExecCPUAffinity, LinuxIOPriority, LinuxSchedulerPolicy as Policy, Process, Scheduler};

use super::{
    super::place::{Faults, Place},
    values,
};

/// The most supplementary groups of a process (`NGROUPS_MAX`).
const MAX_GROUPS: usize = 65_536;

/// The shortest runtime of SCHED_DEADLINE, in nanoseconds (sched(7)).
const MIN_DEADLINE_RUNTIME: u64 = 1024;

pub(super) fn check(faults: &mut Faults, at: &Place<'_>, process: &Process) {
    args(faults, &at.name("args"), process.args.as_slice());
    for (index, variable) in process.env.iter().enumerate() {
        env(faults, &at.name("env").index(index), variable);
    }
    values::absolute(faults, &at.name("cwd"), &process.cwd);
    user(faults, &at.name("user"), process);
    rlimits(faults, &at.name("rlimits"), process);
    for (name, text) in
        [("apparmorProfile", &process.apparmor_profile), ("selinuxLabel", &process.selinux_label)]
    {
        values::no_nul(faults, &at.name(name), text.as_deref().unwrap_or_default());
    }
    if let Some(score) = process.oom_score_adj {
        values::range(faults, &at.name("oomScoreAdj"), score.into(), -1000, 1000);
    }
    if let Some(size) = process.console_size.filter(|_| process.terminal) {
        let at = at.name("consoleSize");
        for (name, length) in [("height", size.height), ("width", size.width)] {
            let most = u64::from(u16::MAX);
            if length > most {
                faults.add(&at.name(name), format_args!("must be at most {most} and not {length}"));
            }
        }
    }
    if let Some(scheduler) = &process.scheduler {
        scheduler_attributes(faults, &at.name("scheduler"), scheduler);
    }
    if let Some(priority) = &process.io_priority {
        io_priority(faults, &at.name("ioPriority"), *priority);
    }
    if let Some(affinity) = &process.exec_cpu_affinity {
        exec_cpu_affinity(faults, &at.name("execCPUAffinity"), affinity);
    }
}

fn args(faults: &mut Faults, at: &Place<'_>, args: &[String]) {
    match args.first() {
        None => faults.add(at, "must not be empty"),
        Some(program) => faults.expect(!program.is_empty(), &at.index(0), "must not be empty"),
    }
    for (index, arg) in args.iter().enumerate() {
        values::no_nul(faults, &at.index(index), arg);
    }
}

fn env(faults: &mut Faults, at: &Place<'_>, variable: &str) {
    values::no_nul(faults, at, variable);
    // The value may be a secret: only the name is ever quoted.
    if variable.find('=').is_none_or(|length| length == 0) {
        faults.add(at, "must have the form NAME=VALUE");
    }
}

fn user(faults: &mut Faults, at: &Place<'_>, process: &Process) {
    let user = &process.user;
    values::id(faults, &at.name("uid"), user.uid);
    values::id(faults, &at.name("gid"), user.gid);
    if let Some(umask) = user.umask.filter(|&umask| umask > 0o777) {
        faults.add(&at.name("umask"), format_args!("must be at most 511 (octal 777) and not {umask}"));
    }
    let at = at.name("additionalGids");
    let groups = user.additional_gids.as_slice();
    if groups.len() > MAX_GROUPS {
        return faults
            .add(&at, format_args!("must have at most {MAX_GROUPS} groups and not {}", groups.len()));
    }
    for (index, &gid) in groups.iter().enumerate() {
        values::id(faults, &at.index(index), gid);
    }
}

fn rlimits(faults: &mut Faults, at: &Place<'_>, process: &Process) {
    let mut seen = 0_u32;
    for (index, rlimit) in process.rlimits.iter().enumerate() {
        let at = at.index(index);
        let bit = 1 << rlimit.typ as u32;
        if seen & bit != 0 {
            let kind = values::word(rlimit.typ);
            faults.add(&at.name("type"), format_args!("must not be there twice: {kind}"));
        }
        seen |= bit;
        if rlimit.soft > rlimit.hard {
            let (soft, hard) = (rlimit.soft, rlimit.hard);
            faults
                .add(&at.name("soft"), format_args!("must be at most the hard limit {hard} and not {soft}"));
        }
    }
}

fn scheduler_attributes(faults: &mut Faults, at: &Place<'_>, scheduler: &Scheduler) {
    let policy = scheduler.policy;
    if let Some(nice) = scheduler.nice {
        values::range(faults, &at.name("nice"), nice.into(), -20, 19);
    }
    let priority = scheduler.priority.unwrap_or_default();
    match policy {
        Policy::SchedFifo | Policy::SchedRr => {
            values::range(faults, &at.name("priority"), priority.into(), 1, 99);
        }
        _ => faults.expect(priority == 0, &at.name("priority"), "needs the policy SCHED_FIFO or SCHED_RR"),
    }
    let times = [scheduler.runtime, scheduler.deadline, scheduler.period].map(Option::unwrap_or_default);
    if policy == Policy::SchedDeadline {
        deadline(faults, at, times);
    } else {
        for (name, time) in ["runtime", "deadline", "period"].into_iter().zip(times) {
            faults.expect(time == 0, &at.name(name), "needs the policy SCHED_DEADLINE");
        }
    }
}

/// sched(7): 1024 <= runtime <= deadline <= period, in nanoseconds and below 2^63; a period of 0 means the deadline.
fn deadline(faults: &mut Faults, at: &Place<'_>, [runtime, deadline, period]: [u64; 3]) {
    if runtime < MIN_DEADLINE_RUNTIME || runtime > deadline {
        let expected = format_args!("must be {MIN_DEADLINE_RUNTIME} ns to the deadline of {deadline} ns");
        faults.add(&at.name("runtime"), format_args!("{expected} and not {runtime}"));
    }
    if period != 0 && period < deadline {
        faults.add(
            &at.name("period"),
            format_args!("must be 0 or at least the deadline {deadline} and not {period}"),
        );
    }
    for (name, time) in [("deadline", deadline), ("period", period)] {
        faults.expect(i64::try_from(time).is_ok(), &at.name(name), "must be less than 2^63 ns");
    }
}

fn io_priority(faults: &mut Faults, at: &Place<'_>, priority: LinuxIOPriority) {
    values::range(faults, &at.name("priority"), priority.priority, 0, 7);
}

fn exec_cpu_affinity(faults: &mut Faults, at: &Place<'_>, affinity: &ExecCPUAffinity) {
    for (name, list) in [("initial", &affinity.initial), ("final", &affinity.cpu_affinity_final)] {
        if let Some(list) = list {
            values::number_list(faults, &at.name(name), list);
        }
    }
}
