//! What the tests stand on: a root file system and a state directory, and what this program is like.

use nix::{
    libc,
    sys::{
        signal::{SigSet, Signal as HostSignal},
        stat::{Mode, umask},
    },
    unistd::geteuid,
};
use runtime_core::{ContainerBuilder, Job, Stdio};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    mem::MaybeUninit,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process, ptr, thread,
    time::Duration,
};

/// A rootfs of busybox and a state directory, removed with it.
pub(crate) struct Ground(PathBuf);

impl Ground {
    pub(crate) fn new(name: &str) -> Option<Self> {
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

    pub(crate) fn states(&self) -> PathBuf {
        self.0.join("states")
    }

    pub(crate) fn builder(&self, name: &str, args: &[&str]) -> ContainerBuilder {
        let id = format!("corten-test-host-{name}-{}", process::id());
        let mut spec = Job::new(self.0.join("rootfs"), args.iter().copied()).spec();
        spec.linux.as_mut().unwrap().cgroups_path = Some(format!("/{id}").into());
        ContainerBuilder::new(id).root(self.states()).spec(spec).stdin(Stdio::Null)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What there is of a program once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
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
    pub(crate) fn look() -> Self {
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
    pub(crate) fn assert_unchanged(&self) {
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
pub(crate) fn descriptors(pid: &str) -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        Some((name, fs::read_link(entry.path()).ok()?))
    });
    links.filter(|(_, target)| !target.ends_with("fd")).collect()
}
