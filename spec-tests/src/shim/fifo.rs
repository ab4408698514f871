//! The daemon's ends of a process's streams: FIFOs, as containerd makes them.

use crate::harness::{Verdict, fail, within};
use nix::{sys::stat::Mode, unistd::mkfifo};
use std::{
    cell::RefCell,
    fs::{File, OpenOptions},
    io::{ErrorKind, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// A FIFO from which the daemon reads.
pub(crate) struct Output {
    pub(crate) path: PathBuf,
    file: File,
    text: RefCell<Vec<u8>>,
}

impl Output {
    /// Makes it and opens its reading end.
    pub(crate) fn new(path: PathBuf) -> Verdict<Self> {
        if !path.exists() {
            mkfifo(&path, Mode::from_bits_truncate(0o700))?;
        }
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path)?;
        Ok(Self { path, file, text: RefCell::default() })
    }

    /// What a request names it by.
    pub(crate) fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// All bytes that came so far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut part = [0; 65536];
        while let Ok(count @ 1..) = (&self.file).read(&mut part) {
            self.text.borrow_mut().extend(&part[..count]);
        }
        self.text.borrow().clone()
    }

    /// All that came so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Waits until this has come.
    pub(crate) fn says(&self, words: &str) -> Verdict {
        let came = within(Duration::from_secs(5), || self.text().contains(words).then_some(()));
        came.map_or_else(|| fail(format!("{words:?} never came: {:?}", self.text())), Ok)
    }

    /// Whether no writer holds it any longer.
    pub(crate) fn is_closed(&self) -> bool {
        self.bytes();
        let closed = || match (&self.file).read(&mut [0; 1]) {
            Ok(0) => Some(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            _ => None,
        };
        within(Duration::from_secs(5), closed).is_some()
    }
}

/// Makes a FIFO to write to; [`write_end`] opens it once the shim has.
pub(crate) fn input(dir: &Path, name: &str) -> Verdict<String> {
    let path = dir.join(name);
    mkfifo(&path, Mode::from_bits_truncate(0o700))?;
    Ok(path.to_string_lossy().into_owned())
}

/// The writing end of a FIFO that has a reader.
pub(crate) fn write_end(path: &str) -> Verdict<File> {
    match OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path) {
        Ok(file) => {
            nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty()))?;
            Ok(file)
        }
        Err(error) => fail(format!("the shim does not read {path}: {error}")),
    }
}
