//! What of the payload depends on the processor: system calls as a 32-bit program makes them. x86_64 and aarch64 stand
//! side by side.

use std::io;

/// The profile's names of the processor and of its 32-bit sibling.
#[cfg(target_arch = "x86_64")]
pub(crate) const ARCHITECTURES: [&str; 2] = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"];
#[cfg(target_arch = "aarch64")]
pub(crate) const ARCHITECTURES: [&str; 2] = ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"];

/// A call by int 0x80: the number and the arguments as a 32-bit program of x86 has them.
#[cfg(target_arch = "x86_64")]
pub(crate) fn call32(a: &[u64; 6]) -> io::Result<i32> {
    let result: i64;
    // SAFETY: the callers name calls that take plain numbers; rbx, which the compiler keeps for itself, is put back.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {first}", "int 0x80", "xchg rbx, {first}",
            first = inout(reg) a[1] => _, inlateout("rax") a[0] => result,
            in("rcx") a[2], in("rdx") a[3], in("rsi") a[4], in("rdi") a[5],
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
        );
    }
    // 32 bits, whose upper half is not to be relied on.
    #[allow(clippy::cast_possible_truncation)]
    outcome(result as i32)
}

/// A call by a 32-bit program of ARM: no other can make one. The signal that ends that program ends this one.
#[cfg(target_arch = "aarch64")]
pub(crate) fn call32(a: &[u64; 6]) -> io::Result<i32> {
    use nix::sys::signal::{Signal, raise};
    use std::{
        fs::File,
        io::Write,
        os::{
            fd::{AsRawFd, FromRawFd},
            unix::process::ExitStatusExt,
        },
        process::Command,
    };
    // SAFETY: the name is a C string, and nothing but a descriptor comes back.
    let memory = unsafe { libc::memfd_create(c"arm".as_ptr(), libc::MFD_CLOEXEC) };
    // SAFETY: the descriptor is new, and nobody else's.
    let mut file = unsafe { File::from_raw_fd(nix::errno::Errno::result(memory)?) };
    file.write_all(&program(a))?;
    // Executed only when nobody can write to it; and all is read by then that the path is good for.
    let program = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    drop(file);
    let ended = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd())).output()?;
    if let Some(signal) = ended.status.signal() {
        raise(Signal::try_from(signal)?)?;
    }
    let answer =
        ended.stdout.try_into().map_err(|_| io::Error::other("the 32-bit program did not answer"))?;
    outcome(i32::from_ne_bytes(answer))
}

/// A program of ARM that makes the call and writes the answer's four bytes to its standard output.
#[cfg(target_arch = "aarch64")]
fn program(a: &[u64; 6]) -> Vec<u8> {
    const BASE: u32 = 0x10_0000;
    const HEADERS: u32 = 84;
    const CODE: [u32; 12] = [
        0xe28f_8028, // add r8, pc, #40: the words after the code
        0xe898_00ff, // ldm r8, {r0-r7}
        0xef00_0000, // svc 0
        0xe92d_0001, // push {r0}
        0xe3a0_0001, // mov r0, #1
        0xe1a0_100d, // mov r1, sp
        0xe3a0_2004, // mov r2, #4
        0xe3a0_7004, // mov r7, #4: write
        0xef00_0000, // svc 0
        0xe3a0_0000, // mov r0, #0
        0xe3a0_7001, // mov r7, #1: exit
        0xef00_0000, // svc 0
    ];
    // Registers are of 32 bits: the lower half of an argument is the argument.
    #[allow(clippy::cast_possible_truncation)]
    let word = |index: usize| a[index] as u32;
    let words = [word(1), word(2), word(3), word(4), word(5), 0, 0, word(0)];
    let size = HEADERS + 4 * 20;
    // An executable of EM_ARM (40), EABI 5, with one program header: all of the file at BASE, to be read and executed.
    let mut bytes = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0".to_vec();
    let header = [1, BASE + HEADERS, 52, 0, 0x0500_0000, 52 | 32 << 16, 1, 0];
    let segment = [1, 0, BASE, BASE, size, size, 5, 0x1_0000];
    for word in header.into_iter().chain(segment).chain(CODE).chain(words) {
        bytes.extend(word.to_le_bytes());
    }
    bytes
}

/// What the kernel gave: a value, or an errno as a negative number.
fn outcome(result: i32) -> io::Result<i32> {
    if (-4095..0).contains(&result) { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result) }
}
