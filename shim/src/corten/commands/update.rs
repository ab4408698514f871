//! `corten update`

use super::{Host, input, select};
use crate::{
    cli::{Args, Given, values},
    failure::Failure,
};
use runtime_core::{
    load_resources,
    spec::{LinuxCpu, LinuxMemory, LinuxPids, LinuxResources},
};
use std::path::Path;

pub(super) fn run(args: &Args, host: &Host) -> Result<(), Failure> {
    let resources = match args.flags.path("resources") {
        Some(path) => from_file(&path)?,
        None => from_flags(&args.flags)?,
    };
    let container = select::one(args, host)?;
    if resources != LinuxResources::default() {
        container.update(&resources)?;
    }
    match schemata(&args.flags)?.as_slice() {
        [] => Ok(()),
        lines => Ok(container.update_intel_rdt(lines)?),
    }
}

/// The limits in the file that `--resources` names; `-` is standard input.
fn from_file(path: &Path) -> Result<LinuxResources, Failure> {
    let text = input::read("--resources", path)?;
    Ok(load_resources(&text, path)?)
}

/// The limits as the flags give them. What is not given stays as it is.
fn from_flags(flags: &Given) -> Result<LinuxResources, Failure> {
    let ignored = ignore(flags)?;
    let mut resources = LinuxResources::default();
    resources.memory = Some(memory(flags)?).filter(|memory| *memory != LinuxMemory::default());
    resources.cpu = Some(cpu(flags)?).filter(|cpu| *cpu != LinuxCpu::default());
    if let Some(limit) = flags.read("pids-limit", values::signed)? {
        resources.pids = Some(LinuxPids { limit: Some(limit) });
    }
    if let Some(weight) = flags.number("blkio-weight")? {
        resources.block_io.get_or_insert_default().weight = Some(weight);
    }
    if resources == LinuxResources::default() && schemata(flags)?.is_empty() && !ignored {
        return Err(Failure::usage("update needs a limit to change; see corten update --help"));
    }
    Ok(resources)
}

fn memory(flags: &Given) -> Result<LinuxMemory, Failure> {
    let mut memory = LinuxMemory::default();
    memory.limit = flags.read("memory", values::size)?;
    memory.reservation = flags.read("memory-reservation", values::size)?;
    memory.swap = flags.read("memory-swap", values::size)?;
    Ok(memory)
}

fn cpu(flags: &Given) -> Result<LinuxCpu, Failure> {
    let list = |flag| Ok::<_, Failure>(flags.text(flag)?.filter(|list| !list.is_empty()).map(str::to_owned));
    let mut cpu = LinuxCpu::default();
    cpu.period = flags.number("cpu-period")?;
    cpu.quota = flags.read("cpu-quota", values::signed)?;
    cpu.burst = flags.number("cpu-burst")?;
    cpu.shares = flags.number("cpu-share")?;
    cpu.idle = flags.read("cpu-idle", values::signed)?;
    cpu.realtime_period = flags.number("cpu-rt-period")?;
    cpu.realtime_runtime = flags.read("cpu-rt-runtime", values::signed)?;
    cpu.cpus = list("cpuset-cpus")?;
    cpu.mems = list("cpuset-mems")?;
    Ok(cpu)
}

/// Lines for resctrl.
fn schemata(flags: &Given) -> Result<Vec<String>, Failure> {
    let given = [flags.text("l3-cache-schema")?, flags.text("mem-bw-schema")?];
    let given = given.into_iter().flatten().filter(|text| !text.is_empty());
    Ok(given.map(str::to_owned).collect())
}

/// Warns of flags that runc has and ignores too; whether there was one.
fn ignore(flags: &Given) -> Result<bool, Failure> {
    let mut any = false;
    for ignored in ["kernel-memory", "kernel-memory-tcp"] {
        if flags.read(ignored, values::size)?.is_some() {
            log::warn!("--{ignored} is ignored: the kernel has no such limit any more");
            any = true;
        }
    }
    Ok(any)
}
