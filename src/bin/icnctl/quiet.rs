//! Keeps the TPM's C library from printing to the terminal: what it has to say
//! comes as errors.
#![allow(unsafe_code, reason = "setting a variable is unsafe beside other threads")]

/// To be called first in `main`. A value that somebody has set is left.
pub(crate) fn tss() {
    if std::env::var_os("TSS2_LOG").is_none() {
        // SAFETY: no other thread has been started yet.
        unsafe { std::env::set_var("TSS2_LOG", "all+none") };
    }
}
