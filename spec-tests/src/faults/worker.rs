//! A process that breaks one operation at the points that it is given, one after the other, and looks each time whether all
//! is as before.

use super::{
    ground::Place,
    operation::{After, Before, Operation},
    variant::{CODE, Variant},
};
use crate::harness::{Bundle, within};
use corten_trace::{Ending, Point, Traced, Tracer, calls};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

/// A broken operation that takes longer hangs. A runtime may wait some seconds for a process to die.
const LIMIT: Duration = Duration::from_secs(25);

/// What a worker is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) runtime: PathBuf,
    pub(super) dir: PathBuf,
    pub(super) payload: PathBuf,
    pub(super) parent: String,
    pub(super) tag: String,
    pub(super) operation: String,
    pub(super) variant: String,
    /// A file with the points; without one the calls of an operation that is left alone are listed.
    pub(super) points: Option<PathBuf>,
}

/// What came of one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Kind {
    /// The operation succeeded all the same, in full.
    Tolerated,
    /// It failed, and said why.
    Refused,
    /// The runtime was killed, or ended for lack of memory.
    Killed,
    /// The call never came.
    Missed,
    /// Something is wrong.
    Failed,
}

/// What a worker tells, one a line: of a try, or of a call that can be broken.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Told {
    /// A try.
    Try {
        /// What was broken, in words.
        what: String,
        /// What came of it.
        kind: Kind,
        /// Why that is wrong; or what the runtime said.
        words: String,
        /// How long the operation took.
        milliseconds: u128,
    },
    /// A call.
    Call(Point, [u64; 6]),
}

/// Carries out `order`, and tells on standard output.
pub(super) fn main(order: &str) -> Result<(), String> {
    let order: Order = serde_json::from_str(order).map_err(|error| error.to_string())?;
    let worker = Worker::new(order).map_err(|error| error.to_string())?;
    worker.work()
}

struct Worker {
    order: Order,
    operation: &'static Operation,
    place: Place,
    bundle: Bundle,
    /// The same, whose process waits, for what is made before the operation.
    waiting: Bundle,
}

/// A call of the runtime that ended.
struct Called {
    ok: bool,
    out: String,
    err: String,
}

impl Worker {
    fn new(order: Order) -> io::Result<Self> {
        let operation = Operation::named(&order.operation);
        let operation = operation.ok_or_else(|| io::Error::other("no such operation"))?;
        let variant = Variant::ALL.into_iter().find(|variant| variant.name() == order.variant);
        let variant = variant.ok_or_else(|| io::Error::other("no such variant"))?;
        let place = Place::enter(&order.dir, None, &order.parent, &order.tag)?;
        let cgroup = format!("{}/{}/deep", order.parent, order.tag);
        let code = CODE.to_string();
        let make = |name: &str, arguments: &[&str]| {
            variant.bundle(order.dir.join(name), &order.payload, &cgroup, &place.hierarchies, arguments)
        };
        let waiting = make("waiting", &["wait"])?;
        let bundle =
            if operation.ends() { make("bundle", &["exit", &code])? } else { make("bundle", &["wait"])? };
        Ok(Self { order, operation, place, bundle, waiting })
    }

    fn work(&self) -> Result<(), String> {
        let Some(file) = &self.order.points else { return self.list() };
        let text = fs::read(file).map_err(|error| error.to_string())?;
        let points: Vec<Point> = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        for point in &points {
            self.tell(&self.try_point(point))?;
        }
        let last = self.fresh().err();
        last.map_or(Ok(()), |words| {
            let what = "a container after all".to_owned();
            self.tell(&Told::Try { what, kind: Kind::Failed, words, milliseconds: 0 })
        })
    }

    fn tell(&self, told: &Told) -> Result<(), String> {
        let line = serde_json::to_string(told).map_err(|error| error.to_string())?;
        writeln!(io::stdout(), "{line}").map_err(|error| error.to_string())
    }

    /// Lists the calls of an operation that nothing is done to.
    fn list(&self) -> Result<(), String> {
        // What is made at the first time only, as mount points in an image, is there afterwards.
        for last in [false, true] {
            self.prepare()?;
            let (traced, err, _) = self.trace(None)?;
            if !self.operation.succeeded(traced.ending) {
                return Err(format!("it fails untouched: {:?}: {err}", traced.ending));
            }
            let right = self.verify();
            let cleared = self.clear();
            right.and(cleared).map_err(|words| format!("untouched: {words}"))?;
            for seen in traced.seen.into_iter().filter(|_| last) {
                let point = Point { task: seen.task, call: seen.call.number, nth: seen.nth, error: None };
                self.tell(&Told::Call(point, seen.call.arguments))?;
            }
        }
        Ok(())
    }

