//! Which resource goes to which controller, and the writing of all of them.

use super::{
    Cgroup, check, device_program, devices,
    dir::Dir,
    error::{Error, Result},
    setting::{self, Setting},
    tree::Tree,
    v1, v2,
};
use crate::spec::LinuxResources;
use nix::{errno::Errno, unistd::geteuid};
use std::fs;

/// What one controller is asked for, and the hierarchy that has it.
struct Part<'a> {
    controller: &'static str,
    home: Option<&'a Tree>,
    settings: Vec<Setting>,
}

impl Cgroup {
    /// The hierarchy of a controller, by its v1 name: where v1 has it, else the unified one.
    pub(super) fn home(&self, controller: &str) -> Option<&Tree> {
        self.trees.iter().find(|tree| tree.has(controller)).or_else(|| self.unified())
    }

    /// The settings of all controllers for which `resources` asks something.
    fn parts(&self, resources: &LinuxResources, quota: impl FnOnce() -> String) -> Result<Vec<Part<'_>>> {
        let mut parts = Vec::new();
        let mut add = |names: (&'static str, &'static str),
                       settings: &dyn Fn(bool) -> Result<Vec<Setting>>| {
            let home = self.home(names.0);
            let unified = home.is_some_and(|tree| tree.unified);
            let settings = settings(unified)?;
            if !settings.is_empty() {
                parts.push(Part { controller: if unified { names.1 } else { names.0 }, home, settings });
            }
            Ok::<_, Error>(())
        };
        if let Some(memory) = &resources.memory {
            add(("memory", "memory"), &|unified| {
                if unified { v2::memory(memory) } else { Ok(v1::memory(memory)) }
            })?;
        }
        if let Some(cpu) = &resources.cpu {
            let quota = std::cell::Cell::new(Some(quota));
            let present = || quota.take().map_or_else(|| "max".to_owned(), |quota| quota());
            add(("cpu", "cpu"), &|unified| Ok(if unified { v2::cpu(cpu, present) } else { v1::cpu(cpu) }))?;
            add(("cpuset", "cpuset"), &|_| Ok(v1::cpuset(cpu)))?;
        }
        if let Some(limit) = resources.pids.and_then(|pids| pids.limit) {
            add(("pids", "pids"), &|_| Ok(v1::pids(limit)))?;
        }
        if let Some(io) = &resources.block_io {
            add(("blkio", "io"), &|unified| Ok(if unified { v2::io(io) } else { v1::blkio(io) }))?;
        }
        if !resources.hugepage_limits.is_empty() {
            let limits = &resources.hugepage_limits;
            add(("hugetlb", "hugetlb"), &|unified| {
                Ok(if unified { v2::hugetlb(limits) } else { v1::hugetlb(limits) })
            })?;
        }
        if !resources.rdma.is_empty() {
            add(("rdma", "rdma"), &|_| Ok(v1::rdma(&resources.rdma)))?;
        }
        if let Some(network) = &resources.network {
            add(("net_cls", "net_cls"), &|_| Ok(v1::net_cls(network)))?;
            add(("net_prio", "net_prio"), &|_| Ok(v1::net_prio(network)))?;
        }
        if !resources.unified.is_empty() {
            let settings = v2::unified(&resources.unified);
            parts.push(Part { controller: "unified", home: self.unified(), settings });
        }
        Ok(parts)
    }

    /// See [`Cgroup::check`].
    pub(super) fn check_resources(&self, resources: &LinuxResources) -> Result<()> {
        check::ranges(resources)?;
        check::warn(resources, self.home("memory").is_some_and(|tree| tree.unified));
        let policy = devices::Policy::new(resources.devices.as_deref().unwrap_or_default())?;
        match self.home("devices") {
            Some(tree) if tree.unified => {}
            Some(_) => drop(policy.v1_lines()?),
            None if self.lenient || resources.devices.as_deref().unwrap_or_default().is_empty() => {}
            None => return Err(missing("linux.resources.devices", "devices")),
        }
        self.check_cpu(resources)?;
        let mut available = None;
        for part in self.parts(resources, String::new)? {
            let Some(property) = part.settings.first().map(Setting::property) else { continue };
            let there = match part.home {
                Some(tree) if tree.unified && part.controller != "unified" => available
                    .get_or_insert_with(|| {
                        fs::read_to_string(tree.mount.join("cgroup.controllers")).unwrap_or_default()
                    })
                    .split_whitespace()
                    .any(|name| name == part.controller),
                Some(_) => true,
                None => false,
            };
            if !there {
                return Err(missing(property, part.controller));
            }
        }
        self.check_unified(resources)
    }

    /// What linux.resources.unified names has to be a controller of v2, which on a hybrid host few are. A `*.pressure` needs none.
    fn check_unified(&self, resources: &LinuxResources) -> Result<()> {
        let values = &resources.unified;
        let Some(tree) = self.unified().filter(|_| !values.is_empty()) else { return Ok(()) };
        let available = fs::read_to_string(tree.mount.join("cgroup.controllers")).unwrap_or_default();
        let lacks = |file: &&String| {
            let controller = controller_of(file);
            controller != "cgroup"
                && !file.ends_with(".pressure")
                && !available.split_whitespace().any(|name| name == controller)
        };
        match values.keys().filter(lacks).min() {
            Some(file) => {
                let reason = format!("this host's cgroup v2 has no controller {}", controller_of(file));
                Err(Error::unsupported(format!("linux.resources.unified[{file:?}]"), reason))
            }
            None => Ok(()),
        }
    }

    /// `resources` for an update, in which v1's limit of memory and swap together is whole: what is left out of the two is what
    /// holds now. On v1 the kernel itself keeps what is not changed.
    pub(super) fn with_present_memory(&self, resources: &LinuxResources) -> LinuxResources {
        let mut resources = resources.clone();
        if let (Some(memory), Some(tree)) = (&mut resources.memory, self.home("memory"))
            && let Ok(dir) = tree.open()
        {
            let number = |file| dir.try_read(file).and_then(|text| text.trim().parse::<i64>().ok());
            let present = number(if tree.unified { "memory.max" } else { "memory.limit_in_bytes" });
            match (memory.limit.unwrap_or(0), memory.swap.unwrap_or(0)) {
                (0, 1..) => memory.limit = present,
                (1.., 0) if tree.unified => {
                    let both = present.zip(number("memory.swap.max"));
                    memory.swap = both.map(|(limit, swap)| limit.saturating_add(swap));
                }
                _ => {}
            }
        }
        resources
    }

    /// What only one of the two versions takes.
    fn check_cpu(&self, resources: &LinuxResources) -> Result<()> {
        let (Some(cpu), Some(tree)) = (&resources.cpu, self.home("cpu")) else { return Ok(()) };
        let realtime = [
            ("realtimePeriod", cpu.realtime_period.is_some_and(|period| period != 0)),
            ("realtimeRuntime", cpu.realtime_runtime.is_some_and(|runtime| runtime != 0)),
        ];
        let file = |name| {
            tree.mount.join(if name == "realtimePeriod" { "cpu.rt_period_us" } else { "cpu.rt_runtime_us" })
        };
        if let Some((name, _)) = realtime.iter().find(|(name, set)| *set && !file(*name).exists()) {
            let reason = "this host's cpu controller has no realtime limits";
            return Err(Error::unsupported(format!("linux.resources.cpu.{name}"), reason));
        }
        // v1 quietly takes the nearest; v2 has another scale, to which any number is brought.
        if let Some(shares) = cpu.shares.filter(|shares| !tree.unified && *shares != 0)
            && !(2..=262_144).contains(&shares)
        {
            let reason = format!("{shares} is not within 2 and 262144");
            return Err(Error::config("linux.resources.cpu.shares", reason));
        }
        Ok(())
    }

    /// Writes the settings of all controllers.
    pub(super) fn write_resources(&self, resources: &LinuxResources) -> Result<()> {
        let quota = || {
            let file =
                self.home("cpu").and_then(|tree| tree.open().ok()).and_then(|dir| dir.try_read("cpu.max"));
            file.and_then(|text| text.split_whitespace().next().map(str::to_owned))
                .unwrap_or_else(|| "max".to_owned())
        };
        let mut open: Option<(&Tree, Dir)> = None;
        for part in self.parts(resources, quota)? {
            let Part { controller, home, settings } = part;
            let Some(tree) = home else {
                let property = settings.first().map(Setting::property).unwrap_or_default();
                return Err(missing(property, controller));
            };
            let (_, dir) = match open.take() {
                Some(same) if std::ptr::eq(same.0, tree) => open.insert(same),
                _ => open.insert((tree, tree.open()?)),
            };
            setting::carry_out(dir, &settings).map_err(|error| explain(error, tree, controller))?;
        }
        Ok(())
    }

    /// Makes linux.resources.devices hold. `fresh`: nothing has been set before.
    pub(super) fn write_devices(&self, resources: &LinuxResources, fresh: bool) -> Result<()> {
        let policy = devices::Policy::new(resources.devices.as_deref().unwrap_or_default())?;
        let Some(tree) = self.home("devices") else { return Ok(()) };
        let dir = tree.open()?;
        let done = if tree.unified {
            device_program::apply(&dir, &policy)
        } else {
            devices::apply_v1(&dir, &policy, fresh && tree.fresh())
        };
        match done {
            Err(Error::Io { source, doing }) if !is_hosts_root() && is_refusal(&source) => {
                // Only the host's root may: there the mount options of what the container sees do the same.
                log::debug!("{doing}: {source}");
                Ok(())
            }
            other => other,
        }
    }

    /// For memory.checkBeforeUpdate: refuses a limit that is below what is in use, as v1 does by itself.
    pub(super) fn check_usage(&self, resources: &LinuxResources) -> Result<()> {
        let Some(memory) =
            resources.memory.as_ref().filter(|memory| memory.check_before_update == Some(true))
        else {
            return Ok(());
        };
        let Some(tree) = self.home("memory").filter(|tree| tree.unified) else { return Ok(()) };
        let dir = tree.open()?;
        let number = |file| dir.try_read(file).and_then(|text| text.trim().parse::<i64>().ok()).unwrap_or(0);
        let (limit, used) = (memory.limit.unwrap_or(0), number("memory.current"));
        if limit > 0 && limit < used {
            let reason = format!("{limit} is below the {used} bytes in use");
            return Err(Error::config("linux.resources.memory.limit", reason));
        }
        let (both, used) = (memory.swap.unwrap_or(0), used + number("memory.swap.current"));
        if both > 0 && both < used {
            let reason = format!("{both} is below the {used} bytes in use");
            return Err(Error::config("linux.resources.memory.swap", reason));
        }
        Ok(())
    }
}

