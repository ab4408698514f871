//! What a program relies on that makes containers in its midst: other threads may do whatever they like, nothing of the
//! program changes, nothing of it gets into a container, and its size does not matter.

use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal as HostSignal},
        stat::{Mode, umask},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::geteuid,
};
use runtime_core::{ContainerBuilder, ErrorKind, Event, Job, Signal, Status, Stdio};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    hint::black_box,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::fs::symlink,
    },
    path::{Path, PathBuf},
    process::{self, Command},
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const THREADS: usize = 32;
/// Lives of a thread, one after the other.
const LIVES: usize = 3;
/// How large the host is made.
const RESIDENT: usize = 1 << 30;

/// One test at a time: they look at what belongs to the whole program.
static ALONE: Mutex<()> = Mutex::new(());

/// A rootfs of busybox and a state directory, removed with it.
struct Ground(PathBuf);

impl Ground {
    fn new(name: &str) -> Option<Self> {
        if !geteuid().is_root() || !Path::new("/bin/busybox").exists() {
            println!("skipped: it wants root and /bin/busybox");
            return None;
        }
        let folder = env::temp_dir().join(format!("corten-test-host-{name}-{}", process::id()));
        let bin = folder.join("rootfs/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy("/bin/busybox", bin.join("busybox")).unwrap();
        for command in ["ls", "sleep", "true"] {
            symlink("busybox", bin.join(command)).unwrap();
        }
        Some(Self(folder))
    }

    fn builder(&self, name: &str, args: &[&str]) -> ContainerBuilder {
        let id = format!("corten-test-host-{name}-{}", process::id());
        let mut spec = Job::new(self.0.join("rootfs"), args.iter().copied()).spec();
        spec.linux.as_mut().unwrap().cgroups_path = Some(format!("/{id}").into());
        ContainerBuilder::new(id).root(self.0.join("states")).spec(spec).stdin(Stdio::Null)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What there is of a program once.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    descriptors: BTreeMap<String, PathBuf>,
    directory: PathBuf,
    mask: Mode,
    /// Handler, flags and mask of each signal.
    signals: Vec<(usize, i32, Vec<i32>)>,
    blocked: Vec<i32>,
    environment: Vec<(OsString, OsString)>,
    subreaper: bool,
    threads: usize,
}

impl Program {
    fn look() -> Self {
        let mask = umask(Mode::empty());
        umask(mask);
        let blocked = SigSet::thread_get_mask().unwrap();
        let mut reaps: libc::c_int = 0;
        // SAFETY: the kernel writes one int, which is ours.
        unsafe { libc::prctl(libc::PR_GET_CHILD_SUBREAPER, &raw mut reaps) };
        Self {
            descriptors: descriptors("self"),
            directory: env::current_dir().unwrap(),
            mask,
            signals: (1..=64).map(disposition).collect(),
            blocked: blocked.iter().map(|signal| signal as i32).collect(),
            environment: env::vars_os().collect(),
            subreaper: reaps != 0,
            threads: fs::read_dir("/proc/self/task").unwrap().count(),
        }
    }
}

impl Program {
    fn assert_unchanged(&self) {
        // A thread that was joined may be seen a moment longer.
        for _ in 0..20 {
            if Self::look() == *self {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(Self::look(), *self);
    }
}

fn disposition(signal: i32) -> (usize, i32, Vec<i32>) {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is set; the kernel writes what there is to a struct of ours.
    unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr());
        let action = action.assume_init();
        let blocked = HostSignal::iterator().map(|other| other as i32);
        let blocked = blocked.filter(|other| libc::sigismember(&raw const action.sa_mask, *other) == 1);
        (action.sa_sigaction, action.sa_flags, blocked.collect())
    }
}

/// The descriptors of a process but the one that lists them.
fn descriptors(pid: &str) -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        Some((name, fs::read_link(entry.path()).ok()?))
    });
    links.filter(|(_, target)| !target.ends_with("fd")).collect()
}

/// Does `act` again and again until all is over; how often.
fn busy<'s>(
    scope: &'s thread::Scope<'s, '_>,
    stop: &'s AtomicBool,
    act: impl Fn(usize) + Send + 's,
) -> Busy<'s> {
    scope.spawn(move || {
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            act(count);
            count += 1;
        }
        count
    })
}

type Busy<'s> = thread::ScopedJoinHandle<'s, usize>;

fn allocate(count: usize) {
    black_box(vec![1_u8; (count * 7919) % 100_000]);
}

