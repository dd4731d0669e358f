//! Secrets: seeds in locked memory, PINs and passphrases.

mod credential;
mod memory;
pub(crate) mod pkcs8;
mod seed;

pub use credential::{Passphrase, Pin};
pub(crate) use memory::LockedBox;
pub use memory::{MemoryProtection, memory_protection};
pub(crate) use seed::{SigningSeed, X25519Seed};
