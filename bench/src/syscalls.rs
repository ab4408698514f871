//! How many system calls each operation of a runtime makes, by kind: the runtime's own, and those of its init program up to the
//! `execve` of the container's process. What depends on how the runtime was built is left out: calls about memory, which are the
//! allocator's, and looks at descriptors, which are the standard library's.

use crate::{Bundle, Kind, Result, View, host};
use corten_trace::{Call, Ending, Traced, Tracer, calls};
use nix::{
    sys::{
        prctl,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// An operation that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// Calls that wait for another process, and come again when they are woken too early: a few more are chance.
const WAITS: [&str; 9] =
    ["epoll_pwait", "epoll_wait", "futex", "poll", "ppoll", "read", "recvmsg", "wait4", "waitid"];

/// The operations, in the order in which they are tried.
pub const OPERATIONS: [&str; 8] = ["run", "create", "start", "state", "list", "exec", "kill", "delete"];

/// Whose calls: the runtime's processes', or the container's first process' before it is the container's.
const WHO: [&str; 2] = ["runtime", "init"];

/// What is counted: an operation, whose, and the call's name.
type What = (usize, usize, String);

/// Counts of system calls, from the least to the most that were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<What, (u32, u32)>);

impl Counts {
    /// Runs each operation of `runtime` so many times under the tracer, beside `alive` other containers. The thread sees cgroups as they
    /// are to be; no other child of the process may end meanwhile.
    ///
    /// # Errors
    /// If an operation fails.
    pub fn measure(runtime: &Path, rounds: u32, alive: usize) -> Result<Self> {
        let place = Place::new(runtime)?;
        let others: Result<Vec<_>> = (0..alive).map(|number| place.other(number)).collect();
        let others = others?;
        let mut counts = Self::default();
        // The first round makes what is made but once, as a directory of states.
        let counted = place.round().and_then(|_| {
            for number in 0..rounds {
                counts.merge(place.round()?, number == 0);
            }
            Ok(counts)
        });
        others.iter().for_each(|id| place.remove(id));
        counted
    }

    /// Counts of one more round.
    fn merge(&mut self, round: BTreeMap<What, u32>, first: bool) {
        for (what, (least, _)) in &mut self.0 {
            if !round.contains_key(what) {
                *least = 0;
            }
        }
        for (what, count) in round {
            let range = self.0.entry(what).or_insert(if first { (count, count) } else { (0, count) });
            *range = (range.0.min(count), range.1.max(count));
        }
    }

    /// The sum of `operation`, of the runtime and of the init program: the most that was seen.
    #[must_use]
    pub fn sum(&self, operation: &str, who: &str) -> u32 {
        let same = |what: &What| OPERATIONS[what.0] == operation && WHO[what.1] == who;
        self.0.iter().filter(|(what, _)| same(what)).map(|(_, (_, most))| most).sum()
    }

    /// In what these counts are not those of `recorded`, each in words. Four calls more or less that wait are no difference;
    /// where `tolerant`, neither are two of any other kind or a tenth.
    #[must_use]
    pub fn differences(&self, recorded: &Self, tolerant: bool) -> Vec<String> {
        let all: std::collections::BTreeSet<_> = self.0.keys().chain(recorded.0.keys()).collect();
        let words = all.into_iter().filter_map(|what| {
            let (now, then) = (self.range(what), recorded.range(what));
            let slack = match (tolerant, WAITS.contains(&what.2.as_str())) {
                (true, _) => (then.1 / 10).max(2),
                (false, true) => 4,
                (false, false) => 0,
            };
            let fits = now.0 + slack >= then.0 && now.1 <= then.1 + slack;
            let (operation, who) = (OPERATIONS[what.0], WHO[what.1]);
            (!fits).then(|| {
                format!(
                    "{operation}, {who}: {} is called {} times, on record are {}",
                    what.2,
                    show(now),
                    show(then)
                )
            })
        });
        words.collect()
    }

    fn range(&self, what: &What) -> (u32, u32) {
        self.0.get(what).copied().unwrap_or_default()
    }
}

fn show((least, most): (u32, u32)) -> String {
    if least == most { most.to_string() } else { format!("{least}..{most}") }
}

/// Counts for each of some ways to mount cgroups, as a text that people can read and compare line by line.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The kernel's version, major and minor: others may lack calls or say no to some.
    pub kernel: String,
    /// The name of a way, what hierarchies it had, and the counts.
    pub views: Vec<(String, String, Counts)>,
}

impl Record {
    /// The text, headed by `head` as comments.
    #[must_use]
    pub fn text(&self, head: &str) -> String {
        let mut text: String =
            head.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect();
        let mut line = |words: std::fmt::Arguments<'_>| {
            let _ = text.write_fmt(words);
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
        };
        line(format_args!("kernel {}", self.kernel));
        for (name, hierarchies, _) in &self.views {
            line(format_args!("view {name} {hierarchies}"));
        }
        let all: std::collections::BTreeSet<_> = self.views.iter().flat_map(|view| view.2.0.keys()).collect();
        for (operation, name) in OPERATIONS.iter().enumerate() {
            for (who, whose) in WHO.iter().enumerate() {
                let rows: Vec<_> = all.iter().filter(|what| (what.0, what.1) == (operation, who)).collect();
                if rows.is_empty() {
                    continue;
                }
                let cells = |cell: &dyn Fn(&Counts) -> String| {
                    self.views.iter().map(|view| format!("{:>8}", cell(&view.2))).collect::<String>()
                };
                line(format_args!(""));
                let sums = cells(&|counts| counts.sum(name, whose).to_string());
                line(format_args!("{:<24}{sums}", format!("{name} {whose} all")));
                for what in rows {
                    let counts = cells(&|counts| show(counts.range(what)));
                    line(format_args!("{:<24}{counts}", format!("{name} {whose} {}", what.2)));
                }
            }
        }
        text
    }

    /// Reads such a text.
    ///
    /// # Errors
    /// The line that is not of this form.
    pub fn parse(text: &str) -> Result<Self> {
        let mut record = Self::default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            record.line(line).ok_or_else(|| format!("not understood: {line:?}"))?;
        }
        Ok(record)
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let words: Vec<_> = line.split_whitespace().collect();
        match *words.as_slice() {
            ["kernel", version] => version.clone_into(&mut self.kernel),
            ["view", name, hierarchies] => {
                self.views.push((name.to_owned(), hierarchies.to_owned(), Counts::default()));
            }
            [operation, who, call, ..] if words.len() == 3 + self.views.len() => {
                let operation = OPERATIONS.iter().position(|name| *name == operation)?;
                let who = WHO.iter().position(|name| *name == who)?;
                for (view, cell) in self.views.iter_mut().zip(&words[3..]).filter(|_| call != "all") {
                    let (least, most) = cell.split_once("..").unwrap_or((cell, cell));
                    let range = (least.parse().ok()?, most.parse().ok()?);
                    if range.1 > 0 {
                        view.2.0.insert((operation, who, call.to_owned()), range);
                    }
                }
            }
            _ => return None,
        }
        Some(())
    }
}