    fn try_point(&self, point: &Point) -> Told {
        let mut what = format!("{} #{} of {}", calls::name(point.call), point.nth, point.task);
        what += &point.error.map_or_else(
            || ": killed".to_owned(),
            |error| format!(": {:?}", nix::errno::Errno::from_raw(error)),
        );
        let mut milliseconds = 0;
        let mut said = String::new();
        let mut run = || {
            self.prepare().map_err(|words| format!("before it: {words}"))?;
            let (traced, err, took) = self.trace(Some(point))?;
            milliseconds = took.as_millis();
            if let Some(path) = traced.broken.as_ref().filter(|path| !path.is_empty()) {
                what = format!("{what} ({path})");
            }
            said.clone_from(&err);
            let kind = self.judge(point, &traced, &err)?;
            if point.error.is_none() {
                // A file that was not yet renamed to be the pid file: `delete` cannot know of it.
                self.place.drop_files();
            }
            self.clear()?;
            if self.operation.makes {
                self.fresh()?;
            }
            Ok(kind)
        };
        let (kind, words) = match run() {
            Ok(kind) => (kind, said),
            Err(words) => {
                self.place.sweep();
                (Kind::Failed, words)
            }
        };
        Told::Try { what, kind, words, milliseconds }
    }

    /// Whether the operation ended as it may.
    fn judge(&self, point: &Point, traced: &Traced, err: &str) -> Result<Kind, String> {
        match (traced.ending, point.error) {
            (Ending::Hung, _) => Err(format!("it hangs: {err:?}")),
            (ending, _) if traced.broken.is_none() => match self.operation.succeeded(ending) {
                true => Ok(Kind::Missed),
                false => Err(format!("it failed though nothing was done to it: {ending:?}: {err:?}")),
            },
            (ending, None) if self.operation.succeeded(ending) => Ok(Kind::Tolerated),
            // It was created, and its process ended later.
            (ending, Some(_))
                if self.operation.succeeded(ending) && self.operation.makes && calls::is_waiting(point) =>
            {
                Ok(Kind::Tolerated)
            }
            (ending, Some(_)) if self.operation.succeeded(ending) => {
                self.verify().map_err(|words| format!("it said that it succeeded: {words}"))?;
                Ok(Kind::Tolerated)
            }
            (Ending::Signal(libc::SIGKILL), None) => Ok(Kind::Killed),
            // What the killed process was to be: the runtime passes its end on.
            (Ending::Code(137), None) if point.task != "0" => Ok(Kind::Tolerated),
            (Ending::Signal(_), Some(_)) if calls::is_memory(point.call) => Ok(Kind::Killed),
            (Ending::Signal(signal), _) => Err(format!("it was ended by signal {signal}: {err:?}")),
            (Ending::Code(code), _) => {
                clear(err).map_err(|words| format!("exit code {code}: {words}: {err:?}"))?;
                if self.operation.makes && point.error.is_some() && !self.has_run() {
                    self.place.quiet().map_err(|words| format!("it failed ({err:?}) and left {words}"))?;
                }
                Ok(Kind::Refused)
            }
        }
    }

    /// Whether the program of `run` was done already: what it could not remove is left to `delete`.
    fn has_run(&self) -> bool {
        let half_gone = || !self.place.state().join(&self.order.tag).join("state.json").exists();
        self.operation.ends()
            && (self.status().is_ok_and(|state| state["status"] == "stopped") || half_gone())
    }

    /// Makes what is there before the operation.
    fn prepare(&self) -> Result<(), String> {
        let id = &self.order.tag;
        let before = self.operation.before;
        self.place.drop_mount_points(&self.bundle);
        if before == Before::Nothing {
            return Ok(());
        }
        self.create(&self.waiting)?;
        if before > Before::Created {
            self.ok(&["start", id])?;
        }
        match before {
            Before::Paused => self.ok(&["pause", id]).map(drop),
            Before::Stopped => {
                self.ok(&["kill", id, "KILL"])?;
                self.wait_for("stopped")
            }
            _ => Ok(()),
        }
    }

    fn create(&self, bundle: &Bundle) -> Result<(), String> {
        let (dir, pid_file) = (bundle.dir.to_string_lossy(), self.place.file("pid"));
        let mut words = vec!["create", "--bundle", &*dir, "--pid-file", &*pid_file];
        let socket = self.place.socket_path();
        if self.order.variant == Variant::Terminal.name() {
            words.extend(["--console-socket", &*socket]);
        }
        words.push(&self.order.tag);
        self.ok(&words).map(drop)
    }

    /// The operation under the tracer: what it did, the end of what it said, and how long it took.
    fn trace(&self, point: Option<&Point>) -> Result<(Traced, String, Duration), String> {
        let text = |error: io::Error| format!("the tracer: {error}");
        let put = |word: &str| match word {
            "ID" => Some(self.order.tag.clone()),
            "BUNDLE" => Some(self.bundle.dir.to_string_lossy().into_owned()),
            "PIDFILE" => Some(self.place.file("operation.pid")),
            "SOCKET" => Some(self.place.socket_path()),
            _ => None,
        };
        let words = self.operation.words(put);
        let mut tracer = Tracer::new(&self.order.runtime, point, LIMIT).map_err(text)?;
        if self.operation.with_waiting {
            let pid = fs::read_to_string(self.place.file("pid")).map_err(text)?;
            tracer.attach(pid.trim().parse().map_err(|_| "no pid in the pid file")?).map_err(text)?;
        }
        let start = Instant::now();
        let command = self.command(&words).map_err(text)?;
        let traced = tracer.run(command).map_err(text)?;
        let err = self.place.read("err");
        Ok((traced, err.trim_end().to_owned(), start.elapsed()))
    }

