#![no_std]
#![no_main]
use core::arch::{asm, global_asm};
#[cfg(target_arch="x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {m}", "ud2", m = sym main);
extern "C" fn main(_sp: *const usize) -> ! { unsafe { asm!("syscall", in("rax") 231, in("rdi") 0, options(noreturn)) } }
#[panic_handler] fn p(_: &core::panic::PanicInfo) -> ! { loop {} }