pub(super) fn missing(property: &str, controller: &str) -> Error {
    let reason = match controller {
        "unified" => "needs cgroup v2, which this host has not mounted".to_owned(),
        _ if geteuid().is_root() => format!("this host has no cgroup controller {controller}"),
        _ => format!("there is no cgroup controller {controller} that this user may use"),
    };
    Error::unsupported(property, reason)
}

/// Tells why a file is missing, where that is because its controller is not enabled.
fn explain(error: Error, tree: &Tree, controller: &str) -> Error {
    match error {
        Error::Unsupported { property, reason } if tree.unified => {
            // Of `unified` the property says which one it is: `linux.resources.unified["memory.high"]`.
            let named = property.split('"').nth(1).map_or(controller, controller_of);
            let reason = tree.why_disabled(named).unwrap_or(reason);
            Error::Unsupported { property, reason }
        }
        other => other,
    }
}

/// The controller of a file of v2.
fn controller_of(file: &str) -> &str {
    file.split('.').next().unwrap_or(file)
}

fn is_refusal(error: &std::io::Error) -> bool {
    [Errno::EPERM, Errno::EACCES].iter().any(|errno| error.raw_os_error() == Some(*errno as i32))
}

fn is_hosts_root() -> bool {
    geteuid().is_root() && !crate::sys::process::in_user_namespace()
}
