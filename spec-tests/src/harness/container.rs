//! A container that a case made.

use super::{Done, Test, Verdict, call::within, check_eq, fail, skip};
use crate::payload;
use nix::{
    errno::Errno,
    sys::wait::{WaitPidFlag, WaitStatus, waitpid},
    unistd::Pid,
};
use serde_json::Value;
use std::{fs, path::PathBuf, time::Duration};

const LIMIT: Duration = Duration::from_secs(10);

/// A container that was created.
pub(crate) struct Container<'t> {
    pub(super) test: &'t Test,
    /// Its id.
    pub(crate) id: String,
    /// Its first process, as the host sees it.
    pub(crate) pid: i32,
    pub(super) out: PathBuf,
}

impl Container<'_> {
    /// `start`.
    pub(crate) fn start(&self) -> Verdict<Done> {
        self.test.call(&["start", &self.id]).done()?.ok()
    }

    /// `start`, and the payload waits for signals.
    pub(crate) fn start_ready(&self) -> Verdict {
        self.start()?;
        self.ready()
    }

    /// Waits until the payload says that it waits for signals.
    pub(crate) fn ready(&self) -> Verdict {
        self.says(payload::READY)
    }

    /// Waits until the container's process has written this line.
    pub(crate) fn says(&self, line: &str) -> Verdict {
        let found = within(LIMIT, || self.stdout().lines().any(|l| l.trim() == line).then_some(()));
        found.map_or_else(|| fail(format!("the process never wrote {line:?}: {:?}", self.stdout())), Ok)
    }

    /// What the container's process wrote, with what the runtime's `create` wrote.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.out).unwrap_or_default()).into_owned()
    }

    /// The report that the payload wrote.
    pub(crate) fn report(&self) -> Verdict<Value> {
        super::test::parse(&self.stdout())
    }

    /// `state`, parsed.
    pub(crate) fn state(&self) -> Verdict<Value> {
        let done = self.test.call(&["state", &self.id]).done()?.ok()?;
        super::test::parse(&done.stdout())
    }

    /// Fails the case unless `state` says this status.
    pub(crate) fn is(&self, status: &str) -> Verdict {
        check_eq!(self.state()?["status"], status, "status in the state of {}", self.id);
        Ok(())
    }

    /// `kill` with this signal.
    pub(crate) fn kill(&self, signal: &str) -> Verdict<Done> {
        self.test.call(&["kill", &self.id, signal]).done()?.ok()
    }

    /// Waits for the process's end, which the suite sees as its reaper: the exit code, or 128 and the signal.
    pub(crate) fn wait(&self) -> Verdict<i32> {
        let pid = Pid::from_raw(self.pid);
        let ended = within(LIMIT, || match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => Some(Ok(code)),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(Ok(128 + signal as i32)),
            Err(Errno::ECHILD) => {
                let gone = !PathBuf::from(format!("/proc/{pid}")).exists();
                gone.then(|| {
                    skip("the runtime keeps a process above the container's: its status is not to be had")
                })
            }
            Err(error) => Some(fail(error)),
            Ok(_) => None,
        });
        ended.unwrap_or_else(|| fail(format!("process {pid} of {} does not end", self.id)))
    }

    /// The container's process ends, whatever it is doing, and is gone.
    pub(crate) fn stop(&self) -> Verdict {
        self.kill("KILL")?;
        match self.wait() {
            Err(super::Stop::Fail(words)) => fail(words),
            _ => Ok(()),
        }
    }

    /// `delete`.
    pub(crate) fn delete(&self) -> Verdict<Done> {
        self.test.call(&["delete", &self.id]).done()?.ok()
    }

    /// `exec` of the payload with these options before the id and these arguments after it.
    pub(crate) fn exec(&self, options: &[&str], arguments: &[&str]) -> Verdict<Done> {
        let mut all = vec!["exec"];
        all.extend(options);
        all.extend([self.id.as_str(), payload::PATH]);
        all.extend(arguments);
        self.test.call(&all).done()
    }

    /// The report of a payload that `exec` starts with these options.
    pub(crate) fn exec_report(&self, options: &[&str], probes: &[&str]) -> Verdict<Value> {
        let mut arguments = vec!["report"];
        arguments.extend(probes);
        super::test::parse(&self.exec(options, &arguments)?.ok()?.stdout())
    }

    /// A link of /proc/PID/ns of the container's first process.
    pub(crate) fn namespace(&self, file: &str) -> Verdict<String> {
        let link = fs::read_link(format!("/proc/{}/ns/{file}", self.pid))?;
        Ok(link.to_string_lossy().into_owned())
    }
}
