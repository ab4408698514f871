//! System calls by name, for the architectures that Corten builds filters for.

mod syscalls;

use syscalls::{ELSEWHERE, SYSCALLS};

/// What stands for "this architecture has no such call".
const NONE: u32 = u32::MAX;

/// A calling convention with system call numbers of its own: a column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abi {
    X86_64,
    X86,
    X32,
    Aarch64,
    Arm,
}

/// A call and its number in each [`Abi`]; x32's without the bit that marks them.
pub(super) struct Syscall {
    pub(super) name: &'static str,
    numbers: [u32; 5],
}

impl Syscall {
    pub(super) fn number(&self, abi: Abi) -> Option<u32> {
        Some(self.numbers[abi as usize]).filter(|number| *number != NONE)
    }
}

/// The call of that name.
pub(super) fn find(name: &str) -> Option<&'static Syscall> {
    SYSCALLS.binary_search_by(|call| call.name.cmp(name)).ok().map(|at| &SYSCALLS[at])
}

/// The name of the call of that number.
pub(super) fn name(abi: Abi, number: u32) -> Option<&'static str> {
    SYSCALLS.iter().find(|call| call.number(abi) == Some(number)).map(|call| call.name)
}

/// Whether some other architecture has a call of that name: no reason to warn.
pub(super) fn known_elsewhere(name: &str) -> bool {
    ELSEWHERE.binary_search(&name).is_ok()
}

/// The multiplexer of x86 through which 32-bit programs can make the call too: its number, the call's own number as
/// the first argument, and the bits of that argument which the kernel looks at (socketcall(2), ipc(2)).
pub(super) fn multiplexed(name: &str) -> Option<(u32, u32, u32)> {
    const SOCKETCALL: u32 = 102;
    const IPC: u32 = 117;
    let (number, call) = match name {
        "socket" => (SOCKETCALL, 1),
        "bind" => (SOCKETCALL, 2),
        "connect" => (SOCKETCALL, 3),
        "listen" => (SOCKETCALL, 4),
        "accept" => (SOCKETCALL, 5),
        "getsockname" => (SOCKETCALL, 6),
        "getpeername" => (SOCKETCALL, 7),
        "socketpair" => (SOCKETCALL, 8),
        "send" => (SOCKETCALL, 9),
        "recv" => (SOCKETCALL, 10),
        "sendto" => (SOCKETCALL, 11),
        "recvfrom" => (SOCKETCALL, 12),
        "shutdown" => (SOCKETCALL, 13),
        "setsockopt" => (SOCKETCALL, 14),
        "getsockopt" => (SOCKETCALL, 15),
        "sendmsg" => (SOCKETCALL, 16),
        "recvmsg" => (SOCKETCALL, 17),
        "accept4" => (SOCKETCALL, 18),
        "recvmmsg" => (SOCKETCALL, 19),
        "sendmmsg" => (SOCKETCALL, 20),
        "semop" => (IPC, 1),
        "semget" => (IPC, 2),
        "semctl" => (IPC, 3),
        "semtimedop" => (IPC, 4),
        "msgsnd" => (IPC, 11),
        "msgrcv" => (IPC, 12),
        "msgget" => (IPC, 13),
        "msgctl" => (IPC, 14),
        "shmat" => (IPC, 21),
        "shmdt" => (IPC, 22),
        "shmget" => (IPC, 23),
        "shmctl" => (IPC, 24),
        _ => return None,
    };
    // The upper half of ipc's first argument is a version; it does not change which call is made.
    Some((number, call, if number == IPC { 0xffff } else { u32::MAX }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted() {
        assert!(SYSCALLS.is_sorted_by(|a, b| a.name < b.name));
        assert!(ELSEWHERE.is_sorted_by(|a, b| a < b));
        assert!(ELSEWHERE.iter().all(|name| find(name).is_none()));
    }

    #[test]
    fn numbers_are_those_of_the_kernel() {
        let numbers = |name| find(name).unwrap().numbers;
        assert_eq!(numbers("read"), [0, 3, 0, 63, 3]);
        assert_eq!(numbers("ioctl"), [16, 54, 514, 29, 54]);
        assert_eq!(numbers("clone3"), [435; 5]);
        assert_eq!(numbers("cacheflush"), [NONE, NONE, NONE, NONE, 0x0f_0002]);
        assert_eq!(numbers("sync_file_range2"), numbers("arm_sync_file_range"));
        assert!(find("s390_pci_mmio_read").is_none() && known_elsewhere("s390_pci_mmio_read"));
    }

    /// The number of call `name` on this processor.
    fn own(name: &str) -> Option<u32> {
        find(name)?.number(if cfg!(target_arch = "x86_64") { Abi::X86_64 } else { Abi::Aarch64 })
    }

    #[test]
    fn numbers_are_those_of_libc() {
        for (name, number) in [
            ("openat2", libc::SYS_openat2),
            ("mount_setattr", libc::SYS_mount_setattr),
            ("execveat", libc::SYS_execveat),
            ("umount2", libc::SYS_umount2),
            ("mseal", libc::SYS_mseal),
        ] {
            assert_eq!(own(name).map(i64::from), Some(number), "{name}");
        }
    }

    #[test]
    fn the_init_program_makes_the_calls_that_it_names() {
        let named = (0..1000).map(|number| (number, corten_init::arch::name(number)));
        let named: Vec<_> = named.filter(|(_, name)| *name != "?").collect();
        assert!(named.len() > 50);
        for (number, name) in named {
            assert_eq!(own(&name.to_lowercase()).map(|own| own as usize), Some(number), "{name}");
        }
    }

    #[test]
    fn each_call_that_x86_multiplexes_is_known() {
        assert_eq!(multiplexed("sendmmsg"), Some((102, 20, u32::MAX)));
        assert_eq!(multiplexed("shmctl"), Some((117, 24, 0xffff)));
        assert_eq!(multiplexed("read"), None);
    }
}
