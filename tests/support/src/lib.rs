//! What the tests and benches stand on. Compiled once: every binary uses what it
//! needs of it.
#![allow(clippy::new_without_default, reason = "each new one has a directory of its own")]

pub mod alone;
pub mod cargo;
pub mod child;
pub mod cut_off;
pub mod der;
pub mod dialects;
pub mod ek_maker;
pub mod home;
pub mod interleavings;
pub mod kill;
pub mod maker;
pub mod medians;
pub mod p11_kit;
pub mod peak;
pub mod performance;
pub mod pty;
mod queue;
pub mod ratios;
pub mod small_order;
pub mod softhsm;
pub mod ssh_keygen;
pub mod swtpm;
pub mod tpm2_pkcs11;
pub mod tpm_commands;
pub mod user;
pub mod wire;
pub mod workers;
