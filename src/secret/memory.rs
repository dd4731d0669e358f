//! Memory for secrets: locked, kept out of core dumps, guarded, wiped.
//!
//! `memsec` ignores a failing `mlock`, `region` unlocks but does not wipe, and
//! `secrets` needs libsodium: none of them can report that the lock failed,
//! which is the one thing an operator has to know. So this module does the
//! four system calls itself; it is the only one outside FFI with unsafe code.
#![allow(unsafe_code, reason = "mmap, mlock, madvise and munmap are unsafe by nature")]

mod bytes;
mod pages;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::OnceLock;

use zeroize::Zeroize;

pub(crate) use bytes::LockedBytes;
use pages::Pages;
pub(crate) use pages::can_map;

/// Whether the memory of secrets could be protected in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryProtection {
    /// Every secret so far is locked into RAM and left out of core dumps.
    Protected,
    /// At least one secret could not be locked, or not be left out of core
    /// dumps: it may be written to swap or to a dump. Raise `RLIMIT_MEMLOCK`
    /// (`ulimit -l`, systemd's `LimitMEMLOCK=`).
    Unprotected {
        /// The error number of the first failure.
        errno: i32,
    },
}

static FAILURE: OnceLock<i32> = OnceLock::new();

/// Tells whether a secret of this process was left in unprotected memory.
#[must_use]
pub fn memory_protection() -> MemoryProtection {
    match FAILURE.get() {
        None => MemoryProtection::Protected,
        Some(errno) => MemoryProtection::Unprotected { errno: *errno },
    }
}

fn report(error: rustix::io::Errno) {
    if FAILURE.set(error.raw_os_error()).is_ok() {
        log::warn!(
            "key memory could not be protected from swap and core dumps ({error}); \
             raise RLIMIT_MEMLOCK (ulimit -l, or LimitMEMLOCK= of systemd)"
        );
    }
}

/// One `T` on pages of its own, between two pages that cannot be touched.
///
/// The value is made and filled in place, so no copy of it is ever moved over
/// the stack. Wiped before it is unmapped.
pub(crate) struct LockedBox<T: Zeroize> {
    /// At the start of its pages. Their number follows from the type, so that a
    /// key is no bigger than its pointers.
    value: NonNull<T>,
}

impl<T: Zeroize> LockedBox<T> {
    /// Maps memory, puts the (public) `blank` there and lets `fill` write the
    /// secret in place.
    pub(crate) fn try_new<E>(
        blank: T,
        fill: impl FnOnce(&mut T) -> Result<(), E>,
    ) -> Result<Self, E> {
        const { assert!(align_of::<T>() <= 4096) };
        let value = Pages::new(size_of::<T>()).into_start().cast::<T>();
        // SAFETY: the pages are writable, page-aligned and at least
        // `size_of::<T>()` long; nothing was there that would need dropping.
        unsafe { value.write(blank) };
        let mut this = Self { value };
        fill(&mut this)?;
        Ok(this)
    }

    /// As [`Self::try_new`], for a `fill` that cannot fail.
    pub(crate) fn new(blank: T, fill: impl FnOnce(&mut T)) -> Self {
        let made = Self::try_new(blank, |value| {
            fill(value);
            Ok::<(), std::convert::Infallible>(())
        });
        match made {
            Ok(this) => this,
            Err(never) => match never {},
        }
    }
}

impl<T: Zeroize> Deref for LockedBox<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: written in `try_new`, alive until `drop`, shared by `&self`.
        unsafe { self.value.as_ref() }
    }
}

impl<T: Zeroize> DerefMut for LockedBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, exclusive by `&mut self`.
        unsafe { self.value.as_mut() }
    }
}

impl<T: Zeroize> Drop for LockedBox<T> {
    fn drop(&mut self) {
        (**self).zeroize();
        // SAFETY: dropped once, here, and no reference to it is left; the pages
        // are those that were made for it in `try_new`.
        unsafe {
            self.value.drop_in_place();
            drop(Pages::from_start(self.value.cast(), size_of::<T>()));
        }
    }
}

// SAFETY: the box owns its pages alone, like `Box<T>`.
unsafe impl<T: Zeroize + Send> Send for LockedBox<T> {}
// SAFETY: shared access only hands out `&T`, like `Box<T>`.
unsafe impl<T: Zeroize + Sync> Sync for LockedBox<T> {}

impl<T: Zeroize> fmt::Debug for LockedBox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedBox").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_filled_in_place_and_readable() {
        let mut boxed = LockedBox::new([0_u8; 32], |b| b.fill(7));
        assert_eq!(*boxed, [7; 32]);
        boxed[0] = 9;
        assert_eq!(boxed[0], 9);
    }

    #[test]
    fn a_failing_fill_gives_its_error() {
        let made = LockedBox::try_new([0_u8; 32], |_| Err("no randomness"));
        assert_eq!(made.err(), Some("no randomness"));
    }

    /// `VmFlags` of the mapping: `lo` locked, `dd` not in dumps.
    #[test]
    #[cfg(target_os = "linux")]
    fn the_page_is_locked_and_not_dumped() {
        let boxed = LockedBox::new([0_u8; 32], |b| b.fill(7));
        let address = boxed.value.as_ptr().addr();
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        let mut flags = None;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|r| r.split_once('-'));
            if let Some((from, to)) = range
                && let (Ok(from), Ok(to)) =
                    (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16))
            {
                inside = (from..to).contains(&address);
            } else if inside && line.starts_with("VmFlags:") {
                flags = Some(line.to_owned());
            }
        }
        let flags = flags.expect("the mapping is listed");
        assert!(flags.contains(" lo") && flags.contains(" dd"), "{flags}");
    }
}