    fn command<T: AsRef<std::ffi::OsStr>>(&self, words: &[T]) -> io::Result<Command> {
        let mut command = Command::new(&self.order.runtime);
        command.arg("--root").arg(self.place.state()).args(words);
        self.place.streams(&mut command)?;
        Ok(command)
    }

    /// A call of the runtime that is left alone.
    fn call(&self, words: &[&str]) -> Result<Called, String> {
        let run = || {
            let mut child = self.command(words)?.spawn()?;
            // Orphans are reaped all along: a pid namespace does not end before its last zombie.
            let status = within(LIMIT, || reap(child.id()));
            if status.is_none() {
                child.kill()?;
                child.wait()?;
            }
            io::Result::Ok(status)
        };
        let status = run().map_err(|error| error.to_string())?;
        let (out, err) = (self.place.read("out"), self.place.read("err"));
        match status {
            None => Err(format!("`{}` hangs: {err:?}", words.join(" "))),
            Some(code) => Ok(Called { ok: code == 0, out, err }),
        }
    }

    fn ok(&self, words: &[&str]) -> Result<Called, String> {
        let called = self.call(words)?;
        if called.ok {
            Ok(called)
        } else {
            Err(format!("`{}`: {:?}", words.join(" "), called.err.trim_end()))
        }
    }

    fn status(&self) -> Result<Value, String> {
        let called = self.ok(&["state", &self.order.tag])?;
        serde_json::from_str(&called.out).map_err(|error| format!("state: {error}: {:?}", called.out))
    }

    fn wait_for(&self, status: &str) -> Result<(), String> {
        let mut last = Ok(Value::Null);
        let found = within(Duration::from_secs(5), || {
            last = self.status();
            last.as_ref().is_ok_and(|state| state["status"] == status).then_some(())
        });
        found.ok_or_else(|| match last {
            Ok(state) => format!("it is {} and not {status}", state["status"]),
            Err(words) => words,
        })
    }

    /// Whether all is as after a success.
    fn verify(&self) -> Result<(), String> {
        match self.operation.after {
            After::Gone => self.place.quiet().map_err(|words| format!("left {words}")),
            After::Status(status) => {
                self.wait_for(status)?;
                if status == "running" { self.descriptors() } else { Ok(()) }
            }
        }
    }

    /// The container's process has its streams and nothing more.
    fn descriptors(&self) -> Result<(), String> {
        let pid = self.status()?["pid"].as_i64().unwrap_or_default();
        let more = || {
            let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
            names.filter(|fd| *fd > 2).collect::<Vec<_>>()
        };
        let few = within(Duration::from_millis(500), || more().is_empty().then_some(()));
        few.ok_or_else(|| format!("the container's process has descriptors {:?}", more()))
    }

    /// `delete --force` removes everything.
    fn clear(&self) -> Result<(), String> {
        let id = &self.order.tag;
        let deleted = self.call(&["delete", "--force", id])?;
        if !deleted.ok && !deleted.err.contains("does not exist") {
            return Err(format!("`delete --force` afterwards: {:?}", deleted.err.trim_end()));
        }
        self.place.quiet().map_err(|words| format!("after `delete --force` there is still {words}"))
    }

    /// A new container by the same name lives.
    fn fresh(&self) -> Result<(), String> {
        let live = || {
            self.create(&self.waiting)?;
            self.ok(&["start", &self.order.tag])?;
            self.wait_for("running")?;
            self.clear()
        };
        live().map_err(|words: String| format!("a new container by the same name: {words}"))
    }
}

/// Reaps all that ended, until it is the child `wanted`: its exit code, or -1.
fn reap(wanted: u32) -> Option<i32> {
    loop {
        let (pid, code) = match waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Exited(pid, code)) => (pid, code),
            Ok(WaitStatus::Signaled(pid, ..)) => (pid, -1),
            _ => return None,
        };
        if pid.as_raw().cast_unsigned() == wanted {
            return Some(code);
        }
    }
}

/// The last line says something.
fn clear(err: &str) -> Result<(), &'static str> {
    let last = err.lines().next_back().unwrap_or_default();
    if last.split_whitespace().count() < 2 {
        return Err("it did not say why");
    }
    if err.contains("panicked at") || err.contains("RUST_BACKTRACE") || err.contains("goroutine ") {
        return Err("it crashed");
    }
    Ok(())
}
