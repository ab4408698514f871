//! Runs a program that nobody trusts: a few system calls, no network, a root that cannot be written to, no user of the host's, little
//! memory and time. As root:
//!
//! ```text
//! cargo run --example sandbox                       # a tour of what it is kept from
//! cargo run --example sandbox -- ./program argument # a static binary of yours
//! ```

use examples::Image;
use runtime_core::{
    ContainerBuilder, ExitStatus, Job, Signal, Stdio,
    spec::{LinuxSeccomp, LinuxSeccompAction, LinuxSyscall, Spec},
};
use std::{
    env,
    error::Error,
    fs,
    path::Path,
    process,
    time::{Duration, Instant},
};

const TIME: Duration = Duration::from_secs(2);

/// What a program needs that computes, reads files and starts others. All else fails with EPERM.
const ALLOWED: [&str; 62] = [
    "access",
    "arch_prctl",
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "clone",
    "close",
    "dup",
    "dup2",
    "dup3",
    "execve",
    "exit",
    "exit_group",
    "faccessat",
    "fcntl",
    "fork",
    "fstat",
    "futex",
    "getcwd",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "getrandom",
    "gettid",
    "getuid",
    "ioctl",
    "lseek",
    "lstat",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "nanosleep",
    "newfstatat",
    "open",
    "openat",
    "pipe",
    "pipe2",
    "poll",
    "pread64",
    "prlimit64",
    "read",
    "readlink",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "setpgid",
    "stat",
    "statx",
    "uname",
    "vfork",
    "wait4",
    "write",
    "writev",
];

fn main() -> Result<(), Box<dyn Error>> {
    let image = Image::busybox("sandbox")?;
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.split_first() {
        None => tour(&image),
        Some((program, rest)) => {
            fs::copy(program, image.rootfs().join("program"))?;
            let command = [&["/program".to_owned()], rest].concat();
            let (said, end) = run(&image, &command)?;
            print!("{said}");
            println!("-- {end}");
            Ok(())
        }
    }
}

/// Things that the program may want to do, and what comes of each.
fn tour(image: &Image) -> Result<(), Box<dyn Error>> {
    for (wish, script) in [
        ("compute", "echo $((6 * 7))"),
        ("write to the root", "echo x > /file"),
        ("reach the network", "ping -c 1 -w 1 127.0.0.1"),
        ("mount something", "mount -t tmpfs tmpfs /mnt"),
        ("make a folder", "mkdir /tmp/folder"),
        ("take memory", "dd if=/dev/zero of=/dev/null bs=256M count=1"),
        ("run for ever", "while true; do :; done"),
    ] {
        let (said, end) = run(image, &["sh", "-c", script].map(str::to_owned))?;
        println!("{wish:<18} {:<60} {end}", said.trim_end());
    }
    Ok(())
}

/// Runs `command`; what it said, and how it ended.
fn run(image: &Image, command: &[String]) -> Result<(String, String), Box<dyn Error>> {
    let spec = spec(&image.rootfs(), command)?;
    let container = ContainerBuilder::new(format!("sandbox-{}", process::id()))
        .root(image.states())
        .spec(spec)
        .stdin(Stdio::Null)
        .stdout(fs::File::create(image.folder().join("output"))?)
        .stderr(fs::OpenOptions::new().append(true).open(image.folder().join("output"))?)
        .delete_on_drop(true)
        .run()?;
    let start = Instant::now();
    let end = match container.wait_timeout(TIME)? {
        Some(status) => status.to_string(),
        None => {
            container.kill_all(Signal::KILL)?;
            let _: ExitStatus = container.wait()?;
            format!("stopped after {:.0?}", start.elapsed())
        }
    };
    container.delete(true)?;
    Ok((fs::read_to_string(image.folder().join("output"))?, end))
}

fn spec(rootfs: &Path, command: &[String]) -> Result<Spec, Box<dyn Error>> {
    let mut seccomp = LinuxSeccomp::new(LinuxSeccompAction::ScmpActErrno);
    seccomp.syscalls.push(LinuxSyscall::new(ALLOWED, LinuxSeccompAction::ScmpActAllow));
    Ok(Job::new(rootfs, command.iter().cloned())
        .read_only() // with an empty /tmp and /run
        .memory(32 << 20)
        .cpus(0.5)
        .pids(16)
        .capabilities([]) // none at all; and a network of its own with nothing in it, as every job
        .map_root_to(65534, 65534) // root inside is nobody on the host
        .seccomp(seccomp)
        .spec())
}
