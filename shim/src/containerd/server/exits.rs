//! The ends of processes: reaped, and told in their order. A start is told before its end, and the end of a container's
//! first process after those of its execs.

use super::{Server, Timer};
use crate::{
    clock,
    connection::ReplyTo,
    container::{Exit, Phase},
    sys::{self, Ended},
};
use corten_ttrpc::{
    Message,
    events::{TaskExit, TaskOom},
    task::WaitResponse,
    types::ExitReason,
};
use std::time::{Duration, Instant};

/// How long the end of a first process waits for its execs, which are being killed.
const HELD: Duration = Duration::from_secs(10);
/// 128 and SIGKILL.
const KILLED: u32 = 137;

impl Server {
    /// Reaps all children that have ended and are not those of a library call under way.
    pub(super) fn reap(&mut self) {
        while let Some(ended) = sys::reap_own() {
            self.take_end(ended);
        }
        // A thread that has just ended may not have handed its children over yet.
        if self.unsettled.is_some() {
            let processes = self.containers.values().flat_map(|container| {
                container.execs.values().chain([&container.init]).filter(|process| process.exit.is_none())
            });
            let pids: Vec<u32> =
                processes.filter(|process| process.early.is_none()).map(|process| process.pid).collect();
            let reap = |pid: u32| i32::try_from(pid).ok().and_then(sys::reap_one);
            for ended in pids.into_iter().filter_map(reap).collect::<Vec<_>>() {
                self.take_end(ended);
            }
            self.unsettled = self.unsettled.filter(|until| *until > Instant::now());
        }
    }

    /// Reaps the first process of a container that is known to be dead.
    pub(crate) fn reap_first(&mut self, id: &str) {
        let process = self.containers.get(id).map(|container| &container.init);
        let pid = process
            .filter(|process| process.exit.is_none())
            .and_then(|process| i32::try_from(process.pid).ok());
        if let Some(ended) = pid.and_then(sys::reap_one) {
            self.take_end(ended);
        }
    }

    fn take_end(&mut self, ended: Ended) {
        let exit = Exit { status: ended.status, at: clock::now() };
        self.forget_logger(ended.pid.unsigned_abs());
        if !self.process_ended(ended.pid.unsigned_abs(), exit) && self.workers.count() > 0 {
            self.strangers.insert(ended.pid, exit);
        }
    }

    /// The end of a process that ended before it was known.
    pub(crate) fn ended_already(&mut self, pid: u32) {
        let exit = i32::try_from(pid).ok().and_then(|pid| self.strangers.remove(&pid));
        if let Some(exit) = exit {
            self.process_ended(pid, exit);
        }
    }

    /// False where no container has the process.
    fn process_ended(&mut self, pid: u32, exit: Exit) -> bool {
        let mut found = None;
        for (id, container) in &mut self.containers {
            let execs = container.execs.iter_mut().map(|(exec, process)| (Some(exec), process));
            let first = [(None, &mut container.init)].into_iter().chain(execs);
            for (exec, process) in first.filter(|(_, process)| process.pid == pid && process.exit.is_none()) {
                if process.phase == Phase::Starting {
                    process.early = Some(exit);
                    return true;
                }
                found = Some((id.clone(), exec.cloned()));
            }
        }
        match found {
            Some((id, Some(exec))) => self.exec_ended(&id, &exec, exit),
            Some((id, None)) => self.first_ended(&id, exit),
            None => return false,
        }
        true
    }

    /// What came before the start was over is told after it.
    pub(crate) fn tell_early_end(&mut self, id: &str, exec: Option<&str>) {
        let Some(container) = self.containers.get_mut(id) else { return };
        match exec {
            None => {
                if let Some(exit) = container.init.early.take() {
                    self.first_ended(id, exit);
                }
            }
            Some(exec) => {
                let early = container.execs.get_mut(exec).and_then(|process| process.early.take());
                if let Some(exit) = early {
                    self.exec_ended(id, exec, exit);
                }
            }
        }
    }

    fn exec_ended(&mut self, id: &str, exec: &str, exit: Exit) {
        let Some(process) = self.containers.get_mut(id).and_then(|container| container.execs.get_mut(exec))
        else {
            return;
        };
        process.phase = Phase::Stopped;
        process.exit = Some(exit);
        process.stdin_writer = None;
        let (pid, waiters) = (process.pid, std::mem::take(&mut process.waiters));
        self.stop_input(id, Some(exec));
        self.tell_end(id, exec, pid, exit, &waiters);
        self.release_if_alone(id);
    }

    fn first_ended(&mut self, id: &str, exit: Exit) {
        let Some(container) = self.containers.get_mut(id) else { return };
        if container.is_over() {
            return;
        }
        let sweep = !container.ends_with_first;
        container.held = Some(exit);
        container.init.stdin_writer = None;
        self.stop_input(id, None);
        self.later(HELD, Timer::Release(id.to_owned()));
        if sweep {
            self.sweep(id);
        }
        self.release_if_alone(id);
    }

    pub(crate) fn release_if_alone(&mut self, id: &str) {
        if self
            .containers
            .get(id)
            .is_some_and(|container| !container.sweeping && container.running_execs() == 0)
        {
            self.release(id);
        }
    }

    /// Tells the end of the first process, if it was held back.
    pub(super) fn release(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let Some(exit) = container.held.take() else { return };
        container.paused = false;
        let process = &mut container.init;
        process.phase = Phase::Stopped;
        process.exit = Some(exit);
        let (pid, waiters) = (process.pid, std::mem::take(&mut process.waiters));
        self.timers.retain(|(_, timer)| *timer != Timer::Release(id.to_owned()));
        // The kernel's count is there before the process' end.
        self.look_for_oom(id);
        self.tell_end(id, id, pid, exit, &waiters);
        self.delete_if_waited_for(id);
    }

    fn tell_end(&mut self, id: &str, process: &str, pid: u32, exit: Exit, waiters: &[ReplyTo]) {
        let oom = self.containers.get(id).is_some_and(|container| container.oom_killed);
        let reason = match exit.status {
            KILLED if oom => ExitReason::OomKilled,
            status if status > 128 => ExitReason::Signaled,
            _ => ExitReason::None,
        };
        self.publish(&TaskExit {
            container_id: id.to_owned(),
            id: process.to_owned(),
            pid,
            exit_status: exit.status,
            exited_at: Some(exit.at),
            exit_reason: reason.into(),
        });
        let answer = WaitResponse { exit_status: exit.status, exited_at: Some(exit.at) }.encode_to_vec();
        for to in waiters {
            self.answer(*to, Ok(answer.clone()));
        }
    }

    /// Tells that the kernel killed a process.
    pub(crate) fn tell_oom(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.oom_killed = true;
        self.publish(&TaskOom { container_id: id.to_owned() });
    }
}
