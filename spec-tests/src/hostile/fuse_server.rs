//! A file system of our own over /dev/fuse, which answers as little as it is told to: what stands behind an image may hang.

use crate::harness::Verdict;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    thread,
};

/// What the server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It reads nothing: whoever waits for it can be killed.
    Silent,
    /// It tells what its root is, and reads nothing from then on.
    Unread,
    /// It tells what its root is, reads all else and answers nothing: who waits cannot even be killed.
    Held,
}

/// A file system that is mounted as long as this lives.
pub(crate) struct Fuse {
    device: Option<File>,
    at: PathBuf,
}

const LOOKUP_ROOT: u64 = 1;
const GETATTR: u32 = 3;
const INIT: u32 = 26;
const STATX: u32 = 52;
const ENOSYS: i32 = 38;

impl Fuse {
    /// Mounts it at `at`.
    pub(crate) fn at(at: &Path, manner: Manner) -> Verdict<Self> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse")?;
        let data = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", device.as_raw_fd());
        mount(Some("corten-test"), at, Some("fuse"), MsFlags::MS_NODEV, Some(data.as_str()))?;
        let server = device.try_clone()?;
        if manner != Manner::Silent {
            thread::spawn(move || serve(server, manner));
        }
        Ok(Self { device: Some(device), at: at.to_owned() })
    }

    /// Ends it: whoever waits for it gets an error.
    pub(crate) fn end(&mut self) {
        // The serving thread has a copy: only the abort that comes with a forced unmount ends the connection for all.
        let _ = umount2(&self.at, MntFlags::MNT_FORCE);
        let _ = umount2(&self.at, MntFlags::MNT_DETACH);
        self.device = None;
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        self.end();
    }
}

/// Answers until it is to fall silent; the end of the connection ends the thread.
fn serve(mut device: File, manner: Manner) {
    let mut request = vec![0u8; 1 << 17];
    while let Ok(length) = device.read(&mut request) {
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap_or_default());
        let long = |at: usize| u64::from_ne_bytes(request[at..at + 8].try_into().unwrap_or_default());
        if length < 40 {
            return;
        }
        let (opcode, unique, node) = (word(4), long(8), long(16));
        let answered = match opcode {
            INIT => answer(&mut device, unique, 0, &initialised()),
            STATX => answer(&mut device, unique, -ENOSYS, &[]),
            GETATTR if node == LOOKUP_ROOT => {
                let told = answer(&mut device, unique, 0, &root());
                if manner == Manner::Unread {
                    // Asleep with the device open: what comes now stays in the queue.
                    loop {
                        thread::park();
                    }
                }
                told
            }
            _ => true,
        };
        if !answered {
            return;
        }
    }
}

fn answer(device: &mut File, unique: u64, error: i32, body: &[u8]) -> bool {
    let length = u32::try_from(16 + body.len()).unwrap_or(16);
    let mut bytes = [length.to_ne_bytes(), error.to_ne_bytes()].concat();
    bytes.extend(unique.to_ne_bytes());
    bytes.extend(body);
    device.write_all(&bytes).is_ok()
}

/// `struct fuse_init_out`: version 7.31, and nothing that could be left out.
fn initialised() -> Vec<u8> {
    let mut words = [0u32; 16];
    (words[0], words[1], words[5], words[6]) = (7, 31, 4096, 1);
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// `struct fuse_attr_out` of a directory, good for an hour.
fn root() -> Vec<u8> {
    let mut bytes = vec![0u8; 104];
    bytes[..8].copy_from_slice(&3600u64.to_ne_bytes());
    bytes[16..24].copy_from_slice(&1u64.to_ne_bytes());
    // mode and nlink, behind six times of 8 and three of 4 bytes.
    bytes[76..80].copy_from_slice(&0o40755u32.to_ne_bytes());
    bytes[80..84].copy_from_slice(&2u32.to_ne_bytes());
    bytes
}
