//! The commands, one file each, and what they share.

mod births;
mod check;
mod checkpoint;
mod create;
mod criu;
mod delete;
mod descriptors;
mod events;
mod exec;
mod features;
mod input;
mod kill;
mod list;
mod mounts;
mod notify;
mod pause;
mod plan;
mod ps;
mod record;
mod restore;
mod resume;
mod run;
mod select;
mod spec;
mod start;
mod state;
mod update;

use crate::{
    cli::{self, Args, Given},
    failure::Failure,
    output,
};
use runtime_core::CgroupManager;
use std::{io, path::PathBuf};

/// The version of the OCI Runtime Specification that this runtime implements.
pub(crate) const SPEC_VERSION: &str = runtime_core::OCI_VERSIONS[1];

/// What the global flags say to every command.
#[derive(Debug)]
struct Host {
    /// Where the containers' state is kept.
    root: PathBuf,
    cgroup_manager: CgroupManager,
    /// The criu program, if it is not just `criu`.
    criu: Option<PathBuf>,
}

impl Host {
    fn read(globals: &Given) -> Result<Self, Failure> {
        let _ = globals.read("rootless", |text| match text {
            "" | "auto" => Ok(None),
            text => cli::values::truth(text).map(Some).map_err(|_| "true, false or auto is wanted"),
        })?;
        Ok(Self {
            root: globals.path("root").unwrap_or_else(runtime_core::default_root),
            cgroup_manager: cgroup_manager(globals)?,
            criu: globals.path("criu"),
        })
    }
}

fn cgroup_manager(globals: &Given) -> Result<CgroupManager, Failure> {
    let named = globals.read("cgroup-manager", |text| match text {
        "" | "cgroupfs" => Ok(CgroupManager::Cgroupfs),
        "systemd" => Ok(CgroupManager::Systemd),
        "disabled" => Ok(CgroupManager::Disabled),
        _ => Err("cgroupfs, systemd or disabled is wanted"),
    })?;
    let systemd = globals.is_on("systemd-cgroup").then_some(CgroupManager::Systemd);
    Ok(named.or(systemd).unwrap_or(CgroupManager::Cgroupfs))
}

/// Does what the command line says, and answers the status to exit with.
pub(crate) fn run(args: &Args, globals: &Given) -> Result<u8, Failure> {
    let host = Host::read(globals)?;
    log::debug!("corten {}: {} {:?}", env!("CARGO_PKG_VERSION"), args.command.name, args.words);
    let done = match args.command.name {
        "check" => return check::run(&host),
        "checkpoint" => checkpoint::run(args, &host),
        "create" => create::run(args, &host),
        "delete" => delete::run(args, &host),
        "events" => events::run(args, &host),
        "exec" => return exec::run(args, &host),
        "features" => features::run(),
        "help" => help(args),
        "kill" => kill::run(args, &host),
        "list" => list::run(args, &host),
        "mounts" => mounts::run(args, &host),
        "pause" => pause::run(args, &host),
        "plan" => plan::run(args, &host),
        "ps" => ps::run(args, &host),
        "restore" => return restore::run(args, &host),
        "resume" => resume::run(args, &host),
        "run" => return run::run(args, &host),
        "spec" => spec::run(args),
        "start" => start::run(args, &host),
        "state" => state::run(args, &host),
        "update" => update::run(args, &host),
        name => Err(cli::unknown_command(name)),
    };
    done.map(|()| 0)
}

/// `corten help [COMMAND]`
fn help(args: &Args) -> Result<(), Failure> {
    let colour = output::colour(&io::stdout());
    let text = match args.word(0, "command")? {
        None => cli::help_of_all(colour),
        Some(name) => {
            cli::help_of_command(cli::command(name).ok_or_else(|| cli::unknown_command(name))?, colour)
        }
    };
    output::print(&text)
}
