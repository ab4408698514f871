//! How the kernel schedules the process: `process.scheduler`, `process.ioPriority`, `process.execCPUAffinity`,
//! `linux.personality` and `linux.memoryPolicy`.

use crate::{
    Error, ErrorKind, Result,
    plan::{Place, Program},
    spec::{
        IOPriorityClass, LinuxMemoryPolicy, LinuxPersonality, LinuxPersonalityDomain, LinuxSchedulerFlag,
        LinuxSchedulerPolicy, MemoryPolicyFlagType, MemoryPolicyModeType, Process, Scheduler, Spec,
    },
};
use corten_init::{step::Step, wire::Bytes};

/// Plans what the process' own properties ask for.
pub(crate) fn plan(process: &Process, program: &mut Program) {
    if let Some(scheduler) = &process.scheduler {
        let attributes = sched_attr(scheduler);
        let step = Step::Scheduler { attributes: Bytes(&attributes) };
        program.step(Place::Property("process.scheduler"), &step);
    }
    if let Some(priority) = &process.io_priority {
        let class = match priority.class {
            IOPriorityClass::IoprioClassRt => 1,
            IOPriorityClass::IoprioClassBe => 2,
            IOPriorityClass::IoprioClassIdle => 3,
        };
        // Validated to be 0 to 7.
        let value = class << 13 | u32::try_from(priority.priority).unwrap_or(7);
        program.step(Place::Property("process.ioPriority"), &Step::IoPriority { value });
    }
}

/// Plans what is the container's: the first process and those of `exec` alike.
pub(crate) fn plan_container(spec: &Spec, program: &mut Program) -> Result<()> {
    let Some(linux) = &spec.linux else { return Ok(()) };
    if let Some(personality) = &linux.personality {
        let persona = persona(personality)?;
        program.step(Place::Property("linux.personality"), &Step::Personality { persona });
    }
    if let Some(policy) = &linux.memory_policy {
        let (mode, nodes) = memory_policy(policy)?;
        let step = Step::MemoryPolicy { mode, nodes: Bytes(&nodes) };
        program.step(Place::Property("linux.memoryPolicy"), &step);
    }
    Ok(())
}

/// Plans the processors of an `exec`: where it starts, or where it ends up.
pub(crate) fn plan_affinity(list: Option<&String>, place: &'static str, program: &mut Program) -> Result<()> {
    let Some(list) = list.filter(|list| !list.is_empty()) else { return Ok(()) };
    let mask = bit_mask(list, place)?;
    program.step(Place::Property(place), &Step::Affinity { mask: Bytes(&mask) });
    Ok(())
}

