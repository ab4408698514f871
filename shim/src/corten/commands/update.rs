//! `corten update`

use super::{Host, input, select};
use crate::{
    cli::{Args, Given, values},
    failure::Failure,
};
use runtime_core::{
    load_resources,
    oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxPids, LinuxResources},
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
    resources.set_memory(Some(memory(flags)?).filter(|memory| *memory != LinuxMemory::default()));
    resources.set_cpu(Some(cpu(flags)?).filter(|cpu| *cpu != LinuxCpu::default()));
    if let Some(limit) = flags.read("pids-limit", values::signed)? {
        let mut pids = LinuxPids::default();
        pids.set_limit(limit);
        resources.set_pids(Some(pids));
    }
    if let Some(weight) = flags.number("blkio-weight")? {
        let mut block_io = LinuxBlockIo::default();
        block_io.set_weight(Some(weight));
        resources.set_block_io(Some(block_io));
    }
    if resources == LinuxResources::default() && schemata(flags)?.is_empty() && !ignored {
        return Err(Failure::usage("update needs a limit to change; see corten update --help"));
    }
    Ok(resources)
}

fn memory(flags: &Given) -> Result<LinuxMemory, Failure> {
    let mut memory = LinuxMemory::default();
    memory.set_limit(flags.read("memory", values::size)?);
    memory.set_reservation(flags.read("memory-reservation", values::size)?);
    memory.set_swap(flags.read("memory-swap", values::size)?);
    Ok(memory)
}

fn cpu(flags: &Given) -> Result<LinuxCpu, Failure> {
    let list = |flag| Ok::<_, Failure>(flags.text(flag)?.filter(|list| !list.is_empty()).map(str::to_owned));
    let mut cpu = LinuxCpu::default();
    cpu.set_period(flags.number("cpu-period")?);
    cpu.set_quota(flags.read("cpu-quota", values::signed)?);
    cpu.set_burst(flags.number("cpu-burst")?);
    cpu.set_shares(flags.number("cpu-share")?);
    cpu.set_idle(flags.read("cpu-idle", values::signed)?);
    cpu.set_realtime_period(flags.number("cpu-rt-period")?);
    cpu.set_realtime_runtime(flags.read("cpu-rt-runtime", values::signed)?);
    cpu.set_cpus(list("cpuset-cpus")?);
    cpu.set_mems(list("cpuset-mems")?);
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
