//! The kernel as the init program sees it: each call checked, its failure a [`Fault`] that names it. The only file of the
//! child's path, beside `arch`, with `unsafe`.

#![allow(missing_docs, reason = "a function without a comment is the system call of its name")]

use crate::arch::{self, nr};

/// A system call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number.
    pub call: usize,
    /// Its errno, a positive number.
    pub errno: i32,
}

/// What a call gives.
pub type Res<T> = Result<T, Fault>;

/// The errno values that decisions are made by; the same on both architectures.
pub mod errno {
    #![allow(missing_docs)]
    pub const EPERM: i32 = 1;
    pub const ENOENT: i32 = 2;
    pub const EINTR: i32 = 4;
    pub const EIO: i32 = 5;
    pub const EBADF: i32 = 9;
    pub const EAGAIN: i32 = 11;
    pub const EACCES: i32 = 13;
    pub const EEXIST: i32 = 17;
    pub const EXDEV: i32 = 18;
    pub const ENOTDIR: i32 = 20;
    pub const EINVAL: i32 = 22;
    pub const EROFS: i32 = 30;
    pub const ENAMETOOLONG: i32 = 36;
    pub const ENOSYS: i32 = 38;
    pub const ELOOP: i32 = 40;
    pub const EOPNOTSUPP: i32 = 95;
    pub const ETIME: i32 = 62;
    pub const EPROTO: i32 = 71;
    pub const ECHILD: i32 = 10;
}

/// An open descriptor, closed when it goes.
#[derive(Debug)]
pub struct Fd(i32);

impl Fd {
    /// Takes over descriptor `raw`.
    pub fn own(raw: i32) -> Self {
        Self(raw)
    }
    /// Its number.
    pub fn raw(&self) -> i32 {
        self.0
    }
    /// Gives its number and leaves it open.
    pub fn leak(self) -> i32 {
        let raw = self.0;
        core::mem::forget(self);
        raw
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        close(self.0);
    }
}

/// The current directory for the `*at` calls.
pub const AT_FDCWD: i32 = -100;
/// An empty path means the descriptor itself.
pub const AT_EMPTY_PATH: usize = 0x1000;
const AT_SYMLINK_NOFOLLOW: usize = 0x100;
const AT_RECURSIVE: usize = 0x8000;
const AT_EACCESS: usize = 0x200;
pub const O_RDONLY: u64 = 0;
pub const O_WRONLY: u64 = 1;
pub const O_RDWR: u64 = 2;
pub const O_CREAT: u64 = 0o100;
pub const O_EXCL: u64 = 0o200;
pub const O_NOCTTY: u64 = 0o400;
pub const O_CLOEXEC: u64 = 0o2_000_000;
pub const O_PATH: u64 = 0o10_000_000;
#[cfg(target_arch = "x86_64")]
pub const O_DIRECTORY: u64 = 0o200_000;
#[cfg(target_arch = "x86_64")]
pub const O_NOFOLLOW: u64 = 0o400_000;
#[cfg(target_arch = "aarch64")]
pub const O_DIRECTORY: u64 = 0o40_000;
#[cfg(target_arch = "aarch64")]
pub const O_NOFOLLOW: u64 = 0o100_000;

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
pub const S_IFLNK: u32 = 0o120_000;

/// procfs, statfs(2).
pub const PROC_MAGIC: u64 = 0x9fa0;
/// devpts, statfs(2).
pub const DEVPTS_MAGIC: u64 = 0x1cd1;

/// A C string: bytes that a NUL follows.
#[derive(Clone, Copy)]
pub struct CStr<'a>(&'a [u8]);

impl<'a> CStr<'a> {
    /// A C string of `bytes`, which end with NUL.
    pub fn new(bytes: &'a [u8]) -> Self {
        debug_assert!(bytes.last() == Some(&0));
        Self(bytes)
    }
    fn pointer(self) -> usize {
        self.0.as_ptr() as usize
    }
}

impl<'a> From<crate::wire::Text<'a>> for CStr<'a> {
    fn from(text: crate::wire::Text<'a>) -> Self {
        Self(text.0)
    }
}

