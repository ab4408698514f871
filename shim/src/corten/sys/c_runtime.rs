//! What the C libraries would bring and is not wanted.
//!
//! What std calls for the backtrace of a panic, and libgcc answers. A released program has neither symbols nor the tables
//! to unwind by, so that a backtrace would be empty: said here, the reader of debug information that std brings for it is
//! seen to be unused, and an eighth of the program goes. The message of a panic and its place are told as ever.

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    process,
};

/// `_URC_END_OF_STACK` of the C++ ABI's exception handling.
const END_OF_STACK: c_int = 5;

// SAFETY: the C++ ABI's name and type; that there are no frames to call `_each` for is an answer that it allows.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_each: *const c_void, _argument: *mut c_void) -> c_int {
    END_OF_STACK
}

/// What only frames and exceptions lead to, of which there are none.
macro_rules! never_called {
    ($($name:ident)*) => {$(
        // SAFETY: the name is the C++ ABI's. Whatever it is called with, it ends the program.
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> ! {
            process::abort()
        }
    )*};
}

never_called! {
    _Unwind_DeleteException _Unwind_FindEnclosingFunction _Unwind_ForcedUnwind _Unwind_GetCFA _Unwind_GetDataRelBase
    _Unwind_GetIP
    _Unwind_GetIPInfo _Unwind_GetLanguageSpecificData _Unwind_GetRegionStart _Unwind_GetTextRelBase
    _Unwind_RaiseException _Unwind_Resume _Unwind_SetGR _Unwind_SetIP
}

// SAFETY: the C library's name and type; both texts end with NUL. Its own formats them by all of stdio, in wide
// characters too, which nothing else here needs.
#[unsafe(no_mangle)]
unsafe extern "C" fn __assert_fail(
    what: *const c_char,
    file: *const c_char,
    line: c_uint,
    _: *const c_char,
) -> ! {
    // SAFETY: as above.
    let [what, file] = [what, file].map(|text| unsafe { CStr::from_ptr(text) }.to_string_lossy());
    eprintln!("{file}:{line}: assertion `{what}` failed in the C library");
    process::abort()
}
