//! How costs grow: with mounts, with containers that live beside, with several at once, and, to see that they do not, with the image.

use crate::{
    Bundle, Kind, Result,
    call::Cost,
    compare::{self, Request, quantile},
    host::View,
    work::{self, Job, Work},
};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

/// One measured place of a curve.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// What was done.
    pub work: String,
    /// By which runtime, or the floor.
    pub runtime: String,
    /// With so many.
    pub count: usize,
    /// Median wall time in milliseconds.
    pub median_ms: f64,
    /// Median processor time in milliseconds; none where several ran at once.
    pub processor_ms: Option<f64>,
}

/// Measures `run` with so many bind mounts.
///
/// # Errors
/// If nothing came to the end.
pub fn mounts(runtimes: &[PathBuf], view: View, rounds: usize, counts: &[usize]) -> Result<Vec<Point>> {
    let mut points = Vec::new();
    for count in counts {
        let kind = Kind::Mounts(*count);
        let (runtimes, work) = (runtimes.to_vec(), Work::Run);
        let done = compare::compare(&Request { runtimes, work, kind, view, rounds, gap: 0.0, floor: true })?;
        points.extend(done.rows.into_iter().map(|row| Point {
            work: "run".to_owned(),
            runtime: row.runtime,
            count: *count,
            median_ms: row.median_ms,
            processor_ms: Some(row.processor_ms),
        }));
    }
    Ok(points)
}

/// Measures `create`, `list` and `state` beside so many containers of the same runtime; and `run` of the floor, which shows what of it is
/// the kernel's.
///
/// # Errors
/// If a runtime fails.
pub fn alive(runtimes: &[PathBuf], view: View, rounds: usize, counts: &[usize]) -> Result<Vec<Point>> {
    let bundle = work::prepare("alive", Kind::Default)?;
    let mut points = Vec::new();
    for (number, runtime) in runtimes.iter().enumerate() {
        // One after the other: each is alone with its containers.
        let mut job = Job::new(runtime, number, Work::Create(0), &bundle)?;
        let floor = work::has_floor(Work::Run, Kind::Default, view) && number == 0;
        let floor = floor.then(|| Job::floor(&bundle, 0)).transpose()?;
        for count in counts {
            job.beside(*count)?;
            for (name, work) in [("create", Work::Create(0)), ("list", Work::List(0)), ("state", Work::State)]
            {
                points.push(measure(&job, work, name, *count, rounds)?);
            }
            if let Some(floor) = &floor {
                points.push(measure(floor, Work::Run, "run", *count, rounds)?);
            }
        }
    }
    Ok(points)
}

fn measure(job: &Job, work: Work, name: &str, count: usize, rounds: usize) -> Result<Point> {
    job.act_as(work)?;
    let costs: Result<Vec<Cost>> = (0..rounds).map(|_| job.act_as(work)).collect();
    let costs = costs?;
    let of = |value: fn(&Cost) -> f64| quantile(&costs.iter().map(value).collect::<Vec<_>>(), 0.5);
    Ok(Point {
        work: name.to_owned(),
        runtime: job.name.clone(),
        count,
        median_ms: of(|cost| cost.wall),
        processor_ms: Some(of(|cost| cost.processor)),
    })
}

/// Measures so many `run` at once: how long one takes on average of all.
///
/// # Errors
/// If a runtime fails.
pub fn at_once(runtimes: &[PathBuf], rounds: usize, counts: &[usize]) -> Result<Vec<Point>> {
    let bundle = work::prepare("at-once", Kind::Default)?;
    let most = counts.iter().copied().max().unwrap_or_default();
    let mut points = Vec::new();
    for (index, runtime) in runtimes.iter().enumerate() {
        let jobs: Result<Vec<_>> =
            (0..most).map(|number| Job::new(runtime, index * most + number, Work::Run, &bundle)).collect();
        let jobs = jobs?;
        bundle.process(&["/bin/true"])?;
        for count in counts {
            let mut means = Vec::new();
            for _ in 0..rounds {
                means.push(together(&jobs[..*count])?);
            }
            points.push(Point {
                work: "run".to_owned(),
                runtime: jobs[0].name.clone(),
                count: *count,
                median_ms: quantile(&means, 0.5),
                processor_ms: None,
            });
        }
    }
    Ok(points)
}

