//! The verbs and their flags.

use bench::{
    Kind, Result, View,
    all::{self, Plan},
    compare::{self, Request},
    order, phases,
    syscalls::{Counts, OPERATIONS},
    work::Work,
};
use lexopt::{Arg, Parser, ValueExt};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

const USAGE: &str = "\
usage: bench compare RUNTIME... [--work run|lifecycle|exec|state|create:N|list:N] [--bundle default|docker|mounts:N]
                     [--cgroup host|v1|v2] [--rounds 40] [--gap SECONDS] [--no-floor] [--json FILE]
       bench phases RUNTIME... [--bundle default|docker] [--cgroup host|v1|v2] [--rounds 40] [--json FILE]
       bench all RUNTIME... [--rounds 60] [--page docs/performance.md]
       bench syscalls RUNTIME... [--cgroup host|v1|v2]
       bench order RUNTIME --map FILE
RUNTIME is a path or a name on PATH; ratios are of the first one. It wants root and busybox-static.";

/// What all verbs may be told.
struct Flags {
    runtimes: Vec<PathBuf>,
    work: Work,
    kind: Kind,
    view: View,
    rounds: Option<usize>,
    gap: f64,
    floor: bool,
    json: Option<PathBuf>,
    page: PathBuf,
    map: Option<PathBuf>,
}

/// Does what the command line says.
pub(crate) fn main() -> Result<()> {
    let mut parser = Parser::from_env();
    let verb = match parser.next().map_err(|error| error.to_string())? {
        Some(Arg::Value(verb)) => verb.to_string_lossy().into_owned(),
        _ => return Err(USAGE.to_owned()),
    };
    let flags = flags(&mut parser).map_err(|error| format!("{error}\n{USAGE}"))?;
    if flags.runtimes.is_empty() {
        return Err(format!("which runtime?\n{USAGE}"));
    }
    match &*verb {
        "compare" => compare(flags),
        "phases" => phases(&flags),
        "all" => {
            let Flags { runtimes, rounds, page, .. } = flags;
            all::all(&Plan { runtimes, rounds: rounds.unwrap_or(60), page })
        }
        "syscalls" => system_calls(&flags),
        "order" => {
            let map = flags.map.ok_or_else(|| format!("which map?\n{USAGE}"))?;
            order::script(&flags.runtimes[0], &map).map(|script| print!("{script}"))
        }
        _ => Err(format!("what is {verb}?\n{USAGE}")),
    }
}

fn flags(parser: &mut Parser) -> std::result::Result<Flags, lexopt::Error> {
    let mut flags = Flags {
        runtimes: Vec::new(),
        work: Work::Run,
        kind: Kind::Default,
        view: View::Host,
        rounds: None,
        gap: 0.0,
        floor: true,
        json: None,
        page: all::page(),
        map: None,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("work") => flags.work = named(parser, Work::named)?,
            Arg::Long("bundle") => flags.kind = named(parser, Kind::named)?,
            Arg::Long("cgroup") => flags.view = named(parser, View::named)?,
            Arg::Long("rounds") => flags.rounds = Some(parser.value()?.parse()?),
            Arg::Long("gap") => flags.gap = parser.value()?.parse()?,
            Arg::Long("no-floor") => flags.floor = false,
            Arg::Long("json") => flags.json = Some(parser.value()?.into()),
            Arg::Long("page") => flags.page = parser.value()?.into(),
            Arg::Long("map") => flags.map = Some(parser.value()?.into()),
            Arg::Value(name) => flags.runtimes.push(find(Path::new(&name))?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(flags)
}

fn named<T>(parser: &mut Parser, by: fn(&str) -> Option<T>) -> std::result::Result<T, lexopt::Error> {
    let name = parser.value()?.string()?;
    by(&name).ok_or_else(|| format!("{name:?} is unknown").into())
}

/// A runtime by its path, or by its name among the programs.
fn find(name: &Path) -> Result<PathBuf> {
    let dirs = env::var_os("PATH").unwrap_or_default();
    let beside = env::split_paths(&dirs).map(|dir| dir.join(name));
    let mut all = beside.filter(|_| name.components().count() == 1).chain([name.to_owned()]);
    all.find_map(|file| file.is_file().then(|| file.canonicalize().ok()).flatten())
        .ok_or_else(|| format!("there is no runtime {}", name.display()))
}

fn write(file: Option<&Path>, text: impl FnOnce() -> String) -> Result<()> {
    file.map_or(Ok(()), |file| {
        fs::write(file, text()).map_err(|error| format!("write {}: {error}", file.display()))
    })
}

fn compare(flags: Flags) -> Result<()> {
    let here = env::current_dir().map_err(|error| format!("the working directory: {error}"))?;
    flags.view.enter_for_all()?;
    let Flags { runtimes, work, kind, view, rounds, gap, floor, json, .. } = flags;
    let rounds = rounds.unwrap_or(40);
    let done = compare::compare(&Request { runtimes, work, kind, view, rounds, gap, floor })?;
    println!("{}\n\n{}", done.title(), done.table());
    let text = || serde_json::to_string_pretty(&done).unwrap_or_default() + "\n";
    write(json.map(|file| here.join(file)).as_deref(), text)
}

fn phases(flags: &Flags) -> Result<()> {
    let here = env::current_dir().map_err(|error| format!("the working directory: {error}"))?;
    flags.view.enter_for_all()?;
    for runtime in &flags.runtimes {
        let all = phases::measure(runtime, flags.kind, flags.view, flags.rounds.unwrap_or(40))?;
        println!("{}\n{}", phases::table(&all), phases::calls_table(&all));
        for phases in &all {
            println!("{}: {:.2} times as long as without the trace", phases.runtime, phases.distortion);
        }
        let text = || serde_json::to_string_pretty(&all).unwrap_or_default() + "\n";
        write(flags.json.as_ref().map(|file| here.join(file)).as_deref(), text)?;
    }
    Ok(())
}

fn system_calls(flags: &Flags) -> Result<()> {
    flags.view.enter_for_all()?;
    for runtime in &flags.runtimes {
        let counts = Counts::measure(runtime, 3, 0)?;
        println!("{}\n\n| operation | runtime | init |\n|---|--:|--:|", runtime.display());
        for operation in OPERATIONS {
            let (own, init) = (counts.sum(operation, "runtime"), counts.sum(operation, "init"));
            println!("| {operation} | {own} | {init} |");
        }
        println!();
    }
    Ok(())
}
