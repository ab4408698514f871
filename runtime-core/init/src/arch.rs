//! All that depends on the processor: how a system call is made, its numbers, the entry of a program, and clone3 with a
//! stack of its own. x86_64 and aarch64 stand side by side.

use core::arch::{asm, naked_asm};

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("Corten knows x86_64 and aarch64");

/// Makes system call `number` and gives what the kernel gave: a value, or an errno as a negative number.
///
/// # Safety
/// The arguments must be what that call takes; pointers among them must be valid for what the kernel does with them.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub unsafe fn syscall(number: usize, a: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel clobbers rcx, r11 and rax only; the caller answers for the arguments.
    unsafe {
        asm!("syscall", inlateout("rax") number.cast_signed() => result,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

/// Makes system call `number` and gives what the kernel gave: a value, or an errno as a negative number.
///
/// # Safety
/// The arguments must be what that call takes; pointers among them must be valid for what the kernel does with them.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub unsafe fn syscall(number: usize, a: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel clobbers x0 only; the caller answers for the arguments.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a[0].cast_signed() => result,
            in("x1") a[1], in("x2") a[2], in("x3") a[3], in("x4") a[4], in("x5") a[5], options(nostack));
    }
    result
}

/// clone3(2) of `args`, `size` bytes long, whose child runs `entry(argument)` on the stack that `args` names and never
/// returns; the caller gets the kernel's answer.
///
/// # Safety
/// `args` must be a valid `struct clone_args` of `size` bytes with a stack; what the child does must fit the flags, above
/// all CLONE_VM: it shares the caller's memory until it execs.
#[unsafe(naked)]
pub unsafe extern "C" fn clone_on_stack(
    args: *const u8,
    size: usize,
    entry: unsafe extern "C" fn(*mut u8) -> !,
    argument: *mut u8,
) -> isize {
    #[cfg(target_arch = "x86_64")]
    naked_asm!(
        "mov r8, rdx",
        "mov r9, rcx",
        "mov eax, 435",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2: xor ebp, ebp",
        "mov rdi, r9",
        "call r8",
        "ud2",
    );
    #[cfg(target_arch = "aarch64")]
    naked_asm!(
        "mov x9, x2",
        "mov x10, x3",
        "mov x8, #435",
        "svc 0",
        "cbz x0, 2f",
        "ret",
        "2: mov x29, xzr",
        "mov x30, xzr",
        "mov x0, x10",
        "blr x9",
        "brk #1",
    );
}

/// Copies `count` bytes, the first one first. In assembly, since a loop would be compiled to a call of memcpy.
///
/// # Safety
/// As memcpy(3), but that `to` may lie before `from` in the same bytes.
#[inline(always)]
pub unsafe fn copy(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: the caller's promise.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _, options(nostack));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("cbz {n}, 3f", "2: ldrb {b:w}, [{f}], #1", "strb {b:w}, [{t}], #1", "subs {n}, {n}, #1", "b.ne 2b", "3:",
            n = inout(reg) count => _, t = inout(reg) to => _, f = inout(reg) from => _, b = out(reg) _, options(nostack));
    }
}

/// Sets `count` bytes to `value`; in assembly as [`copy`].
///
/// # Safety
/// As memset(3).
#[inline(always)]
pub unsafe fn fill(to: *mut u8, value: u8, count: usize) {
    // SAFETY: the caller's promise.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") value, options(nostack));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("cbz {n}, 3f", "2: strb {b:w}, [{t}], #1", "subs {n}, {n}, #1", "b.ne 2b", "3:",
            n = inout(reg) count => _, t = inout(reg) to => _, b = in(reg) value, options(nostack));
    }
}

/// The largest page that a kernel for the processor may have, in bytes.
pub const LARGEST_PAGE: usize = if cfg!(target_arch = "x86_64") { 4 << 10 } else { 64 << 10 };

/// What seccomp(2) calls this processor, AUDIT_ARCH_* of <linux/audit.h>.
pub const AUDIT_ARCH: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };

/// open(2): fail on what is no directory.
pub const O_DIRECTORY: u64 = if cfg!(target_arch = "x86_64") { 0o200_000 } else { 0o40_000 };
/// open(2): fail on a symlink.
pub const O_NOFOLLOW: u64 = if cfg!(target_arch = "x86_64") { 0o400_000 } else { 0o100_000 };

/// Ends the process by a signal, without a system call.
pub fn trap() -> ! {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction raises an exception and does nothing else.
    unsafe {
        asm!("ud2", options(noreturn, nomem, nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        asm!("udf #0", options(noreturn, nomem, nostack));
    }
}

/// Defines `_start`, which calls `$main(stack)` with the kernel's initial stack: argc, argv, a null, the environment.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn _start() -> ! {
            #[cfg(target_arch = "x86_64")]
            core::arch::naked_asm!("xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {main}", "ud2", main = sym $main);
            #[cfg(target_arch = "aarch64")]
            core::arch::naked_asm!("mov x29, xzr", "mov x30, xzr", "mov x0, sp", "bl {main}", "brk #1", main = sym $main);
        }
    };
}

macro_rules! numbers {
    ($($name:ident $x86_64:literal $aarch64:literal)*) => {
        /// The numbers of the system calls that the init program makes.
        #[allow(missing_docs)]
        pub mod nr {
            $(#[cfg(target_arch = "x86_64")] pub const $name: usize = $x86_64;
              #[cfg(target_arch = "aarch64")] pub const $name: usize = $aarch64;)*
        }

        /// The name of system call `number`, for those in [`nr`].
        pub fn name(number: usize) -> &'static str {
            match number { $(nr::$name => stringify!($name),)* _ => "?" }
        }
    };
}

numbers! {
    READ 0 63
    WRITE 1 64
    CLOSE 3 57
    LSEEK 8 62
    MMAP 9 222
    RT_SIGACTION 13 134
    RT_SIGPROCMASK 14 135
    IOCTL 16 29
    GETPID 39 172
    SENDMSG 46 211
    RECVMSG 47 212
    EXECVE 59 221
    EXIT 60 93
    FCNTL 72 25
    GETCWD 79 17
    CHDIR 80 49
    FCHDIR 81 50
    FCHMOD 91 52
    FCHOWN 93 55
    UMASK 95 166
    SYSLOG 103 116
    SETSID 112 157
    SETGROUPS 116 159
    SETRESUID 117 147
    SETRESGID 119 149
    CAPSET 126 91
    PERSONALITY 135 92
    FSTATFS 138 44
    PIVOT_ROOT 155 41
    PRCTL 157 167
    CHROOT 161 51
    MOUNT 165 40
    UMOUNT2 166 39
    SETHOSTNAME 170 161
    SETDOMAINNAME 171 162
    SCHED_SETAFFINITY 203 122
    GETDENTS64 217 61
    EXIT_GROUP 231 94
    SET_MEMPOLICY 238 237
    WAITID 247 95
    KEYCTL 250 219
    IOPRIO_SET 251 30
    OPENAT 257 56
    MKDIRAT 258 34
    MKNODAT 259 33
    FCHOWNAT 260 54
    UNLINKAT 263 35
    SYMLINKAT 266 36
    READLINKAT 267 78
    FCHMODAT 268 53
    PPOLL 271 73
    UNSHARE 272 97
    SOCKET 41 198
    ACCEPT4 288 242
    EVENTFD2 290 19
    DUP3 292 24
    PRLIMIT64 302 261
    SETNS 308 268
    SCHED_SETATTR 314 274
    SECCOMP 317 277
    STATX 332 291
    PIDFD_SEND_SIGNAL 424 424
    OPEN_TREE 428 428
    MOVE_MOUNT 429 429
    FSOPEN 430 430
    FSCONFIG 431 431
    FSMOUNT 432 432
    CLONE3 435 435
    CLOSE_RANGE 436 436
    OPENAT2 437 437
    FACCESSAT2 439 439
    MOUNT_SETATTR 442 442
    OPEN_TREE_ATTR 467 467
}
