//! Runtimes side by side: each round all of them in turn, so that what disturbs the machine disturbs all.

use crate::{
    Kind, Result,
    call::Cost,
    host::View,
    work::{self, Job, Work},
};
use serde::Serialize;
use std::{path::PathBuf, thread, time::Duration};

/// Rounds that come first and do not count.
const WARM: usize = 3;

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct Request {
    /// The runtimes; ratios are the first one's to each.
    pub runtimes: Vec<PathBuf>,
    /// At what.
    pub work: Work,
    /// On which bundle.
    pub kind: Kind,
    /// How cgroups are mounted; the calling thread is there already.
    pub view: View,
    /// How often.
    pub rounds: usize,
    /// The rest before each call, in seconds: an idle host waits where a busy one does not.
    pub gap: f64,
    /// Whether the floor is one of those compared, where there is one.
    pub floor: bool,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The work's name.
    pub work: String,
    /// The bundle's name.
    pub bundle: String,
    /// How cgroups were mounted.
    pub cgroup: String,
    /// How often each was measured.
    pub rounds: usize,
    /// The rest before each, in seconds.
    pub gap: f64,
    /// One for each runtime.
    pub rows: Vec<Row>,
}

/// A runtime's figures.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The runtime's name.
    pub runtime: String,
    /// Median wall time in milliseconds.
    pub median_ms: f64,
    /// A tenth of the rounds took less.
    pub p10_ms: f64,
    /// A tenth of the rounds took more.
    pub p90_ms: f64,
    /// The median of the rounds' ratios of the first runtime's wall time to this one's.
    pub first_over_this: f64,
    /// Median processor time in milliseconds.
    pub processor_ms: f64,
    /// The largest resident set of any one process of the runtime, in KiB.
    pub peak_kib: Option<u64>,
}

/// Compares.
///
/// # Errors
/// If no runtime is left. One that fails is told of on standard error, and left out.
pub fn compare(request: &Request) -> Result<Comparison> {
    let Request { work, kind, .. } = *request;
    let bundle = work::prepare("compare", kind)?;
    let mut jobs: Vec<(Job, Vec<Cost>)> = Vec::new();
    for (number, runtime) in request.runtimes.iter().enumerate() {
        match Job::new(runtime, number, work, &bundle) {
            Ok(job) => jobs.push((job, Vec::new())),
            Err(error) => eprintln!("bench: left out: {error}"),
        }
    }
    if request.floor && work::has_floor(work, kind, request.view) {
        jobs.push((Job::floor(&bundle, kind.mounts())?, Vec::new()));
    }
    if matches!(work, Work::Run | Work::Lifecycle) {
        bundle.process(&["/bin/true"])?;
    }
    for round in 0..request.rounds + WARM {
        let mut failed = Vec::new();
        for turn in 0..jobs.len() {
            // Another one comes first each time: what a call leaves to the kernel to clear up is the next one's burden.
            let index = (round + turn) % jobs.len();
            thread::sleep(Duration::from_secs_f64(request.gap));
            let (job, costs) = &mut jobs[index];
            match job.act() {
                Ok(cost) if round >= WARM => costs.push(cost),
                Ok(_) => {}
                Err(error) => {
                    eprintln!("bench: left out: {error}");
                    failed.push(index);
                }
            }
        }
        failed.sort_unstable();
        failed.into_iter().rev().for_each(|index| drop(jobs.remove(index)));
    }
    let Some((_, first)) = jobs.first() else { return Err("no runtime came to the end".to_owned()) };
    let rows = jobs.iter().map(|(job, costs)| row(job, costs, first)).collect();
    Ok(Comparison {
        work: work.name(),
        bundle: kind.name(),
        cgroup: request.view.name().to_owned(),
        rounds: request.rounds,
        gap: request.gap,
        rows,
    })
}

fn row(job: &Job, costs: &[Cost], first: &[Cost]) -> Row {
    let walls: Vec<_> = costs.iter().map(|cost| cost.wall).collect();
    let ratios: Vec<_> = first.iter().zip(costs).map(|(first, this)| first.wall / this.wall).collect();
    let processor: Vec<_> = costs.iter().map(|cost| cost.processor).collect();
    Row {
        runtime: job.name.clone(),
        median_ms: quantile(&walls, 0.5),
        p10_ms: quantile(&walls, 0.1),
        p90_ms: quantile(&walls, 0.9),
        first_over_this: quantile(&ratios, 0.5),
        processor_ms: quantile(&processor, 0.5),
        peak_kib: job.peak(),
    }
}

/// The value below which the part `part` of `values` is; between two of them in proportion. 0 if there are none.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index of a list that fits into memory"
)]
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let place = part * last as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

impl Comparison {
    /// A table in Markdown, which people can read as it is.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = "| runtime | median ms | p10 | p90 | first/this | processor ms | peak KiB |\n\
                        |---|--:|--:|--:|--:|--:|--:|\n"
            .to_owned();
        for row in &self.rows {
            let peak = row.peak_kib.map_or_else(String::new, |peak| peak.to_string());
            text += &format!(
                "| {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {peak} |\n",
                row.runtime, row.median_ms, row.p10_ms, row.p90_ms, row.first_over_this, row.processor_ms
            );
        }
        text
    }

    /// In words, what was compared.
    #[must_use]
    pub fn title(&self) -> String {
        let gap = match self.gap {
            0.0 => "back to back".to_owned(),
            gap => format!("from idle ({gap} s between)"),
        };
        format!(
            "{}, {} bundle, cgroup {}, {gap}, {} rounds",
            self.work, self.bundle, self.cgroup, self.rounds
        )
    }
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles() {
        let values = [5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!(quantile(&values, 0.5).to_bits(), 3.0_f64.to_bits());
        assert!((quantile(&values, 0.9) - 4.6).abs() < 1e-9);
        assert_eq!(quantile(&[], 0.5).to_bits(), 0.0_f64.to_bits());
    }
}
