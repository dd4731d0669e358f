//! Older keystores: read, checked, made into identities of version 5; and keys
//! taken out again.

mod command;
mod export;
mod files;
pub(crate) mod fixture;
mod refusals;
mod torn;
