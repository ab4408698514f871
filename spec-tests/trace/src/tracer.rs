//! Runs a program and all that it forks under ptrace(2), up to the payload's execve, and breaks one of its calls.

use crate::calls;
use crate::sys::{self, Tick, Turn};
use nix::{
    errno::Errno,
    sys::{
        ptrace::{self, Options},
        signal::{Signal, kill},
        uio::{RemoteIoVec, process_vm_readv},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs,
    io::{self, IoSliceMut},
    os::unix::fs::MetadataExt,
    process::Command,
    time::{Duration, Instant},
};

/// One call of one process: the `nth` of this number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Which process: `0` is the runtime, `0.1` its second child, and so on; `w` the container's, which waits for its start.
    pub task: String,
    /// The number of the system call.
    pub call: i64,
    /// Which of those that this process makes.
    pub nth: u32,
    /// The error that it gives; without one the process is killed before it.
    pub error: Option<i32>,
}

/// A call that was seen.
pub struct Seen {
    /// Whose, as in [`Point`].
    pub task: String,
    /// The call.
    pub call: sys::Call,
    /// Which of this number that its process makes.
    pub nth: u32,
}

/// How the runtime ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// It did not, and was killed.
    Hung,
}

/// What came of a run.
pub struct Traced {
    /// How the runtime ended.
    pub ending: Ending,
    /// All calls, in the order in which they were begun.
    pub seen: Vec<Seen>,
    /// The call that was broken, in words; nothing if it never came.
    pub broken: Option<String>,
}

struct Tracee {
    task: String,
    children: u32,
    counts: HashMap<i64, u32>,
    /// The call under way is to answer this error.
    pending: Option<i32>,
}

impl Tracee {
    fn new(task: String) -> Self {
        Self { task, children: 0, counts: HashMap::new(), pending: None }
    }
}

/// How often a wait ends to look at the time.
const TICK: i64 = 100;

/// What hears of calls.
type Watch<'a> = Box<dyn FnMut(Pid, &sys::Call) + 'a>;

/// A tracer of one run.
pub struct Tracer<'a> {
    /// Device and inode of the runtime's program: what executes another one is let go.
    runtime: (u64, u64),
    point: Option<&'a Point>,
    tracees: HashMap<Pid, Tracee>,
    /// New tasks that stopped before their parent told of them.
    early: Vec<Pid>,
    /// Those that their parent told of, and that did not stop yet.
    announced: HashMap<Pid, String>,
    seen: Vec<Seen>,
    broken: Option<String>,
    /// Hears of each call that begins.
    watch: Option<Watch<'a>>,
    /// What is left is sent a stop, to be let go.
    leaving: bool,
    deadline: Instant,
    _tick: Tick,
}

impl<'a> Tracer<'a> {
    /// A tracer that breaks the call at `point`, if one is given, and waits for at most `limit`.
    ///
    /// # Errors
    /// If `runtime` is no file, or there is no timer to be had.
    pub fn new(runtime: &std::path::Path, point: Option<&'a Point>, limit: Duration) -> io::Result<Self> {
        let file = fs::metadata(runtime)?;
        Ok(Self {
            runtime: (file.dev(), file.ino()),
            point,
            tracees: HashMap::new(),
            early: Vec::new(),
            announced: HashMap::new(),
            seen: Vec::new(),
            broken: None,
            watch: None,
            leaving: false,
            deadline: Instant::now() + limit,
            _tick: Tick::new(TICK)?,
        })
    }

    /// Has `hear` told of each call that begins, and by whom, while its process stands still.
    pub fn watch(&mut self, hear: impl FnMut(Pid, &sys::Call) + 'a) {
        self.watch = Some(Box::new(hear));
    }

    /// Traces a process that runs already, too.
    ///
    /// # Errors
    /// What ptrace(2) says.
    pub fn attach(&mut self, pid: i32) -> io::Result<()> {
        let pid = Pid::from_raw(pid);
        ptrace::attach(pid)?;
        while let Err(Errno::EINTR) = waitpid(pid, Some(WaitPidFlag::__WALL)) {}
        set_options(pid)?;
        self.tracees.insert(pid, Tracee::new("w".to_owned()));
        Ok(ptrace::syscall(pid, None)?)
    }

