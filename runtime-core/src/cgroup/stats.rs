//! What the controllers count, in the form and under the names of the data of runc's `events --stats`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What all controllers of a container's cgroup count. What a host lacks is 0 or empty.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// let stats = container.stats()?;
/// println!("{} ms of processors", stats.cpu.usage.total / 1_000_000);
/// println!("{} MiB now, {} processes", stats.memory.usage.usage >> 20, stats.pids.current);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Stats {
    /// Processor time.
    pub cpu: Cpu,
    /// Processors and memory nodes.
    pub cpuset: Cpuset,
    /// Memory.
    pub memory: Memory,
    /// Processes.
    pub pids: Pids,
    /// Block devices.
    pub blkio: Blkio,
    /// Huge pages, by their size (`2MB`).
    pub hugetlb: BTreeMap<String, Hugetlb>,
    /// RDMA devices, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rdma: BTreeMap<String, Rdma>,
    /// The most there may be in use of RDMA devices, by name; the greatest number for no limit. Not of runc's data.
    #[serde(skip)]
    pub rdma_limits: BTreeMap<String, Rdma>,
    /// Intel RDT; nothing yet.
    pub intel_rdt: BTreeMap<String, u64>,
    /// Network interfaces; nothing, as they are none of a cgroup's.
    pub network_interfaces: Option<Vec<BTreeMap<String, u64>>>,
}

fn zero(number: &u64) -> bool {
    *number == 0
}

/// One line of a pressure file: the share of time, in percent, that was lost waiting.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// if let Some(pressure) = container.stats()?.memory.psi {
///     println!("over the last minute it lost {} % of its time", pressure.some.avg60);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PressureLine {
    /// Over the last 10 seconds.
    pub avg10: f64,
    /// Over the last minute.
    pub avg60: f64,
    /// Over the last five minutes.
    pub avg300: f64,
    /// Since the cgroup was made, in microseconds.
    pub total: u64,
}

/// Pressure stall information, the kernel's Documentation/accounting/psi.rst.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// if let Some(pressure) = container.stats()?.cpu.psi {
///     println!("some of it waited {} µs for a processor, all {} µs", pressure.some.total, pressure.full.total);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Pressure {
    /// Time in which at least one task waited.
    pub some: PressureLine,
    /// Time in which all tasks waited.
    pub full: PressureLine,
}

/// Processor time.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// let cpu = container.stats()?.cpu;
/// println!("{} ns used, {} ns held back", cpu.usage.total, cpu.throttling.throttled_time);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Cpu {
    /// Time used.
    pub usage: CpuUsage,
    /// How often the quota was spent.
    pub throttling: Throttling,
    /// Waiting for a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Pressure>,
}

/// Processor time used, in nanoseconds.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// let before = container.stats()?.cpu.usage;
/// std::thread::sleep(std::time::Duration::from_secs(1));
/// let nanoseconds = container.stats()?.cpu.usage.total - before.total;
/// println!("{} % of one processor", nanoseconds / 10_000_000);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CpuUsage {
    /// By all.
    #[serde(skip_serializing_if = "zero")]
    pub total: u64,
    /// On each processor (v1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu: Vec<u64>,
    /// On each processor, in the kernel (v1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_kernel: Vec<u64>,
    /// On each processor, outside the kernel (v1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_user: Vec<u64>,
    /// In the kernel.
    pub kernel: u64,
    /// Outside the kernel.
    pub user: u64,
}

/// The effect of cpu.quota.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// let throttling = container.stats()?.cpu.throttling;
/// if throttling.throttled_periods * 2 > throttling.periods {
///     println!("it would use more than it may: {} ns have it waited", throttling.throttled_time);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Throttling {
    /// Periods that have passed with something to run.
    #[serde(skip_serializing_if = "zero")]
    pub periods: u64,
    /// Those in which the quota was spent.
    #[serde(skip_serializing_if = "zero")]
    pub throttled_periods: u64,
    /// Time spent waiting for the next period, in nanoseconds.
    #[serde(skip_serializing_if = "zero")]
    pub throttled_time: u64,
    /// Periods in which the quota was passed by what was saved up. Not of runc's data.
    #[serde(skip)]
    pub bursts: u64,
    /// Time beyond the quota, in nanoseconds. Not of runc's data.
    #[serde(skip)]
    pub burst_time: u64,
}

