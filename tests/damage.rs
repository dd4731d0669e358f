//! Damaged, truncated and hostile files: always an error, never a panic, an
//! opened identity, or work without bounds.
#![allow(dead_code, reason = "the support module serves several tests")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "support/home.rs"]
mod home;

#[path = "damage/bombs.rs"]
mod bombs;
#[path = "damage/bytes.rs"]
mod bytes;
#[path = "damage/contents.rs"]
mod contents;
#[path = "damage/victim.rs"]
mod victim;