/// So many runs of each are one round of [`at_once`].
const IN_A_ROW: usize = 4;

/// All of `jobs` at once, some times in a row each: the milliseconds from begin to end, for each run.
fn together(jobs: &[Job]) -> Result<f64> {
    let start = Instant::now();
    let ended: Result<Vec<()>> = thread::scope(|scope| {
        let threads: Vec<_> = jobs
            .iter()
            .map(|job| scope.spawn(|| (0..IN_A_ROW).try_for_each(|_| job.act().map(drop))))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<()>>| {
            thread.join().unwrap_or_else(|_| Err("a thread broke down".to_owned()))
        };
        threads.into_iter().map(join).collect()
    });
    ended?;
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let count = (jobs.len() * IN_A_ROW) as f64;
    Ok(start.elapsed().as_secs_f64() * 1000.0 / count)
}

/// Measures `run` with so many files of 16 KiB in the image.
///
/// # Errors
/// If a runtime fails, or there is no room.
pub fn image(runtimes: &[PathBuf], rounds: usize, counts: &[usize]) -> Result<Vec<Point>> {
    let bundle = work::prepare("image", Kind::Default)?;
    let mut points = Vec::new();
    for count in counts {
        fill(&bundle, *count)?;
        for (number, runtime) in runtimes.iter().enumerate() {
            let job = Job::new(runtime, number, Work::Run, &bundle)?;
            bundle.process(&["/bin/true"])?;
            points.push(measure(&job, Work::Run, "run", *count, rounds)?);
        }
    }
    Ok(points)
}

fn fill(bundle: &Bundle, count: usize) -> Result<()> {
    let text = [b'x'; 16 * 1024];
    let write = |number: usize| {
        let dir = bundle.rootfs().join(format!("data/{}", number / 100));
        fs::create_dir_all(&dir)?;
        let file: &Path = &dir.join(number.to_string());
        if file.exists() { Ok(()) } else { fs::write(file, text) }
    };
    (0..count).try_for_each(write).map_err(|error| format!("fill the image: {error}"))
}

/// A table in Markdown: a row for each count, a column for each work of a runtime.
#[must_use]
pub fn table(points: &[Point], of: &str, processor: bool) -> String {
    let mut columns: Vec<(&str, &str)> = Vec::new();
    let mut counts: Vec<usize> = Vec::new();
    for point in points {
        let column = (point.runtime.as_str(), point.work.as_str());
        if !columns.contains(&column) {
            columns.push(column);
        }
        if !counts.contains(&point.count) {
            counts.push(point.count);
        }
    }
    let head = |(runtime, work): &(&str, &str)| format!(" {runtime} {work} |");
    let mut text = format!("| {of} |{}\n", columns.iter().map(head).collect::<String>());
    text += &format!("|--:|{}\n", "--:|".repeat(columns.len()));
    for count in counts {
        let cell = |column: &(&str, &str)| {
            let same = |point: &&Point| {
                point.count == count && (point.runtime.as_str(), point.work.as_str()) == *column
            };
            let value = points.iter().find(same).map(|point| match point.processor_ms {
                Some(value) if processor => value,
                _ => point.median_ms,
            });
            value.map_or_else(|| " |".to_owned(), |value| format!(" {value:.2} |"))
        };
        text += &format!("| {count} |{}\n", columns.iter().map(cell).collect::<String>());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_row_for_each_count() {
        let point = |work: &str, count, median_ms| Point {
            work: work.to_owned(),
            runtime: "corten".to_owned(),
            count,
            median_ms,
            processor_ms: Some(1.0),
        };
        let points = [point("create", 1, 2.5), point("list", 1, 0.5), point("create", 10, 3.0)];
        assert_eq!(
            table(&points, "alive", false),
            "| alive | corten create | corten list |\n|--:|--:|--:|\n| 1 | 2.50 | 0.50 |\n| 10 | 3.00 | |\n"
        );
        assert!(table(&points, "alive", true).contains("| 10 | 1.00 | |"));
    }
}
