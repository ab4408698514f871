//! The child of the floor: it makes the system calls of the default bundle and nothing else.

use libc::{
    MNT_DETACH, MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC, MS_REMOUNT, MS_SLAVE,
    MS_STRICTATIME, c_char, c_int, c_ulong,
};
use std::{
    ffi::{CStr, CString},
    io,
    os::fd::RawFd,
    ptr,
};

/// What the child goes by; laid out before the clone, for the child allocates nothing.
pub(crate) struct Orders {
    /// The image.
    pub(crate) root: CString,
    /// The cgroup directory that becomes /sys/fs/cgroup; on version 2 only.
    pub(crate) cgroup: Option<CString>,
    /// The targets of further bind mounts of /etc, relative to the image.
    pub(crate) binds: Vec<CString>,
    /// The child goes on when it can read a byte here: it is in its cgroups then. The end to write to is closed in the child.
    pub(crate) go: Option<[RawFd; 2]>,
}

/// `libc::CLONE_INTO_CGROUP` does not fit its type there.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
const NAMESPACES: c_int =
    libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC | libc::CLONE_NEWNET;
const PLAIN: c_ulong = MS_NOSUID | MS_NOEXEC | MS_NODEV;

/// Clones a child into new namespaces, and into the cgroup of version 2 whose directory is open as `cgroup`, that becomes the
/// container. Its id.
///
/// # Errors
/// What clone3(2) answered.
pub(crate) fn clone_into(orders: &Orders, cgroup: Option<RawFd>) -> io::Result<u32> {
    // SAFETY: a structure of numbers only.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = u64::from(NAMESPACES.unsigned_abs());
    arguments.exit_signal = u64::from(libc::SIGCHLD.unsigned_abs());
    if let Some(fd) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::from(fd.unsigned_abs());
    }
    let size = size_of::<libc::clone_args>();
    // SAFETY: the process has one thread. The child has a copy of its memory, makes system calls only and never returns.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size) };
    match pid {
        0 => {
            let line = container(orders).unwrap_err();
            // SAFETY: ends this process only; no exit handler of the parent runs.
            unsafe { libc::_exit(i32::try_from(line).map_or(1, |line| line.clamp(1, 127))) }
        }
        -1 => Err(io::Error::last_os_error()),
        pid => u32::try_from(pid).map_err(io::Error::other),
    }
}

/// The number of the step that failed. It does not return otherwise.
fn container(orders: &Orders) -> Result<std::convert::Infallible, u32> {
    let mut step = Steps(0);
    if let Some([read, write]) = orders.go {
        let mut byte = 0_u8;
        // SAFETY: the byte is ours, and the descriptors are not used again.
        step.is(unsafe { libc::close(write) })?;
        // SAFETY: as above.
        step.is(unsafe { libc::read(read, (&raw mut byte).cast(), 1) } as i64)?;
    }
    step.mount(None, c"/", None, MS_SLAVE | MS_REC, None)?;
    step.mount(Some(&orders.root), &orders.root, None, MS_BIND | MS_REC, None)?;
    // SAFETY: the text ends with NUL.
    step.is(unsafe { libc::chdir(orders.root.as_ptr()) })?;
    file_systems(&mut step, orders)?;
    devices(&mut step)?;
    // SAFETY: the name has five bytes.
    step.is(unsafe { libc::sethostname(c"bench".as_ptr(), 5) })?;
    hidden(&mut step)?;
    // SAFETY: system calls on texts that end with NUL and on plain numbers.
    unsafe {
        step.is(libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()))?;
        step.is(libc::umount2(c".".as_ptr(), MNT_DETACH))?;
        step.is(libc::chdir(c"/".as_ptr()))?;
    }
    step.mount(None, c"/", None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)?;
    let arguments: [*const c_char; 2] = [c"true".as_ptr(), ptr::null()];
    let environment: [*const c_char; 1] = [ptr::null()];
    // SAFETY: the lists end with null, their texts with NUL.
    unsafe {
        step.is(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        step.is(libc::execve(c"/bin/true".as_ptr(), arguments.as_ptr(), environment.as_ptr()))?;
    }
    Err(step.0)
}

