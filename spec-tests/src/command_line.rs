//! The command line.

use crate::{
    cases, engines, faults,
    harness::{Cgroups, Claims, Format, Known, Options, Stop, conformance, in_path, solo, table, wanted},
    hostile, shim, soak,
};
use lexopt::{Arg, Parser, ValueExt};
use std::{
    error::Error,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

const HELP: &str = "\
spec-tests conformance --runtime PATH [options]
spec-tests shim --shim PATH [options]         containerd's task service: a shim asked by ttrpc, without containerd
spec-tests shim-bench --shim PATH [options]   what a shim costs, beside --reference PATH (default: containerd-shim-runc-v2)
spec-tests shim-soak --shim PATH [options]    many containers at once and in a row: nothing of them stays
spec-tests hostile --runtime PATH [options]   published and other attacks by images and containers
spec-tests engines --runtime PATH [options]   Docker, Podman and containerd for real, where they are installed
spec-tests faults --runtime PATH [options]    every system call fails, or the runtime is killed before it
spec-tests soak --runtime PATH [options]      many lives at once with random operations
spec-tests table HEADING=REPORT.json ...      a Markdown table of groups and runtimes from reports in JSON

  --runtime PATH         the runtime to try: any binary with runc's command line
  --filter TEXT          only cases whose name or clause holds TEXT; may be repeated
  --list                 print the cases and their clauses, and try none
  --cgroup v1|v2|host    mount cgroups that way for the runtime, in a private mount namespace (default: host)
  --format text|tap|json|junit
  --output FILE          write the report there, and the text form on standard output
  --jobs N               how many cases at a time (default: the processors)
  --retries N            try a case that failed N times more, for a loaded machine (default: 0)
  --shim PATH            the shim to try: any binary that containerd starts for its task service
                         (of engines: the one beside the runtime, unless it is named)
  --engine NAME          only containerd, shim, cri, docker, docker-shim, docker-userns, podman or podman-rootless;
                         may be repeated
  --path DIR             of engines: their programs are looked for in DIR/usr/bin and the like first, as other versions of
                         packages are unpacked by `dpkg-deb -x`; may be repeated
  --reference PATH       of engines: what it passes is to be passed; `none` for no comparison (default: runc)
  --compare              of engines: try all cases with the reference too, not only those that fail, for a table of both
  --limit SECONDS        of engines: what is not done by then has failed (default: 345)
  --sample N             of faults: so many points, evenly spread (default: all)
  --kill-only            of faults: the runtime is killed, and no call fails
  --errors-only          of faults: calls fail, and nothing is killed
  --rounds N             of shim-bench: containers measured (default: 20)
  --at-once N            of shim-soak: containers at the same time (default: 200)
  --in-a-row N           of shim-soak: containers one after another (default: 5000)
  --unguarded            of hostile: on a build of Corten with the feature `unguarded` each case is to fail without its guard
  --count N              of soak: so many lives (default: 1000)
  --parallel N           of soak: so many at a time (default: 4)
  --alive N              of soak: so many containers live beside them (default: 0)
  --seed N               of soak: what decides the first life (default: 1); with --count 1 a life that failed is repeated
  --known FILE           known departures, `case: reason` a line: skipped while they fail, a failure once they pass

It runs as root. The exit code is 0 if no case failed, 1 if one did, 2 on misuse.
";

/// Does what the command line asks; false when a case failed.
pub(crate) fn main() -> Result<bool, Box<dyn Error>> {
    let mut parser = Parser::from_env();
    let mut verb: Option<String> = None;
    let mut columns = Vec::new();
    let mut list = false;
    let mut only = Vec::new();
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut shim_file: Option<PathBuf> = None;
    let mut counts = Counts { rounds: 20, at_once: 200, in_a_row: 5000 };
    let mut compare = false;
    let mut limit = Duration::from_secs(345);
    let (mut sample, mut errors, mut kills) = (None, true, true);
    let (mut count, mut parallel, mut alive, mut seed) = (1000, 4, 0, 1);
    let mut reference = Some(PathBuf::from("runc"));
    let mut options = Options {
        runtime: "".into(),
        claims: Claims::of,
        filter: Vec::new(),
        cgroups: None,
        format: Format::Text,
        output: None,
        jobs: thread::available_parallelism().map_or(2, usize::from),
        retries: 0,
        known: Known::default(),
        unguarded: false,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => {
                print!("{HELP}");
                return Ok(true);
            }
            Arg::Long("rounds") => counts.rounds = parser.value()?.parse()?,
            Arg::Long("at-once") => counts.at_once = parser.value()?.parse()?,
            Arg::Long("in-a-row") => counts.in_a_row = parser.value()?.parse()?,
            Arg::Long("shim") => shim_file = Some(parser.value()?.into()),
            Arg::Long("runtime") => options.runtime = parser.value()?.into(),
            Arg::Long("filter") => options.filter.push(parser.value()?.string()?),
            Arg::Long("count") => count = parser.value()?.parse()?,
            Arg::Long("parallel") => parallel = parser.value()?.parse()?,
            Arg::Long("alive") => alive = parser.value()?.parse()?,
            Arg::Long("seed") => seed = parser.value()?.parse()?,
            Arg::Long("sample") => sample = Some(parser.value()?.parse()?),
            Arg::Long("kill-only") => errors = false,
            Arg::Long("errors-only") => kills = false,
            Arg::Long("list") => list = true,
            Arg::Long("unguarded") => options.unguarded = true,
            Arg::Long("engine") => only.push(parser.value()?.string()?),
            Arg::Long("path") => folders.push(std::path::absolute(PathBuf::from(parser.value()?))?),
            Arg::Long("reference") => {
                reference = Some(parser.value()?.into()).filter(|path: &PathBuf| path != "none");
            }
            Arg::Long("compare") => compare = true,
            Arg::Long("limit") => limit = Duration::from_secs(parser.value()?.parse()?),
            Arg::Long("cgroup") => options.cgroups = cgroups(&parser.value()?.string()?)?,
            Arg::Long("format") => {
                let name = parser.value()?.string()?;
                options.format = Format::parse(&name).ok_or_else(|| format!("no format {name:?}"))?;
            }
            Arg::Long("output") => options.output = Some(parser.value()?.into()),
            Arg::Long("jobs") => options.jobs = parser.value()?.parse()?,
            Arg::Long("retries") => options.retries = parser.value()?.parse()?,
            Arg::Long("known") => options.known = Known::read(parser.value()?.as_ref())?,
            Arg::Value(value) if verb.is_none() => verb = Some(value.string()?),
            Arg::Value(value) if verb.as_deref() == Some("table") => columns.push(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if verb.as_deref() == Some("table") {
        print!("{}", table(&columns)?);
        return Ok(true);
    }
    if verb.as_deref() == Some("engines") {
        let v2 = options.cgroups == Some(Cgroups::V2);
        let Options { runtime, filter, jobs, known, retries, .. } = options;
        let jobs = jobs + 1;
        let options = engines::Options {
            runtime,
            shim: shim_file,
            reference,
            compare,
            known,
            limit,
            folders,
            engines: only,
            filter,
            retries,
            jobs,
            v2,
        };
        return tell_engines(&options, list);
    }
    if verb.as_deref() == Some("soak") {
        let Options { runtime, cgroups, .. } = options;
        return Ok(soak::soak(&soak::Options { runtime, cgroups, count, parallel, alive, seed })?);
    }
    if verb.as_deref() == Some("faults") {
        let Options { runtime, filter, cgroups, jobs, output, .. } = options;
        let options = faults::Options { runtime, cgroups, filter, sample, errors, kills, jobs, output };
        return Ok(faults::faults(&options)?);
    }
    let suite = match verb.as_deref() {
        Some("conformance") => cases::all(),
        Some("shim") => {
            options.claims = Claims::of_shim;
            options.runtime = shim_file.unwrap_or(options.runtime);
            shim::all()
        }
        Some("shim-bench" | "shim-soak") => {
            options.claims = Claims::of_shim;
            options.runtime = shim_file.unwrap_or(options.runtime);
            return measure(verb.as_deref(), &options, &counts, reference);
        }
        Some("hostile") => hostile::all(),
        _ => return Err(format!("no verb {:?}\n{HELP}", verb.unwrap_or_default()).into()),
    };
    if list {
        for case in suite.cases.iter().filter(|case| wanted(case, &options.filter)) {
            let guard = case.guard.map(|guard| format!(" without {guard}")).unwrap_or_default();
            println!("{} [{} {}]{guard}", case.name, case.level, case.clause);
        }
        return Ok(true);
    }
    if options.runtime.as_os_str().is_empty() {
        return Err("--runtime PATH or --shim PATH is needed".into());
    }
    Ok(conformance(&suite, &options)?)
}

/// How much is measured.
struct Counts {
    rounds: usize,
    at_once: usize,
    in_a_row: usize,
}

fn measure(
    verb: Option<&str>,
    options: &Options,
    counts: &Counts,
    reference: Option<PathBuf>,
) -> Result<bool, Box<dyn Error>> {
    if options.runtime.as_os_str().is_empty() {
        return Err("--shim PATH is needed".into());
    }
    let verdict = match (verb, reference) {
        (Some("shim-soak"), _) => solo(options, |test| shim::soak(test, counts.at_once, counts.in_a_row))?,
        (_, Some(name)) if name == Path::new("runc") => {
            let other = in_path(Path::new("containerd-shim-runc-v2"));
            solo(options, |test| shim::bench(test, &[other, test.runtime().to_owned()], counts.rounds))?
        }
        (_, Some(other)) => {
            let other = in_path(&other);
            solo(options, |test| shim::bench(test, &[other, test.runtime().to_owned()], counts.rounds))?
        }
        (_, None) => solo(options, |test| shim::bench(test, &[test.runtime().to_owned()], counts.rounds))?,
    };
    match verdict {
        Ok(()) => println!("1 passed, 0 failed, 0 skipped"),
        Err(Stop::Skip(why)) => println!("skipped: {why}\n0 passed, 0 failed, 1 skipped"),
        Err(Stop::Fail(why)) => {
            println!("FAIL: {why}\n0 passed, 1 failed, 0 skipped");
            return Ok(false);
        }
    }
    Ok(true)
}

fn tell_engines(options: &engines::Options, list: bool) -> Result<bool, Box<dyn Error>> {
    if list {
        engines::names(options).iter().for_each(|name| println!("{name}"));
        return Ok(true);
    }
    if options.runtime.as_os_str().is_empty() {
        return Err("--runtime PATH or --shim PATH is needed".into());
    }
    Ok(engines::engines(options)?)
}

fn cgroups(name: &str) -> Result<Option<Cgroups>, String> {
    match name {
        "v1" => Ok(Some(Cgroups::V1)),
        "v2" => Ok(Some(Cgroups::V2)),
        "host" => Ok(None),
        _ => Err(format!("--cgroup {name:?}: v1, v2 or host")),
    }
}
