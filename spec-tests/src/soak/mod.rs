//! `spec-tests soak`: thousands of lives with random operations, alone and at once, watched all along. A seed decides what
//! each life does, so that one that failed can be repeated.

mod children;
mod life;
mod random;
mod watch;
mod worker;

use crate::harness::{Cgroups, Claims, Ground, catch_interrupts, interrupted};
use std::{
    fs,
    io::{self, BufRead, BufReader, IsTerminal, Write},
    path::PathBuf,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::Instant,
};
use worker::{Order, Told};

/// What the caller asks for.
pub(crate) struct Options {
    /// The runtime's file.
    pub(crate) runtime: PathBuf,
    /// How cgroups are to be mounted for the runtime: none for as they are.
    pub(crate) cgroups: Option<Cgroups>,
    /// So many lives.
    pub(crate) count: u64,
    /// So many at a time.
    pub(crate) parallel: u64,
    /// So many containers live beside them.
    pub(crate) alive: u64,
    /// What decides the first life.
    pub(crate) seed: u64,
}

/// Carries out an order of ours, given as this process's argument.
pub(crate) fn worker(order: &str) -> io::Result<()> {
    catch_interrupts()?;
    worker::main(order)
}

/// What came of all lives.
#[derive(Default)]
struct Sum {
    lives: usize,
    acts: usize,
    looks: usize,
    failed: usize,
    took: Vec<(usize, u128, u128)>,
}

/// Lives all lives; true when nothing was wrong.
pub(crate) fn soak(options: &Options) -> io::Result<bool> {
    catch_interrupts()?;
    let ground = Ground::prepare(&options.runtime, options.cgroups, Claims::of)?;
    let start = Instant::now();
    let sum = run(options, &ground);
    ground.remove();
    let sum = sum?;
    for (alive, create, list) in &sum.took {
        println!("with {alive} containers alive: create {create} us, list {list} us (medians)");
    }
    println!(
        "in {:.1} s, seeds from {}: {} operations, {} looks at the state",
        start.elapsed().as_secs_f64(),
        options.seed,
        sum.acts,
        sum.looks
    );
    println!("{} passed, {} failed, 0 skipped", sum.lives, sum.failed);
    Ok(sum.failed == 0 && sum.lives as u64 == options.count)
}

fn run(options: &Options, ground: &Ground) -> io::Result<Sum> {
    let state = ground.base.join("state");
    fs::create_dir(&state)?;
    let sum = Mutex::new(Sum::default());
    let parallel = options.parallel.max(1);
    let results = thread::scope(|scope| {
        let threads: Vec<_> = (0..parallel)
            .map(|number| {
                let share = |all: u64| all * (number + 1) / parallel - all * number / parallel;
                let order = Order {
                    runtime: ground.runtime.clone(),
                    dir: ground.base.join(format!("{number}")),
                    state: state.clone(),
                    payload: ground.payload.clone(),
                    parent: ground.parent.clone(),
                    tag: format!("cs{}n{number}", std::process::id()),
                    seed: options.seed + options.count * number / parallel,
                    count: share(options.count),
                    alive: share(options.alive),
                };
                let sum = &sum;
                scope.spawn(move || work(&order, sum, options.count))
            })
            .collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    for result in results {
        result.map_err(|_| io::Error::other("a thread of the suite broke down"))??;
    }
    sum.into_inner().map_err(|_| io::Error::other("a thread of the suite broke down"))
}

fn work(order: &Order, sum: &Mutex<Sum>, count: u64) -> io::Result<()> {
    fs::create_dir(&order.dir)?;
    let errors = order.dir.join("worker.err");
    let mut child = Command::new("/proc/self/exe")
        .args(["soak-worker", &serde_json::to_string(order)?])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&errors)?)
        .spawn()?;
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
        let told = serde_json::from_str(&line?)?;
        if let Ok(mut sum) = sum.lock() {
            sum.add(told, count);
        }
        if interrupted() {
            use nix::sys::signal::{Signal, kill};
            let _ = kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM);
        }
    }
    if child.wait()?.success() {
        return Ok(());
    }
    Err(io::Error::other(fs::read_to_string(errors).unwrap_or_default().trim_end().to_owned()))
}

impl Sum {
    fn add(&mut self, told: Told, count: u64) {
        let terminal = io::stdout().is_terminal();
        let clear = if terminal { "\r\x1b[K" } else { "" };
        match told {
            Told::Lived(acts, looks) => {
                self.lives += 1;
                self.acts += acts;
                self.looks += looks;
            }
            Told::Failed(seed, words) => {
                self.failed += 1;
                println!("{clear}FAIL seed {seed}: {words}");
            }
            Told::Took { alive, create, list } => self.took.push((alive, create, list)),
        }
        if terminal {
            print!("\r\x1b[K{}/{count}", self.lives + self.failed);
            let _ = io::stdout().flush();
        }
    }
}
