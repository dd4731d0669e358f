//! Which of the standard files were there when the program began.
//!
//! Only what runs before Rust's runtime can see it: that opens `/dev/null` for those
//! that are closed, as others do on purpose.
#![allow(unsafe_code, reason = "nothing safe runs before the runtime")]

use std::sync::atomic::{AtomicBool, Ordering};

/// Standard input and output.
static WAS_OPEN: [AtomicBool; 2] = [const { AtomicBool::new(true) }; 2];

#[used]
// SAFETY: the C runtime calls what is in this section before `main`; the function needs
// nothing that is not there by then.
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    for (number, was_open) in (0..).zip(&WAS_OPEN) {
        // SAFETY: of a number of a file, whether it is open or not.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
        was_open.store(flags >= 0, Ordering::Relaxed);
    }
}

pub(super) fn was_open(number: usize) -> bool {
    WAS_OPEN.get(number).is_none_or(|was_open| was_open.load(Ordering::Relaxed))
}
