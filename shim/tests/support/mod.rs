//! A busybox bundle, and `corten` called on it.

use std::{
    fs,
    io::Read,
    os::{fd::OwnedFd, unix::fs::symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

const BUSYBOX: &str = "/bin/busybox";

/// Whether this host has the cgroup controller `name`, on v1 or on v2 alone.
pub(crate) fn has_controller(name: &str) -> bool {
    let v2 = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    Path::new("/sys/fs/cgroup").join(name).is_dir()
        || v2.split_whitespace().any(|controller| controller == name)
}

/// A bundle, a root for state, and the containers made there; all is removed at the end.
pub(crate) struct Bundle {
    directory: PathBuf,
}

impl Bundle {
    /// A bundle whose process runs `script`, or nothing where containers cannot be run here; it says why.
    pub(crate) fn new(name: &str, terminal: bool, script: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
            println!("skipped: this test wants root and {BUSYBOX}");
            return None;
        }
        let directory = std::env::temp_dir().join(format!("corten-test-{name}-{}", std::process::id()));
        let bin = directory.join("rootfs/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy(BUSYBOX, bin.join("busybox")).unwrap();
        for applet in ["sh", "cat", "echo", "env", "id", "pwd", "seq", "sleep", "stty", "true"] {
            symlink("busybox", bin.join(applet)).unwrap();
        }
        let bundle = Self { directory };
        assert!(bundle.corten(&["spec", "--bundle", bundle.path()]).status.success());
        bundle.edit(|spec| {
            spec["process"]["terminal"] = terminal.into();
            spec["process"]["args"] = ["sh", "-c", script].as_slice().into();
            spec["process"]["rlimits"].take();
            spec["linux"]["cgroupsPath"] = format!("/corten-test-{name}-{}", std::process::id()).into();
        });
        Some(bundle)
    }

    /// Changes config.json.
    pub(crate) fn edit(&self, how: impl FnOnce(&mut serde_json::Value)) {
        let file = self.directory.join("config.json");
        let mut spec = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        how(&mut spec);
        fs::write(file, spec.to_string()).unwrap();
    }

    pub(crate) fn path(&self) -> &str {
        self.directory.to_str().unwrap()
    }

    /// The path of a file beside config.json.
    pub(crate) fn file(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }

    /// `corten ARGS` with this bundle's root.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_corten"));
        command.arg("--root").arg(self.directory.join("state")).args(args).stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn corten(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it to its end, which must be a good one, and answers what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.corten(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// A container in the background whose process is the bundle's.
    pub(crate) fn start(&self, id: &str) {
        self.quiet(&["run", "--detach", "--bundle", self.path(), id]);
    }

    /// For what leaves a process behind: with pipes the caller would wait for its end.
    pub(crate) fn quiet(&self, args: &[&str]) {
        let log = self.file("log");
        let args = [&["--log", &log], args].concat();
        let status = self.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{args:?}: {}", fs::read_to_string(&log).unwrap_or_default());
    }

    /// The state that `corten state` tells.
    pub(crate) fn state(&self, id: &str) -> serde_json::Value {
        serde_json::from_str(&self.ok(&["state", id])).unwrap()
    }

    /// Waits until the container's status is `status`.
    pub(crate) fn wait_for(&self, id: &str, status: &str) {
        wait_until(|| self.state(id)["status"] == status);
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        for id in text(&self.corten(&["list", "--quiet"]).stdout).lines() {
            let _ = self.corten(&["delete", "--force", id]);
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits for what must come within seconds.
pub(crate) fn wait_until(mut come: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !come() {
        assert!(Instant::now() < until, "it did not come");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A terminal, and a `corten` that was called from it.
pub(crate) struct Terminal {
    pub(crate) master: fs::File,
    slave: OwnedFd,
    child: Child,
    said: Vec<u8>,
}

impl Terminal {
    /// Calls `command` from a terminal of `rows` and `columns`.
    pub(crate) fn call(command: &Command, rows: u16, columns: u16) -> Self {
        Self::begin(command, rows, columns, true)
    }

    /// The same, where the terminal is not the controlling one of a session, as programs that test programs do it.
    pub(crate) fn call_without_session(command: &Command) -> Self {
        Self::begin(command, 24, 80, false)
    }

    fn begin(command: &Command, rows: u16, columns: u16, controlling: bool) -> Self {
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = nix::pty::openpty(&size, None).unwrap();
        for fd in [&pair.master, &pair.slave] {
            use nix::fcntl::{FcntlArg, FdFlag, fcntl};
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        }
        let stream = || pair.slave.try_clone().unwrap();
        let mut session = Command::new(if controlling { "setsid" } else { "env" });
        session.args(if controlling { &["--ctty", "--wait"][..] } else { &[] });
        session.arg(command.get_program()).args(command.get_args());
        let child = session.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        Self { master: pair.master.into(), slave: pair.slave, child, said: Vec::new() }
    }

    /// Waits until `words` have been said, and forgets all up to there.
    pub(crate) fn hear(&mut self, words: &str) {
        let (words, until) = (words.as_bytes(), Instant::now() + Duration::from_secs(30));
        loop {
            if let Some(at) = self.said.windows(words.len()).position(|said| said == words) {
                self.said.drain(..at + words.len());
                return;
            }
            if !self.listen(200) {
                assert!(Instant::now() < until, "{:?}, not {:?}", text(&self.said), text(words));
                // Its end is told at once, again and again.
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Takes what is said within `millis`; false where that is nothing.
    fn listen(&mut self, millis: u16) -> bool {
        use nix::poll::{PollFd, PollFlags, poll};
        use std::os::fd::AsFd;
        let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, millis).unwrap() == 0 {
            return false;
        }
        let mut chunk = [0; 4096];
        let read = self.master.read(&mut chunk).unwrap_or(0);
        self.said.extend_from_slice(&chunk[..read]);
        read > 0
    }

    /// Whether keys are echoed by this terminal itself.
    pub(crate) fn is_cooked(&self) -> bool {
        use nix::sys::termios::{LocalFlags, OutputFlags, tcgetattr};
        let mode = tcgetattr(&self.slave).unwrap();
        mode.local_flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG)
            && mode.output_flags.contains(OutputFlags::OPOST)
    }

    /// The exit status, and what was said since.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut status = None;
        wait_until(|| {
            while self.listen(1) {}
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        while self.listen(50) {}
        assert!(self.is_cooked(), "the terminal is as it was");
        (status.and_then(|status| status.code()), text(&self.said))
    }
}
