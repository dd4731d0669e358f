//! What code that touches a secret leaves on the stack.
//!
//! A hash, a cipher or a parser that is given a secret keeps some of it in local
//! variables and spilled registers, which stay where they were when it returns.
//! Those frames are not ours to wipe one by one, so the stack that they were on
//! is overwritten as a whole.

use std::hint::black_box;

/// Deeper than a signature, a hash or a copy goes: 8 KiB.
const SHALLOW: usize = 8 * 1024;
/// Deeper than age, scrypt, JSON and a PKCS#11 module go: 64 KiB.
const DEEP: usize = 64 * 1024;

/// Does some work, then overwrites the 8 KiB of stack below.
///
/// The work must keep no secret by value: what it gives back is in the frame of
/// the caller.
pub(crate) fn leaving_no_trace<T>(work: impl FnOnce() -> T) -> T {
    let done = below(work);
    overwrite::<SHALLOW>();
    done
}

/// The same for work that goes deeper: 64 KiB.
pub(crate) fn leaving_no_trace_of_much<T>(work: impl FnOnce() -> T) -> T {
    let done = below(work);
    overwrite::<DEEP>();
    done
}

/// Never inlined, so that the frames of the work begin where those of
/// [`overwrite`] begin.
#[inline(never)]
fn below<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn overwrite<const BYTES: usize>() {
    // Escapes into the black box: the zeros have to be written.
    black_box(&mut [0_u8; BYTES]);
}