/// Processors and memory nodes, cpuset(7). All but the two lists are of v1.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// let cpuset = container.stats()?.cpuset;
/// println!("processors {:?}, memory nodes {:?}", cpuset.cpus, cpuset.mems);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Cpuset {
    /// The processors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<u16>,
    /// Whether no sibling may have them.
    pub cpu_exclusive: u64,
    /// The memory nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mems: Vec<u16>,
    /// Whether the kernel's own allocations are bound too.
    pub mem_hardwall: u64,
    /// Whether no sibling may have the memory nodes.
    pub mem_exclusive: u64,
    /// Whether pages move when the nodes change.
    pub memory_migrate: u64,
    /// Whether the page cache is spread over the nodes.
    pub memory_spread_page: u64,
    /// Whether slab caches are spread over the nodes.
    pub memory_spread_slab: u64,
    /// How often memory had to be freed for an allocation.
    pub memory_pressure: u64,
    /// Whether load is balanced over the processors.
    pub sched_load_balance: u64,
    /// How far a task may be moved when it wakes; -1 is the host's default.
    pub sched_relax_domain_level: i64,
}

/// Memory, in bytes.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// let memory = container.stats()?.memory;
/// println!("{} bytes, of them {} files' pages", memory.usage.usage, memory.cache);
/// println!("{} of the kernel's stacks", memory.raw.get("kernel_stack").copied().unwrap_or(0));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Memory {
    /// Page cache.
    #[serde(skip_serializing_if = "zero")]
    pub cache: u64,
    /// Memory.
    pub usage: MemoryEntry,
    /// Memory and swap together, on v2 too.
    pub swap: MemoryEntry,
    /// The kernel's own (v1).
    pub kernel: MemoryEntry,
    /// TCP buffers (v1).
    #[serde(rename = "kernelTCP")]
    pub kernel_tcp: MemoryEntry,
    /// All numbers of the file `memory.stat`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub raw: BTreeMap<String, u64>,
    /// Waiting for memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Pressure>,
    /// What the limits have led to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_count: Option<MemoryEvents>,
    /// The most that was in use of swap alone (v2). Not of runc's data.
    #[serde(skip)]
    pub swap_peak: u64,
    /// Whether nothing is killed for want of memory (v1). Not of runc's data.
    #[serde(skip)]
    pub oom_kill_disable: bool,
    /// Whether processes are stopped for want of memory now (v1). Not of runc's data.
    #[serde(skip)]
    pub under_oom: bool,
}

/// One kind of memory, in bytes.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// let memory = container.stats()?.memory.usage;
/// if memory.usage > memory.limit / 10 * 9 {
///     println!("nearly all of its {} bytes are in use; the limit was hit {} times", memory.limit, memory.failcnt);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MemoryEntry {
    /// The limit; 2^64 - 1 on v2 for none.
    pub limit: u64,
    /// In use.
    #[serde(skip_serializing_if = "zero")]
    pub usage: u64,
    /// The most that was in use.
    #[serde(skip_serializing_if = "zero")]
    pub max: u64,
    /// How often the limit was hit.
    pub failcnt: u64,
}