/// The kernel's version, major and minor.
#[must_use]
pub fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.split(['.', '-']).take(2).collect::<Vec<_>>().join(".")
}

/// The hierarchies that the calling thread sees, in one word.
#[must_use]
pub fn hierarchies() -> String {
    let mut all: Vec<_> = host::hierarchies()
        .iter()
        .map(|hierarchy| if hierarchy.v2 { "v2".to_owned() } else { hierarchy.controllers.clone() })
        .collect();
    all.sort();
    all.join("+")
}

/// Where operations are tried.
struct Place {
    runtime: PathBuf,
    id: String,
    bundle: Bundle,
}

impl Place {
    fn new(runtime: &Path) -> Result<Self> {
        // What outlives a `create` becomes our child: nobody else may reap it at a time of their own.
        prctl::set_child_subreaper(true).map_err(|errno| format!("become a subreaper: {}", errno.desc()))?;
        let bundle = Bundle::new("syscalls", Kind::Default)?;
        let id = format!("corten-test-syscalls-{}", std::process::id());
        Ok(Self { runtime: runtime.to_owned(), id, bundle })
    }

    /// Tries all operations once.
    fn round(&self) -> Result<BTreeMap<What, u32>> {
        let mut counts = BTreeMap::new();
        let done = self.operations(&mut counts);
        if done.is_err() {
            self.remove(&self.id);
        }
        done.map(|()| counts)
    }

