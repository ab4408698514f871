//! The system calls by name, and the errors that each is made to fail with.

use crate::Point;
use nix::errno::Errno;

/// What a call does, as far as its errors go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Makes a descriptor of a file by its path.
    Open,
    /// Makes a descriptor.
    Descriptor,
    /// Makes, changes or removes an entry of a directory.
    Entry,
    /// Writes or sends.
    Write,
    /// Reads, receives or waits.
    Wait,
    /// Gives random bytes.
    Random,
    /// Waits for some time.
    Sleep,
    /// Closes: the descriptor is gone whatever the answer, close(2).
    Close,
    /// Mounts and the like.
    Mount,
    /// Makes a process or a namespace.
    Clone,
    /// Memory: a runtime may end where there is none.
    Memory,
    /// Sets or asks what is the process's own: there is little to go wrong.
    Setting,
    /// Anything else.
    Plain,
    /// Cannot fail with arguments that are right. The time is asked of the vDSO mostly, without a call.
    Never,
}

macro_rules! table {
    ($table:ident; $($class:ident: $($name:ident)*;)*) => {
        const $table: &[(&str, libc::c_long, Class)] = &[
            $($((stringify!($name), libc::$name, Class::$class),)*)*
        ];
    };
}

table! {
    TABLE;
    Open: SYS_openat SYS_openat2;
    Descriptor: SYS_socket SYS_socketpair SYS_pipe2 SYS_eventfd2 SYS_memfd_create SYS_pidfd_open SYS_epoll_create1
        SYS_dup SYS_dup3 SYS_fcntl SYS_signalfd4 SYS_timerfd_create SYS_inotify_init1 SYS_bpf SYS_pidfd_getfd;
    Entry: SYS_mkdirat SYS_mknodat SYS_symlinkat SYS_linkat SYS_unlinkat SYS_renameat2 SYS_renameat SYS_fchownat
        SYS_fchmodat SYS_fchown SYS_fchmod SYS_setxattr SYS_ftruncate SYS_truncate SYS_bind SYS_utimensat;
    Write: SYS_write SYS_writev SYS_pwrite64 SYS_sendto SYS_sendmsg SYS_sendfile SYS_copy_file_range SYS_connect
        SYS_fsync SYS_splice SYS_fallocate;
    Wait: SYS_read SYS_readv SYS_pread64 SYS_recvfrom SYS_recvmsg SYS_accept SYS_accept4 SYS_ppoll SYS_epoll_pwait
        SYS_wait4 SYS_waitid SYS_flock SYS_futex SYS_pselect6
        SYS_rt_sigtimedwait SYS_rt_sigsuspend;
    Random: SYS_getrandom;
    Sleep: SYS_nanosleep SYS_clock_nanosleep;
    Close: SYS_close;
    Mount: SYS_mount SYS_umount2 SYS_fsopen SYS_fsconfig SYS_fsmount SYS_open_tree SYS_move_mount SYS_mount_setattr
        SYS_pivot_root SYS_chroot SYS_fspick;
    Clone: SYS_clone SYS_clone3 SYS_unshare SYS_setns SYS_execve SYS_execveat;
    Memory: SYS_brk SYS_mmap SYS_mremap SYS_munmap SYS_mprotect SYS_madvise;
    Setting: SYS_rt_sigaction SYS_rt_sigprocmask SYS_sigaltstack SYS_set_robust_list SYS_set_tid_address SYS_rseq SYS_prctl
        SYS_uname SYS_lseek;
    Plain: SYS_ioctl SYS_fstat SYS_newfstatat SYS_statx SYS_faccessat SYS_faccessat2 SYS_readlinkat
        SYS_getdents64 SYS_statfs SYS_fstatfs SYS_chdir SYS_fchdir SYS_getcwd SYS_prlimit64 SYS_setrlimit
        SYS_getrlimit SYS_capset SYS_capget SYS_setuid SYS_setgid SYS_setresuid SYS_setresgid SYS_setgroups
        SYS_setsid SYS_setpgid SYS_seccomp SYS_keyctl SYS_add_key SYS_kill SYS_tgkill SYS_tkill
        SYS_pidfd_send_signal SYS_sethostname SYS_setdomainname SYS_close_range
        SYS_listen SYS_setsockopt
        SYS_getsockopt SYS_getsockname SYS_getpeername SYS_shutdown SYS_sched_setaffinity SYS_sched_getaffinity
        SYS_sched_setattr SYS_sched_getattr SYS_ioprio_set SYS_setpriority SYS_personality SYS_epoll_ctl
        SYS_setitimer SYS_sysinfo SYS_inotify_add_watch SYS_fadvise64 SYS_kcmp SYS_ptrace;
    Never: SYS_getpid SYS_gettid SYS_getppid SYS_getuid SYS_geteuid SYS_getgid SYS_getegid SYS_umask SYS_exit
        SYS_exit_group SYS_rt_sigreturn SYS_sched_yield SYS_restart_syscall SYS_getpgid SYS_getsid SYS_getresuid
        SYS_getresgid SYS_getgroups SYS_clock_gettime;
}

