//! What the C library does before `main`, without its look at the processor.
//!
//! To choose among its copies of memcpy(3) glibc asks the processor some forty times for its features and caches, cpuid, and where
//! this host is a virtual machine itself each of them is an exit to what runs it: 5 µs, a quarter of a millisecond in all. With no
//! answers it takes the copies that any x86_64 has. The rest of its start, GLIBC_TUNABLES, the paths of shared libraries and
//! the defaults of threads, is for what is not in this program.

use std::{
    ffi::{c_char, c_int, c_long, c_ulong, c_void},
    ptr, slice,
};

type Main = extern "C" fn(c_int, *const *const c_char, *const *const c_char) -> c_int;
type Init = extern "C" fn(c_int, *const *const c_char, *const *const c_char);
type Resolver = extern "C" fn() -> *const c_void;

/// An entry of the table of relocations, elf(5).
#[repr(C)]
struct Relocation {
    at: *mut *const c_void,
    kind: u64,
    addend: Resolver,
}

// SAFETY: names and types of glibc 2.36 to 2.43 within itself, and of what ld(1) defines at the ends of sections.
unsafe extern "C" {
    static mut environ: *const *const c_char;
    static mut __libc_stack_end: *const c_void;
    /// The manual, "Single-Threaded".
    static mut __libc_single_threaded: c_char;
    fn _dl_aux_init(vector: *const Auxiliary);
    fn __libc_setup_tls();
    static __rela_iplt_start: [Relocation; 0];
    static __rela_iplt_end: [Relocation; 0];
    static __init_array_start: [Init; 0];
    static __init_array_end: [Init; 0];
}

/// An entry of the auxiliary vector, getauxval(3).
#[repr(C)]
#[derive(Clone, Copy)]
struct Auxiliary {
    kind: c_ulong,
    value: c_ulong,
}

/// From so many bytes on a copy goes past the caches. The C library computes it from the cache's size.
// SAFETY: the C library's name and type, as with the next ones.
#[unsafe(no_mangle)]
static __x86_shared_non_temporal_threshold: c_long = 0xc_0000;
// SAFETY: as above.
#[unsafe(no_mangle)]
static __x86_memset_non_temporal_threshold: c_long = 0xc_0000;
/// From so many bytes on `rep movsb` and `rep stosb` would be used by copies that are not chosen.
// SAFETY: as above.
#[unsafe(no_mangle)]
static __x86_rep_movsb_threshold: c_long = 2048;
// SAFETY: as above.
#[unsafe(no_mangle)]
static __x86_rep_movsb_stop_threshold: c_long = 0xc_0000;
// SAFETY: as above.
#[unsafe(no_mangle)]
static __x86_rep_stosb_threshold: c_long = 2048;
// SAFETY: as above.
#[unsafe(no_mangle)]
static __x86_shared_cache_size: c_long = 1 << 20;
// SAFETY: as above.
#[unsafe(no_mangle)]
static __x86_shared_cache_size_half: c_long = 1 << 19;
// SAFETY: as above.
#[unsafe(no_mangle)]
static __x86_data_cache_size: c_long = 32 << 10;
// SAFETY: as above.
#[unsafe(no_mangle)]
static __x86_data_cache_size_half: c_long = 16 << 10;
// SAFETY: as above.
#[unsafe(no_mangle)]
static __x86_string_control: c_int = 0;

/// Where the program's first instructions go on to, with what the kernel has put on the stack.
// SAFETY: the C library's name and type. The last arguments are a hook of the dynamic linker, and where the stack begins.
#[unsafe(no_mangle)]
unsafe extern "C" fn __libc_start_main(
    main: Main,
    argc: c_int,
    argv: *const *const c_char,
    _init: *const c_void,
    _fini: *const c_void,
    _hook: *const c_void,
    stack: *const c_void,
) -> c_int {
    // SAFETY: the kernel's layout of a new program's stack: arguments, null, environment, null, auxiliary vector. There is one
    // thread, and nothing of the C library is used before it is set up, in its own order.
    unsafe {
        let environment = argv.add(usize::try_from(argc).unwrap_or_default() + 1);
        environ = environment;
        __libc_stack_end = stack;
        __libc_single_threaded = 1;
        let mut end = environment;
        while !(*end).is_null() {
            end = end.add(1);
        }
        let vector = end.add(1).cast::<Auxiliary>();
        _dl_aux_init(vector);
        for relocation in between(&raw const __rela_iplt_start, &raw const __rela_iplt_end) {
            *relocation.at = (relocation.addend)();
        }
        __libc_setup_tls();
        guard(auxiliary(vector, libc::AT_RANDOM));
        protect(auxiliary(vector, libc::AT_PHDR), auxiliary(vector, libc::AT_PHNUM));
        for init in between(&raw const __init_array_start, &raw const __init_array_end) {
            init(argc, argv, environment);
        }
        libc::_exit(main(argc, argv, environment))
    }
}

/// What lies from one name of the linker's to the other.
///
/// # Safety
/// Values of that type do.
unsafe fn between<'a, T>(start: *const [T; 0], end: *const [T; 0]) -> &'a [T] {
    let (start, end) = (start.cast::<T>(), end.cast::<T>());
    // SAFETY: the caller's word.
    unsafe { slice::from_raw_parts(start, end.offset_from_unsigned(start)) }
}

/// A word of the auxiliary vector, 0 where there is none.
///
/// # Safety
/// The vector ends with AT_NULL.
unsafe fn auxiliary(mut vector: *const Auxiliary, kind: c_ulong) -> usize {
    // SAFETY: the caller's word.
    unsafe {
        while (*vector).kind != libc::AT_NULL {
            if (*vector).kind == kind {
                return usize::try_from((*vector).value).unwrap_or_default();
            }
            vector = vector.add(1);
        }
    }
    0
}

/// The values that the C library's functions find on the stack unchanged, and that it hides pointers with, are chance.
///
/// # Safety
/// `random` is the address of 16 bytes, AT_RANDOM, and this thread's block is set up.
unsafe fn guard(random: usize) {
    // SAFETY: the caller's word; the places in the thread's block are the processor's binary interface.
    unsafe {
        let [stack, pointer] = ptr::with_exposed_provenance::<[u64; 2]>(random).read_unaligned();
        // The lowest byte is 0: no text runs over it.
        std::arch::asm!("mov fs:[0x28], {}", in(reg) stack & !0xff, options(nostack, preserves_flags));
        std::arch::asm!("mov fs:[0x30], {}", in(reg) pointer, options(nostack, preserves_flags));
    }
}

/// What is written only so far becomes read-only: PT_GNU_RELRO.
///
/// # Safety
/// `headers` is the address of `count` program headers.
unsafe fn protect(headers: usize, count: usize) {
    const PAGE: usize = 4096;
    // SAFETY: the caller's word.
    let headers =
        unsafe { slice::from_raw_parts(ptr::with_exposed_provenance::<libc::Elf64_Phdr>(headers), count) };
    for header in headers.iter().filter(|header| header.p_type == libc::PT_GNU_RELRO) {
        let at = |address: u64| usize::try_from(address).unwrap_or_default() & !(PAGE - 1);
        let (start, end) = (at(header.p_vaddr), at(header.p_vaddr + header.p_memsz));
        // SAFETY: the linker has put nothing there that is written from now on.
        unsafe {
            libc::mprotect(ptr::with_exposed_provenance_mut(start), end - start, libc::PROT_READ);
        }
    }
}
