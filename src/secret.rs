//! Secrets: seeds, PINs and passphrases, in locked memory.
//!
//! What is promised of a seed, of the scalar and prefix that it is expanded to, of
//! a [`Passphrase`] and of a [`Pin`], in a release build: while it is held there is
//! one copy, in memory that is locked and left out of core dumps; once the last
//! owner is gone (dropped, locked, sealed) no 16 consecutive bytes of it are left in
//! the process, on the heap or on a stack. The test `memory` looks for them from
//! outside.
//!
//! During a call there may be more: age and cryptoki want a passphrase or PIN on the
//! ordinary heap, and a payload is decrypted there; these copies are wiped before
//! the call returns, and so is the stack that the call used. Not promised:
//!
//! - what is made of a PIN and goes through the TSS library of a TPM, which keeps copies in its
//!   heap; those of a sealed seed are encrypted with a PIN, and overwritten without one;
//! - what a PKCS#11 module keeps;
//! - what the caller still has: the environment, a terminal's buffer, a `&str`;
//! - locking where the system refuses it, which [`memory_protection`] tells.

#[cfg(feature = "keystore")]
mod answer;
mod credential;
pub(crate) mod json;
mod line;
mod memory;
mod passphrase;
pub(crate) mod pkcs8;
pub(crate) mod random;
mod seed;
mod stack;
mod text;

#[cfg(feature = "pkcs11")]
pub(crate) use answer::Alone;
#[cfg(any(feature = "pkcs11", feature = "tpm", all(test, feature = "keystore")))]
pub(crate) use answer::WithoutNote;
#[cfg(feature = "keystore")]
pub(crate) use answer::{NotNoted, NotSentAgain, Shown, TriedByAnother, TryNote};
#[cfg(any(feature = "pkcs11", feature = "tpm"))]
pub(crate) use answer::{PinAnswer, Sending};
pub use credential::Pin;
pub use line::TextProblem;
#[cfg(feature = "keystore")]
pub(crate) use line::without_line_end;
#[cfg(feature = "tpm")]
pub(crate) use memory::LockedBox;
pub(crate) use memory::{LockedBytes, can_map};
pub use memory::{MemoryProtection, memory_protection};
pub use passphrase::Passphrase;
pub use random::NoRandomness;
pub(crate) use random::fill as fill_random;
pub(crate) use seed::{SigningSeed, X25519Seed};
pub(crate) use stack::leaving_no_trace_of_much;
pub use text::LockedText;