/// A child that is nothing but a copy, and one that executes a program; each reaped by itself.
fn fork_one(count: usize) {
    if count.is_multiple_of(2) {
        assert!(Command::new("/bin/true").status().unwrap().success());
        return;
    }
    // SAFETY: the child makes one call, which ends it.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: no destructor and no exit handler of the parent's runs.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: a child of this thread's own, whose status nobody wants.
    assert_eq!(unsafe { libc::waitpid(pid, ptr::null_mut(), 0) }, pid);
}

/// A file that every program this one starts would inherit: without close-on-exec.
fn open_for_all(_: usize) {
    // SAFETY: a text that ends with NUL; the descriptor is new, and owned from here on.
    let file = unsafe { OwnedFd::from_raw_fd(libc::open(c"/etc/passwd".as_ptr(), libc::O_RDONLY)) };
    thread::sleep(Duration::from_micros(200));
    assert!(file.as_raw_fd() > 2);
}

/// Another user for this one thread, and back: the plain calls, not the C library's, which change all threads.
fn change_credentials(_: usize) {
    let keep = u32::MAX;
    // SAFETY: plain numbers; the saved user stays root.
    unsafe {
        assert_eq!(libc::syscall(libc::SYS_setresgid, keep, 1000, keep), 0);
        assert_eq!(libc::syscall(libc::SYS_setresuid, keep, 1000, keep), 0);
        thread::sleep(Duration::from_micros(200));
        assert_eq!(libc::syscall(libc::SYS_setresuid, keep, 0, keep), 0);
        assert_eq!(libc::syscall(libc::SYS_setresgid, keep, 0, keep), 0);
    }
}

/// One life: started, a process executed in it, ended; each time all is looked at that the container has of its host.
fn live(ground: &Ground, thread: usize, life: usize) {
    let builder = ground.builder(&format!("{thread}-{life}"), &["sleep", "1000"]);
    let container = builder.stdout(Stdio::Null).stderr(Stdio::Null).run().unwrap();
    let pid = container.pid().unwrap();
    let null: Vec<_> = ["0", "1", "2"].map(|name| (name.to_owned(), PathBuf::from("/dev/null"))).into();
    assert_eq!(Vec::from_iter(descriptors(&pid.to_string())), null);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for line in
        ["Uid:\t0\t0\t0\t0", "Gid:\t0\t0\t0\t0", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"]
    {
        assert!(status.lines().any(|other| other == line), "{line} is not in\n{status}");
    }
    let list = container.process(["ls", "/proc/self/fd"]).unwrap();
    let list = list.stdin(Stdio::Null).stdout(Stdio::Piped).stderr(Stdio::Null);
    let output = container.exec(list).unwrap().wait_with_output().unwrap();
    // Three streams and the folder that it lists.
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n1\n2\n3\n");
    container.kill(Signal::KILL).unwrap();
    assert_eq!(container.wait().unwrap().signal(), Some(9));
    container.delete(false).unwrap();
}

#[test]
fn thirty_two_threads_make_containers_while_others_do_as_they_like() {
    let _alone = ALONE.lock();
    let Some(ground) = Ground::new("threads") else { return };
    live(&ground, 0, 0); // what is opened once and kept is open by now
    let before = Program::look();
    let (begin, stop, lives) = (Instant::now(), AtomicBool::new(false), AtomicUsize::new(0));
    let counts = thread::scope(|scope| {
        let others = [allocate, fork_one, open_for_all, change_credentials];
        let others: Vec<_> = others.into_iter().map(|act| busy(scope, &stop, act)).collect();
        let makers: Vec<_> = (1..=THREADS)
            .map(|thread| {
                let (ground, lives) = (&ground, &lives);
                scope.spawn(move || {
                    let blocked = SigSet::thread_get_mask().unwrap();
                    for life in 0..LIVES {
                        live(ground, thread, life);
                        lives.fetch_add(1, Ordering::Relaxed);
                    }
                    assert_eq!(SigSet::thread_get_mask().unwrap(), blocked);
                })
            })
            .collect();
        let made: Vec<_> = makers.into_iter().map(|maker| maker.join().is_ok()).collect();
        let time = begin.elapsed();
        stop.store(true, Ordering::Relaxed);
        let counts: Vec<_> = others.into_iter().map(|other| other.join().unwrap()).collect();
        assert!(made.into_iter().all(|made| made), "a thread failed");
        println!(
            "{} lives by {THREADS} threads in {time:.1?}, beside {} allocations, {} children, {} files, {} changes of user",
            lives.load(Ordering::Relaxed),
            counts[0],
            counts[1],
            counts[2],
            counts[3]
        );
        counts
    });
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    before.assert_unchanged();
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    assert_eq!(waitid(Id::All, flags), Err(Errno::ECHILD), "children");
    assert_eq!(fs::read_dir(ground.0.join("states")).unwrap().count(), 0, "state directories");
}

/// A create that fails half-way leaves nothing of the program changed either.
#[test]
fn failures_leave_the_program_as_it_was() {
    let _alone = ALONE.lock();
    let Some(ground) = Ground::new("failures") else { return };
    let fail = |name: &str, args: &[&str]| ground.builder(name, args).run().unwrap_err().kind();
    assert_eq!(fail("first", &["/no/such/program"]), ErrorKind::Exec);
    let before = Program::look();
    for number in 0..20 {
        assert_eq!(fail(&format!("exec-{number}"), &["/no/such/program"]), ErrorKind::Exec);
        let other = ground.builder(&format!("id/{number}"), &["true"]).run().unwrap_err();
        assert_eq!(other.kind(), ErrorKind::InvalidArgument);
    }
    before.assert_unchanged();
}

/// Children that are nothing but copies of this process, descriptors included; ended with it.
struct Copies(Vec<libc::pid_t>);

impl Copies {
    fn add(&mut self) {
        // SAFETY: the child waits for its end.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: it waits, and ends; should it be held up by this, the test is so for that long and no longer.
            unsafe {
                libc::alarm(60);
                libc::pause();
                libc::_exit(0);
            }
        }
        self.0.push(pid);
    }

    /// Whether one of them has a descriptor of a file of this name.
    fn has(&self, name: &str) -> bool {
        let open = |pid: &libc::pid_t| descriptors(&pid.to_string()).into_values();
        self.0.iter().flat_map(open).any(|target| target.ends_with(name))
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        for pid in &self.0 {
            // SAFETY: children of this process' own, whose status nobody wants.
            unsafe {
                libc::kill(*pid, libc::SIGKILL);
                assert_eq!(libc::waitpid(*pid, ptr::null_mut(), 0), *pid);
            }
        }
    }
}

