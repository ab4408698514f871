//! Everything in one go: the tables and charts of docs/performance.md.

use crate::{
    Kind, Result,
    chart::{self, Curve, Span},
    compare::{self, Comparison, Request, Row},
    host::View,
    phases::{self, Phases},
    scale::{self, Point},
    syscalls::{Counts, OPERATIONS},
    work::Work,
};
use serde::Serialize;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// What to measure, and where the results go.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The first one is compared with the others.
    pub runtimes: Vec<PathBuf>,
    /// Rounds of comparisons; from idle half as many.
    pub rounds: usize,
    /// The page: its parts between markers are made anew, and the charts are put in a folder of its name beside it.
    pub page: PathBuf,
}

/// All results, as they are put on record.
#[derive(Debug, Default, Serialize)]
struct Results {
    conditions: Vec<String>,
    comparisons: Vec<Comparison>,
    phases: Vec<(String, Vec<Phases>)>,
    mounts: Vec<Point>,
    alive: Vec<(String, Vec<Point>)>,
    at_once: Vec<Point>,
    image: Vec<Point>,
    system_calls: Vec<(String, String, u32, u32)>,
}

/// The parts that each way to mount cgroups has of its own; a process of its own measures each, for the mount namespace's sake.
const VIEWS: [View; 2] = [View::V1, View::V2];

/// Measures all, and writes the page, the charts and the results.
///
/// # Errors
/// If nothing can be measured, or the page cannot be written.
pub fn all(plan: &Plan) -> Result<()> {
    let start = Instant::now();
    let page = plan.page.canonicalize().map_err(|error| format!("{}: {error}", plan.page.display()))?;
    let mut results = Results { conditions: conditions(plan), ..Results::default() };
    // From here on each view in a thread of its own: a mount namespace is a thread's.
    for view in VIEWS {
        let part = std::thread::scope(|scope| {
            scope
                .spawn(|| view.enter_for_all().and_then(|()| measure(plan, view)))
                .join()
                .unwrap_or_else(|_| Err("a thread broke down".to_owned()))
        });
        match part {
            Ok(part) => results.add(part),
            Err(error) => eprintln!("bench: cgroups {} are left out: {error}", view.name()),
        }
    }
    let folder = page.with_extension("");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).map_err(|error| format!("write {}: {error}", file.display()))
    };
    let text = serde_json::to_string_pretty(&results).map_err(|error| error.to_string())?;
    write("results.json", &(text + "\n"))?;
    for (name, drawing) in results.charts() {
        write(&format!("{name}.svg"), &drawing)?;
    }
    let text = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    let text = replace(&text, &results.parts())?;
    fs::write(&page, text).map_err(|error| format!("write {}: {error}", page.display()))?;
    println!("all in {:.0} s: {}", start.elapsed().as_secs_f64(), page.display());
    Ok(())
}

fn told<T>(what: &str, result: Result<T>) -> Option<T> {
    match &result {
        Ok(_) => println!("{what}: done"),
        Err(error) => eprintln!("bench: {what} is left out: {error}"),
    }
    result.ok()
}

/// The rest before each call that starts from idle, in seconds.
const IDLE: f64 = 0.25;

/// What is measured with cgroups of `view`.
fn measure(plan: &Plan, view: View) -> Result<Results> {
    let first = plan.runtimes.first().ok_or("which runtime?")?;
    let mut results = Results { comparisons: compare_all(plan, view), ..Results::default() };
    for kind in [Kind::Default, Kind::Docker] {
        let name = format!("{} bundle, cgroup {}", kind.name(), view.name());
        if let Some(phases) = told(&name, phases::measure(first, kind, view, plan.rounds)) {
            results.phases.push((name, phases));
        }
    }
    let one = std::slice::from_ref(first);
    let alive = scale::alive(one, view, plan.rounds.div_ceil(3), &[1, 10, 100, 300, 1000]);
    results.alive.extend(told("alive", alive).map(|points| (view.name().to_owned(), points)));
    if view == View::V2 {
        let (all, rounds) = (plan.runtimes.as_slice(), plan.rounds.div_ceil(4));
        let mounts = scale::mounts(all, view, rounds, &[0, 10, 100, 300, 1000]);
        results.mounts = told("mounts", mounts).unwrap_or_default();
        results.at_once = told("at once", scale::at_once(all, rounds, &[1, 2, 4, 8, 16])).unwrap_or_default();
        let image = scale::image(one, plan.rounds, &[0, 100, 1000, 10_000]);
        results.image = told("image", image).unwrap_or_default();
    }
    for runtime in &plan.runtimes {
        let Some(counts) = told("system calls", Counts::measure(runtime, 1, 0)) else { continue };
        let name = format!("{} {}", name(runtime), view.name());
        let sums = |operation: &&str| {
            let sum = |who| counts.sum(operation, who);
            (name.clone(), (*operation).to_owned(), sum("runtime"), sum("init"))
        };
        results.system_calls.extend(OPERATIONS.iter().map(sums));
    }
    Ok(results)
}