fn call(number: usize, a: [usize; 6]) -> Res<usize> {
    // SAFETY: private, and each caller in this file passes what the call takes, from references that outlive it.
    let result = unsafe { arch::syscall(number, a) };
    if result < 0 {
        return Err(Fault { call: number, errno: i32::try_from(-result).unwrap_or(errno::EIO) });
    }
    Ok(result.cast_unsigned())
}

fn fd_arg(fd: i32) -> usize {
    (fd as isize).cast_unsigned()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
fn new_fd(number: usize) -> Fd {
    Fd(number as i32)
}

/// A failure that no call gave.
pub fn fault(call: usize, errno: i32) -> Fault {
    Fault { call, errno }
}

pub fn close(fd: i32) {
    let _ = call(nr::CLOSE, [fd_arg(fd), 0, 0, 0, 0, 0]);
}

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
    const STATX_BASIC_STATS: usize = 0x7ff;
    let mut words = [0_u32; 64]; // struct statx is 256 bytes
    let arguments =
        [fd_arg(fd), c"".as_ptr() as usize, AT_EMPTY_PATH, STATX_BASIC_STATS, words.as_mut_ptr() as usize, 0];
    call(nr::STATX, arguments)?;
    // Offsets of struct statx: uid 20, mode 28 (16 bits), rdev major 128, minor 132.
    Ok(Stat { uid: words[5], gid: words[6], mode: words[7] & 0xffff, rdev: makedev(words[32], words[33]) })
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

pub fn umask(mask: u32) {
    let _ = call(nr::UMASK, [mask as usize, 0, 0, 0, 0, 0]);
}

pub fn setns(fd: i32, flags: u32) -> Res<()> {
    call(nr::SETNS, [fd_arg(fd), flags as usize, 0, 0, 0, 0]).map(drop)
}

pub fn unshare(flags: u32) -> Res<()> {
    call(nr::UNSHARE, [flags as usize, 0, 0, 0, 0, 0]).map(drop)
}

pub fn setsid() -> Res<()> {
    call(nr::SETSID, [0; 6]).map(drop)
}

pub fn mount_propagation(path: CStr, flags: u64) -> Res<()> {
    let flags = usize::try_from(flags).unwrap_or(0);
    call(nr::MOUNT, [0, path.pointer(), 0, flags, 0, 0]).map(drop)
}

pub fn mount_move_here_to_root() -> Res<()> {
    const MS_MOVE: usize = 8192;
    call(nr::MOUNT, [c".".as_ptr() as usize, c"/".as_ptr() as usize, 0, MS_MOVE, 0, 0]).map(drop)
}

/// umount2(2) with MNT_DETACH.
pub fn detach(path: CStr) -> Res<()> {
    call(nr::UMOUNT2, [path.pointer(), 2, 0, 0, 0, 0]).map(drop)
}

/// pivot_root(".", ".").
pub fn pivot_root_here() -> Res<()> {
    let here = c".".as_ptr() as usize;
    call(nr::PIVOT_ROOT, [here, here, 0, 0, 0, 0]).map(drop)
}

/// open_tree(2) with OPEN_TREE_CLONE.
pub fn clone_tree(directory: i32, path: CStr, recursive: bool, no_follow: bool) -> Res<Fd> {
    const OPEN_TREE_CLONE: usize = 1;
    #[allow(clippy::cast_possible_truncation)]
    let mut flags = OPEN_TREE_CLONE | O_CLOEXEC as usize;
    flags |= if recursive { AT_RECURSIVE } else { 0 };
    flags |= if no_follow { AT_SYMLINK_NOFOLLOW } else { 0 };
    flags |= if path.0.first().is_none_or(|byte| *byte == 0) { AT_EMPTY_PATH } else { 0 };
    call(nr::OPEN_TREE, [fd_arg(directory), path.pointer(), flags, 0, 0, 0]).map(new_fd)
}

/// move_mount(2) of the mount `mount` onto the file `target`.
pub fn move_mount(mount: i32, target: i32) -> Res<()> {
    const F_EMPTY_PATH: usize = 4;
    const T_EMPTY_PATH: usize = 0x40;
    let empty = c"".as_ptr() as usize;
    call(nr::MOVE_MOUNT, [fd_arg(mount), empty, fd_arg(target), empty, F_EMPTY_PATH | T_EMPTY_PATH, 0])
        .map(drop)
}

/// `struct mount_attr`.
#[repr(C)]
pub struct MountAttr {
    pub set: u64,
    pub clear: u64,
    pub propagation: u64,
    pub user_namespace: u64,
}

pub fn mount_setattr(mount: i32, recursive: bool, attributes: &MountAttr) -> Res<()> {
    let flags = AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    let pointer = core::ptr::from_ref(attributes) as usize;
    let arguments = [fd_arg(mount), c"".as_ptr() as usize, flags, pointer, size_of::<MountAttr>(), 0];
    call(nr::MOUNT_SETATTR, arguments).map(drop)
}

pub fn fsopen(kind: CStr) -> Res<Fd> {
    const FSOPEN_CLOEXEC: usize = 1;
    call(nr::FSOPEN, [kind.pointer(), FSOPEN_CLOEXEC, 0, 0, 0, 0]).map(new_fd)
}

/// fsconfig(2) with FSCONFIG_SET_FLAG, or with FSCONFIG_SET_STRING where there is a value.
pub fn fsconfig_set(context: i32, key: CStr, value: Option<CStr>) -> Res<()> {
    let (command, value) = value.map_or((0, 0), |value| (1, value.pointer()));
    call(nr::FSCONFIG, [fd_arg(context), command, key.pointer(), value, 0, 0]).map(drop)
}

/// fsconfig(2) with FSCONFIG_CMD_CREATE.
pub fn fsconfig_create(context: i32) -> Res<()> {
    call(nr::FSCONFIG, [fd_arg(context), 6, 0, 0, 0, 0]).map(drop)
}

pub fn fsmount(context: i32, attributes: u64) -> Res<Fd> {
    const FSMOUNT_CLOEXEC: usize = 1;
    let attributes = usize::try_from(attributes).unwrap_or(0);
    call(nr::FSMOUNT, [fd_arg(context), FSMOUNT_CLOEXEC, attributes, 0, 0, 0]).map(new_fd)
}

pub fn sethostname(name: &[u8]) -> Res<()> {
    call(nr::SETHOSTNAME, [name.as_ptr() as usize, name.len(), 0, 0, 0, 0]).map(drop)
}

pub fn setdomainname(name: &[u8]) -> Res<()> {
    call(nr::SETDOMAINNAME, [name.as_ptr() as usize, name.len(), 0, 0, 0, 0]).map(drop)
}

fn prctl(option: usize, a: usize, b: usize) -> Res<usize> {
    call(nr::PRCTL, [option, a, b, 0, 0, 0])
}

pub fn set_dumpable(on: bool) -> Res<()> {
    prctl(4, usize::from(on), 0).map(drop)
}

pub fn set_name(name: CStr) {
    let _ = prctl(15, name.pointer(), 0);
}

pub fn set_keep_capabilities(on: bool) -> Res<()> {
    prctl(8, usize::from(on), 0).map(drop)
}

pub fn no_new_privileges() -> Res<()> {
    prctl(38, 1, 0).map(drop)
}

/// PR_CAPBSET_READ: whether the bounding set has it; an error past the kernel's last one.
pub fn bounding_has(capability: usize) -> Res<bool> {
    prctl(23, capability, 0).map(|has| has != 0)
}

/// PR_CAPBSET_DROP.
pub fn bounding_drop(capability: usize) -> Res<()> {
    prctl(24, capability, 0).map(drop)
}

/// PR_CAP_AMBIENT_CLEAR_ALL.
pub fn ambient_clear() -> Res<()> {
    prctl(47, 4, 0).map(drop)
}

/// PR_CAP_AMBIENT_RAISE.
pub fn ambient_raise(capability: usize) -> Res<()> {
    prctl(47, 2, capability).map(drop)
}

/// capset(2), version 3.
pub fn capset(effective: u64, permitted: u64, inheritable: u64) -> Res<()> {
    const VERSION_3: u32 = 0x2008_0522;
    #[allow(clippy::cast_possible_truncation)]
    let halves = |set: u64| (set as u32, (set >> 32) as u32);
    let (e, p, i) = (halves(effective), halves(permitted), halves(inheritable));
    let header = [VERSION_3, 0];
    let data = [e.0, p.0, i.0, e.1, p.1, i.1];
    call(nr::CAPSET, [header.as_ptr() as usize, data.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

/// setgroups(2) of `groups`, 4 bytes each.
pub fn setgroups(groups: &[u8]) -> Res<()> {
    call(nr::SETGROUPS, [groups.len() / 4, groups.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

pub fn setresgid(gid: u32) -> Res<()> {
    let gid = gid as usize;
    call(nr::SETRESGID, [gid, gid, gid, 0, 0, 0]).map(drop)
}

pub fn setresuid(uid: u32) -> Res<()> {
    let uid = uid as usize;
    call(nr::SETRESUID, [uid, uid, uid, 0, 0, 0]).map(drop)
}

pub fn set_rlimit(resource: u32, soft: u64, hard: u64) -> Res<()> {
    let limit = [soft, hard];
    call(nr::PRLIMIT64, [0, resource as usize, limit.as_ptr() as usize, 0, 0, 0]).map(drop)
}

pub fn get_rlimit(resource: u32) -> Res<(u64, u64)> {
    let mut limit = [0_u64; 2];
    call(nr::PRLIMIT64, [0, resource as usize, 0, limit.as_mut_ptr() as usize, 0, 0])?;
    Ok((limit[0], limit[1]))
}

/// keyctl(2): joins a new session keyring and lets its possessor and user link and search it.
pub fn new_session_keyring(name: CStr) -> Res<()> {
    const JOIN_SESSION_KEYRING: usize = 1;
    const SETPERM: usize = 5;
    /// All for the possessor, and view, read and search for the user.
    const PERMISSIONS: usize = 0x3f0b_0000;
    let keyring = call(nr::KEYCTL, [JOIN_SESSION_KEYRING, name.pointer(), 0, 0, 0, 0])?;
    call(nr::KEYCTL, [SETPERM, keyring, PERMISSIONS, 0, 0, 0]).map(drop)
}

pub fn sched_setattr(attributes: &[u8]) -> Res<()> {
    call(nr::SCHED_SETATTR, [0, attributes.as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

pub fn ioprio_set(value: u32) -> Res<()> {
    const IOPRIO_WHO_PROCESS: usize = 1;
    call(nr::IOPRIO_SET, [IOPRIO_WHO_PROCESS, 0, value as usize, 0, 0, 0]).map(drop)
}

pub fn personality(persona: u64) -> Res<()> {
    call(nr::PERSONALITY, [usize::try_from(persona).unwrap_or(0), 0, 0, 0, 0, 0]).map(drop)
}

pub fn set_mempolicy(mode: u32, nodes: &[u8]) -> Res<()> {
    let pointer = if nodes.is_empty() { 0 } else { nodes.as_ptr() as usize };
    call(nr::SET_MEMPOLICY, [mode as usize, pointer, nodes.len() * 8 + 1, 0, 0, 0]).map(drop)
}

pub fn sched_setaffinity(mask: &[u8]) -> Res<()> {
    call(nr::SCHED_SETAFFINITY, [0, mask.len(), mask.as_ptr() as usize, 0, 0, 0]).map(drop)
}

#[repr(C)]
struct FilterProgram {
    length: u16,
    filter: *const u8,
}

/// seccomp(2) with SECCOMP_SET_MODE_FILTER: the listener's descriptor if `flags` ask for one, else 0.
pub fn seccomp(flags: u32, program: &[u8]) -> Res<usize> {
    let length = u16::try_from(program.len() / 8).map_err(|_| fault(nr::SECCOMP, errno::EINVAL))?;
    let program = FilterProgram { length, filter: program.as_ptr() };
    call(nr::SECCOMP, [1, flags as usize, (&raw const program) as usize, 0, 0, 0])
}

/// Sets all signals to their default action and blocks none.
pub fn reset_signals() {
    let action = [0_usize; 4]; // struct sigaction: handler SIG_DFL, no flags, no mask
    for signal in (1..=64).filter(|signal| *signal != 9 && *signal != 19) {
        let _ = call(nr::RT_SIGACTION, [signal, action.as_ptr() as usize, 0, 8, 0, 0]);
    }
    let none = 0_u64;
    let _ = call(nr::RT_SIGPROCMASK, [2, (&raw const none) as usize, 0, 8, 0, 0]);
}

/// Marks all descriptors from `first` on close-on-exec.
pub fn cloexec_from(first: i32) -> Res<()> {
    const CLOSE_RANGE_CLOEXEC: usize = 4;
    call(nr::CLOSE_RANGE, [fd_arg(first), u32::MAX as usize, CLOSE_RANGE_CLOEXEC, 0, 0, 0]).map(drop)
}

/// dup3(2) without close-on-exec, for the standard streams.
pub fn dup_to(from: i32, to: i32) -> Res<()> {
    call(nr::DUP3, [fd_arg(from), fd_arg(to), 0, 0, 0, 0]).map(drop)
}

pub fn ioctl(fd: i32, request: usize, argument: usize) -> Res<usize> {
    call(nr::IOCTL, [fd_arg(fd), request, argument, 0, 0, 0])
}

/// TIOCSWINSZ.
pub fn set_window(fd: i32, rows: u16, columns: u16) -> Res<()> {
    let size = [rows, columns, 0, 0];
    ioctl(fd, 0x5414, size.as_ptr() as usize).map(drop)
}

/// TIOCSPTLCK with 0: unlocks the terminal of a master.
pub fn unlock_terminal(master: i32) -> Res<()> {
    let unlock = 0_i32;
    ioctl(master, 0x4004_5431, (&raw const unlock) as usize).map(drop)
}

/// TIOCGPTPEER: the terminal of a master, without a path.
pub fn terminal_peer(master: i32) -> Res<Fd> {
    #[allow(clippy::cast_possible_truncation)]
    let flags = (O_RDWR | O_NOCTTY | O_CLOEXEC) as usize;
    ioctl(master, 0x5441, flags).map(new_fd)
}

/// TIOCGPTN: the number of a master's terminal.
pub fn terminal_number(master: i32) -> Res<u32> {
    let mut number = 0_u32;
    ioctl(master, 0x8004_5430, (&raw mut number) as usize)?;
    Ok(number)
}

#[repr(C)]
struct IoVec {
    base: usize,
    length: usize,
}

/// struct msghdr as the 64-bit kernels have it.
#[repr(C)]
struct MessageHeader {
    name: usize,
    name_length: usize,
    vectors: usize,
    vector_count: usize,
    control: usize,
    control_length: usize,
    flags: usize,
}

/// struct cmsghdr and one descriptor.
#[repr(C)]
struct Rights {
    length: usize,
    level: i32,
    kind: i32,
    fd: i32,
    padding: i32,
}

/// sendmsg(2) of one packet, with a descriptor if there is one.
pub fn send(socket: i32, bytes: &[u8], fd: Option<i32>) -> Res<()> {
    const MSG_NOSIGNAL: usize = 0x4000;
    let vector = IoVec { base: bytes.as_ptr() as usize, length: bytes.len() };
    let rights = Rights { length: 20, level: 1, kind: 1, fd: fd.unwrap_or(-1), padding: 0 };
    let (control, control_length) = match fd {
        Some(_) => ((&raw const rights) as usize, size_of::<Rights>()),
        None => (0, 0),
    };
    let header = MessageHeader {
        name: 0,
        name_length: 0,
        vectors: (&raw const vector) as usize,
        vector_count: 1,
        control,
        control_length,
        flags: 0,
    };
    loop {
        match call(nr::SENDMSG, [fd_arg(socket), (&raw const header) as usize, MSG_NOSIGNAL, 0, 0, 0]) {
            Err(Fault { errno: errno::EINTR, .. }) => {}
            other => return other.map(drop),
        }
    }
}

/// accept4(2).
pub fn accept(listener: i32) -> Res<Fd> {
    #[allow(clippy::cast_possible_truncation)]
    let flags = O_CLOEXEC as usize;
    loop {
        match call(nr::ACCEPT4, [fd_arg(listener), 0, 0, flags, 0, 0]) {
            Err(Fault { errno: errno::EINTR, .. }) => {}
            other => return other.map(new_fd),
        }
    }
}

#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// What [`fork`] gives.
pub enum Forked {
    /// In the child.
    Child,
    /// In the parent: the child's process id, and its pidfd if it was asked for.
    Parent(i32, Option<Fd>),
}

/// clone3(2) as fork(2), with `flags`; the child's end is told by SIGCHLD unless it is the caller's sibling.
pub fn fork(flags: u32, sibling: bool) -> Res<Forked> {
    const CLONE_PIDFD: u64 = 0x1000;
    const CLONE_PARENT: u64 = 0x8000;
    const SIGCHLD: u64 = 17;
    let mut pidfd = -1_i32;
    let mut arguments = CloneArgs { flags: u64::from(flags), ..CloneArgs::default() };
    if sibling {
        arguments.flags |= CLONE_PARENT;
    } else {
        arguments.flags |= CLONE_PIDFD;
        arguments.exit_signal = SIGCHLD;
        arguments.pidfd = (&raw mut pidfd) as u64;
    }
    let pid = call(nr::CLONE3, [(&raw const arguments) as usize, size_of::<CloneArgs>(), 0, 0, 0, 0])?;
    Ok(match i32::try_from(pid) {
        Ok(0) => Forked::Child,
        Ok(pid) => Forked::Parent(pid, (!sibling).then_some(Fd(pidfd))),
        Err(_) => return Err(fault(nr::CLONE3, errno::EIO)),
    })
}

/// ppoll(2): whether `fd` is readable within `milliseconds`, or ever if that is 0.
pub fn wait_readable(fd: i32, milliseconds: u32) -> Res<bool> {
    const POLLIN: u32 = 1;
    let mut poll = [fd.cast_unsigned(), POLLIN];
    let time = [u64::from(milliseconds / 1000), u64::from(milliseconds % 1000) * 1_000_000];
    let time = if milliseconds == 0 { 0 } else { time.as_ptr() as usize };
    loop {
        match call(nr::PPOLL, [poll.as_mut_ptr() as usize, 1, time, 0, 8, 0]) {
            Err(Fault { errno: errno::EINTR, .. }) => {}
            other => return other.map(|ready| ready > 0),
        }
    }
}

/// How a process ended: its exit code, or the signal as a negative number.
pub fn wait_pidfd(pidfd: i32) -> Res<i32> {
    const P_PIDFD: usize = 3;
    const WEXITED: usize = 4;
    const CLD_EXITED: i32 = 1;
    let mut info = [0_i32; 32]; // siginfo_t is 128 bytes: code at 8, status at 24
    loop {
        match call(nr::WAITID, [P_PIDFD, fd_arg(pidfd), info.as_mut_ptr() as usize, WEXITED, 0, 0]) {
            Err(Fault { errno: errno::EINTR, .. }) => {}
            other => { other?; break },
        };
    }
    Ok(if info[2] == CLD_EXITED { info[6] } else { -info[6] })
}

pub fn kill_pidfd(pidfd: i32) {
    const SIGKILL: usize = 9;
    let _ = call(nr::PIDFD_SEND_SIGNAL, [fd_arg(pidfd), SIGKILL, 0, 0, 0, 0]);
}

/// execve(2) with tables of pointers that end with 0. It returns only if it fails.
pub fn execve(path: CStr, arguments: &[usize], environment: &[usize]) -> Fault {
    let tables = [path.pointer(), arguments.as_ptr() as usize, environment.as_ptr() as usize, 0, 0, 0];
    match call(nr::EXECVE, tables) {
        Err(fault) => fault,
        Ok(_) => fault(nr::EXECVE, errno::EIO),
    }
}

/// getdents64(2).
pub fn getdents(directory: i32, buffer: &mut [u8]) -> Res<usize> {
    call(nr::GETDENTS64, [fd_arg(directory), buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0])
}

pub fn exit(code: i32) -> ! {
    loop {
        let _ = call(nr::EXIT_GROUP, [fd_arg(code), 0, 0, 0, 0, 0]);
    }
}

/// The strings of the program's own argument vector, from the stack that the kernel made.
///
/// # Safety
/// `stack` must be the initial stack pointer of the program.
pub unsafe fn arguments(stack: *const usize) -> impl Iterator<Item = &'static [u8]> {
    // SAFETY: the kernel puts argc there, and argc pointers to C strings behind it, for the program's lifetime.
    let (count, first) = unsafe { (*stack, stack.add(1)) };
    (0..count).map(move |index| {
        // SAFETY: as above; index is below argc.
        unsafe { core::ffi::CStr::from_ptr((*first.add(index)) as *const core::ffi::c_char).to_bytes() }
    })
}
