//! Bytes of any number in locked memory.

use std::fmt;
use std::ops::Deref;
use std::slice;

use zeroize::Zeroize;

use super::Pages;

/// Bytes on pages of their own, as a [`LockedBox`](super::LockedBox) is.
/// Wiped before they are unmapped.
pub(crate) struct LockedBytes {
    pages: Pages,
    /// Bytes that may have been written.
    capacity: usize,
    /// Bytes that count.
    length: usize,
}

impl LockedBytes {
    /// Zeroed bytes, which `fill` writes in place; it tells how many of them
    /// count.
    pub(crate) fn try_new<E>(
        capacity: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Self, E> {
        let mut this = Self { pages: Pages::new(capacity), capacity, length: 0 };
        this.length = fill(this.as_mut_slice())?.min(capacity);
        Ok(this)
    }

    /// A copy; the caller wipes the original.
    pub(crate) fn copy_of(bytes: &[u8]) -> Self {
        let copied = Self::try_new(bytes.len(), |copy| {
            copy.copy_from_slice(bytes);
            Ok::<usize, std::convert::Infallible>(bytes.len())
        });
        match copied {
            Ok(this) => this,
            Err(never) => match never {},
        }
    }

    /// Leaves out what is after the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: `capacity` bytes are mapped there, and zeroed from the start;
        // exclusive by `&mut self`.
        unsafe { slice::from_raw_parts_mut(self.pages.start().as_ptr(), self.capacity) }
    }
}

impl Deref for LockedBytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: as in `as_mut_slice`, and `length` is no more; shared by
        // `&self`.
        unsafe { slice::from_raw_parts(self.pages.start().as_ptr(), self.length) }
    }
}

impl Drop for LockedBytes {
    fn drop(&mut self) {
        self.as_mut_slice().zeroize();
    }
}

// SAFETY: they own their pages alone, like `Box<[u8]>`.
unsafe impl Send for LockedBytes {}
// SAFETY: shared access only hands out `&[u8]`, like `Box<[u8]>`.
unsafe impl Sync for LockedBytes {}

impl fmt::Debug for LockedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedBytes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_any_number_are_kept() {
        for length in [0, 1, 32, 4096, 4097, 100_000] {
            let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            assert_eq!(*LockedBytes::copy_of(&bytes), *bytes);
        }
    }

    #[test]
    fn what_does_not_count_is_not_shown() {
        let fill = |bytes: &mut [u8]| {
            bytes.fill(7);
            Ok::<_, ()>(3)
        };
        let mut bytes = LockedBytes::try_new(10, fill).unwrap();
        assert_eq!(*bytes, [7; 3]);
        bytes.truncate(5);
        assert_eq!(*bytes, [7; 3]);
        bytes.truncate(1);
        assert_eq!(*bytes, [7]);
    }
}
