//! Backups, and putting an identity back from one: the drill for every backend.

mod damage;
pub(crate) mod drill;
mod forgery;
mod modules;
mod recipients;
mod software;
mod terminal;
mod token;
mod torn;
mod tpm;