fn compare_all(plan: &Plan, view: View) -> Vec<Comparison> {
    let mut wanted = vec![
        (Work::Run, Kind::Default, 0.0),
        (Work::Run, Kind::Default, IDLE),
        (Work::Lifecycle, Kind::Default, 0.0),
        (Work::Exec, Kind::Default, 0.0),
    ];
    if view == View::V1 {
        wanted.extend([
            (Work::Lifecycle, Kind::Default, IDLE),
            (Work::Run, Kind::Docker, 0.0),
            (Work::Run, Kind::Mounts(200), 0.0),
            (Work::State, Kind::Default, 0.0),
        ]);
    }
    let compared = wanted.into_iter().filter_map(|(work, kind, gap)| {
        let rounds = if gap > 0.0 { plan.rounds.div_ceil(2) } else { plan.rounds };
        let runtimes = plan.runtimes.clone();
        let done = compare::compare(&Request { runtimes, work, kind, view, rounds, gap, floor: true });
        told(&format!("{} {} {} {gap}", view.name(), work.name(), kind.name()), done)
    });
    compared.collect()
}

fn name(runtime: &Path) -> String {
    runtime.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What the figures hold for.
fn conditions(plan: &Plan) -> Vec<String> {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let line = |text: &str| text.lines().next().unwrap_or_default().trim().to_owned();
    let model = read("/proc/cpuinfo");
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let output = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).output();
        output.map_or_else(|_| String::new(), |output| line(&String::from_utf8_lossy(&output.stdout)))
    };
    let mut all = vec![
        format!("{}; Linux {}", output("date", &["+%F"]), line(&read("/proc/sys/kernel/osrelease"))),
        format!("{cpus} processors, {}", model.trim_start_matches([':', '\t', ' '])),
        format!(
            "load average before: {}",
            line(&read("/proc/loadavg")).split(' ').take(3).collect::<Vec<_>>().join(" ")
        ),
        format!("{} rounds, from idle {}", plan.rounds, plan.rounds.div_ceil(2)),
    ];
    all.extend(plan.runtimes.iter().map(|runtime| output(&runtime.to_string_lossy(), &["--version"])));
    all
}

impl Results {
    fn add(&mut self, other: Self) {
        self.comparisons.extend(other.comparisons);
        self.phases.extend(other.phases);
        self.mounts.extend(other.mounts);
        self.alive.extend(other.alive);
        self.at_once.extend(other.at_once);
        self.image.extend(other.image);
        self.system_calls.extend(other.system_calls);
    }

