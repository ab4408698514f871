//! `corten exec`

use super::{Host, births, descriptors::Descriptors, select};
use crate::{
    cli::{Args, Given, invalid, values},
    failure::Failure,
    foreground::{self, Attended, Signals},
    terminal,
};
use runtime_core::{
    Console, Container, ProcessBuilder, load_process,
    spec::{Capability, ConsoleSize, Process},
};

pub(super) fn run(args: &Args, host: &Host) -> Result<u8, Failure> {
    exec(args, host).map_err(Failure::of_exec)
}

fn exec(args: &Args, host: &Host) -> Result<u8, Failure> {
    let flags = &args.flags;
    let container = select::one(args, host)?;
    let process = match flags.path("process") {
        Some(path) => load_process(&path)?,
        None => from_flags(args, &container)?,
    };
    let descriptors = Descriptors::of(flags)?;
    let mut builder = ProcessBuilder::new(with_size(process))
        .preserve_fds(descriptors.count)
        .environment(descriptors.environment)
        .ignore_paused(flags.is_on("ignore-paused"));
    if let Some(path) = flags.path("pid-file") {
        builder = builder.pid_file(path);
    }
    if let Some(path) = flags.path("pidfd-socket") {
        builder = builder.pidfd_socket(path);
    }
    for cgroup in flags.texts("cgroup")? {
        builder = builder.cgroup(cgroup.to_owned());
    }
    if flags.is_on("detach") {
        container.exec(builder.console(births::console(flags, Console::None)))?;
        return Ok(0);
    }
    in_foreground(&container, builder.console(births::console(flags, Console::Return)), flags)
}

fn in_foreground(container: &Container, builder: ProcessBuilder, flags: &Given) -> Result<u8, Failure> {
    if !flags.is_on("no-subreaper") {
        foreground::become_subreaper()?;
    }
    let signals = Signals::hold()?;
    let mut process = container.exec(builder)?;
    let terminal = process.take_terminal();
    let kill = |signal| process.kill(signal);
    foreground::attend(
        Attended { pid: Some(process.pid()), pidfd: process.pidfd(), kill: &kill, terminal, notify: None },
        &signals,
    )?;
    let status = process.wait()?;
    Ok(u8::try_from(status.shell_code()).unwrap_or(u8::MAX))
}

/// The container's own process, but for what the flags say.
fn from_flags(args: &Args, container: &Container) -> Result<Process, Failure> {
    let flags = &args.flags;
    if args.words.len() < 2 {
        return Err(Failure::usage("exec needs a command, or --process FILE"));
    }
    let mut process = container.spec_process()?;
    let words = (1..args.words.len()).filter_map(|index| args.word(index, "argument").transpose());
    let words: Vec<String> = words.map(|word| word.map(str::to_owned)).collect::<Result<_, _>>()?;
    process.args = words;
    process.terminal = flags.is_on("tty");
    if let Some(cwd) = flags.text("cwd")?.filter(|cwd| !cwd.is_empty()) {
        process.cwd = cwd.into();
    }
    process.env.extend(variables(flags)?);
    set_user(flags, &mut process)?;
    if let Some(on) = flags.switch("no-new-privs") {
        process.no_new_privileges = on;
    }
    if let Some(label) = flags.text("process-label")?.filter(|label| !label.is_empty()) {
        process.selinux_label = Some(label.to_owned());
    }
    if let Some(profile) = flags.text("apparmor")?.filter(|profile| !profile.is_empty()) {
        process.apparmor_profile = Some(profile.to_owned());
    }
    add_capabilities(flags, &mut process)?;
    Ok(process)
}

fn variables(flags: &Given) -> Result<Vec<String>, Failure> {
    let given = flags.texts("env")?;
    match given.iter().find(|variable| variable.find('=').is_none_or(|at| at == 0)) {
        Some(variable) => Err(invalid("env", variable, "NAME=VALUE is wanted")),
        None => Ok(given.into_iter().map(str::to_owned).collect()),
    }
}

fn set_user(flags: &Given, process: &mut Process) -> Result<(), Failure> {
    let user = &mut process.user;
    if let Some((uid, gid)) = flags.read("user", values::user)? {
        user.uid = uid;
        if let Some(gid) = gid {
            user.gid = gid;
        }
    }
    for text in flags.texts("additional-gids")? {
        let group = values::number(text).map_err(|wanted| invalid("additional-gids", text, wanted))?;
        user.additional_gids.push(group);
    }
    Ok(())
}

/// Adds the capabilities of `--cap`. They are never made inheritable (CVE-2022-29162), so they can be ambient only
/// where the container's own process has them inheritable.
fn add_capabilities(flags: &Given, process: &mut Process) -> Result<(), Failure> {
    let given = flags.texts("cap")?;
    if given.is_empty() {
        return Ok(());
    }
    let sets = process.capabilities.get_or_insert_default();
    for name in given {
        let Some(capability) = Capability::from_name(name) else {
            log::warn!("--cap: unknown capability {name:?} is left out");
            continue;
        };
        sets.bounding.push(capability);
        sets.effective.push(capability);
        sets.permitted.push(capability);
        if sets.inheritable.contains(&capability) {
            sets.ambient.push(capability);
        }
    }
    Ok(())
}

/// Gives the process' terminal the size of the caller's, where it has none of its own.
fn with_size(mut process: Process) -> Process {
    if process.terminal
        && process.console_size.is_none()
        && let Some((rows, columns)) = terminal::size().map(|size| size.cells())
    {
        process.console_size = Some(ConsoleSize { height: rows.into(), width: columns.into() });
    }
    process
}