fn readable(fd: BorrowedFd<'_>) -> bool {
    poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], PollTimeout::from(10_000_u16)).unwrap() == 1
}

/// Does `act` while this process is copied every `pause`.
fn beside_forks<T>(pause: Duration, act: impl FnOnce() -> T) -> (T, Copies) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let forker = scope.spawn(|| {
            let mut copies = Copies(Vec::new());
            while !stop.load(Ordering::Relaxed) && copies.0.len() < 2000 {
                copies.add();
                thread::sleep(pause);
            }
            copies
        });
        let done = act();
        stop.store(true, Ordering::Relaxed);
        (done, forker.join().unwrap())
    })
}

#[test]
fn children_that_live_on_hold_up_nothing() {
    let _alone = ALONE.lock();
    let Some(ground) = Ground::new("children") else { return };
    let (times, _copies) = beside_forks(Duration::from_millis(1), || {
        let lives = (0..5).map(|number| {
            let begin = Instant::now();
            let container = ground.builder(&format!("children-{number}"), &["true"]).run().unwrap();
            container.wait().unwrap();
            container.delete(false).unwrap();
            begin.elapsed()
        });
        lives.collect::<Vec<_>>()
    });
    println!("lives beside children that stay: {times:.1?}");
    assert!(times.iter().all(|time| *time < Duration::from_secs(30)), "{times:?}");
}

/// A child with a copy of init.lock, by which a created container is known from a running one, changes nothing of what is told.
#[test]
fn children_that_live_on_do_not_make_a_container_look_created() {
    let _alone = ALONE.lock();
    let Some(ground) = Ground::new("looks") else { return };
    let create = |name: &str| loop {
        let builder = ground.builder(&format!("looks-{name}"), &["sleep", "1000"]);
        let builder = builder.stdout(Stdio::Null).delete_on_drop(true);
        let (created, copies) = beside_forks(Duration::ZERO, || builder.create().unwrap());
        assert_eq!(created.status().unwrap(), Status::Created);
        if copies.has("init.lock") {
            break (created, copies);
        }
        created.delete().unwrap();
    };
    let (created, copies) = create("started");
    let mut events = created.events().unwrap();
    let container = created.start().unwrap();
    assert_eq!(container.status().unwrap(), Status::Running);
    assert!(readable(events.as_fd()));
    assert_eq!(events.read().unwrap(), Some(Event::Started));
    assert!(copies.has("init.lock"));
    container.delete(true).unwrap();
    let (created, copies) = create("killed");
    created.kill(Signal::KILL).unwrap();
    assert!(readable(created.pidfd()));
    assert_eq!(created.status().unwrap(), Status::Stopped);
    assert!(copies.has("init.lock"));
    created.delete().unwrap();
}

/// Memory that belongs to the program, in pages of the smallest size, all of them there.
struct Resident {
    pages: *mut u8,
    size: usize,
}

const PAGE: usize = 4096;

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
