//! The init program's entry. Built by `build.rs`, alone: no libc, no allocator, no runtime.
#![no_std]
#![no_main]

mod arch;
mod child;
mod guards;
mod memory;
mod message;
mod step;
mod wire;

entry!(main);

unsafe extern "C" fn main(stack: *const usize) -> ! {
    // SAFETY: `_start` passes the stack as the kernel made it.
    let words = unsafe { child::sys::arguments(stack) };
    match child::Arguments::parse(words.skip(1)) {
        Some(arguments) => child::run(arguments),
        None => child::sys::exit(1),
    }
}

/// A fault of ours: the parent sees the socket close and says that the process died.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    child::sys::exit(134)
}
