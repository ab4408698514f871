//! `spec-tests faults`: every system call of a runtime in turn fails, or the runtime is killed just before it, in each of its
//! operations. Whatever comes of it, the runtime says what is wrong, and `delete --force` leaves all as it was.

mod ground;
mod operation;
mod variant;
mod worker;

use crate::harness::{Cgroups, Claims, Ground, catch_interrupts, interrupted};
use corten_trace::{Point, calls};
pub(crate) use ground::Place;
use nix::sys::signal::{Signal, kill};
use operation::Operation;
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead, BufReader, IsTerminal, Write},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};
pub(crate) use variant::Variant;
use worker::{Kind, Order, Told};

/// What the caller asks for.
pub(crate) struct Options {
    /// The runtime's file.
    pub(crate) runtime: PathBuf,
    /// How cgroups are to be mounted for the runtime: none for as they are.
    pub(crate) cgroups: Option<Cgroups>,
    /// Only operations, as `create/plain`, that hold one of these, or of these points: `create/plain:clone3`.
    pub(crate) filter: Vec<String>,
    /// So many points of all, evenly spread; without it all.
    pub(crate) sample: Option<usize>,
    /// Calls fail.
    pub(crate) errors: bool,
    /// The runtime is killed.
    pub(crate) kills: bool,
    /// How many at a time.
    pub(crate) jobs: usize,
    /// A file to put every try on record in.
    pub(crate) output: Option<PathBuf>,
}

/// So many tries are one worker's.
const CHUNK: usize = 100;

/// Carries out an order of ours, given as this process's argument.
pub(crate) fn worker(order: &str) -> Result<(), String> {
    worker::main(order)
}

/// An operation on a kind of container, and where it is broken.
struct Sweep {
    operation: &'static Operation,
    variant: Variant,
    points: Vec<Point>,
    /// Why there are none.
    broken: Option<String>,
}

impl Sweep {
    fn name(&self) -> String {
        format!("{}/{}", self.operation.name, self.variant.name())
    }
}

/// What came of a sweep.
#[derive(Default)]
struct Sum {
    kinds: BTreeMap<Kind, usize>,
    slowest: (u128, String),
}

/// Tries all that `options` choose; true when nothing was wrong.
pub(crate) fn faults(options: &Options) -> io::Result<bool> {
    catch_interrupts()?;
    let ground = Ground::prepare(&options.runtime, options.cgroups, Claims::of)?;
    let done = Runner { options, ground: &ground, next: AtomicUsize::new(0) }.run();
    ground.remove();
    done
}

struct Runner<'a> {
    options: &'a Options,
    ground: &'a Ground,
    next: AtomicUsize,
}

