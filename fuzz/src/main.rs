//! `corten-fuzz TARGET|all [--seconds N] [--seed N]`: tries targets for a while, one after the other.

use corten_fuzz::{Mutator, TARGETS, seeds};
use lexopt::{Arg, Parser, ValueExt};
use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::{Duration, Instant},
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (mut name, mut seconds, mut seed) = (None, 10, 1);
    let mut parser = Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("seconds") => seconds = parser.value()?.parse()?,
            Arg::Long("seed") => seed = parser.value()?.parse()?,
            Arg::Value(word) if name.is_none() => name = Some(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let name = name.unwrap_or_else(|| "all".to_owned());
    let chosen: Vec<_> = TARGETS.iter().filter(|target| name == "all" || name == target.name).collect();
    if chosen.is_empty() {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        return Err(format!("no target {name:?}: {}", names.join(" ")).into());
    }
    let mut failed = 0;
    for target in chosen {
        let mut mutator = Mutator::new(seeds(target.corpus), seed);
        let (start, mut count, mut longest) = (Instant::now(), 0_u64, Duration::ZERO);
        while start.elapsed() < Duration::from_secs(seconds) {
            let input = mutator.input();
            let begin = Instant::now();
            if catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err() {
                failed += 1;
                let file = format!("{}-{seed}-{count}", target.name);
                std::fs::write(&file, &input)?;
                println!("FAIL {}: the input is in {file}", target.name);
            }
            longest = longest.max(begin.elapsed());
            count += 1;
        }
        println!("{}: {count} inputs, the slowest took {} us", target.name, longest.as_micros());
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
