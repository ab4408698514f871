//! What a static program brings of glibc, and does not need here.
//!
//! Behind seven of its functions stand the standard streams, their formats, message catalogues, locales, the conversion of
//! character sets and, for that, the loading of libraries: 370 KB, of which nothing runs. Those functions are given here,
//! and the linker leaves the rest out. `lean_c_library` is set by build.rs, for the versions of glibc that this was tried
//! with; `lean.ld` fails the link if anything is left that would find one of them missing.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};

// SAFETY: glibc's names and types: since 2.32 an errno's text without a translation, or null; since 2.34 a fork without
// the handlers of pthread_atfork(3), of which this program has none.
unsafe extern "C" {
    safe fn strerrordesc_np(errno: c_int) -> *const c_char;
    safe fn _Fork() -> libc::pid_t;
}

/// The text of `errno`, as strerror(3) has it in the locale "C".
fn text_of(errno: c_int) -> &'static CStr {
    let text = strerrordesc_np(errno);
    if text.is_null() {
        return c"Unknown error";
    }
    // SAFETY: what is not null is a text of the C library's own, and is never changed.
    unsafe { CStr::from_ptr(text) }
}

/// strerror_r(3), POSIX's. The C library's own looks for a translation.
// SAFETY: the C library's name and type.
#[unsafe(no_mangle)]
unsafe extern "C" fn __xpg_strerror_r(errno: c_int, buffer: *mut c_char, size: usize) -> c_int {
    let text = text_of(errno);
    let Some(room) = size.checked_sub(1) else { return libc::ERANGE };
    let length = text.count_bytes().min(room);
    // SAFETY: the caller's buffer has `size` bytes, more than `length`, which `text` has.
    unsafe {
        buffer.copy_from_nonoverlapping(text.as_ptr(), length);
        buffer.add(length).write(0);
    }
    if length == text.count_bytes() { 0 } else { libc::ERANGE }
}

/// strerror_r(3), GNU's: for the C library's own last words.
// SAFETY: the C library's name and type; it may leave the buffer as it is.
#[unsafe(no_mangle)]
extern "C" fn __strerror_r(errno: c_int, _buffer: *mut c_char, _size: usize) -> *const c_char {
    text_of(errno).as_ptr()
}

/// fork(2). The C library's own takes the locks of the standard streams and of its heap.
// SAFETY: the C library's name and type.
#[unsafe(no_mangle)]
extern "C" fn fork() -> libc::pid_t {
    _Fork()
}

/// exit(3), where nothing is registered to be run: `__cxa_atexit` below. Rust's own output is written by then.
// SAFETY: the C library's name and type.
#[unsafe(no_mangle)]
extern "C" fn exit(status: c_int) -> ! {
    // SAFETY: _exit(2) takes any status.
    unsafe { libc::_exit(status) }
}

/// What the C library's start registers for the loader of shared libraries, which a static program has not.
// SAFETY: the C++ ABI's name and type. Nothing that is registered would be run.
#[unsafe(no_mangle)]
extern "C" fn __cxa_atexit(_: *const c_void, _: *const c_void, _: *const c_void) -> c_int {
    0
}

/// sysconf(3), as far as std asks. The C library's own reads files of /sys by the standard streams' ways.
// SAFETY: the C library's name and type.
#[unsafe(no_mangle)]
extern "C" fn sysconf(name: c_int) -> c_long {
    // SAFETY: asks for a word of the auxiliary vector.
    let page = || unsafe { libc::getauxval(libc::AT_PAGESZ) };
    match name {
        libc::_SC_PAGESIZE => page().cast_signed(),
        libc::_SC_OPEN_MAX => open_files(),
        _ => {
            // SAFETY: errno is this thread's.
            unsafe { *libc::__errno_location() = libc::EINVAL };
            -1
        }
    }
}

/// The same under the name by which the C library calls it.
// SAFETY: the C library's name and type.
#[unsafe(no_mangle)]
extern "C" fn __sysconf(name: c_int) -> c_long {
    sysconf(name)
}

/// RLIMIT_NOFILE of getrlimit(2), -1 for none.
fn open_files() -> c_long {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: 0 };
    // SAFETY: `limit` is what getrlimit fills in.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    c_long::try_from(limit.rlim_cur).unwrap_or(-1)
}

/// Sets up this thread's tables of letters and digits, which nothing here looks into.
// SAFETY: the C library's name and type; `lean.ld` sees to it that nothing misses the tables.
#[unsafe(no_mangle)]
extern "C" fn __ctype_init() {}
