//! Files and directories.

#![allow(missing_docs, reason = "a function without a comment is the system call of its name")]

use super::{
    AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, CStr, Fault, Fd, Res, call, errno, fault, fd_arg, new_fd,
};
use crate::arch::nr;

const AT_EACCESS: usize = 0x200;

pub const O_RDONLY: u64 = 0;
pub const O_WRONLY: u64 = 1;
pub const O_RDWR: u64 = 2;
pub const O_CREAT: u64 = 0o100;
pub const O_EXCL: u64 = 0o200;
pub const O_NOCTTY: u64 = 0o400;
pub const O_NONBLOCK: u64 = 0o4000;
pub const O_CLOEXEC: u64 = 0o2_000_000;
pub const O_PATH: u64 = 0o10_000_000;
pub use crate::arch::{O_DIRECTORY, O_NOFOLLOW};

/// openat2(2): do not cross a mount.
pub const RESOLVE_NO_XDEV: u64 = 1;
/// openat2(2): refuse /proc/PID/fd/N and its like.
pub const RESOLVE_NO_MAGICLINKS: u64 = 2;
/// openat2(2): refuse all symlinks.
pub const RESOLVE_NO_SYMLINKS: u64 = 4;
/// openat2(2): refuse to leave the directory.
pub const RESOLVE_BENEATH: u64 = 8;
/// openat2(2): the directory is the root.
pub const RESOLVE_IN_ROOT: u64 = 16;

pub const S_IFMT: u32 = 0o170_000;
pub const S_IFSOCK: u32 = 0o140_000;
pub const S_IFREG: u32 = 0o100_000;
pub const S_IFBLK: u32 = 0o60_000;
pub const S_IFDIR: u32 = 0o40_000;
pub const S_IFCHR: u32 = 0o20_000;
pub const S_IFIFO: u32 = 0o10_000;
pub const S_IFLNK: u32 = 0o120_000;

/// procfs, statfs(2).
pub const PROC_MAGIC: u64 = 0x9fa0;
/// devpts, statfs(2).
pub const DEVPTS_MAGIC: u64 = 0x1cd1;

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// openat2(2), tried again where a rename or mount elsewhere made it uncertain.
pub fn openat2(directory: i32, path: CStr, flags: u64, mode: u32, resolve: u64) -> Res<Fd> {
    let how = OpenHow { flags: flags | O_CLOEXEC, mode: u64::from(mode), resolve };
    let mut tries = 0;
    loop {
        let arguments =
            [fd_arg(directory), path.pointer(), (&raw const how) as usize, size_of::<OpenHow>(), 0, 0];
        match call(nr::OPENAT2, arguments) {
            Err(Fault { errno: errno::EAGAIN | errno::EINTR, .. }) if tries < 1000 => tries += 1,
            other => return other.map(new_fd),
        }
    }
}

/// openat(2) of a host path, or of one name beneath `directory`.
pub fn openat(directory: i32, path: CStr, flags: u64, mode: u32) -> Res<Fd> {
    #[allow(clippy::cast_possible_truncation)]
    let flags = (flags | O_CLOEXEC) as usize;
    call(nr::OPENAT, [fd_arg(directory), path.pointer(), flags, mode as usize, 0, 0]).map(new_fd)
}

pub fn read(fd: i32, buffer: &mut [u8]) -> Res<usize> {
    loop {
        match call(nr::READ, [fd_arg(fd), buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0]) {
            Err(Fault { errno: errno::EINTR, .. }) => {}
            other => return other,
        }
    }
}

