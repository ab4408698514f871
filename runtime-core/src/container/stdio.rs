//! The standard streams of a process, as a program that embeds the library asks for them.

use crate::{Error, Result, sys};
use nix::{fcntl::OFlag, unistd::pipe2};
use std::{
    fs::{File, OpenOptions},
    os::fd::OwnedFd,
};

/// What one standard stream of a process is, as [`std::process::Stdio`] has it for programs of the host.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Stdio {
    /// The caller's own.
    #[default]
    Inherit,
    /// /dev/null.
    Null,
    /// A new pipe, whose other end is taken from the container or process afterwards.
    Piped,
    /// This file, pipe or socket.
    Fd(OwnedFd),
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Self {
        Self::Fd(fd)
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Self {
        Self::Fd(file.into())
    }
}

/// The caller's ends of the pipes that were asked for: of standard input, output and error.
#[derive(Debug, Default)]
pub(super) struct Pipes(pub(super) [Option<OwnedFd>; 3]);

impl Pipes {
    /// The end of stream `number`, once.
    pub(super) fn take(&mut self, number: usize) -> Option<File> {
        self.0.get_mut(number)?.take().map(File::from)
    }
}

/// Opens what `streams` ask for: the process' ends, and the caller's.
pub(super) fn open(streams: [Stdio; 3]) -> Result<([OwnedFd; 3], Pipes)> {
    let mut pipes = Pipes::default();
    let [stdin, stdout, stderr] = streams;
    let theirs =
        [open_one(stdin, 0, &mut pipes)?, open_one(stdout, 1, &mut pipes)?, open_one(stderr, 2, &mut pipes)?];
    Ok((theirs, pipes))
}

fn open_one(stream: Stdio, number: usize, pipes: &mut Pipes) -> Result<OwnedFd> {
    match stream {
        Stdio::Inherit => sys::standard_streams()[number]
            .try_clone_to_owned()
            .map_err(|error| Error::io(format!("stdio: dup of descriptor {number}"), error)),
        Stdio::Null => OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")
            .map(OwnedFd::from)
            .map_err(|error| Error::io("stdio: open /dev/null", error)),
        Stdio::Piped => {
            let (read, write) =
                pipe2(OFlag::O_CLOEXEC).map_err(|errno| Error::io("stdio: make a pipe", errno))?;
            let (theirs, ours) = if number == 0 { (read, write) } else { (write, read) };
            pipes.0[number] = Some(ours);
            Ok(theirs)
        }
        Stdio::Fd(fd) => Ok(fd),
    }
}