    /// The parts of the page, by the names of their markers.
    fn parts(&self) -> Vec<(&'static str, String)> {
        let list = |lines: &[String]| lines.iter().map(|line| format!("- {line}\n")).collect::<String>();
        let calls = self.phases.iter().filter(|(name, _)| name.starts_with("default"));
        let calls = calls.map(|(name, phases)| format!("`run`, {name}\n\n{}\n", phases::calls_table(phases)));
        let phases = self.phases.iter().map(|(name, phases)| {
            let slower = phases.iter().map(|one| format!("{} {:.2}", one.runtime, one.distortion));
            let slower = slower.collect::<Vec<_>>().join(", ");
            format!(
                "`run`, {name}; times as long as without the trace: {slower}\n\n{}\n",
                phases::table(phases)
            )
        });
        let alive =
            self.alive.iter().map(|(name, points)| format!("Cgroup {name}, {}", both(points, "alive")));
        vec![
            ("conditions", list(&self.conditions)),
            ("comparisons", comparisons(&self.comparisons)),
            ("phases", phases.collect::<String>()),
            ("calls", calls.collect::<String>()),
            ("alive", alive.collect::<String>()),
            ("mounts", both(&self.mounts, "mounts")),
            ("at-once", scale::table(&self.at_once, "at once", false)),
            ("image", scale::table(&self.image, "files", false)),
            ("syscalls", system_calls(&self.system_calls)),
        ]
    }

    /// The charts, by the names of their files.
    fn charts(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for view in VIEWS {
            let here: Vec<_> = self.comparisons.iter().filter(|one| one.cgroup == view.name()).collect();
            let title = format!("Median time, cgroup {}", view.name());
            all.push((format!("compare-{}", view.name()), compared(&title, &here)));
        }
        for (name, phases) in &self.phases {
            let Some(phases) = phases.first() else { continue };
            let lanes = ["the runtime's process".to_owned(), "the container's".to_owned()];
            let span = |phase: &phases::Phase| -> Span {
                (phase.name.clone(), usize::from(phase.inside), phase.begins_us, phase.takes_us)
            };
            let spans: Vec<_> = phases.phases.iter().map(span).collect();
            let file = format!("phases-{}", name.replace(" bundle, cgroup ", "-"));
            all.push((
                file,
                chart::spans(&format!("One run of {}, {name}", phases.runtime), "µs", &lanes, &spans),
            ));
        }
        for (view, points) in &self.alive {
            // A list takes as long as it is.
            let (lists, others): (Vec<_>, Vec<_>) =
                curves(points).into_iter().partition(|curve| curve.0.ends_with(" list"));
            for (file, title, curves) in
                [("alive", "Beside containers that live", others), ("list", "A list of all", lists)]
            {
                let title = format!("{title}, cgroup {view}");
                all.push((
                    format!("{file}-{view}"),
                    chart::curves(&title, "containers alive", "ms", &curves),
                ));
            }
        }
        let more = [
            ("mounts", "run with bind mounts", "bind mounts", &self.mounts),
            ("at-once", "Several run at once: time for each", "at once", &self.at_once),
            ("image", "run by the size of the image", "files of 16 KiB", &self.image),
        ];
        all.extend(more.map(|(file, title, across, points)| {
            (file.to_owned(), chart::curves(title, across, "ms", &curves(points)))
        }));
        all
    }
}

/// The time from begin to end, and the processor's.
fn both(points: &[Point], of: &str) -> String {
    let table = |processor| scale::table(points, of, processor);
    format!("milliseconds:\n\n{}\nOf it processor time:\n\n{}\n", table(false), table(true))
}

fn curves(points: &[Point]) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for point in points {
        let name = format!("{} {}", point.runtime, point.work);
        #[expect(clippy::cast_precision_loss, reason = "few")]
        let place = (point.count as f64, point.median_ms);
        match curves.iter_mut().find(|curve| curve.0 == name) {
            Some(curve) => curve.1.push(place),
            None => curves.push((name, vec![place])),
        }
    }
    curves
}

fn label(one: &Comparison) -> String {
    let bundle = if one.bundle == "default" { String::new() } else { format!(", {}", one.bundle) };
    let idle = if one.gap > 0.0 { ", from idle" } else { "" };
    format!("{}{bundle}{idle}", one.work)
}

/// The names of all that were compared, in the order in which they come.
fn names(all: &[&Comparison]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for row in all.iter().flat_map(|one| &one.rows) {
        if !names.contains(&row.runtime) {
            names.push(row.runtime.clone());
        }
    }
    names
}

fn compared(title: &str, all: &[&Comparison]) -> String {
    let names = names(all);
    let groups: Vec<_> = all
        .iter()
        .map(|one| {
            let median =
                |name: &String| one.rows.iter().find(|row| row.runtime == *name).map(|row| row.median_ms);
            (label(one), names.iter().map(median).collect())
        })
        .collect();
    chart::bars(title, "ms", &names, &groups)
}

