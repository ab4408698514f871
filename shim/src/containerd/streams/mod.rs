//! The streams of a process: what a request names, opened; what the process gets, and what is copied to and fro.

mod copy;
mod logger;
mod uri;

pub(crate) use copy::{Copy, Progress, Target};

use crate::error::{Error, Result};
use corten_ttrpc::events::TaskIo;
use nix::fcntl::OFlag;
use nix::unistd::{Gid, Uid, fchown, pipe2};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt},
    },
    path::Path,
};
use uri::Place;

/// Whose the streams are.
pub(crate) struct Owner<'a> {
    /// The container.
    pub(crate) id: &'a str,
    /// Its namespace.
    pub(crate) namespace: &'a str,
    /// The owner and group of pipes that the process gets.
    pub(crate) ids: (u32, u32),
}

/// The streams of one process.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// What is to be copied.
    pub(crate) copies: Vec<Copy>,
    /// A writer of the FIFO of standard input, so that it does not end before it is told to.
    pub(crate) stdin_writer: Option<OwnedFd>,
    /// The terminal, for its size.
    pub(crate) terminal: Option<OwnedFd>,
    /// The logger's process.
    pub(crate) logger: Option<u32>,
}

/// What the process itself gets, where it has no terminal.
pub(crate) type Ends = [OwnedFd; 3];

/// Opens the streams of a process without a terminal.
pub(crate) fn open(io: &TaskIo, owner: &Owner<'_>) -> Result<(Ends, Streams)> {
    let mut streams = Streams::default();
    let stdin = match Place::of(&io.stdin)? {
        Place::Nowhere => null()?,
        Place::Fifo(path) => {
            let (ours, theirs) = open_stdin(&path)?;
            let (read, write) = pipe(owner, |(read, _)| read)?;
            streams.stdin_writer = Some(theirs);
            streams.copies.push(Copy::input(ours, Target::pipe(write)?)?);
            read
        }
        Place::File(_) | Place::Binary { .. } => {
            return Err(Error::unknown(format!("stdin {}: a FIFO is wanted", io.stdin)));
        }
    };
    if let Place::Binary { path, arguments } = Place::of(&io.stdout)? {
        let logger = logger::spawn(&path, &arguments, owner)?;
        streams.logger = Some(logger.pid);
        return Ok(([stdin, logger.stdout, logger.stderr], streams));
    }
    let mut output = |uri: &str| -> Result<OwnedFd> {
        let place = Place::of(uri)?;
        if matches!(place, Place::Nowhere) {
            return null();
        }
        let (read, write) = pipe(owner, |(_, write)| write)?;
        streams.copies.push(Copy::output(read, open_target(&place)?)?);
        Ok(write)
    };
    let (stdout, stderr) = (output(&io.stdout)?, output(&io.stderr)?);
    Ok(([stdin, stdout, stderr], streams))
}

/// Opens the streams of a process with the terminal whose master is `master`.
pub(crate) fn open_terminal(io: &TaskIo, owner: &Owner<'_>, master: OwnedFd) -> Result<Streams> {
    let again = || master.try_clone().map_err(|error| Error::io("dup the terminal", error));
    let mut streams = Streams { terminal: Some(again()?), ..Streams::default() };
    match Place::of(&io.stdin)? {
        Place::Nowhere => {}
        Place::Fifo(path) => {
            let (ours, theirs) = open_stdin(&path)?;
            streams.stdin_writer = Some(theirs);
            streams.copies.push(Copy::input(ours, Target::terminal(again()?)?)?);
        }
        Place::File(_) | Place::Binary { .. } => {
            return Err(Error::unknown(format!("stdin {}: a FIFO is wanted", io.stdin)));
        }
    }
    let target = match Place::of(&io.stdout)? {
        Place::Binary { path, arguments } => {
            let logger = logger::spawn(&path, &arguments, owner)?;
            streams.logger = Some(logger.pid);
            Target::pipe(logger.stdout)?
        }
        // A terminal that nobody reads would stop who writes to it.
        Place::Nowhere => Target::Nowhere,
        place => open_target(&place)?,
    };
    streams.copies.push(Copy::screen(master, target)?);
    Ok(streams)
}

/// The two ends of the FIFO of standard input: what is read, and a writer that keeps it from ending.
fn open_stdin(path: &Path) -> Result<(OwnedFd, OwnedFd)> {
    let failed = |error| Error::io(format!("stdin {}: open", path.display()), error);
    let read = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(failed)?;
    if !read.metadata().map_err(failed)?.file_type().is_fifo() {
        return Err(Error::unknown(format!("stdin {}: not a FIFO", path.display())));
    }
    let write = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(failed)?;
    Ok((read.into(), write.into()))
}

/// Opens where output goes. Of a FIFO both ends are held: neither is the process stopped when its reader goes away, as when
/// the daemon is started again, nor is the open held up.
fn open_target(place: &Place) -> Result<Target> {
    match place {
        Place::Nowhere | Place::Binary { .. } => Ok(Target::Nowhere),
        Place::File(path) => {
            if let Some(dir) = path.parent() {
                let made = DirBuilder::new().recursive(true).mode(0o755).create(dir);
                made.map_err(|error| Error::io(format!("{}: make it", dir.display()), error))?;
            }
            append(path, true)
        }
        Place::Fifo(path) => {
            let found = fs::metadata(path).map_err(|error| Error::io(path.display(), error))?;
            if !found.file_type().is_fifo() {
                return append(path, false);
            }
            let opened = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path);
            let file = opened.map_err(|error| Error::io(format!("{}: open", path.display()), error))?;
            Target::pipe(file.into())
        }
    }
}

fn append(path: &Path, create: bool) -> Result<Target> {
    let opened = OpenOptions::new()
        .append(true)
        .create(create)
        .mode(0o644)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path);
    opened.map(Target::File).map_err(|error| Error::io(format!("{}: open", path.display()), error))
}

/// A pipe whose one end, which `theirs` chooses, belongs to who the options say.
fn pipe(owner: &Owner<'_>, theirs: impl Fn(&(OwnedFd, OwnedFd)) -> &OwnedFd) -> Result<(OwnedFd, OwnedFd)> {
    let ends = pipe2(OFlag::O_CLOEXEC).map_err(|errno| Error::io("pipe", errno))?;
    let (uid, gid) = owner.ids;
    if (uid, gid) != (0, 0) {
        fchown(theirs(&ends), Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
            .map_err(|errno| Error::io("runtime options: IoUid, IoGid: fchown", errno))?;
    }
    Ok(ends)
}

fn null() -> Result<OwnedFd> {
    let opened = OpenOptions::new().read(true).write(true).open("/dev/null");
    opened.map(File::into).map_err(|error| Error::io("/dev/null: open", error))
}
