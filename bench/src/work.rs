//! The works that runtimes are compared by.

use crate::{
    Bundle, Kind, Result,
    call::{Caller, Cost},
    floor,
    host::{self, View},
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    env, fs,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

/// What is done and measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// `run` of `/bin/true`, to the end.
    Run,
    /// `create`, `start`, and once the process has ended `delete`: three processes. The wait does not count.
    Lifecycle,
    /// `exec` of `/bin/true` in a container that runs.
    Exec,
    /// `state` of a container that runs.
    State,
    /// `create` beside so many others of the same runtime; its removal does not count.
    Create(usize),
    /// `list` of so many.
    List(usize),
}

impl Work {
    /// By its name: `run`, `lifecycle`, `exec`, `state`, `create:N`, `list:N`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.split_once(':') {
            None => [Self::Run, Self::Lifecycle, Self::Exec, Self::State]
                .into_iter()
                .find(|work| work.name() == name),
            Some(("create", count)) => count.parse().ok().map(Self::Create),
            Some(("list", count)) => count.parse().ok().map(Self::List),
            Some(_) => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Run => "run".to_owned(),
            Self::Lifecycle => "lifecycle".to_owned(),
            Self::Exec => "exec".to_owned(),
            Self::State => "state".to_owned(),
            Self::Create(count) => format!("create:{count}"),
            Self::List(count) => format!("list:{count}"),
        }
    }
}

/// A runtime, or the floor, at a work.
#[derive(Debug)]
pub struct Job {
    /// The runtime's name.
    pub name: String,
    caller: Caller,
    work: Work,
    id: String,
    pid_file: PathBuf,
    /// Containers that live beside, or in which the work is done.
    others: Vec<String>,
    /// This is the floor, which wants no words.
    bare: bool,
}

impl Job {
    /// `runtime` at `work` on `bundle`, whose directory the calling process is in. What has to live meanwhile is made.
    ///
    /// # Errors
    /// If that cannot be made.
    pub fn new(runtime: &Path, number: usize, work: Work, bundle: &Bundle) -> Result<Self> {
        let state = bundle.state().join(number.to_string());
        fs::create_dir_all(&state).map_err(|error| format!("{}: {error}", state.display()))?;
        let mut job = Self {
            name: runtime.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            caller: Caller::runtime(runtime, &state, &bundle.file(&format!("errors{number}"))),
            work,
            id: format!("corten-bench-{}-{number}", std::process::id()),
            pid_file: bundle.file(&format!("pid{number}")),
            others: Vec::new(),
            bare: false,
        };
        let beside = match work {
            Work::Run | Work::Lifecycle => 0,
            Work::Exec | Work::State => 1,
            Work::Create(count) | Work::List(count) => count,
        };
        bundle.process(&["/bin/sleep", "1000"])?;
        job.beside(beside)?;
        if matches!(work, Work::Exec | Work::State) {
            job.caller.call(&["start", &job.others[0]])?;
        }
        Ok(job)
    }

    /// The floor of `bundle` on the cgroups that the thread sees.
    ///
    /// # Errors
    /// If this program is not known by its path.
    pub fn floor(bundle: &Bundle, binds: usize) -> Result<Self> {
        let program = env::current_exe().map_err(|error| format!("this program: {error}"))?;
        let mut words = vec![floor::VERB.into()];
        words.extend(floor::words(&bundle.rootfs(), binds, &host::hierarchies()));
        Ok(Self {
            name: "floor".to_owned(),
            caller: Caller::program(&program, words, &bundle.file("errors-floor")),
            work: Work::Run,
            id: String::new(),
            pid_file: PathBuf::new(),
            others: Vec::new(),
            bare: true,
        })
    }

    /// Makes containers until there are `count` beside the one that is measured.
    ///
    /// # Errors
    /// If one cannot be made.
    pub fn beside(&mut self, count: usize) -> Result<()> {
        while self.others.len() < count {
            let id = format!("{}-{}", self.id, self.others.len());
            self.caller.call(&["create", &id])?;
            self.others.push(id);
        }
        Ok(())
    }

    /// Does the work once.
    ///
    /// # Errors
    /// If the runtime fails.
    pub fn act(&self) -> Result<Cost> {
        self.act_as(self.work)
    }

    /// Does another work once, for which all is there.
    ///
    /// # Errors
    /// If the runtime fails.
    pub fn act_as(&self, work: Work) -> Result<Cost> {
        let id = self.id.as_str();
        match (work, self.others.first()) {
            _ if self.bare => self.caller.call(&[]),
            (Work::Run, _) => self.caller.call(&["run", id]),
            (Work::Lifecycle, _) => self.life(),
            (Work::Exec, Some(other)) => self.caller.call(&["exec", other, "/bin/true"]),
            (Work::State, Some(other)) => self.caller.call(&["state", other]),
            (Work::Create(_), _) => {
                let cost = self.caller.call(&["create", id])?;
                self.caller.call(&["delete", "--force", id])?;
                Ok(cost)
            }
            (Work::List(_), _) => self.caller.call(&["list"]),
            (Work::Exec | Work::State, None) => Err("there is no container".to_owned()),
        }
    }

    fn life(&self) -> Result<Cost> {
        let (id, pid_file) = (self.id.as_str(), self.pid_file.to_string_lossy());
        let created = self.caller.call(&["create", "--pid-file", &pid_file, id])?;
        let pid = fs::read_to_string(&self.pid_file).map_err(|error| format!("the pid file: {error}"))?;
        let process = pidfd(pid.trim())?;
        let started = self.caller.call(&["start", id])?;
        let mut polled = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::from(10_000_u16))
            .map_err(|errno| format!("poll: {}", errno.desc()))?;
        let deleted = self.caller.call(&["delete", id])?;
        Ok(created + started + deleted)
    }

    /// The largest resident set of a process of the runtime at this work, in KiB, where it can be told.
    #[must_use]
    pub fn peak(&self) -> Option<u64> {
        let words = match (self.work, self.others.first()) {
            (Work::Run, _) if !self.bare => vec!["run", &self.id],
            (Work::Exec, Some(other)) => vec!["exec", other, "/bin/true"],
            (Work::State, Some(other)) => vec!["state", other],
            (Work::List(_), _) => vec!["list"],
            _ => return None,
        };
        self.caller.peak(&words).ok()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let all = self.others.iter().chain(Some(&self.id)).filter(|_| !self.bare);
        for id in all {
            let _ = self.caller.call(&["delete", "--force", id]);
            // What a runtime that failed has left.
            host::remove_cgroup(id);
        }
    }
}

/// A descriptor of the process of this id.
fn pidfd(pid: &str) -> Result<OwnedFd> {
    let id: i32 = pid.parse().map_err(|_| format!("{pid:?} in the pid file"))?;
    crate::sys::pidfd(id).map_err(|error| format!("pidfd_open({id}): {error}"))
}

/// Makes a bundle of `kind` and goes to its directory. The calling thread is in a mount namespace of its own.
///
/// # Errors
/// If it cannot be made.
pub fn prepare(name: &str, kind: Kind) -> Result<Bundle> {
    let bundle = Bundle::new(name, kind)?;
    bundle.state_in_memory()?;
    env::set_current_dir(bundle.dir()).map_err(|error| format!("{}: {error}", bundle.dir().display()))?;
    Ok(bundle)
}

/// The floor can be told for such a bundle.
#[must_use]
pub fn has_floor(work: Work, kind: Kind, view: View) -> bool {
    work == Work::Run && kind != Kind::Docker && view != View::Host
}
