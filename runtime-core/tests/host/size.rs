//! The size of the program.

use crate::{ALONE, fork_one, ground::Ground};
use nix::libc;
use std::{
    env, fs, io,
    mem::MaybeUninit,
    ptr,
    time::{Duration, Instant},
};

/// Memory that belongs to the program, in pages of the smallest size, all of them there.
struct Resident {
    pages: *mut u8,
    size: usize,
}

const PAGE: usize = 4096;
/// How large the host is made.
const RESIDENT: usize = 1 << 30;

impl Resident {
    fn new(size: usize) -> io::Result<Self> {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new memory at no particular place.
        let pages = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
        if pages == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the memory above.
        unsafe { libc::madvise(pages, size, libc::MADV_NOHUGEPAGE) };
        let resident = Self { pages: pages.cast(), size };
        resident.touch();
        Ok(resident)
    }

    /// Writes to each page; how many of them the kernel had to do something about.
    fn touch(&self) -> usize {
        let before = faults();
        for at in (0..self.size).step_by(PAGE) {
            // SAFETY: within the memory.
            unsafe { self.pages.add(at).write_volatile(1) };
        }
        faults() - before
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        // SAFETY: the memory is this value's.
        unsafe { libc::munmap(self.pages.cast(), self.size) };
    }
}

/// Minor page faults of this thread.
fn faults() -> usize {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel writes to a struct of ours.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
        usage.assume_init()
    };
    usize::try_from(usage.ru_minflt).unwrap()
}

/// A copy of the page tables makes each page of the parent one that is copied when it is next written to. A fork does that,
/// a container does not. CORTEN_RESIDENT in the environment is another size, in MiB.
#[test]
fn the_size_of_the_program_does_not_matter() {
    let _alone = ALONE.lock();
    let Some(ground) = Ground::new("size") else { return };
    let size = env::var("CORTEN_RESIDENT").ok().and_then(|size| size.parse::<usize>().ok());
    let size = size.map_or(RESIDENT, |size| size << 20);
    let start = |number: usize| {
        let begin = Instant::now();
        let container = ground.builder(&format!("size-{number}"), &["true"]).run().unwrap();
        let time = begin.elapsed();
        container.wait().unwrap();
        container.delete(false).unwrap();
        time
    };
    start(0);
    let small: Vec<_> = (1..=20).map(start).collect();
    let resident = match Resident::new(size) {
        Err(error) => return println!("skipped: {} MiB: {error}", size >> 20),
        Ok(resident) => resident,
    };
    let large: Vec<_> = (21..=40).map(start).collect();
    assert!(resident.touch() < 100, "a container copied the page tables of its host");
    let begin = Instant::now();
    fork_one(1);
    let fork = begin.elapsed();
    let copied = resident.touch();
    assert!(copied >= size / PAGE, "a fork is seen by {copied} faults");
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let (small, large) = (median(small), median(large));
    println!(
        "a start takes {small:.2?}, with {} MiB resident {large:.2?}; a fork alone {fork:.2?}",
        size >> 20
    );
}

/// A process that waits for its start is the init program: next to no memory, and page tables of its own.
#[test]
fn a_created_container_has_the_page_tables_of_a_small_program() {
    let _alone = ALONE.lock();
    let Some(ground) = Ground::new("tables") else { return };
    let _resident = Resident::new(256 << 20).unwrap();
    let container = ground.builder("tables", &["true"]).create().unwrap();
    let kilobytes = |pid: &str, name: &str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_end_matches("kB").trim().parse::<usize>().unwrap()
    };
    let (own, its) =
        (kilobytes("self", "VmPTE:"), kilobytes(&container.pid().unwrap().to_string(), "VmPTE:"));
    assert!(own > 512, "{own} KiB of 256 MiB");
    assert!(its < 64, "{its} KiB");
    container.delete().unwrap();
}