#[cfg(target_arch = "x86_64")]
table! {
    OLD;
    Open: SYS_open SYS_creat;
    Descriptor: SYS_pipe SYS_dup2 SYS_eventfd SYS_epoll_create SYS_inotify_init;
    Entry: SYS_mkdir SYS_rmdir SYS_mknod SYS_symlink SYS_link SYS_unlink SYS_rename SYS_chown SYS_lchown SYS_chmod;
    Wait: SYS_poll SYS_select SYS_epoll_wait SYS_pause;
    Clone: SYS_fork SYS_vfork;
    Plain: SYS_stat SYS_lstat SYS_access SYS_readlink SYS_getdents SYS_arch_prctl SYS_alarm;
}

/// What newer architectures do without.
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[(&str, libc::c_long, Class)] = &[];

/// What libc does not name yet.
const NEW: &[(&str, libc::c_long, Class)] = &[("SYS_open_tree_attr", 467, Class::Descriptor)];

fn find(number: i64) -> Option<(&'static str, Class)> {
    let mut all = TABLE.iter().chain(OLD).chain(NEW);
    all.find(|(_, other, _)| *other == number)
        .map(|(name, _, class)| (name.trim_start_matches("SYS_"), *class))
}

/// The name of call `number`.
pub fn name(number: i64) -> String {
    find(number).map_or_else(|| format!("call {number}"), |(name, _)| name.to_owned())
}

/// Whether call `number` is about memory, without which a program may well end at once.
pub fn is_memory(number: i64) -> bool {
    find(number).is_some_and(|(_, class)| class == Class::Memory)
}

/// Whether this is a call with which a container's process waits: for an answer, or created for its start.
pub fn is_waiting(point: &Point) -> bool {
    point.task != "0" && matches!(find(point.call), Some(("accept" | "accept4" | "read" | "recvfrom", _)))
}

/// Whether call `number` is made all the same before it is said to have failed.
pub fn is_made(number: i64) -> bool {
    find(number).is_some_and(|(_, class)| class == Class::Close)
}

/// The argument of call `number` that is a path.
pub fn path_argument(number: i64) -> Option<usize> {
    let (name, class) = find(number)?;
    match name {
        "symlinkat" | "symlink" | "mount" | "umount2" | "chdir" | "chroot" | "truncate" | "execve"
        | "statfs" => Some(0),
        "move_mount" => Some(3),
        "fsopen" => Some(0),
        "open_tree" | "open_tree_attr" | "mount_setattr" | "execveat" | "utimensat" => Some(1),
        _ if name.starts_with('f') && class != Class::Plain && !name.ends_with("at") => None,
        _ if name.ends_with("at") || matches!(name, "renameat2" | "openat2" | "faccessat2" | "statx") => {
            Some(1)
        }
        _ if OLD.iter().any(|(_, other, _)| *other == number)
            && matches!(class, Class::Open | Class::Entry | Class::Plain) =>
        {
            Some(0)
        }
        _ => None,
    }
}

/// The errors that call `number` with these arguments is made to fail with.
pub fn errors(number: i64, arguments: &[u64; 6]) -> Vec<Errno> {
    use Errno::{EINTR, EMFILE, ENOMEM, ENOSPC, EPERM};
    let class = find(number).map_or(Class::Plain, |(_, class)| class);
    let all: &[Errno] = match class {
        Class::Open if makes_a_file(number, arguments) => &[EPERM, ENOMEM, EMFILE, EINTR, ENOSPC],
        Class::Open => &[EPERM, ENOMEM, EMFILE, EINTR],
        Class::Descriptor => &[EPERM, ENOMEM, EMFILE],
        Class::Entry => &[EPERM, ENOMEM, ENOSPC],
        Class::Write => &[EPERM, ENOMEM, EINTR, ENOSPC],
        Class::Wait => &[EPERM, ENOMEM, EINTR],
        Class::Random => &[EPERM, EINTR],
        Class::Sleep | Class::Close => &[EINTR],
        Class::Mount | Class::Clone => &[EPERM, ENOMEM, ENOSPC],
        Class::Memory => &[ENOMEM],
        Class::Setting => &[EPERM],
        Class::Plain => &[EPERM, ENOMEM],
        Class::Never => &[],
    };
    all.to_vec()
}

/// Whether an open has O_CREAT.
fn makes_a_file(number: i64, arguments: &[u64; 6]) -> bool {
    let flags = match find(number) {
        Some(("openat", _)) => arguments[2],
        Some(("open", _)) => arguments[1],
        _ => 0,
    };
    flags & u64::from(libc::O_CREAT.unsigned_abs()) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_by_its_number() {
        assert_eq!(name(libc::SYS_openat2), "openat2");
        assert_eq!(name(99_999), "call 99999");
        assert!(errors(libc::SYS_getpid, &[0; 6]).is_empty());
        let flags = u64::from((libc::O_CREAT | libc::O_WRONLY).unsigned_abs());
        assert!(errors(libc::SYS_openat, &[0, 0, flags, 0, 0, 0]).contains(&Errno::ENOSPC));
        assert!(!errors(libc::SYS_openat, &[0; 6]).contains(&Errno::ENOSPC));
        assert_eq!(path_argument(libc::SYS_fsconfig), None);
        assert_eq!(path_argument(libc::SYS_mkdirat), Some(1));
    }
}
