//! Whole pages: mapped, locked, left out of core dumps, between two pages that
//! cannot be touched.

use std::alloc::{Layout, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};

use super::report;

/// Zeroed, writable pages. Unmapped when dropped; whoever writes a secret there
/// wipes it before.
pub(super) struct Pages {
    start: NonNull<u8>,
    /// Bytes, without the guard pages.
    length: usize,
}

/// Bytes of the pages for so many bytes; one page at least.
fn rounded(bytes: usize) -> Option<usize> {
    let page = rustix::param::page_size();
    bytes.div_ceil(page).max(1).checked_mul(page)
}

/// Whether the system gives so many bytes now. They are not taken from the allocator, which may
/// wipe what it gets back: that would touch every page of them.
pub(crate) fn can_map(bytes: usize) -> bool {
    let Some(length) = rounded(bytes) else { return false };
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a fresh anonymous private mapping, as below.
    let mapped = unsafe {
        rustix::mm::mmap_anonymous(std::ptr::null_mut(), length, access, MapFlags::PRIVATE)
    };
    let Ok(start) = mapped else { return false };
    // SAFETY: the mapping made above, of which nothing was handed out.
    let _ = unsafe { rustix::mm::munmap(start, length) };
    true
}

impl Pages {
    /// At least so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let page = rustix::param::page_size();
        // As for any other allocation that fails.
        let fail =
            || handle_alloc_error(Layout::from_size_align(bytes, 1).unwrap_or(Layout::new::<u8>()));
        let Some(length) = rounded(bytes) else { fail() };
        let Some(mapped) = length.checked_add(2 * page) else { fail() };
        // SAFETY: a fresh anonymous private mapping; the address is ours to
        // choose nothing about, and nobody else refers to it.
        let base = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                mapped,
                ProtFlags::empty(),
                MapFlags::PRIVATE,
            )
        };
        let Ok(Some(base)) = base.map(|p| NonNull::new(p.cast::<u8>())) else { fail() };
        // SAFETY: `page` is inside the mapping of `length + 2 * page` bytes.
        let start = unsafe { base.add(page) };
        // SAFETY: `start..start + length` is inside our mapping, page-aligned.
        let access = unsafe {
            rustix::mm::mprotect(
                start.as_ptr().cast(),
                length,
                MprotectFlags::READ | MprotectFlags::WRITE,
            )
        };
        if access.is_err() {
            // SAFETY: the mapping made above, of which nothing was handed out.
            let _ = unsafe { rustix::mm::munmap(base.as_ptr().cast(), mapped) };
            fail();
        }
        // SAFETY: as for mprotect; locking and advice do not change contents.
        unsafe {
            if let Err(error) = rustix::mm::mlock(start.as_ptr().cast(), length) {
                report(error);
            }
            #[cfg(target_os = "linux")]
            if let Err(error) =
                rustix::mm::madvise(start.as_ptr().cast(), length, Advice::LinuxDontDump)
            {
                report(error);
            }
        }
        Self { start, length }
    }

    pub(super) const fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Their address, for [`Self::from_start`] to give them back.
    pub(super) fn into_start(self) -> NonNull<u8> {
        ManuallyDrop::new(self).start
    }

    /// # Safety
    ///
    /// `start` must be of pages that were made for so many bytes, and each must
    /// be given back once.
    pub(super) unsafe fn from_start(start: NonNull<u8>, bytes: usize) -> Self {
        Self { start, length: rounded(bytes).unwrap_or_default() }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let page = rustix::param::page_size();
        let start = self.start.as_ptr();
        // SAFETY: the mapping made in `new`, which begins a page before the
        // start and ends a page after the length; its owner is gone.
        unsafe {
            let _ = rustix::mm::munlock(start.cast(), self.length);
            let _ = rustix::mm::munmap(start.sub(page).cast(), self.length + 2 * page);
        }
    }
}
