//! `corten ps`

use super::{Host, select};
use crate::{
    cli::{Args, invalid},
    failure::Failure,
    output::{self, Format},
};
use std::{
    ffi::OsString,
    io::Read,
    process::{Command, Stdio},
};

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    let (format, options) = format(args)?;
    let pids = select::one(args, host)?.pids()?;
    match format {
        Format::Json => output::print_json(&pids),
        Format::Table => output::print(&of_container(&host_ps(options)?, &pids)?),
    }
}

/// The format, and the words for the host's ps. A `--format` may stand behind the id too, where it is all there is.
fn format(args: &Args) -> Result<(Format, &[OsString]), Failure> {
    let options = args.words.get(1..).unwrap_or_default();
    let words: Vec<_> = options.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let behind = match words.as_slice() {
        ["--format" | "-f", format] => Some(*format),
        [word] => word.strip_prefix("--format="),
        _ => None,
    };
    match behind.map(|format| (Format::read(format), format)) {
        Some((Ok(format), _)) => Ok((format, &[])),
        Some((Err(wanted), format)) if words[0] != "-f" => Err(invalid("format", format, wanted)),
        _ => Ok((args.flags.read("format", Format::read)?.unwrap_or(Format::Table), options)),
    }
}

/// What the host's ps says about all processes.
fn host_ps(options: &[OsString]) -> Result<String, Failure> {
    let mut ps = Command::new("ps");
    if options.is_empty() {
        ps.arg("-ef")
    } else {
        ps.args(options)
    };
    // Not `Command::output`, which panics where a read fails. What ps says is little: the pipes cannot block each other.
    let mut run = || {
        let mut child = ps.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (mut listing, mut words) = (Vec::new(), Vec::new());
        let read = child.stdout.take().map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut listing));
        let read = read.and(child.stderr.take().map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut words)));
        let status = child.wait()?;
        read.map(|_| (status, listing, words))
    };
    let (status, listing, words) = run().map_err(|error| Failure::io("run the host's ps", error))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&listing).into_owned());
    }
    let words = String::from_utf8_lossy(&words);
    let first = words.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    Err(Failure::usage(format!("ps: {status}: {first}")))
}

/// The lines about the processes `pids`, and the heading.
fn of_container(listing: &str, pids: &[i32]) -> Result<String, Failure> {
    let mut lines = listing.lines();
    let heading = lines.next().unwrap_or_default();
    let column = heading.split_whitespace().position(|name| name == "PID");
    let column = column.ok_or_else(|| Failure::usage("couldn't find PID field in ps output"))?;
    let pid = |line: &str| line.split_whitespace().nth(column).and_then(|field| field.parse().ok());
    let of_container = lines.filter(|line| pid(line).is_some_and(|pid| pids.contains(&pid)));
    Ok([heading].into_iter().chain(of_container).flat_map(|line| [line, "\n"]).collect())
}

#[cfg(test)]
mod tests {
    use super::of_container;

    #[test]
    fn only_the_containers_processes_are_listed() {
        let listing = "UID  PID PPID CMD\nroot   1    0 init\nroot  17    1 sleep 1\nroot 170   17 17\n";
        assert_eq!(of_container(listing, &[17]).unwrap(), "UID  PID PPID CMD\nroot  17    1 sleep 1\n");
        assert!(of_container("CMD\nsleep\n", &[17]).is_err());
    }
}