    /// Runs `command` to its end. No other child of the calling process may end meanwhile: all are waited for.
    ///
    /// # Errors
    /// What spawning it, ptrace(2) or wait(2) says.
    pub fn run(mut self, mut command: Command) -> io::Result<Traced> {
        sys::traced(&mut command);
        let child = command.spawn()?;
        let main = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        // It stopped at its execve.
        while let Err(Errno::EINTR) = waitpid(main, Some(WaitPidFlag::__WALL)) {}
        set_options(main)?;
        self.tracees.insert(main, Tracee::new("0".to_owned()));
        self.go_on(main, None);
        let mut ending = None;
        while ending.is_none() {
            match self.next()? {
                Some(WaitStatus::Exited(pid, code)) if pid == main => ending = Some(Ending::Code(code)),
                Some(WaitStatus::Signaled(pid, signal, _)) if pid == main => {
                    ending = Some(Ending::Signal(signal as i32));
                }
                Some(status) => self.handle(status)?,
                None => {
                    for pid in self.tracees.keys() {
                        let _ = kill(*pid, Signal::SIGKILL);
                    }
                    let _ = waitpid(main, Some(WaitPidFlag::__WALL));
                    ending = Some(Ending::Hung);
                }
            }
        }
        self.tracees.remove(&main);
        self.let_go()?;
        Ok(Traced { ending: ending.unwrap_or(Ending::Hung), seen: self.seen, broken: self.broken })
    }

    /// The next change of a child or tracee; nothing when the time is over.
    fn next(&self) -> io::Result<Option<WaitStatus>> {
        loop {
            match waitpid(None, Some(WaitPidFlag::__WALL)) {
                Err(Errno::EINTR) if Instant::now() > self.deadline => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(status) => return Ok(Some(status)),
            }
        }
    }

