//! Starts from a program whose other threads allocate all the time: what runs between clone3 and execve may neither
//! allocate nor wait for a lock of the program. The allocator of this test ends a child that calls it, so that one
//! allocation is a failure and not a rare hang. What follows the execve has no allocator at all: see `corten_init`.

use nix::{
    errno::Errno,
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid},
    unistd::{ForkResult, fork, geteuid},
};
use runtime_core::{
    ContainerBuilder, Job,
    spec::{LinuxIdMapping, LinuxNamespace, LinuxNamespaceType, Spec},
};
use serde_json::{Value, json};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

const STARTS: usize = 1000;
const STARTERS: usize = 4;
const BUSY: usize = 3;
/// For all of them together: a hang, not slowness.
const PATIENCE: Duration = Duration::from_secs(300);
/// How a child ends that allocated.
const CAUGHT: i32 = 77;

/// The system's allocator, for this process alone.
struct Guard;

#[global_allocator]
static GUARD: Guard = Guard;
/// The process that may allocate; 0 before the test begins.
static OWNER: AtomicI64 = AtomicI64::new(0);
/// A child that shares this process' memory writes it here.
static BROKEN: AtomicBool = AtomicBool::new(false);

impl Guard {
    fn check() {
        let owner = OWNER.load(Ordering::Relaxed);
        // SAFETY: calls without pointers. The plain calls, since a child that shares memory has the C library's state.
        if owner != 0 && unsafe { libc::syscall(libc::SYS_getpid) } != owner {
            BROKEN.store(true, Ordering::Relaxed);
            // SAFETY: as above; it ends the child at once, in which nothing can be relied on.
            unsafe { libc::syscall(libc::SYS_exit_group, CAUGHT) };
        }
    }
}

// SAFETY: all is passed on to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Guard {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::check();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::check();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[test]
fn a_thousand_starts_beside_threads_that_allocate() {
    if !geteuid().is_root() {
        println!("skipped: containers without a user namespace want root");
        return;
    }
    OWNER.store(i64::from(process::id()), Ordering::Relaxed);
    the_guard_bites();

    let bundle = Arc::new(Bundle::new());
    start(&bundle, 0, 0); // what is opened once and kept is open by now
    let descriptors = count_descriptors();
    let stop = Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = (0..BUSY).map(|seed| thread::spawn(allocate_until(Arc::clone(&stop), seed))).collect();
    let (starts, time) = start_all(&bundle);
    stop.store(true, Ordering::Relaxed);
    let allocations: usize = busy.into_iter().map(|thread| thread.join().unwrap()).sum();
    println!("{starts} starts in {time:?}, beside {allocations} allocations");

    assert!(!BROKEN.load(Ordering::Relaxed), "a child allocated");
    assert_eq!(starts, STARTS);
    assert_eq!(count_descriptors(), descriptors, "descriptors");
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    assert_eq!(waitid(Id::All, flags), Err(Errno::ECHILD), "children");
    assert_eq!(fs::read_dir(bundle.state()).unwrap().count(), 0, "state directories");
}

/// A child that allocates is caught.
fn the_guard_bites() {
    // SAFETY: the child makes one call, of the guard, which ends it.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            drop(std::hint::black_box(Box::new(1_u8)));
            process::abort();
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, CAUGHT)));
        }
    }
}

/// Starts by several threads; how many came to their end, and in what time.
fn start_all(bundle: &Arc<Bundle>) -> (usize, Duration) {
    let begin = Instant::now();
    let (sender, done) = mpsc::channel();
    let next = Arc::new(AtomicUsize::new(0));
    for starter in 1..=STARTERS {
        let (bundle, sender, next) = (Arc::clone(bundle), sender.clone(), Arc::clone(&next));
        thread::spawn(move || {
            while let number @ 0..STARTS = next.fetch_add(1, Ordering::Relaxed) {
                start(&bundle, starter, number);
                let _ = sender.send(());
            }
        });
    }
    drop(sender);
    let mut starts = 0;
    loop {
        match done.recv_timeout(PATIENCE.saturating_sub(begin.elapsed())) {
            Ok(()) => starts += 1,
            Err(mpsc::RecvTimeoutError::Disconnected) => return (starts, begin.elapsed()),
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("a start hangs: {starts} in {PATIENCE:?}"),
        }
    }
}