impl Runner<'_> {
    fn run(&self) -> io::Result<bool> {
        let start = Instant::now();
        let mut sweeps = self.list()?;
        self.choose(&mut sweeps);
        let total: usize = sweeps.iter().map(|sweep| sweep.points.len()).sum();
        println!("{}: {total} points to break", self.ground.claims.name);
        let record = match &self.options.output {
            Some(path) => Some(fs::File::create(path)?),
            None => None,
        };
        let sums = Mutex::new(BTreeMap::<String, Sum>::new());
        let tally = Tally { sums: &sums, record: record.as_ref(), total };
        self.each(&chunks(&sweeps), |(sweep, points)| {
            let name = sweep.name();
            let result = self.work(sweep, Some(points), |told| {
                if let Told::Try { what, kind, words, milliseconds } = told {
                    tally.add(&name, &what, kind, &words, milliseconds);
                }
            });
            if let Err(error) = result {
                tally.add(&name, "the suite itself", Kind::Failed, &error.to_string(), 0);
            }
        });
        for sweep in &sweeps {
            if let Some(words) = &sweep.broken {
                tally.add(&sweep.name(), "nothing", Kind::Failed, words, 0);
            }
        }
        if interrupted() {
            eprintln!("spec-tests: interrupted");
        }
        let sums = sums.into_inner().map_err(|_| io::Error::other("a thread of the suite broke down"))?;
        Ok(tell(&sums, start) && !interrupted())
    }

    /// Lists the calls of all operations that are wanted, as points at which they can be broken.
    fn list(&self) -> io::Result<Vec<Sweep>> {
        let all = operation::ALL.iter().flat_map(|operation| {
            let sweep = move |variant: &Variant| Sweep {
                operation,
                variant: *variant,
                points: Vec::new(),
                broken: None,
            };
            operation.variants.iter().map(sweep)
        });
        let wanted = |sweep: &Sweep| {
            let filter = &self.options.filter;
            let own = |word: &String| sweep.name().contains(word.split(':').next().unwrap_or_default());
            filter.is_empty() || filter.iter().any(own)
        };
        let sweeps: Vec<_> = all.filter(wanted).map(Mutex::new).collect();
        self.each(&sweeps, |cell| {
            let Ok(mut sweep) = cell.lock() else { return };
            let mut points = Vec::new();
            let listed = self.work(&sweep, None, |told| {
                if let Told::Call(point, arguments) = told {
                    points.extend(self.points(&point, &arguments));
                }
            });
            match listed {
                Ok(()) => sweep.points = points,
                Err(error) => sweep.broken = Some(error.to_string()),
            }
        });
        let taken = sweeps.into_iter().map(Mutex::into_inner);
        taken.collect::<Result<_, _>>().map_err(|_| io::Error::other("a thread of the suite broke down"))
    }

    /// The ways in which a call is broken.
    fn points(&self, point: &Point, arguments: &[u64; 6]) -> Vec<Point> {
        let errors = calls::errors(point.call, arguments).into_iter().filter(|_| self.options.errors);
        let errors = errors.map(|errno| Point { error: Some(errno as i32), ..point.clone() });
        let kill = self.options.kills.then(|| point.clone());
        kill.into_iter().chain(errors).collect()
    }

    /// Takes the points that the filter and the sample leave.
    fn choose(&self, sweeps: &mut [Sweep]) {
        for sweep in sweeps.iter_mut() {
            let name = sweep.name();
            let words: Vec<_> = self.options.filter.iter().filter_map(|word| word.split_once(':')).collect();
            let wanted = |point: &Point| {
                words.iter().any(|(own, call)| name.contains(own) && calls::name(point.call) == *call)
            };
            sweep.points.retain(|point| words.is_empty() || wanted(point));
        }
        let total: usize = sweeps.iter().map(|sweep| sweep.points.len()).sum();
        let Some(sample) = self.options.sample.filter(|sample| *sample < total) else { return };
        let mut index = 0;
        for sweep in sweeps {
            sweep.points.retain(|_| {
                index += 1;
                // Those at which the count goes past a whole number.
                index * sample / total > (index - 1) * sample / total
            });
        }
    }

    /// Does `act` to all of `list`, several at a time.
    fn each<T: Sync>(&self, list: &[T], act: impl Fn(&T) + Sync) {
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..self.options.jobs.max(1) {
                scope.spawn(|| {
                    while let Some(one) = list.get(next.fetch_add(1, Ordering::Relaxed))
                        && !interrupted()
                    {
                        act(one);
                    }
                });
            }
        });
    }

    /// Has a worker list the calls of `sweep`, or break it at `points`; what it tells goes to `hear`.
    fn work(&self, sweep: &Sweep, points: Option<&[Point]>, mut hear: impl FnMut(Told)) -> io::Result<()> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let dir = self.ground.base.join(format!("{number:04}"));
        fs::create_dir(&dir)?;
        let file = points.map(|_| dir.join("points.json"));
        if let (Some(file), Some(points)) = (&file, points) {
            fs::write(file, json!(points).to_string())?;
        }
        let order = Order {
            runtime: self.ground.runtime.clone(),
            dir: dir.clone(),
            payload: self.ground.payload.clone(),
            parent: self.ground.parent.clone(),
            tag: format!("cf{}n{number:04}", std::process::id()),
            operation: sweep.operation.name.to_owned(),
            variant: sweep.variant.name().to_owned(),
            points: file,
        };
        let errors = dir.join("worker.err");
        let mut child = Command::new("/proc/self/exe")
            .args(["faults-worker", &serde_json::to_string(&order)?])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&errors)?)
            .spawn()?;
        for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
            hear(serde_json::from_str(&line?)?);
            if interrupted() {
                let _ = kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM);
            }
        }
        let status = child.wait()?;
        let words = fs::read_to_string(errors).unwrap_or_default();
        let _ = fs::remove_dir_all(&dir);
        if status.success() { Ok(()) } else { Err(io::Error::other(words.trim_end().to_owned())) }
    }
}