    fn handle(&mut self, status: WaitStatus) -> io::Result<()> {
        match status {
            WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..) => {
                self.tracees.remove(&pid);
                self.announced.remove(&pid);
            }
            WaitStatus::PtraceSyscall(pid) => self.at_call(pid)?,
            WaitStatus::PtraceEvent(pid, _, event) => self.at_event(pid, event),
            WaitStatus::Stopped(pid, signal) if self.tracees.contains_key(&pid) => {
                self.go_on(pid, Some(signal));
            }
            WaitStatus::Stopped(pid, _) => match self.announced.remove(&pid) {
                Some(task) => {
                    self.tracees.insert(pid, Tracee::new(task));
                    self.go_on(pid, None);
                }
                None => self.early.push(pid),
            },
            _ => {}
        }
        Ok(())
    }

    /// Lets it run to its next call; or just run, once there is nothing more to break.
    fn go_on(&self, pid: Pid, signal: Option<Signal>) {
        let pending = self.tracees.get(&pid).is_some_and(|tracee| tracee.pending.is_some());
        // One that was killed meanwhile is no longer there.
        let _ = match self.broken.is_some() && !pending {
            true => ptrace::cont(pid, signal),
            false => ptrace::syscall(pid, signal),
        };
    }

    /// Whether it executes a program that is neither the runtime's nor one that is made in memory, as some runtimes do.
    fn is_other(&self, pid: Pid) -> bool {
        let exe = format!("/proc/{pid}/exe");
        let in_memory = fs::read_link(&exe).is_ok_and(|path| path.to_string_lossy().starts_with("/memfd:"));
        let program = fs::metadata(exe);
        !in_memory && program.is_ok_and(|file| (file.dev(), file.ino()) != self.runtime)
    }

    fn at_event(&mut self, pid: Pid, event: i32) {
        if event == libc::PTRACE_EVENT_EXEC {
            // One that is to stop is let go when it has: a stop that is still to come would be its own.
            if !self.leaving && self.is_other(pid) {
                self.tracees.remove(&pid);
                let _ = ptrace::detach(pid, None);
                return;
            }
        } else if let (Ok(new), Some(parent)) = (ptrace::getevent(pid), self.tracees.get_mut(&pid)) {
            let new = Pid::from_raw(i32::try_from(new).unwrap_or_default());
            let task = format!("{}.{}", parent.task, parent.children);
            parent.children += 1;
            match self.early.iter().position(|early| *early == new) {
                Some(index) => {
                    self.early.swap_remove(index);
                    self.tracees.insert(new, Tracee::new(task));
                    self.go_on(new, None);
                }
                None => drop(self.announced.insert(new, task)),
            }
        }
        self.go_on(pid, None);
    }

    fn at_call(&mut self, pid: Pid) -> io::Result<()> {
        let turn = match sys::call(pid) {
            // It was killed meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
            other => other?,
        };
        let Some(tracee) = self.tracees.get_mut(&pid) else { return Ok(()) };
        if let (Turn::Entry(call), Some(hear)) = (&turn, &mut self.watch) {
            hear(pid, call);
        }
        match turn {
            Turn::Entry(call) if self.broken.is_none() => {
                let count = tracee.counts.entry(call.number).or_default();
                let nth = *count;
                *count += 1;
                let task = tracee.task.clone();
                let meant =
                    |point: &&Point| point.call == call.number && point.nth == nth && point.task == task;
                match self.point.filter(meant) {
                    Some(point) => self.fail(pid, &call, point)?,
                    None if self.point.is_none() => self.seen.push(Seen { task, call, nth }),
                    None => {}
                }
            }
            Turn::Exit { failed } => {
                if let Some(error) = tracee.pending.take()
                    && !(failed && calls::is_made(self.point.map_or(0, |point| point.call)))
                {
                    sys::answer(pid, -i64::from(error))?;
                }
            }
            _ => {}
        }
        self.go_on(pid, None);
        Ok(())
    }

    fn fail(&mut self, pid: Pid, call: &sys::Call, point: &Point) -> io::Result<()> {
        let path = calls::path_argument(call.number).and_then(|index| text(pid, call.arguments[index]));
        self.broken = Some(path.unwrap_or_default());
        match point.error {
            Some(error) => {
                if let Some(tracee) = self.tracees.get_mut(&pid) {
                    tracee.pending = Some(error);
                }
                if calls::is_made(call.number) { Ok(()) } else { sys::skip(pid) }
            }
            None => Ok(kill(process_of(pid), Signal::SIGKILL)?),
        }
    }

    /// Stops to trace what outlives the runtime: once it sleeps, or at once where nothing more is to be broken.
    fn let_go(&mut self) -> io::Result<()> {
        let mut quiet = 0;
        while quiet < 3 && self.broken.is_none() && !(self.tracees.is_empty() && self.announced.is_empty()) {
            match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) if self.tracees.keys().all(|pid| sleeps(*pid)) => {
                    quiet += 1;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_micros(200)),
                Ok(status) => self.handle(status)?,
                Err(_) => break,
            }
            if Instant::now() > self.deadline {
                break;
            }
        }
        self.leaving = true;
        for pid in self.tracees.keys() {
            let _ = kill(*pid, Signal::SIGSTOP);
        }
        while !(self.tracees.is_empty() && self.announced.is_empty()) && Instant::now() < self.deadline {
            match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_micros(100)),
                Ok(WaitStatus::Stopped(pid, Signal::SIGSTOP)) => {
                    self.tracees.remove(&pid);
                    self.announced.remove(&pid);
                    let _ = ptrace::detach(pid, None);
                }
                Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) => {
                    self.tracees.remove(&pid);
                    self.announced.remove(&pid);
                }
                Ok(status) => self.handle(status)?,
                Err(_) => break,
            }
        }
        for pid in self.early.drain(..) {
            let _ = ptrace::detach(pid, None);
        }
        Ok(())
    }
}

fn set_options(pid: Pid) -> io::Result<()> {
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC;
    Ok(ptrace::setoptions(pid, options)?)
}

/// The process of a thread.
fn process_of(thread: Pid) -> Pid {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
    let id = status.lines().find_map(|line| line.strip_prefix("Tgid:")).and_then(|id| id.trim().parse().ok());
    Pid::from_raw(id.unwrap_or(thread.as_raw()))
}

/// Whether a task waits in a system call.
fn sleeps(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
}

/// The text at `address` in the memory of `pid`.
fn text(pid: Pid, address: u64) -> Option<String> {
    let mut bytes = [0_u8; 256];
    let base = usize::try_from(address).ok()?;
    // Not past the end of its page: the next one may not be there.
    let len = (4096 - base % 4096).min(bytes.len());
    let count =
        process_vm_readv(pid, &mut [IoSliceMut::new(bytes.get_mut(..len)?)], &[RemoteIoVec { base, len }])
            .ok()?;
    let end = bytes.iter().take(count).position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
}
