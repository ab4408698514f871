//! The streams of processes: moved when there is something to move, and drained before a process is forgotten.

use super::{Pump, Server, Timer};
use crate::{
    container::Process,
    poll::Source,
    streams::{Progress, Streams},
    sys,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::time::Duration;

/// How long streams are drained when a process is deleted.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a logger may clean up once it has been told to end.
const LOGGER: Duration = Duration::from_secs(12);

impl Server {
    fn process_mut(&mut self, container: &str, exec: Option<&str>) -> Option<&mut Process> {
        let container = self.containers.get_mut(container)?;
        match exec {
            None => Some(&mut container.init),
            Some(exec) => container.execs.get_mut(exec),
        }
    }

    /// Begins to copy the streams of a process.
    pub(crate) fn attach(&mut self, container: &str, exec: Option<&str>, streams: Streams) {
        let mut numbers = Vec::new();
        for copy in streams.copies {
            self.next += 1;
            if let Err(error) = self.poll.read(copy.source(), Source::Copy(self.next)) {
                log::error!("container {container}: streams: {error}");
                continue;
            }
            numbers.push(self.next);
            let pump =
                Pump { copy, container: container.to_owned(), exec: exec.map(str::to_owned), writing: false };
            self.copies.insert(self.next, pump);
        }
        let Some(process) = self.process_mut(container, exec) else { return };
        process.copies = numbers;
        process.stdin_writer = streams.stdin_writer.filter(|_| !process.stdin_closed);
        process.terminal = streams.terminal;
        process.logger = streams.logger;
        if let (Some((columns, rows)), Some(terminal)) = (process.size, &process.terminal) {
            let _ = sys::resize(terminal, columns, rows);
        }
    }

    pub(super) fn pump(&mut self, number: u32) {
        let Some(pump) = self.copies.get_mut(&number) else { return };
        let progress = pump.copy.pump(&mut self.buffer);
        let (source, target) = (pump.copy.source(), pump.copy.target());
        match (progress, pump.writing) {
            (Progress::Reading, false) | (Progress::Writing, true) => {}
            (Progress::Reading, true) => {
                if let Some(target) = target {
                    self.poll.forget(target);
                }
                pump.writing = self.poll.read(source, Source::Copy(number)).is_err();
            }
            (Progress::Writing, false) => {
                let Some(target) = target else { return };
                self.poll.forget(source);
                pump.writing = self.poll.write(target, Source::Copy(number)).is_ok();
            }
            (Progress::Ended, _) => self.end_copy(number),
        }
    }

    fn end_copy(&mut self, number: u32) {
        let Some(pump) = self.copies.remove(&number) else { return };
        self.poll.forget(pump.copy.source());
        if let Some(target) = pump.copy.target() {
            self.poll.forget(target);
        }
        let (container, exec) = (pump.container.clone(), pump.exec.clone());
        drop(pump);
        if let Some(process) = self.process_mut(&container, exec.as_deref()) {
            process.copies.retain(|other| *other != number);
        }
        self.after_drain(&container, exec.as_deref());
    }

    /// Ends the copy to a process that has ended.
    pub(super) fn stop_input(&mut self, container: &str, exec: Option<&str>) {
        let is_input =
            |pump: &Pump| pump.copy.is_input() && pump.container == container && pump.exec.as_deref() == exec;
        let inputs: Vec<u32> =
            self.copies.iter().filter(|(_, pump)| is_input(pump)).map(|(number, _)| *number).collect();
        for number in inputs {
            self.end_copy(number);
        }
    }

    /// Whether all that a process wrote has come through. Where it has not, that is waited for from now on, but not for ever.
    pub(crate) fn is_drained(&mut self, container: &str, exec: Option<&str>) -> bool {
        let drained = self.process_mut(container, exec).is_none_or(|process| process.copies.is_empty());
        if !drained {
            self.later(DRAIN, Timer::Drained(container.to_owned(), exec.map(str::to_owned)));
        }
        drained
    }

    /// Lets go of the streams of a process.
    pub(crate) fn detach(&mut self, process: &mut Process) {
        for number in std::mem::take(&mut process.copies) {
            if let Some(pump) = self.copies.remove(&number) {
                self.poll.forget(pump.copy.source());
                if let Some(target) = pump.copy.target() {
                    self.poll.forget(target);
                }
            }
        }
        process.stdin_writer = None;
        process.terminal = None;
        if let Some(pid) = process.logger.take() {
            signal(pid, Signal::SIGTERM);
            self.later(LOGGER, Timer::KillLogger(pid));
            self.loggers.push(pid);
        }
    }

    pub(super) fn give_up_draining(&mut self, container: &str, exec: Option<&str>) {
        let copies = self.process_mut(container, exec).map(|process| std::mem::take(&mut process.copies));
        for number in copies.unwrap_or_default() {
            self.end_copy(number);
        }
        self.after_drain(container, exec);
    }

    /// A logger that is reaped has no number any more.
    pub(super) fn forget_logger(&mut self, pid: u32) {
        self.loggers.retain(|logger| *logger != pid);
        for container in self.containers.values_mut() {
            for process in container.execs.values_mut().chain([&mut container.init]) {
                process.logger = process.logger.filter(|logger| *logger != pid);
            }
        }
    }

    /// The logger has had its time. Its number stands for it until it is reaped.
    pub(super) fn kill_logger(&mut self, pid: u32) {
        if let Some(index) = self.loggers.iter().position(|logger| *logger == pid) {
            self.loggers.swap_remove(index);
            signal(pid, Signal::SIGKILL);
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().filter(|pid| *pid > 0) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}