/// What workers are given at a time.
fn chunks(sweeps: &[Sweep]) -> Vec<(&Sweep, &[Point])> {
    sweeps.iter().flat_map(|sweep| sweep.points.chunks(CHUNK).map(move |points| (sweep, points))).collect()
}

/// Counts, and tells what is wrong at once.
struct Tally<'a> {
    sums: &'a Mutex<BTreeMap<String, Sum>>,
    record: Option<&'a fs::File>,
    total: usize,
}

impl Tally<'_> {
    fn add(&self, name: &str, what: &str, kind: Kind, words: &str, milliseconds: u128) {
        let Ok(mut sums) = self.sums.lock() else { return };
        let sum = sums.entry(name.to_owned()).or_default();
        *sum.kinds.entry(kind).or_default() += 1;
        sum.slowest = sum.slowest.clone().max((milliseconds, what.to_owned()));
        let done: usize = sums.values().flat_map(|sum| sum.kinds.values()).sum();
        if let Some(mut file) = self.record {
            let _ = writeln!(file, "{name}: {what}: {kind:?} in {milliseconds} ms: {}", words.escape_debug());
        }
        let mut out = io::stdout().lock();
        let clear = if out.is_terminal() { "\r\x1b[K" } else { "" };
        if kind == Kind::Failed {
            let _ = writeln!(out, "{clear}FAIL {name}: {what}: {words}");
        }
        if out.is_terminal() {
            let _ = write!(out, "{clear}{done}/{} {name}", self.total);
            let _ = out.flush();
        }
    }
}

/// Prints the table of what came of it; true when nothing is wrong.
fn tell(sums: &BTreeMap<String, Sum>, start: Instant) -> bool {
    let mut all = [0; 5];
    if io::stdout().is_terminal() {
        print!("\r\x1b[K");
    }
    println!(
        "| operation | refused | tolerated | killed | never came | wrong | slowest |\n|---|---|---|---|---|---|---|"
    );
    for (name, sum) in sums {
        let kinds = [Kind::Refused, Kind::Tolerated, Kind::Killed, Kind::Missed, Kind::Failed];
        let counts = kinds.map(|kind| sum.kinds.get(&kind).copied().unwrap_or_default());
        all.iter_mut().zip(counts).for_each(|(all, count)| *all += count);
        let [refused, tolerated, killed, missed, failed] = counts;
        let (milliseconds, what) = &sum.slowest;
        println!(
            "| {name} | {refused} | {tolerated} | {killed} | {missed} | {failed} | {milliseconds} ms: {what} |"
        );
    }
    let [refused, tolerated, killed, missed, failed] = all;
    println!(
        "in {:.1} s: {refused} refused, {tolerated} tolerated, {killed} killed",
        start.elapsed().as_secs_f64()
    );
    println!("{} passed, {failed} failed, {missed} skipped", refused + tolerated + killed);
    failed == 0 && refused + tolerated + killed > 0
}