/// write(2) of all of `bytes` at once, as files of /proc want it.
pub fn write(fd: i32, bytes: &[u8]) -> Res<usize> {
    loop {
        match call(nr::WRITE, [fd_arg(fd), bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) {
            Err(Fault { errno: errno::EINTR, .. }) => {}
            other => return other,
        }
    }
}

pub fn rewind(fd: i32) {
    let _ = call(nr::LSEEK, [fd_arg(fd), 0, 0, 0, 0, 0]);
}

/// struct flock as the 64-bit kernels have it.
#[repr(C)]
struct RecordLock {
    kind: i16,
    whence: i16,
    start: i64,
    length: i64,
    pid: i32,
}

/// fcntl(2), F_SETLK of the whole file with F_WRLCK.
pub fn lock(fd: i32) -> Res<()> {
    const F_SETLK: usize = 6;
    const F_WRLCK: i16 = 1;
    let lock = RecordLock { kind: F_WRLCK, whence: 0, start: 0, length: 0, pid: 0 };
    call(nr::FCNTL, [fd_arg(fd), F_SETLK, (&raw const lock) as usize, 0, 0, 0]).map(drop)
}

/// Maps `length` bytes of `file` from `offset` for reading.
pub fn map_file(file: i32, offset: usize, length: usize) -> Res<&'static [u8]> {
    const PROT_READ: usize = 1;
    const MAP_PRIVATE: usize = 2;
    let address = call(nr::MMAP, [0, length, PROT_READ, MAP_PRIVATE, fd_arg(file), offset])?;
    // SAFETY: the kernel mapped `length` bytes there for as long as the program lives; the file is sealed.
    Ok(unsafe { core::slice::from_raw_parts(address as *const u8, length) })
}

/// A table of `count` words of fresh memory.
pub fn map_words(count: usize) -> Res<&'static mut [usize]> {
    const PROT_READ_WRITE: usize = 3;
    const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
    let length = count * size_of::<usize>();
    let address = call(nr::MMAP, [0, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, usize::MAX, 0])?;
    // SAFETY: the kernel mapped that many zeroed words there, for nobody else, as long as the program lives.
    Ok(unsafe { core::slice::from_raw_parts_mut(address as *mut usize, count) })
}

/// What statx(2) tells that is asked here.
#[derive(Clone, Copy)]
pub struct Stat {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// As makedev(3) gives it.
    pub rdev: u64,
}

impl Stat {
    pub fn is(self, kind: u32) -> bool {
        self.mode & S_IFMT == kind
    }
    /// The host's or a container's /dev/null: character device 1:3.
    pub fn is_null(self) -> bool {
        self.is(S_IFCHR) && self.rdev == makedev(1, 3)
    }
}

/// makedev(3).
pub const fn makedev(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64, minor as u64);
    ((major & 0xffff_f000) << 32) | ((major & 0xfff) << 8) | ((minor & 0xffff_ff00) << 12) | (minor & 0xff)
}

pub fn stat_fd(fd: i32) -> Res<Stat> {
    statx(fd, CStr::new(b"\0"), AT_EMPTY_PATH)
}

/// Of what `path` leads to, symlinks followed.
pub fn stat_path(path: CStr) -> Res<Stat> {
    statx(AT_FDCWD, path, 0)
}

fn statx(directory: i32, path: CStr, flags: usize) -> Res<Stat> {
    const STATX_BASIC_STATS: usize = 0x7ff;
    let mut words = [0_u32; 64]; // struct statx is 256 bytes
    let answer = words.as_mut_ptr() as usize;
    call(nr::STATX, [fd_arg(directory), path.pointer(), flags, STATX_BASIC_STATS, answer, 0])?;
    // Offsets of struct statx: uid 20, mode 28 (16 bits), size 40 (64 bits), rdev major 128, minor 132.
    // Both architectures are little-endian.
    let size = u64::from(words[10]) | u64::from(words[11]) << 32;
    Ok(Stat {
        uid: words[5],
        gid: words[6],
        mode: words[7] & 0xffff,
        size,
        rdev: makedev(words[32], words[33]),
    })
}

/// The magic number of the file system that `fd` is on.
pub fn filesystem(fd: i32) -> Res<u64> {
    let mut words = [0_u64; 16]; // struct statfs is 120 bytes
    call(nr::FSTATFS, [fd_arg(fd), words.as_mut_ptr() as usize, 0, 0, 0, 0])?;
    Ok(words[0])
}