    fn operations(&self, counts: &mut BTreeMap<What, u32>) -> Result<()> {
        let id = self.id.as_str();
        let file = self.bundle.file("pid");
        let pid_file = file.to_string_lossy();
        self.bundle.process(&["/bin/true"])?;
        self.count(counts, 0, &["run", id], None)?;
        self.bundle.process(&["/bin/sleep", "1000"])?;
        self.count(counts, 1, &["create", "--pid-file", &pid_file, id], None)?;
        let pid = fs::read_to_string(&file).map_err(|error| format!("the pid file: {error}"))?;
        let pid: i32 = pid.trim().parse().map_err(|_| format!("{pid:?} in the pid file"))?;
        self.count(counts, 2, &["start", id], Some(pid))?;
        self.count(counts, 3, &["state", id], None)?;
        self.count(counts, 4, &["list"], None)?;
        self.count(counts, 5, &["exec", id, "/bin/true"], None)?;
        self.count(counts, 6, &["kill", id, "KILL"], None)?;
        gone(pid)?;
        self.count(counts, 7, &["delete", id], None)
    }

    fn count(
        &self,
        counts: &mut BTreeMap<What, u32>,
        operation: usize,
        words: &[&str],
        init: Option<i32>,
    ) -> Result<()> {
        let traced = self.trace(words, init)?;
        for seen in traced.seen.iter().filter(|seen| !is_left_out(&seen.call)) {
            let who = usize::from(seen.task != "0");
            *counts.entry((operation, who, calls::name(seen.call.number))).or_default() += 1;
        }
        Ok(())
    }

    fn trace(&self, words: &[&str], init: Option<i32>) -> Result<Traced> {
        let said = |error: std::io::Error| format!("trace `{}`: {error}", words.join(" "));
        let mut tracer = Tracer::new(&self.runtime, None, LIMIT).map_err(said)?;
        // An init program of several threads, as runc's is, is not counted at its start.
        if let Some(pid) = init.filter(|pid| has_one_thread(*pid)) {
            tracer.attach(pid).map_err(said)?;
        }
        let errors = self.bundle.file("errors");
        let mut command = self.command(words);
        command.stderr(fs::File::create(&errors).map_err(said)?);
        let traced = tracer.run(command).map_err(said)?;
        if traced.ending == Ending::Code(0) {
            return Ok(traced);
        }
        let said = fs::read_to_string(errors).unwrap_or_default();
        Err(format!("`{}`: {:?}: {}", words.join(" "), traced.ending, said.trim_end()))
    }

    /// A call of the runtime; the variables of the environment are always the same.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.runtime);
        command.arg("--root").arg(self.bundle.state()).args(words).current_dir(self.bundle.dir());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// One more container, which lives beside.
    fn other(&self, number: usize) -> Result<String> {
        self.bundle.process(&["/bin/sleep", "1000"])?;
        let id = format!("{}-{number}", self.id);
        let made = self.command(&["create", &id]).status();
        made.is_ok_and(|status| status.success())
            .then_some(())
            .ok_or_else(|| format!("create {id} failed"))?;
        Ok(id)
    }

    fn remove(&self, id: &str) {
        let _ = self.command(&["delete", "--force", id]).status();
    }
}

