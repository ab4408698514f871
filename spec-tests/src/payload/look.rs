//! What the payload sees of itself and around itself.

use super::{
    files::{names, text},
    probe, sys,
};
use nix::{
    sys::{
        stat::{Mode, umask},
        utsname::uname,
    },
    unistd,
};
use serde_json::{Map, Value, json};
use std::{
    env, fs, io,
    net::{Ipv4Addr, TcpListener, TcpStream},
};

/// The capabilities by number, capabilities(7).
pub(crate) const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The resources by number, getrlimit(2).
pub(crate) const RLIMITS: [&str; 16] = [
    "CPU",
    "FSIZE",
    "DATA",
    "STACK",
    "CORE",
    "RSS",
    "NPROC",
    "NOFILE",
    "MEMLOCK",
    "AS",
    "LOCKS",
    "SIGPENDING",
    "MSGQUEUE",
    "NICE",
    "RTPRIO",
    "RTTIME",
];

/// Everything, and the answers to `probes`.
pub(crate) fn report(probes: &[String]) -> Value {
    json!({
        "pid": std::process::id(),
        "ppid": unistd::getppid().as_raw(),
        "session": unistd::getsid(None).map(unistd::Pid::as_raw).ok(),
        "group": unistd::getpgrp().as_raw(),
        "args": env::args().collect::<Vec<_>>(),
        "env": environment(),
        "cwd": env::current_dir().map_err(|e| e.to_string()).unwrap_or_default(),
        "user": user(),
        "capabilities": capabilities(),
        "noNewPrivileges": sys::no_new_privs(),
        "status": status(),
        "rlimits": rlimits(),
        "uts": uts(),
        "namespaces": namespaces(),
        "mounts": mounts(),
        "oomScoreAdj": text("/proc/self/oom_score_adj"),
        "scheduler": scheduler(),
        "ioPriority": sys::io_priority().ok(),
        "personality": sys::personality(),
        "memoryPolicy": sys::memory_policy().ok(),
        "descriptors": descriptors(),
        "terminal": terminal(),
        "cgroup": text("/proc/self/cgroup"),
        "uidMap": text("/proc/self/uid_map"),
        "gidMap": text("/proc/self/gid_map"),
        "setgroups": text("/proc/self/setgroups"),
        "timeOffsets": text("/proc/self/timens_offsets"),
        "monotonic": sys::clock(libc::CLOCK_MONOTONIC),
        "boottime": sys::clock(libc::CLOCK_BOOTTIME),
        "processes": processes(),
        "interfaces": names("/sys/class/net").or_else(net_dev),
        "loopback": loopback(),
        "probes": probe::all(probes),
    })
}

/// Whether a connection to this process itself is made: it is answered by the kernel.
fn loopback() -> bool {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener.and_then(|listener| TcpStream::connect(listener.local_addr()?)).is_ok()
}

fn net_dev() -> Option<Vec<String>> {
    let table = text("/proc/self/net/dev")?;
    let mut names: Vec<String> =
        table.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect();
    names.sort();
    Some(names)
}

fn environment() -> Vec<String> {
    env::vars_os()
        .map(|(key, value)| format!("{}={}", key.to_string_lossy(), value.to_string_lossy()))
        .collect()
}

fn user() -> Value {
    let mask = umask(Mode::empty());
    umask(mask);
    let ids = unistd::getresuid().map(|ids| [ids.real.as_raw(), ids.effective.as_raw(), ids.saved.as_raw()]);
    let gids = unistd::getresgid().map(|ids| [ids.real.as_raw(), ids.effective.as_raw(), ids.saved.as_raw()]);
    let mut groups: Vec<u32> =
        unistd::getgroups().unwrap_or_default().iter().map(|gid| gid.as_raw()).collect();
    groups.sort_unstable();
    json!({"uid": ids.ok(), "gid": gids.ok(), "groups": groups, "umask": mask.bits()})
}