pub fn mkdirat(directory: i32, name: CStr, mode: u32) -> Res<()> {
    call(nr::MKDIRAT, [fd_arg(directory), name.pointer(), mode as usize, 0, 0, 0]).map(drop)
}

pub fn mknodat(directory: i32, name: CStr, mode: u32, device: u64) -> Res<()> {
    // The kernel takes 32 bits: 12 of the major, 20 of the minor.
    let device = usize::try_from(device & 0xffff_ffff).unwrap_or(0);
    call(nr::MKNODAT, [fd_arg(directory), name.pointer(), mode as usize, device, 0, 0]).map(drop)
}

pub fn symlinkat(points_to: CStr, directory: i32, name: CStr) -> Res<()> {
    call(nr::SYMLINKAT, [points_to.pointer(), fd_arg(directory), name.pointer(), 0, 0, 0]).map(drop)
}

pub fn unlinkat(directory: i32, name: CStr) -> Res<()> {
    call(nr::UNLINKAT, [fd_arg(directory), name.pointer(), 0, 0, 0, 0]).map(drop)
}

pub fn readlinkat<'b>(directory: i32, name: CStr, buffer: &'b mut [u8]) -> Res<&'b [u8]> {
    let arguments = [fd_arg(directory), name.pointer(), buffer.as_mut_ptr() as usize, buffer.len(), 0, 0];
    let length = call(nr::READLINKAT, arguments)?;
    buffer.get(..length).ok_or(fault(nr::READLINKAT, errno::EINVAL))
}

/// fchmodat(2) of one name that is known not to be a symlink.
pub fn chmodat(directory: i32, name: CStr, mode: u32) -> Res<()> {
    call(nr::FCHMODAT, [fd_arg(directory), name.pointer(), mode as usize, 0, 0, 0]).map(drop)
}

/// fchownat(2) that follows no symlink; an empty `name` means `directory` itself.
pub fn chownat(directory: i32, name: CStr, uid: u32, gid: u32) -> Res<()> {
    let flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    call(nr::FCHOWNAT, [fd_arg(directory), name.pointer(), uid as usize, gid as usize, flags, 0]).map(drop)
}

pub fn fchown(fd: i32, uid: u32) -> Res<()> {
    call(nr::FCHOWN, [fd_arg(fd), uid as usize, u32::MAX as usize, 0, 0, 0]).map(drop)
}

pub fn fchmod(fd: i32, mode: u32) -> Res<()> {
    call(nr::FCHMOD, [fd_arg(fd), mode as usize, 0, 0, 0, 0]).map(drop)
}

/// faccessat2(2) with the effective ids: whether the file may be executed.
pub fn may_execute(path: CStr) -> Res<()> {
    const X_OK: usize = 1;
    call(nr::FACCESSAT2, [fd_arg(AT_FDCWD), path.pointer(), X_OK, AT_EACCESS, 0, 0]).map(drop)
}

pub fn fchdir(fd: i32) -> Res<()> {
    call(nr::FCHDIR, [fd_arg(fd), 0, 0, 0, 0, 0]).map(drop)
}

pub fn chdir(path: CStr) -> Res<()> {
    call(nr::CHDIR, [path.pointer(), 0, 0, 0, 0, 0]).map(drop)
}

pub fn chroot(path: CStr) -> Res<()> {
    call(nr::CHROOT, [path.pointer(), 0, 0, 0, 0, 0]).map(drop)
}

/// getcwd(2): false if the working directory cannot be reached from the root.
pub fn cwd_is_beneath_root() -> Res<bool> {
    let mut buffer = [0_u8; 4096];
    call(nr::GETCWD, [buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0, 0])?;
    Ok(buffer[0] == b'/')
}

/// getdents64(2).
pub fn getdents(directory: i32, buffer: &mut [u8]) -> Res<usize> {
    call(nr::GETDENTS64, [fd_arg(directory), buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0])
}

/// `number` in digits at the start of `place`.
pub fn write_number(place: &mut [u8], number: u32) {
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut rest = number;
    for digit in place[..digits].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}
