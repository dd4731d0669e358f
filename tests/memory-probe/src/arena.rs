//! A Rust heap of its own: one mapping at a known address, no block of which is
//! used twice. What a freed block held stays there, and what C code allocates
//! is elsewhere.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where it is; the test knows this address too.
const START: usize = 0x5eed_0000_0000;
const RESERVED: usize = 1 << 32;
/// What is made accessible at a time.
const STEP: usize = 1 << 20;

static NEXT: AtomicUsize = AtomicUsize::new(START);
static MAPPED: OnceLock<()> = OnceLock::new();

pub(crate) struct Arena;

// SAFETY: blocks are disjoint pieces of one mapping that stays.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MAPPED.get_or_init(reserve);
        let block = |next: usize| next.next_multiple_of(layout.align());
        let taken = NEXT
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |next| {
                block(next).checked_add(layout.size())
            })
            .map(block);
        let Ok(start) = taken else { return ptr::null_mut() };
        let used = (start + layout.size() - START).next_multiple_of(STEP);
        // SAFETY: the mapping is ours; what is accessible already stays so.
        let access =
            unsafe { libc::mprotect(start_of_all(), used, libc::PROT_READ | libc::PROT_WRITE) };
        if used > RESERVED || access != 0 {
            ptr::null_mut()
        } else {
            ptr::with_exposed_provenance_mut(start)
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

fn start_of_all() -> *mut libc::c_void {
    ptr::with_exposed_provenance_mut(START)
}

fn reserve() {
    let flags =
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: nothing is replaced.
    let mapped = unsafe { libc::mmap(start_of_all(), RESERVED, libc::PROT_NONE, flags, -1, 0) };
    // No message: there is no heap to make one on.
    if mapped != start_of_all() {
        std::process::abort();
    }
}
