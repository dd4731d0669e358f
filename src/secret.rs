//! Secrets: seeds in locked memory, PINs and passphrases.

mod credential;
mod memory;
pub(crate) mod pkcs8;
mod seed;
mod stack;
mod text;

pub use credential::{Passphrase, Pin};
#[cfg(feature = "tpm")]
pub(crate) use memory::LockedBox;
pub(crate) use memory::LockedBytes;
pub use memory::{MemoryProtection, memory_protection};
pub(crate) use seed::{SigningSeed, X25519Seed};
pub(crate) use stack::leaving_no_trace_of_much;
pub use text::LockedText;