fn file_systems(step: &mut Steps, orders: &Orders) -> Result<(), u32> {
    step.mount(Some(c"proc"), c"proc", Some(c"proc"), 0, None)?;
    let options = Some(c"mode=755,size=65536k");
    step.mount(Some(c"tmpfs"), c"dev", Some(c"tmpfs"), MS_NOSUID | MS_STRICTATIME, options)?;
    for dir in [c"dev/pts", c"dev/shm", c"dev/mqueue"] {
        // SAFETY: the text ends with NUL.
        step.is(unsafe { libc::mkdir(dir.as_ptr(), 0o755) })?;
    }
    let options = Some(c"newinstance,ptmxmode=0666,mode=0620,gid=5");
    step.mount(Some(c"devpts"), c"dev/pts", Some(c"devpts"), MS_NOSUID | MS_NOEXEC, options)?;
    step.mount(Some(c"shm"), c"dev/shm", Some(c"tmpfs"), PLAIN, Some(c"mode=1777,size=65536k"))?;
    step.mount(Some(c"mqueue"), c"dev/mqueue", Some(c"mqueue"), PLAIN, None)?;
    step.mount(Some(c"sysfs"), c"sys", Some(c"sysfs"), PLAIN | MS_RDONLY, None)?;
    if let Some(cgroup) = &orders.cgroup {
        // A clone of the host's mount: a new one waits for RCU, long on an idle machine.
        step.mount(Some(cgroup), c"sys/fs/cgroup", None, MS_BIND, None)?;
        step.mount(None, c"sys/fs/cgroup", None, MS_BIND | MS_REMOUNT | MS_RDONLY | PLAIN, None)?;
    }
    for target in &orders.binds {
        step.mount(Some(c"/etc"), target, None, MS_BIND | MS_REC, None)?;
        step.mount(None, target, None, MS_BIND | MS_REMOUNT | MS_RDONLY, None)?;
    }
    Ok(())
}

fn devices(step: &mut Steps) -> Result<(), u32> {
    let devices = [
        (c"dev/null", 1, 3),
        (c"dev/zero", 1, 5),
        (c"dev/full", 1, 7),
        (c"dev/random", 1, 8),
        (c"dev/urandom", 1, 9),
        (c"dev/tty", 5, 0),
    ];
    let links = [
        (c"/proc/self/fd", c"dev/fd"),
        (c"/proc/self/fd/0", c"dev/stdin"),
        (c"/proc/self/fd/1", c"dev/stdout"),
        (c"/proc/self/fd/2", c"dev/stderr"),
        (c"pts/ptmx", c"dev/ptmx"),
    ];
    // SAFETY: system calls on texts that end with NUL and on plain numbers.
    unsafe {
        libc::umask(0);
        for (path, major, minor) in devices {
            step.is(libc::mknod(path.as_ptr(), libc::S_IFCHR | 0o666, libc::makedev(major, minor)))?;
        }
        for (text, path) in links {
            step.is(libc::symlink(text.as_ptr(), path.as_ptr()))?;
        }
    }
    Ok(())
}

/// What of it this kernel does not have is left out.
fn hidden(step: &mut Steps) -> Result<(), u32> {
    for path in [c"proc/bus", c"proc/fs", c"proc/irq", c"proc/sys", c"proc/sysrq-trigger"] {
        if step.mount(Some(path), path, None, MS_BIND | MS_REC, None).is_ok() {
            step.mount(None, path, None, MS_BIND | MS_REMOUNT | MS_RDONLY, None)?;
        }
    }
    for path in [c"proc/acpi", c"proc/asound", c"proc/scsi", c"sys/firmware"] {
        let _ = step.mount(Some(c"tmpfs"), path, Some(c"tmpfs"), MS_RDONLY, Some(c"size=0"));
    }
    let files = [
        c"proc/kcore",
        c"proc/keys",
        c"proc/latency_stats",
        c"proc/timer_list",
        c"proc/timer_stats",
        c"proc/sched_debug",
    ];
    for path in files {
        let _ = step.mount(Some(c"dev/null"), path, None, MS_BIND, None);
    }
    Ok(())
}

/// Counts the steps, to say which one failed.
struct Steps(u32);

impl Steps {
    fn is(&mut self, answer: impl Into<i64>) -> Result<(), u32> {
        self.0 += 1;
        if answer.into() < 0 { Err(self.0) } else { Ok(()) }
    }

    fn mount(
        &mut self,
        source: Option<&CStr>,
        target: &CStr,
        kind: Option<&CStr>,
        flags: c_ulong,
        options: Option<&CStr>,
    ) -> Result<(), u32> {
        let text = |text: Option<&CStr>| text.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: all texts end with NUL or are null.
        self.is(unsafe {
            libc::mount(text(source), target.as_ptr(), text(kind), flags, text(options).cast())
        })
    }
}
