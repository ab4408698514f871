//! One engine with one runtime: a worker in namespaces of its own, and what it tells.

use super::{Engine, Options, Order, Told, programs::Programs};
use crate::harness::{Kind, hierarchies, interrupted, remove_cgroup};
use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// One engine with one runtime.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine,
    pub(super) runtime: &'a Path,
    pub(super) programs: &'a Programs,
    pub(super) options: &'a Options,
    pub(super) deadline: Instant,
}

impl Run<'_> {
    /// Tries `cases`: what was told of each.
    pub(super) fn run(&self, cases: &[String]) -> io::Result<BTreeMap<String, Told>> {
        let id = std::process::id();
        let start = Instant::now();
        let order = Order {
            engine: self.engine.name.to_owned(),
            runtime: self.runtime.to_owned(),
            path: self.programs.path(),
            base: env::temp_dir().join(format!("corten-test-{id}")),
            parent: format!("/corten-test-{id}"),
            cases: cases.to_vec(),
            jobs: self.options.jobs,
            v2: self.options.v2,
        };
        fs::create_dir(&order.base)?;
        let told = self.attend(&order);
        for hierarchy in hierarchies() {
            remove_cgroup(&hierarchy.at.join(order.parent.trim_start_matches('/')));
        }
        fs::remove_dir(&order.base)?;
        let told = told?;
        let passed = told.values().filter(|told| told.kind == Kind::Passed).count();
        let name = self.runtime.file_name().unwrap_or_default().to_string_lossy();
        let seconds = start.elapsed().as_secs_f64();
        println!("# {} with {name}: {passed} of {} pass, in {seconds:.0} s", self.engine.name, cases.len());
        Ok(told)
    }

    /// Starts a worker in namespaces of its own and hears it out.
    fn attend(&self, order: &Order) -> io::Result<BTreeMap<String, Told>> {
        let mut worker = Command::new("unshare")
            .args([
                "--mount",
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "--propagation",
                "private",
            ])
            .arg(env::current_exe()?)
            .arg("engines-worker")
            .arg(serde_json::to_string(order)?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = worker.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
        let (sender, lines) = mpsc::channel();
        let reader = thread::spawn(move || {
            let told = BufReader::new(out).lines().map_while(Result::ok);
            told.filter_map(|line| serde_json::from_str::<Told>(&line).ok())
                .all(|told| sender.send(told).is_ok())
        });
        let mut all = BTreeMap::new();
        loop {
            match lines.recv_timeout(Duration::from_millis(100)) {
                Ok(told) => drop(all.insert(told.name.clone(), told)),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                // Its child is killed with it, and that child's namespaces end.
                Err(_) if interrupted() || Instant::now() > self.deadline => worker.kill()?,
                Err(_) => {}
            }
        }
        let status = worker.wait()?;
        let _ = reader.join();
        if !status.success() && !interrupted() && Instant::now() < self.deadline {
            eprintln!("{} with {}: the worker ended with {status}", self.engine.name, self.runtime.display());
        }
        Ok(all)
    }
}
