//! An engine's side of a terminal: the console socket and the master end that comes through it.

use super::{Running, Verdict, call::within, fail, sys};
use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixListener},
    path::{Path, PathBuf},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(10);

/// A listening console socket.
pub(crate) struct ConsoleSocket {
    /// Its path.
    pub(crate) path: PathBuf,
    listener: UnixListener,
}

impl ConsoleSocket {
    /// Listens at `dir`/`name`.
    pub(crate) fn new(dir: &Path, name: &str) -> Verdict<Self> {
        let path = dir.join(name);
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { path, listener })
    }

    /// Waits for the runtime, which `running` is, to send the descriptor.
    pub(crate) fn receive(&self, running: &mut Running) -> Verdict<Terminal> {
        let taken = within(LIMIT, || match self.listener.accept() {
            Ok((stream, _)) => Some(Ok(stream)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                running.ended().then(|| fail("the runtime ended and connected to no console socket"))
            }
            Err(error) => Some(fail(error)),
        });
        let Some(stream) = taken else { return fail("nobody connected to the console socket") };
        let stream = stream?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let (bytes, mut descriptors) = sys::receive(&stream)?;
        match (descriptors.pop(), descriptors.is_empty()) {
            (Some(master), true) => Ok(Terminal { master, bytes }),
            _ => fail("the console socket got not exactly one descriptor"),
        }
    }
}

/// The master end of a container's terminal.
pub(crate) struct Terminal {
    /// Its descriptor.
    pub(crate) master: OwnedFd,
    /// The message that came with it.
    pub(crate) bytes: Vec<u8>,
}

impl Terminal {
    /// Sets columns and rows.
    pub(crate) fn resize(&self, columns: u16, rows: u16) -> Verdict {
        Ok(sys::resize(&self.master, columns, rows)?)
    }

    /// Types `text`.
    pub(crate) fn write(&self, text: &str) -> Verdict {
        Ok(File::from(self.master.try_clone()?).write_all(text.as_bytes())?)
    }

    /// All that is written to the terminal until its last user closes it.
    pub(crate) fn read_to_end(&self) -> Verdict<String> {
        let mut file = File::from(self.master.try_clone()?);
        let mut all = Vec::new();
        let mut part = [0u8; 4096];
        loop {
            match file.read(&mut part) {
                Ok(0) => break,
                Ok(count) => all.extend_from_slice(&part[..count]),
                // The slave end is closed.
                Err(error) if error.raw_os_error() == Some(libc::EIO) => break,
                Err(error) => return fail(error),
            }
        }
        Ok(String::from_utf8_lossy(&all).into_owned())
    }
}
