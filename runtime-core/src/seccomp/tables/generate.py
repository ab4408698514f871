#!/usr/bin/env python3
"""Writes syscalls.rs, the table of system calls, from the kernel's exported headers.

    ./generate.py DIRECTORY > syscalls.rs

DIRECTORY holds one directory of exported headers for each architecture, as Debian's package linux-libc-dev lays them
out since 13 in /usr/lib/linux/uapi (`dpkg-deb -x linux-libc-dev_*_all.deb x`, then x/usr/lib/linux/uapi).
"""

import re
import sys
from pathlib import Path

# The columns of the table, in the order of `Abi` in tables/mod.rs.
COLUMNS = [
    "x86/asm/unistd_64.h",
    "x86/asm/unistd_32.h",
    "x86/asm/unistd_x32.h",
    "arm64/asm/unistd_64.h",
    "arm/asm/unistd-eabi.h",
]
# The others that an OCI profile can name (SCMP_ARCH_*): a profile for many architectures names their calls too.
OTHERS = ["loongarch", "m68k", "mips", "parisc", "powerpc", "riscv", "s390", "sh"]
# `#define __NR_read 0`, `(__X32_SYSCALL_BIT + 0)`, `(__NR_SYSCALL_BASE + 0)`: the bit and the base stay out.
NUMBER = re.compile(r"#define\s+__NR_([a-z_]\w*)\s+\(?(?:__\w+\s*\+\s*)?(\d+)\)?\s*$", re.M)
# ARM's calls of its own: `#define __ARM_NR_cacheflush (__ARM_NR_BASE+2)`.
ARM_PRIVATE = re.compile(r"#define\s+__ARM_NR_([a-z]\w*)\s+\(__ARM_NR_BASE\+(\d+)\)")
ARM_BASE = 0x0F0000
# Another name for the same call: `#define __NR_sync_file_range2 __NR_arm_sync_file_range`.
ALIAS = re.compile(r"#define\s+__NR_([a-z]\w*)\s+__NR_([a-z]\w*)\s*$", re.M)
ANY = re.compile(r"#define\s+__NR_([a-z_]\w*)\s")
NOT_CALLS = re.compile(r"^(syscalls$|reserved|unused)")


def numbers(text):
    return {name: int(number) for name, number in NUMBER.findall(text)}


def main():
    root = Path(sys.argv[1])
    columns = [numbers((root / header).read_text()) for header in COLUMNS]
    arm = columns[-1]
    arm_header = (root / "arm/asm/unistd.h").read_text()
    arm |= {name: ARM_BASE + int(number) for name, number in ARM_PRIVATE.findall(arm_header)}
    arm |= {alias: arm[name] for alias, name in ALIAS.findall(arm_header) if name in arm}
    names = sorted(set().union(*columns))
    names = [name for name in names if not NOT_CALLS.match(name)]

    elsewhere = set()
    for architecture in OTHERS:
        for header in (root / architecture / "asm").glob("unistd*.h"):
            elsewhere |= set(ANY.findall(header.read_text()))
    elsewhere = sorted(name for name in elsewhere - set(names) if not NOT_CALLS.match(name))

    newest = max(columns[0].values())
    print("//! Written by generate.py; not to be edited.")
    print("//!")
    print(f"//! The newest call on x86_64 is {newest}, `{next(n for n, v in columns[0].items() if v == newest)}`.")
    print()
    print("use super::{NONE, Syscall};")
    print()
    print("/// Every call of the architectures of `Abi`, by name.")
    print("#[rustfmt::skip]")
    print(f"pub(super) static SYSCALLS: [Syscall; {len(names)}] = [")
    for name in names:
        cells = ", ".join(str(column[name]) if name in column else "NONE" for column in columns)
        print(f'    Syscall {{ name: "{name}", numbers: [{cells}] }},')
    print("];")
    print()
    print("/// The calls that only architectures have which Corten builds no filter for.")
    print("#[rustfmt::skip]")
    print(f"pub(super) static ELSEWHERE: [&str; {len(elsewhere)}] = [")
    for name in elsewhere:
        print(f'    "{name}",')
    print("];")


main()