/// A row for each comparison: medians, the first runtime's ratios to the others, and its peak of memory.
fn comparisons(all: &[Comparison]) -> String {
    let names = names(&all.iter().collect::<Vec<_>>());
    let (first, others) = names.split_first().map_or((String::new(), &[][..]), |(a, b)| (a.clone(), b));
    let mut text = "| work | cgroup |".to_owned();
    names.iter().for_each(|name| text += &format!(" {name} ms |"));
    others.iter().for_each(|name| text += &format!(" {first}/{name} |"));
    others.iter().for_each(|name| text += &format!(" processor {first}/{name} |"));
    text += &format!(" peak KiB |\n|---|---|{}\n", "--:|".repeat(names.len() + 2 * others.len() + 1));
    for one in all {
        let find = |name: &String| one.rows.iter().find(|row| row.runtime == *name);
        let cell =
            |value: Option<f64>| value.map_or_else(|| " |".to_owned(), |value| format!(" {value:.2} |"));
        text += &format!("| {} | {} |", label(one), one.cgroup);
        names.iter().for_each(|name| text += &cell(find(name).map(|row| row.median_ms)));
        others.iter().for_each(|name| text += &cell(find(name).map(|row| row.first_over_this)));
        let processor = |row: &Row| find(&first).map(|first| first.processor_ms / row.processor_ms);
        others.iter().for_each(|name| text += &cell(find(name).and_then(processor)));
        let peaks: Vec<_> = one
            .rows
            .iter()
            .filter_map(|row| row.peak_kib.map(|peak| format!("{} {peak}", row.runtime)))
            .collect();
        text += &format!(" {} |\n", peaks.join(", "));
    }
    text
}

fn system_calls(all: &[(String, String, u32, u32)]) -> String {
    let mut text = format!("| runtime |{}\n", OPERATIONS.map(|name| format!(" {name} |")).concat());
    text += &format!("|---|{}\n", "--:|".repeat(OPERATIONS.len()));
    let mut names: Vec<&String> = all.iter().map(|row| &row.0).collect();
    names.dedup();
    for name in names {
        text += &format!("| {name} |");
        for row in all.iter().filter(|row| row.0 == *name) {
            text += &if row.3 > 0 { format!(" {} + {} |", row.2, row.3) } else { format!(" {} |", row.2) };
        }
        text.push('\n');
    }
    text
}

/// Puts each of `parts` between its markers, `<!-- bench:NAME -->` and `<!-- end -->`.
fn replace(text: &str, parts: &[(&str, String)]) -> Result<String> {
    const END: &str = "<!-- end -->";
    let mut text = text.to_owned();
    for (name, part) in parts {
        let begin = format!("<!-- bench:{name} -->");
        let from = text.find(&begin).ok_or_else(|| format!("the page has no {begin}"))? + begin.len();
        let to = text[from..].find(END).ok_or_else(|| format!("{begin} has no {END}"))? + from;
        text.replace_range(from..to, &format!("\n{}\n", part.trim_end()));
    }
    Ok(text)
}

/// The page, where it is in the project.
#[must_use]
pub fn page() -> PathBuf {
    let here = env::current_dir().unwrap_or_default();
    here.join("docs/performance.md")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_put_between_their_markers() {
        let page = "a\n<!-- bench:x -->\nold\n<!-- end -->\nb\n<!-- bench:y --><!-- end -->";
        let parts = [("x", "new\n\n".to_owned()), ("y", "other".to_owned())];
        let made = replace(page, &parts).unwrap();
        assert_eq!(made, "a\n<!-- bench:x -->\nnew\n<!-- end -->\nb\n<!-- bench:y -->\nother\n<!-- end -->");
        assert!(replace("", &parts).is_err());
    }

    #[test]
    fn the_page_has_all_markers() {
        let page =
            fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/performance.md")).unwrap();
        replace(&page, &Results::default().parts()).unwrap();
    }
}