/// The five sets.
pub(crate) fn capabilities() -> Value {
    let named = |has: &dyn Fn(u64) -> bool| -> Vec<String> {
        CAPABILITIES.iter().zip(0..).filter(|(_, n)| has(*n)).map(|(name, _)| format!("CAP_{name}")).collect()
    };
    let [effective, permitted, inheritable] = sys::capabilities().unwrap_or_default();
    json!({
        "effective": named(&|n| effective >> n & 1 == 1),
        "permitted": named(&|n| permitted >> n & 1 == 1),
        "inheritable": named(&|n| inheritable >> n & 1 == 1),
        "bounding": named(&|n| sys::bounded(n) == Some(true)),
        "ambient": named(&|n| sys::ambient(n)),
    })
}

fn status() -> Value {
    let table = text("/proc/self/status").unwrap_or_default();
    let fields = table.lines().filter_map(|line| line.split_once(':'));
    Value::Object(fields.map(|(key, value)| (key.to_owned(), Value::from(value.trim()))).collect())
}

/// All limits, soft and hard.
pub(crate) fn rlimits() -> Value {
    let all = RLIMITS.iter().zip(0..);
    Value::Object(all.map(|(name, n)| (format!("RLIMIT_{name}"), json!(sys::limit(n).ok()))).collect())
}

fn uts() -> Value {
    let Ok(uts) = uname() else { return Value::Null };
    json!({
        "hostname": uts.nodename().to_string_lossy(),
        "domainname": uts.domainname().to_string_lossy(),
        "machine": uts.machine().to_string_lossy(),
    })
}

/// The namespaces by the names of their files in /proc/self/ns.
pub(crate) fn namespaces() -> Map<String, Value> {
    let links = names("/proc/self/ns").unwrap_or_default().into_iter().filter_map(|name| {
        let link = fs::read_link(format!("/proc/self/ns/{name}")).ok()?;
        Some((name, Value::from(link.to_string_lossy())))
    });
    links.collect()
}

/// The lines of /proc/self/mountinfo, proc_pid_mountinfo(5), in their order.
fn mounts() -> Vec<Value> {
    text("/proc/self/mountinfo").unwrap_or_default().lines().filter_map(mount_line).collect()
}

/// One line of mountinfo.
pub(crate) fn mount_line(line: &str) -> Option<Value> {
    let (own, rest) = line.split_once(" - ")?;
    let own: Vec<&str> = own.split(' ').collect();
    let rest: Vec<&str> = rest.split(' ').collect();
    Some(json!({
        "id": own.first()?, "parent": own.get(1)?, "root": own.get(3)?, "at": own.get(4)?,
        "options": own.get(5)?.split(',').collect::<Vec<_>>(),
        "propagation": own.get(6..)?,
        "type": rest.first()?, "source": rest.get(1)?,
        "super": rest.get(2)?.split(',').collect::<Vec<_>>(),
    }))
}

fn scheduler() -> Value {
    let Ok(attr) = sys::scheduler() else { return Value::Null };
    json!({
        "policy": attr.policy, "flags": attr.flags, "nice": attr.nice, "priority": attr.priority,
        "runtime": attr.runtime, "deadline": attr.deadline, "period": attr.period,
    })
}

/// The open descriptors but the one that lists them.
fn descriptors() -> Value {
    let links = names("/proc/self/fd").unwrap_or_default().into_iter().filter_map(|fd| {
        let link = fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
        let own = link.to_string_lossy().ends_with("/fd") && link.starts_with("/proc");
        (!own).then(|| (fd, Value::from(link.to_string_lossy())))
    });
    Value::Object(links.collect())
}

fn terminal() -> Value {
    let is_terminal = |fd: i32| sys::window_size(fd).is_some();
    let controlling = fs::File::open("/dev/tty").map_err(|e: io::Error| e.raw_os_error());
    json!({
        "stdin": is_terminal(0), "stdout": is_terminal(1), "stderr": is_terminal(2),
        "size": sys::window_size(0),
        "controlling": controlling.is_ok(),
    })
}

/// The processes that /proc shows.
fn processes() -> Vec<u32> {
    names("/proc").unwrap_or_default().iter().filter_map(|name| name.parse().ok()).collect()
}
