//! One target for each format that `icn-identity` reads: `scripts/fuzz` runs them.
//!
//! What a target asserts is in `src/formats.rs` of the library: bytes are refused, or what
//! was read, written and read again is the same.

#[doc(hidden)]
pub use libfuzzer_sys;

/// A target by the name of its format.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        $crate::libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
            $crate::read($name, bytes);
        });
    };
}

/// Reads bytes as this format.
///
/// # Panics
///
/// If that is a finding.
pub fn read(name: &str, bytes: &[u8]) {
    #[cfg(fuzzing)]
    icn_identity::formats::Format::named(name).expect("a format of this name").check(bytes);
    #[cfg(not(fuzzing))]
    let _ = (name, bytes, "built by cargo-fuzz alone");
}
