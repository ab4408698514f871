//! Where a worker works, and whether all there is as it was.

use crate::harness::{Bundle, Hierarchy, below, hierarchies, mounts, remove_cgroup, within};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::{
        prctl,
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// A worker's own mount namespace and directory.
pub(crate) struct Place {
    dir: PathBuf,
    /// The runtime's state directory.
    state: PathBuf,
    /// Others' containers are there as well.
    shared: bool,
    parent: String,
    tag: String,
    pub(crate) hierarchies: Vec<Hierarchy>,
    mounts: BTreeSet<String>,
    descriptors: usize,
    /// Where terminals are sent to.
    socket: UnixListener,
}

impl Place {
    /// Goes to a mount namespace of its own and takes in orphans.
    pub(crate) fn enter(dir: &Path, shared: Option<&Path>, parent: &str, tag: &str) -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNS)?;
        // Apart from the machine's mounts, and shared as a systemd machine's are: a mount that is let out shows.
        for flag in [MsFlags::MS_PRIVATE, MsFlags::MS_SHARED] {
            mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | flag, None::<&str>)?;
        }
        prctl::set_child_subreaper(true)?;
        let state = shared.map_or_else(|| dir.join("state"), Path::to_owned);
        fs::create_dir_all(&state)?;
        fs::create_dir_all(dir.join("files"))?;
        let socket = UnixListener::bind(dir.join("socket"))?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            dir: dir.to_owned(),
            state,
            shared: shared.is_some(),
            parent: parent.trim_start_matches('/').to_owned(),
            tag: tag.to_owned(),
            hierarchies: hierarchies(),
            mounts: mounts(),
            descriptors: descriptors(),
            socket,
        })
    }

    /// The runtime's state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.state.clone()
    }

    /// Where the runtime is told to put a file.
    pub(crate) fn file(&self, name: &str) -> String {
        self.dir.join("files").join(name).to_string_lossy().into_owned()
    }

    /// The console socket.
    pub(crate) fn socket_path(&self) -> String {
        self.dir.join("socket").to_string_lossy().into_owned()
    }

    /// `out` or `err` of the last call.
    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.join(name)).unwrap_or_default()).into_owned()
    }

    /// Directs the streams of `command` to files: no container can hold a call up.
    pub(crate) fn streams(&self, command: &mut Command) -> io::Result<()> {
        // What still lives writes to the file of its own call.
        for name in ["out", "err"] {
            let _ = fs::remove_file(self.dir.join(name));
        }
        command.stdin(Stdio::null());
        command.stdout(File::create(self.dir.join("out"))?).stderr(File::create(self.dir.join("err"))?);
        Ok(())
    }

    /// Removes from the image what a runtime makes there, so that it is made anew.
    pub(crate) fn drop_mount_points(&self, bundle: &Bundle) {
        // Directories only: nothing else can be hit, whatever is mounted there.
        for path in ["run/new/deep", "run/new", "dev/shm", "sys/fs/cgroup", "sys/fs"] {
            let _ = fs::remove_dir(bundle.inside(path));
        }
    }

    /// Removes what the runtime wrote where it was told to.
    pub(crate) fn drop_files(&self) {
        for entry in fs::read_dir(self.dir.join("files")).into_iter().flatten().flatten() {
            let _ = fs::remove_file(entry.path());
        }
    }

    /// Whether there is nothing: no process, mount, cgroup, state or descriptor that was not there at first.
    pub(crate) fn quiet(&self) -> Result<(), String> {
        while self.socket.accept().is_ok() {}
        for name in ["pid", "operation.pid"] {
            let _ = fs::remove_file(self.file(name));
        }
        if within(PATIENCE, || descendants().is_empty().then_some(())).is_none() {
            let words = |pid: i32| {
                let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                let state =
                    state.rsplit_once(") ").map_or("", |(_, rest)| rest.split(' ').next().unwrap_or(""));
                format!(
                    "process {pid} {state} ({})",
                    String::from_utf8_lossy(&words).replace('\0', " ").trim_end()
                )
            };
            return Err(descendants().into_iter().map(words).collect::<Vec<_>>().join(", "));
        }
        let now = mounts();
        let mut found: Vec<_> = now.difference(&self.mounts).map(|mount| format!("mount {mount}")).collect();
        found.extend(self.mounts.difference(&now).map(|mount| format!("no more {mount}")));
        found.extend(self.cgroups().iter().map(|path| format!("cgroup {}", path.display())));
        found.extend(self.entries().iter().map(|path| path.display().to_string()));
        if descriptors() != self.descriptors {
            found.push(format!("{} descriptors of ours instead of {}", descriptors(), self.descriptors));
        }
        if found.is_empty() { Ok(()) } else { Err(found.join(", ")) }
    }

    /// What is of this place's in the state directory and among the files.
    fn entries(&self) -> Vec<PathBuf> {
        let list = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
        let states = list(&self.state)
            .filter(|entry| !self.shared || entry.file_name().to_string_lossy().starts_with(&self.tag));
        states.chain(list(&self.dir.join("files"))).map(|entry| entry.path()).collect()
    }

    /// Removes the empty cgroup above those of containers that lived beside each other: the first made it, and was gone before
    /// the last.
    pub(crate) fn drop_parents(&self) {
        for cgroup in self.cgroups() {
            let _ = fs::remove_dir(cgroup);
        }
    }

    /// Whether nothing of container `id` is there, whose cgroup is one below this place's.
    pub(crate) fn is_gone(&self, id: &str) -> Result<(), String> {
        let cgroups = self.hierarchies.iter().map(|h| h.at.join(&self.parent).join(&self.tag).join(id));
        let mut all = cgroups.chain([self.state.join(id)]);
        all.find(|path| path.exists()).map_or(Ok(()), |path| Err(path.display().to_string()))
    }

    fn cgroups(&self) -> Vec<PathBuf> {
        let dirs = self.hierarchies.iter().map(|hierarchy| hierarchy.at.join(&self.parent).join(&self.tag));
        dirs.filter(|dir| dir.exists()).collect()
    }

    /// Removes what [`Place::quiet`] finds.
    pub(crate) fn sweep(&self) {
        // Frozen processes of v1 die when they thaw only.
        for dir in self.cgroups().iter().flat_map(|dir| [dir.clone(), dir.join("deep")]) {
            let _ = fs::write(dir.join("freezer.state"), "THAWED");
        }
        for _ in 0..3 {
            for pid in descendants() {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            within(Duration::from_millis(500), || descendants().is_empty().then_some(()));
        }
        for cgroup in self.cgroups() {
            remove_cgroup(&cgroup);
        }
        for mount in mounts().difference(&self.mounts) {
            if let Some((_, at)) = mount.split_once(" at ") {
                let _ = umount2(at, MntFlags::MNT_DETACH);
            }
        }
        for path in self.entries() {
            let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        }
    }
}

/// The live descendants of this process, which is a subreaper; the ended ones are reaped.
fn descendants() -> Vec<i32> {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
        if status == WaitStatus::StillAlive {
            break;
        }
    }
    below(i32::try_from(std::process::id()).unwrap_or_default())
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