/// One life: started, waited for, deleted.
fn start(bundle: &Bundle, starter: usize, number: usize) {
    let id = format!("corten-test-threads-{}-{starter}-{number}", process::id());
    let builder = ContainerBuilder::new(&id).root(bundle.state()).bundle(&bundle.directory);
    let container = builder.spec(bundle.spec(&id, number)).run().unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(container.wait().unwrap().code(), Some(1));
    container.delete(false).unwrap();
}

/// Takes and gives back memory of all sizes, and counts how often.
fn allocate_until(stop: Arc<AtomicBool>, seed: usize) -> impl FnOnce() -> usize {
    move || {
        let mut kept: Vec<Vec<u8>> = vec![Vec::new(); 64];
        let mut count = seed;
        while !stop.load(Ordering::Relaxed) {
            let place = count % kept.len();
            kept[place] = vec![0; (count * 7919) % 65536];
            count += 1;
        }
        count
    }
}

fn count_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What engines wrote: see the README beside them.
const ENGINES: [&str; 5] = [
    include_str!("../../spec-tests/bundles/containerd-ctr.json"),
    include_str!("../../spec-tests/bundles/cri-container.json"),
    include_str!("../../spec-tests/bundles/cri-sandbox.json"),
    include_str!("../../spec-tests/bundles/docker.json"),
    include_str!("../../spec-tests/bundles/podman.json"),
];

/// An engine's configuration without what only its own host has: files, namespaces, daemons, and limits that not every
/// host can set.
fn engine(text: &str, id: &str) -> Spec {
    let mut spec: Value = serde_json::from_str(text).unwrap();
    spec["root"] = json!({"path": "rootfs"});
    spec["process"]["args"] = json!(["/program"]);
    spec["process"]["terminal"] = json!(false);
    spec["process"]["cwd"] = json!("/");
    for (part, name) in
        [("/process", "rlimits"), ("/process", "oomScoreAdj"), ("/process", "apparmorProfile")]
    {
        spec.pointer_mut(part).and_then(Value::as_object_mut).unwrap().remove(name);
    }
    spec.as_object_mut().unwrap().remove("hooks");
    let is_bind = |mount: &Value| mount["type"] == "bind" || mount["options"].to_string().contains("bind\"");
    spec["mounts"].as_array_mut().unwrap().retain(|mount| !is_bind(mount));
    for namespace in spec["linux"]["namespaces"].as_array_mut().unwrap() {
        namespace.as_object_mut().unwrap().remove("path");
    }
    spec["linux"]["cgroupsPath"] = json!(format!("/{id}"));
    spec["linux"]["resources"] = json!({"devices": spec["linux"]["resources"]["devices"]});
    serde_json::from_value(spec).unwrap()
}

/// An image with a single program: the init program once more, which ends with 1 where nobody gives it a plan.
struct Bundle {
    directory: PathBuf,
}

impl Bundle {
    fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("corten-test-threads-{}", process::id()));
        let root = directory.join("rootfs");
        for name in ["proc", "dev", "tmp"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let program = root.join("program");
        fs::write(&program, corten_init::PROGRAM).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(directory.join("state")).unwrap();
        Self { directory }
    }

    fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// Configurations of many kinds in turn: those that engines wrote, and ours.
    fn spec(&self, id: &str, number: usize) -> Spec {
        match ENGINES.get(number % (ENGINES.len() + 4)) {
            Some(text) => engine(text, id),
            None => self.own(id, number),
        }
    }

    /// Plain; all the usual mounts; a filter; a user namespace, for which a first process makes way for a second.
    fn own(&self, id: &str, number: usize) -> Spec {
        let mut spec = Job::new("rootfs", ["/program"]).hostname("corten-test").spec();
        spec.root.as_mut().unwrap().readonly = true;
        let linux = spec.linux.as_mut().unwrap();
        linux.cgroups_path = Some(Path::new("/").join(id));
        match number % 4 {
            0 => spec.mounts.clear(),
            1 => {}
            2 => {
                let profile = r#"{"defaultAction": "SCMP_ACT_ALLOW",
                    "syscalls": [{"names": ["mkdirat"], "action": "SCMP_ACT_ERRNO"}]}"#;
                linux.seccomp = Some(serde_json::from_str(profile).unwrap());
            }
            _ => {
                spec.mounts.clear();
                let map = vec![LinuxIdMapping { container_id: 0, host_id: 0, size: 1 }];
                (linux.uid_mappings, linux.gid_mappings) = (map.clone(), map);
                linux.namespaces.push(LinuxNamespace::new(LinuxNamespaceType::User));
            }
        }
        spec
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
