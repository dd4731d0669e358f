//! The library without a device: types, files, DIDs, rotations, and what its
//! documents claim.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::unwrap_in_result, reason = "tests")]

mod advice;
mod blocking;
mod client;
mod consumer;
mod did;
#[cfg(feature = "tls")]
mod error_types;
mod errors;
mod foreign;
mod home;
mod instances;
mod keystore;
mod known_answers;
mod layers;
mod ledger;
mod matrix;
mod nonblocking;
mod objects;
mod performance;
mod public_api;
mod public_keys;
mod read_messages;
mod renewal;
mod rotation;
mod sshsig;
mod types;
mod unverified;
mod uri;
mod wording;
