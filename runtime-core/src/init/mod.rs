//! The birth of a process: the sequence of its steps, the clone, and the talk with the init program until it has become
//! the container's program.

pub(crate) mod report;
pub(crate) mod sequence;
mod sync;
pub(crate) mod user_namespace;

pub(crate) use sync::Sync;

use crate::{
    Error, ErrorKind, Result,
    cgroup::Door,
    fs::procfs,
    guards::{self, Guard},
    plan::Program,
    spec::Spec,
    sys::{
        pidfd,
        spawn::{self, Spawn},
        wait,
    },
};
use corten_init::{
    arch::LARGEST_PAGE,
    message::{Kind, Message, Phase},
};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, SealFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::memfd::{MFdFlags, memfd_create},
};
use std::{
    ffi::CString,
    io::{IoSlice, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    time::Duration,
};

/// How the first process is cloned.
pub(crate) struct Clone<'a> {
    /// What become its standard streams.
    pub(crate) stdio: [BorrowedFd<'a>; 3],
    /// How many descriptors from 3 on the container's program gets.
    pub(crate) preserve_fds: u32,
    /// CLONE_NEW* flags.
    pub(crate) namespaces: u32,
    /// A cgroup v2 directory to be born in.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
    /// Whether a first process makes way for the one that stays.
    pub(crate) relay: bool,
}

/// What the init program says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It waits for an [`Birth::answer`].
    Reached(Phase),
    /// The process that stays is known: [`Birth::pid`].
    Known,
    /// Nothing but the filter and execve follows.
    Executing,
    /// The filter is in, its listener in [`Birth::take_listener`]; it waits for the answer to [`Phase::Listener`].
    Listening,
    /// The socket is closed: the program runs, or the process is dead.
    Closed,
}

/// More descriptors than the kernel lets any process have, and few enough to count on from there.
const MOST_PRESERVED: i32 = 1 << 30;

/// A process that is being born. Dropped before it is [`Birth::finish`]ed, it is killed and reaped.
pub(crate) struct Birth {
    program: Program,
    sync: Sync,
    relay: Option<OwnedFd>,
    process: Option<(i32, OwnedFd)>,
    listener: Option<OwnedFd>,
    /// What the process that stays waits for already, though the one that makes way has not told its id yet.
    early: Option<Phase>,
    /// What was heard and is for another to hear.
    put_back: Option<Event>,
    /// The cgroups of v1 that it was let in to.
    doors: Vec<PathBuf>,
}