/// Whether a call depends on how the program was built: the allocator's, and the standard library's looks at descriptors in debug
/// builds.
fn is_left_out(call: &Call) -> bool {
    let look = call.number == libc::SYS_fcntl && call.arguments[1] == u64::from(libc::F_GETFD.unsigned_abs());
    look || calls::is_memory(call.number)
}

fn has_one_thread(pid: i32) -> bool {
    fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.count() == 1)
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = prctl::set_child_subreaper(false);
    }
}

/// Reaps until there is no process `pid`.
fn gone(pid: i32) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(1)),
            // Reaped now, or by the tracer.
            _ => return Ok(()),
        }
    }
    Err(format!("process {pid} does not end"))
}

/// Measures `runtime` as the host mounts cgroups, and on version 2 alone where the host has more. The calling thread is left with the last.
///
/// # Errors
/// As [`Counts::measure`].
pub fn record(runtime: &Path, rounds: u32) -> Result<Record> {
    let mut record = Record { kernel: kernel(), views: Vec::new() };
    if host::hierarchies().iter().any(|hierarchy| !hierarchy.v2) {
        record.views.push(("v1".to_owned(), hierarchies(), Counts::measure(runtime, rounds, 0)?));
        View::V2.enter()?;
    }
    record.views.push(("v2".to_owned(), hierarchies(), Counts::measure(runtime, rounds, 0)?));
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(list: &[(&str, u32, u32)]) -> Counts {
        Counts(list.iter().map(|(call, least, most)| ((0, 1, (*call).to_owned()), (*least, *most))).collect())
    }

    #[test]
    fn a_record_is_read_as_it_is_written() {
        let (one, two) = (counts(&[("mount", 3, 3), ("read", 2, 5)]), counts(&[("close", 12, 12)]));
        let views = vec![
            ("v1".to_owned(), "cpu+pids".to_owned(), one.clone()),
            ("v2".to_owned(), "v2".to_owned(), two.clone()),
        ];
        let text = Record { kernel: "6.18".to_owned(), views }.text("A head\n\nof lines");
        assert!(text.starts_with("# A head\n#\n# of lines\nkernel 6.18\n"), "{text}");
        let read = Record::parse(&text).unwrap();
        assert_eq!((&*read.kernel, &*read.views[1].0, &*read.views[0].1), ("6.18", "v2", "cpu+pids"));
        assert_eq!((&read.views[0].2, &read.views[1].2), (&one, &two));
        assert!(Record::parse("run init mount three").is_err());
    }

    #[test]
    fn more_and_fewer_calls_are_told() {
        let then = counts(&[("mount", 3, 3), ("read", 20, 30)]);
        assert!(counts(&[("mount", 3, 3), ("read", 21, 29)]).differences(&then, false).is_empty());
        assert_eq!(
            counts(&[("mount", 4, 4), ("read", 16, 34), ("umount2", 1, 1)]).differences(&then, false),
            [
                "run, init: mount is called 4 times, on record are 3",
                "run, init: umount2 is called 1 times, on record are 0"
            ]
        );
        assert_eq!(counts(&[("mount", 5, 5), ("read", 18, 33)]).differences(&then, true), [""; 0]);
        assert_eq!(counts(&[("mount", 6, 6), ("read", 17, 34)]).differences(&then, true).len(), 3 - 1);
    }

    #[test]
    fn rounds_that_differ_make_a_range() {
        let round =
            |list: &[(&str, u32)]| list.iter().map(|(call, n)| ((0, 0, (*call).to_owned()), *n)).collect();
        let mut all = Counts::default();
        all.merge(round(&[("read", 2), ("poll", 1)]), true);
        all.merge(round(&[("read", 3), ("futex", 1)]), false);
        let range = |call: &str| all.range(&(0, 0, call.to_owned()));
        assert_eq!((range("read"), range("poll"), range("futex")), ((2, 3), (0, 1), (0, 1)));
    }
}