/// How often each thing has happened, `memory.events` of v2; of v1's `memory.oom_control` the kills alone.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// let kills = container.stats()?.memory.event_count.map_or(0, |events| events.oom_kill);
/// println!("{kills} of its processes were killed for want of memory");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MemoryEvents {
    /// Memory was taken in spite of memory.low.
    #[serde(skip_serializing_if = "zero")]
    pub low: u64,
    /// memory.high was passed.
    #[serde(skip_serializing_if = "zero")]
    pub high: u64,
    /// The limit was about to be passed.
    #[serde(skip_serializing_if = "zero")]
    pub max: u64,
    /// There was no more memory to free.
    #[serde(skip_serializing_if = "zero")]
    pub oom: u64,
    /// A process was killed for it.
    #[serde(skip_serializing_if = "zero")]
    pub oom_kill: u64,
    /// The whole cgroup was killed for it.
    #[serde(skip_serializing_if = "zero")]
    pub oom_group_kill: u64,
}

/// Processes.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// let pids = container.stats()?.pids;
/// if pids.limit != 0 && pids.current == pids.limit {
///     println!("it can fork no more");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Pids {
    /// Now.
    #[serde(skip_serializing_if = "zero")]
    pub current: u64,
    /// The most there may be; 0 for no limit.
    #[serde(skip_serializing_if = "zero")]
    pub limit: u64,
}

/// Block devices.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// let written = container.stats()?.blkio.io_service_bytes_recursive;
/// let written: u64 = written.iter().filter(|entry| entry.op == "Write").map(|entry| entry.value).sum();
/// println!("{written} bytes written");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Blkio {
    /// Bytes moved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_bytes_recursive: Vec<BlkioEntry>,
    /// Operations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_serviced_recursive: Vec<BlkioEntry>,
    /// Operations that wait. This and what follows is counted by v1's BFQ alone, on kernels built to debug it.
    #[serde(rename = "ioQueueRecursive", skip_serializing_if = "Vec::is_empty")]
    pub io_queued_recursive: Vec<BlkioEntry>,
    /// Nanoseconds from dispatch to end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_time_recursive: Vec<BlkioEntry>,
    /// Nanoseconds of waiting for dispatch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_wait_time_recursive: Vec<BlkioEntry>,
    /// Operations merged into others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_merged_recursive: Vec<BlkioEntry>,
    /// Milliseconds that the devices were given for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_time_recursive: Vec<BlkioEntry>,
    /// Sectors moved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sectors_recursive: Vec<BlkioEntry>,
    /// Waiting for the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Pressure>,
}

/// One number of one block device.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// for entry in container.stats()?.blkio.io_serviced_recursive {
///     println!("device {}:{}: {} times {}", entry.major, entry.minor, entry.value, entry.op);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BlkioEntry {
    /// The device's major number.
    #[serde(skip_serializing_if = "zero")]
    pub major: u64,
    /// The device's minor number.
    #[serde(skip_serializing_if = "zero")]
    pub minor: u64,
    /// `Read`, `Write` ...
    #[serde(skip_serializing_if = "String::is_empty")]
    pub op: String,
    /// The number.
    #[serde(skip_serializing_if = "zero")]
    pub value: u64,
}

/// Huge pages of one size, in bytes.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// for (size, pages) in container.stats()?.hugetlb {
///     println!("{} bytes in pages of {size}", pages.usage);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Hugetlb {
    /// In use.
    #[serde(skip_serializing_if = "zero")]
    pub usage: u64,
    /// The most that was in use (v1).
    #[serde(skip_serializing_if = "zero")]
    pub max: u64,
    /// How often the limit was hit.
    pub failcnt: u64,
    /// The limit; the greatest number for none. Not of runc's data.
    #[serde(skip)]
    pub limit: u64,
}

/// What is in use of one RDMA device.
///
/// ```no_run
/// # fn main() -> runtime_core::Result<()> {
/// # let container = runtime_core::Container::load(runtime_core::default_root(), "web-1")?;
/// for (device, used) in container.stats()?.rdma {
///     println!("{device}: {} handles, {} objects", used.hca_handles, used.hca_objects);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rdma {
    /// Handles.
    pub hca_handles: u32,
    /// Objects.
    pub hca_objects: u32,
}