/// `struct sched_attr`, sched_setattr(2): 48 bytes, its first version.
fn sched_attr(scheduler: &Scheduler) -> Vec<u8> {
    let policy: u32 = match scheduler.policy {
        LinuxSchedulerPolicy::SchedOther => 0,
        LinuxSchedulerPolicy::SchedFifo => 1,
        LinuxSchedulerPolicy::SchedRr => 2,
        LinuxSchedulerPolicy::SchedBatch => 3,
        LinuxSchedulerPolicy::SchedIso => 4,
        LinuxSchedulerPolicy::SchedIdle => 5,
        LinuxSchedulerPolicy::SchedDeadline => 6,
    };
    let flag = |flag: &LinuxSchedulerFlag| match flag {
        LinuxSchedulerFlag::SchedResetOnFork => 0x01_u64,
        LinuxSchedulerFlag::SchedFlagReclaim => 0x02,
        LinuxSchedulerFlag::SchedFlagDLOverrun => 0x04,
        LinuxSchedulerFlag::SchedFlagKeepPolicy => 0x08,
        LinuxSchedulerFlag::SchedFlagKeepParams => 0x10,
        LinuxSchedulerFlag::SchedFlagUtilClampMin => 0x20,
        LinuxSchedulerFlag::SchedFlagUtilClampMax => 0x40,
    };
    let flags = scheduler.flags.iter().fold(0, |flags, one| flags | flag(one));
    let mut bytes = Vec::with_capacity(48);
    bytes.extend(48_u32.to_ne_bytes());
    bytes.extend(policy.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(scheduler.nice.unwrap_or(0).to_ne_bytes());
    bytes.extend(scheduler.priority.unwrap_or(0).to_ne_bytes());
    for nanoseconds in [scheduler.runtime, scheduler.deadline, scheduler.period] {
        bytes.extend(nanoseconds.unwrap_or(0).to_ne_bytes());
    }
    bytes
}

fn persona(personality: &LinuxPersonality) -> Result<u64> {
    if !personality.flags.is_empty() {
        // runtime-spec: "no flag values are supported currently".
        return Err(Error::new(ErrorKind::Unsupported, "linux.personality.flags: no flag is defined"));
    }
    Ok(match personality.domain {
        LinuxPersonalityDomain::PerLinux => 0,
        LinuxPersonalityDomain::PerLinux32 => 8,
    })
}

/// The modes of set_mempolicy(2) by number.
pub(crate) const MODES: [MemoryPolicyModeType; 7] = [
    MemoryPolicyModeType::MpolDefault,
    MemoryPolicyModeType::MpolPreferred,
    MemoryPolicyModeType::MpolBind,
    MemoryPolicyModeType::MpolInterleave,
    MemoryPolicyModeType::MpolLocal,
    MemoryPolicyModeType::MpolPreferredMany,
    MemoryPolicyModeType::MpolWeightedInterleave,
];

/// The flags of a mode, and their bits.
pub(crate) const MODE_FLAGS: [(MemoryPolicyFlagType, u32); 3] = [
    (MemoryPolicyFlagType::MpolFNumaBalancing, 1 << 13),
    (MemoryPolicyFlagType::MpolFRelativeNodes, 1 << 14),
    (MemoryPolicyFlagType::MpolFStaticNodes, 1 << 15),
];

/// The mode with its flags, and the nodes' mask, as set_mempolicy(2) takes them.
fn memory_policy(policy: &LinuxMemoryPolicy) -> Result<(u32, Vec<u8>)> {
    // All that the type can be is in the table.
    let mode = (0..).zip(MODES).find(|(_, mode)| *mode == policy.mode).map_or(0, |(number, _)| number);
    let flag = |wanted: &MemoryPolicyFlagType| {
        MODE_FLAGS.iter().filter(|(flag, _)| flag == wanted).fold(0_u32, |bits, (_, bit)| bits | bit)
    };
    let flags = policy.flags.iter().fold(0, |flags, one| flags | flag(one));
    let nodes = policy.nodes.as_deref().filter(|nodes| !nodes.is_empty());
    let mask = nodes.map(|nodes| bit_mask(nodes, "linux.memoryPolicy.nodes")).transpose()?;
    Ok((mode | flags, mask.unwrap_or_default()))
}

/// The bits of a list as `0-3,7`, in whole words of 8 bytes. The kernel knows at most 8,192 processors or 1,024 nodes.
fn bit_mask(list: &str, place: &str) -> Result<Vec<u8>> {
    const MOST: usize = 8192;
    let wrong = || {
        Error::new(ErrorKind::InvalidConfig, format!("{place}: {list:?} is no list of numbers below {MOST}"))
    };
    let number = |digits: &str| match digits.trim().parse::<usize>() {
        Ok(number) if number < MOST => Ok(number),
        _ => Err(wrong()),
    };
    let mut mask = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(wrong());
        }
        let length = (last / 64 + 1) * 8;
        mask.resize(mask.len().max(length), 0_u8);
        for bit in first..=last {
            // Little words of 8 bytes are bytes in order; big ones do not exist on what Corten runs on.
            mask[bit / 8] |= 1 << (bit % 8);
        }
    }
    Ok(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_become_masks() {
        assert_eq!(bit_mask("0-3,7", "x").unwrap(), [0x8f, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bit_mask("64", "x").unwrap().len(), 16);
        for wrong in ["", "a", "3-1", "9999999", "1,,2", "-1"] {
            assert!(bit_mask(wrong, "x").is_err(), "{wrong}");
        }
    }
}