impl Birth {
    /// Clones the process; it begins to carry out `program` at once.
    pub(crate) fn begin(program: Program, clone: &Clone<'_>) -> Result<Self> {
        let file = program_file(program.as_bytes())?;
        let (sync, child_end) = Sync::pair()?;
        let handed = program.handed().iter().map(OwnedFd::as_fd);
        let slots: Vec<_> = [file.as_fd(), child_end.as_fd()].into_iter().chain(handed).collect();
        let base = i32::try_from(clone.preserve_fds).ok().filter(|count| *count < MOST_PRESERVED);
        let base = base.map(|count| count + 3);
        let base =
            base.ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "too many descriptors to preserve"))?;
        let numbers = [base.unsigned_abs() as usize, slots.len(), program_pages(), program.as_bytes().len()];
        let words = std::iter::once("corten-init".to_owned()).chain(numbers.map(|number| number.to_string()));
        #[cfg(feature = "unguarded")]
        let words = words.chain([guards::off().to_string()]);
        let arguments = words.map(|word| CString::new(word).unwrap_or_default()).collect();
        let spawned = spawn::spawn(&Spawn {
            stdio: clone.stdio,
            slots,
            base,
            namespaces: u64::from(clone.namespaces),
            cgroup: clone.cgroup,
            arguments,
        })
        .map_err(|error| Error::io("clone the container's process", error))?;
        let (relay, process) = match clone.relay {
            true => (Some(spawned.pidfd), None),
            false => (None, Some((spawned.pid, spawned.pidfd))),
        };
        Ok(Self {
            program,
            sync,
            relay,
            process,
            listener: None,
            early: None,
            put_back: None,
            doors: Vec::new(),
        }
        .with_pid(spawned.pid))
    }

    fn with_pid(mut self, pid: i32) -> Self {
        self.sync.set_peer(pid);
        self
    }

    /// The process that stays, once it is known; before, the one that makes way.
    pub(crate) fn pid(&self) -> i32 {
        self.process.as_ref().map_or(self.sync.peer(), |(pid, _)| *pid)
    }

    /// Waits for what the init program says next. `spec` is for the words of an error.
    ///
    /// # Errors
    /// What it reports: a step that failed, by its place in config.json.
    pub(crate) fn next(&mut self, spec: Option<&Spec>) -> Result<Event> {
        if let Some(event) = self.put_back.take() {
            return Ok(event);
        }
        loop {
            if self.process.is_some()
                && let Some(phase) = self.early.take()
            {
                return Ok(Event::Reached(phase));
            }
            if self.relay_is_lost() {
                return Ok(Event::Closed);
            }
            let Some((message, descriptor)) = self.sync.receive()? else { return Ok(Event::Closed) };
            match message.kind() {
                Some(Kind::Pid) => {
                    self.adopt(&message)?;
                    return Ok(Event::Known);
                }
                Some(Kind::Reached) => match phase(message.value)? {
                    // The mappings are those of the one that makes way.
                    phase if phase == Phase::IdMaps || self.process.is_some() => {
                        return Ok(Event::Reached(phase));
                    }
                    phase => self.early = Some(phase),
                },
                Some(Kind::Executing) => return Ok(Event::Executing),
                Some(Kind::Listening) => {
                    self.listener = descriptor;
                    return Ok(Event::Listening);
                }
                Some(Kind::Failed) => return Err(report::planned(&message, &self.program, spec)),
                Some(Kind::Refused) => return Err(self.refused(&message)),
                Some(Kind::Warning) => {
                    log::warn!("{}", report::planned(&message, &self.program, spec).report());
                }
                _ => return Err(Error::new(ErrorKind::Io, "the init program sent what is no message")),
            }
        }
    }

    /// Has the next [`Birth::next`] give `event` once more.
    pub(crate) fn put_back(&mut self, event: Event) {
        self.put_back = Some(event);
    }

    /// As [`Birth::next`], when nothing but execve follows. A child that another thread has forked meanwhile may have a copy
    /// of the socket's other end; then that does not close, and the process is looked at.
    pub(crate) fn next_or_executed(&mut self, spec: Option<&Spec>) -> Result<Event> {
        const LONG: Duration = Duration::from_millis(10);
        while self.put_back.is_none() && !self.sync.has_more_within(LONG) {
            if !procfs::is_init(self.pid()) && !self.sync.has_more_within(Duration::ZERO) {
                return Ok(Event::Closed);
            }
        }
        self.next(spec)
    }

    /// Whether the process that makes way was killed before it told who stays: that one has the socket too, and waits.
    fn relay_is_lost(&self) -> bool {
        let Some(relay) = self.relay.as_ref().filter(|_| self.process.is_none()) else { return false };
        loop {
            let mut polled = [self.sync.as_fd(), relay.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            match poll(&mut polled, PollTimeout::NONE) {
                // What it said before its end is there by now.
                Ok(_) => return !polled[0].any().unwrap_or(true),
                Err(Errno::EINTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// What the init program said before it ended, if `error` only tells that it is gone: no such process, say.
    pub(crate) fn explain(&self, error: Error, spec: Option<&Spec>) -> Error {
        let mut said = std::iter::from_fn(|| self.sync.poll());
        said.find_map(|message| match message.kind() {
            Some(Kind::Failed) => Some(report::planned(&message, &self.program, spec)),
            Some(Kind::Refused) => Some(self.refused(&message)),
            _ => None,
        })
        .unwrap_or(error)
    }

    /// The seccomp listener that came with [`Event::Listening`].
    pub(crate) fn take_listener(&mut self) -> Option<OwnedFd> {
        self.listener.take()
    }

    /// Says that what `phase` stands for is done.
    pub(crate) fn answer(&self, phase: Phase) -> Result<()> {
        self.sync.answer(phase)
    }

    /// The same, with a descriptor that it needs.
    pub(crate) fn answer_with(&self, phase: Phase, descriptor: &OwnedFd) -> Result<()> {
        self.sync.answer_with(phase, &[descriptor.as_fd()])
    }

    /// Says that its cgroups are there, and opens it the doors by which it enters those of v1.
    pub(crate) fn let_in(&mut self, doors: Vec<Door>) -> Result<()> {
        let (paths, files): (Vec<_>, Vec<_>) = doors.into_iter().map(|door| (door.path, door.file)).unzip();
        self.doors = paths;
        let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        self.sync.answer_with(Phase::Cgroup, &files)
    }

    /// Why it could not enter a cgroup.
    fn refused(&self, message: &Message) -> Error {
        let door = usize::try_from(message.value).ok().and_then(|number| self.doors.get(number));
        let path = door.map_or(Path::new("a cgroup"), PathBuf::as_path);
        let doing = format!("move process {} into {}", self.pid(), path.display());
        Error::io(doing, Errno::from_raw(message.errno))
    }

    /// The process lives on its own from now on: its id, its descriptor, and the socket.
    pub(crate) fn finish(mut self) -> Result<(i32, OwnedFd)> {
        let lost = || Error::new(ErrorKind::Io, "the container's process ended before it was ready");
        self.reap_relay();
        self.process.take().ok_or_else(lost)
    }

    /// The process that stays is a child of ours as well: a sibling of the one that makes way.
    fn adopt(&mut self, message: &Message) -> Result<()> {
        let fd = pidfd::open(message.value).map_err(|error| Error::io("pidfd_open", error))?;
        self.process = Some((message.value, fd));
        self.reap_relay();
        Ok(())
    }

    fn reap_relay(&mut self) {
        if let Some(relay) = self.relay.take() {
            let _ = wait::wait(relay.as_fd());
        }
    }
}

impl Drop for Birth {
    fn drop(&mut self) {
        let process = self.process.take().map(|(_, fd)| fd);
        for fd in [self.relay.take(), process].into_iter().flatten() {
            match pidfd::send_signal(fd.as_fd(), libc::SIGKILL) {
                // It ends by itself when the socket closes, which is later than here.
                Err(error) if error.raw_os_error() != Some(libc::ESRCH) => log::warn!("kill: {error}"),
                _ => drop(wait::wait(fd.as_fd())),
            }
        }
    }
}

fn phase(value: i32) -> Result<Phase> {
    use Phase::{Cgroup, Created, IdMaps, Limits, Mounted};
    let found = [IdMaps, Cgroup, Mounted, Limits, Created].into_iter().find(|phase| *phase as i32 == value);
    found
        .ok_or_else(|| Error::new(ErrorKind::Io, format!("the init program waits for unknown phase {value}")))
}

/// The init program's file has whole pages; the plan begins behind them.
fn program_pages() -> usize {
    corten_init::PROGRAM.len().next_multiple_of(LARGEST_PAGE)
}

/// The init program and the plan in one sealed file that only lives in memory. Whatever of it a container may get to see,
/// as through /proc/PID/exe, can be neither written nor is it anything of the host's.
fn program_file(plan: &[u8]) -> Result<OwnedFd> {
    let failed = |what: &'static str| move |errno: Errno| Error::io(what, errno);
    let sealable = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let executable = MFdFlags::from_bits_retain(sealable.bits() | MFD_EXEC);
    let fd = memfd_create("corten-init", executable)
        // Kernels before 6.3 do not know the flag and make all such files executable.
        .or_else(|_| memfd_create("corten-init", sealable))
        .map_err(failed("memfd_create"))?;
    let mut file = std::fs::File::from(fd);
    let padding = vec![0; program_pages() - corten_init::PROGRAM.len()];
    let mut parts = [IoSlice::new(corten_init::PROGRAM), IoSlice::new(&padding), IoSlice::new(plan)];
    let mut rest = parts.as_mut_slice();
    while !rest.is_empty() {
        let written =
            file.write_vectored(rest).map_err(|error| Error::io("write the init program", error))?;
        IoSlice::advance_slices(&mut rest, written);
    }
    let seals =
        SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
    if !guards::on(Guard::Sealed) {
        return Ok(file.into());
    }
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).map_err(failed("seal the init program"))?;
    Ok(file.into())
}

/// memfd_create(2) since 6.3: the file may be executed even where `vm.memfd_noexec` is 1.
const MFD_EXEC: u32 = 0x10;
