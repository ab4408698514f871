//! One heap for Rust and for the C library: dlmalloc. glibc's own prints statistics, and so brings the standard streams:
//! see `c_library`. Its manual, "Replacing malloc", has the functions that a static program has to give.

use dlmalloc::Dlmalloc;
use std::{
    alloc::{GlobalAlloc, Layout, alloc, dealloc, realloc as grow},
    cell::UnsafeCell,
    ffi::{c_char, c_int, c_void},
    ptr,
};

// SAFETY: the C library's name and type.
unsafe extern "C" {
    /// glibc's word for a process that has had one thread only: its manual, "Single-Threaded". Another is made by this one, which is
    /// in no call of the heap then.
    static __libc_single_threaded: c_char;
}

/// The heap, and its lock, which a process of one thread goes without: it costs a fifth of what is done under it.
struct Heap {
    pieces: UnsafeCell<Dlmalloc>,
    lock: UnsafeCell<libc::pthread_mutex_t>,
}

// SAFETY: the pieces are used by one thread at a time, see `with`.
unsafe impl Sync for Heap {}

impl Heap {
    #[inline]
    fn with<T>(&self, act: impl FnOnce(&mut Dlmalloc) -> T) -> T {
        // SAFETY: it only changes while no thread is here.
        let alone = unsafe { ptr::read_volatile(&raw const __libc_single_threaded) } != 0;
        if !alone {
            // SAFETY: a lock that was initialized, and is not held by this thread: the heap calls nothing that allocates.
            unsafe { libc::pthread_mutex_lock(self.lock.get()) };
        }
        // SAFETY: no other thread is here.
        let done = act(unsafe { &mut *self.pieces.get() });
        if !alone {
            // SAFETY: it was locked above.
            unsafe { libc::pthread_mutex_unlock(self.lock.get()) };
        }
        done
    }
}

// SAFETY: dlmalloc keeps the promises of an allocator.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, as in the functions below.
        self.with(|pieces| unsafe { pieces.malloc(layout.size(), layout.align()) })
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: as above.
        self.with(|pieces| unsafe { pieces.free(piece, layout.size(), layout.align()) });
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        self.with(|pieces| unsafe { pieces.calloc(layout.size(), layout.align()) })
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        self.with(|pieces| unsafe { pieces.realloc(piece, layout.size(), layout.align(), size) })
    }
}

#[global_allocator]
static HEAP: Heap =
    Heap { pieces: UnsafeCell::new(Dlmalloc::new()), lock: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER) };

/// malloc(3)'s alignment, and the size of [`Head`].
const ALIGN: usize = 16;

/// What stands before each piece that the C library gets: free(3) is not told how large it is.
#[repr(C)]
struct Head {
    /// The bytes from the start of what the heap gave, this head included.
    size: usize,
    /// How far behind that start the piece is.
    offset: usize,
}

const _: () = assert!(size_of::<Head>() <= ALIGN);

impl Head {
    fn layout(&self) -> Layout {
        // SAFETY: it is the layout that the heap gave the piece for, checked then.
        unsafe { Layout::from_size_align_unchecked(self.size, ALIGN) }
    }
}

fn out_of_memory() -> *mut c_void {
    // SAFETY: errno is this thread's.
    unsafe { *libc::__errno_location() = libc::ENOMEM };
    ptr::null_mut()
}

/// `size` bytes at a multiple of `align`, a power of two.
fn allocate(align: usize, size: usize) -> *mut c_void {
    let room = if align > ALIGN { align } else { ALIGN };
    let Some(size) = size.checked_add(room) else { return out_of_memory() };
    let Ok(layout) = Layout::from_size_align(size, ALIGN) else { return out_of_memory() };
    // SAFETY: the size is not 0.
    let start = unsafe { alloc(layout) };
    if start.is_null() {
        return out_of_memory();
    }
    // The next multiple of `room` is `ALIGN` or more behind the start, and at most `room`.
    let offset = room - start.addr() % room;
    // SAFETY: the head and the piece are within the `size` bytes from `start`.
    unsafe {
        let piece = start.add(offset);
        piece.cast::<Head>().sub(1).write(Head { size, offset });
        piece.cast()
    }
}

/// The head of `piece`.
///
/// # Safety
/// `piece` is from [`allocate`], and was not freed.
unsafe fn head(piece: *mut c_void) -> Head {
    // SAFETY: the caller's word.
    unsafe { piece.cast::<Head>().sub(1).read() }
}

/// malloc(3)
// SAFETY: the C library's name and type, as those of the functions below.
#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut c_void {
    allocate(ALIGN, size)
}

/// calloc(3)
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, each: usize) -> *mut c_void {
    let Some(size) = count.checked_mul(each) else { return out_of_memory() };
    let piece = allocate(ALIGN, size);
    if !piece.is_null() {
        // SAFETY: the piece has `size` bytes.
        unsafe { piece.cast::<u8>().write_bytes(0, size) };
    }
    piece
}

/// realloc(3)
// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(piece: *mut c_void, size: usize) -> *mut c_void {
    if piece.is_null() {
        return malloc(size);
    }
    // SAFETY: the caller's piece is from here.
    let head = unsafe { head(piece) };
    let Some(size) = size.checked_add(head.offset).filter(|&size| isize::try_from(size).is_ok()) else {
        return out_of_memory();
    };
    // SAFETY: the piece is from the heap with this layout; what was before the new end is kept, the head too.
    let start = unsafe { grow(piece.cast::<u8>().sub(head.offset), head.layout(), size) };
    if start.is_null() {
        return out_of_memory();
    }
    // SAFETY: the head and the piece are within the `size` bytes from `start`.
    unsafe {
        let piece = start.add(head.offset);
        piece.cast::<Head>().sub(1).write(Head { size, offset: head.offset });
        piece.cast()
    }
}

/// free(3)
// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn free(piece: *mut c_void) {
    if piece.is_null() {
        return;
    }
    // SAFETY: the caller's piece is from here, and nobody uses it any more.
    unsafe {
        let head = head(piece);
        dealloc(piece.cast::<u8>().sub(head.offset), head.layout());
    }
}

/// malloc_usable_size(3)
// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_usable_size(piece: *mut c_void) -> usize {
    if piece.is_null() {
        return 0;
    }
    // SAFETY: the caller's piece is from here.
    let head = unsafe { head(piece) };
    head.size - head.offset
}

/// aligned_alloc(3)
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(align: usize, size: usize) -> *mut c_void {
    if align.is_power_of_two() { allocate(align, size) } else { out_of_memory() }
}

/// memalign(3)
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "C" fn memalign(align: usize, size: usize) -> *mut c_void {
    aligned_alloc(align, size)
}

/// posix_memalign(3)
// SAFETY: as above; `piece` is the caller's to be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(piece: *mut *mut c_void, align: usize, size: usize) -> c_int {
    if !align.is_power_of_two() || align < size_of::<*mut c_void>() {
        return libc::EINVAL;
    }
    let new = allocate(align, size);
    if new.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: as above.
    unsafe { piece.write(new) };
    0
}
